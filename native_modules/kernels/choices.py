"""Values of discrete actions."""

from .contract import RNG, ROWS, Buffer, F, Fw, Int, Kernel

KERNELS = (
    Kernel(
        "epsilon_greedy",
        """choice (batch) from q (batch, n) at rows [row, row + rows): with words w0, w1 of block (step, r), r the row, (w1 * n) >> 32 when
        (w0 >> 8) * 2^-24 < epsilon[0], else the index of the largest q, the first of equals. Advances rng one step.""",
        (
            F("q", "(row + rows) * n"),
            F("epsilon", "1"),
            RNG,
            Buffer("choice", "i", "row + rows", True),
            Int("n", 1),
            *ROWS,
        ),
        of=("dqn", "stream"),
    ),
    Kernel(
        "dqn_target",
        """target = fma(gamma * not_terminated, q, reward), gamma = coeffs[0], where q is what q_value (batch, n) has where q_select (batch, n) is
        largest, the first of equals: double Q-learning (van Hasselt et al. 2016) when they come from different networks.""",
        (
            F("reward", "row + rows"),
            F("not_terminated", "row + rows"),
            F("q_select", "(row + rows) * n"),
            F("q_value", "(row + rows) * n"),
            F("coeffs", "1"),
            Fw("target", "row + rows"),
            Int("n", 1),
            *ROWS,
        ),
        of=("dqn",),
    ),
    Kernel(
        "choice_delta",
        """Gradient of the mean Huber loss of q (batch, n) at the choice made: d_q (batch, n) = clip(e, -limit[0], limit[0]) * (1 / batch) there, e = q -
        target, and 0 elsewhere. The choice of row r is how many of 0.5, 1.5, ... n - 1.5 are not above fma(half, a, middle), with a at
        column `column` of action (batch, width) and scaling = half, middle. loss[0] gathers (0.5 * c) * c + (|e| - |c|) * limit[0],
        c = clip(e, ...), rows ascending, starting at 0 when row is 0.""",
        (
            F("q", "(row + rows) * n"),
            F("action", "(row + rows) * width"),
            F("scaling", "2"),
            F("target", "row + rows"),
            F("limit", "1"),
            Fw("d_q", "(row + rows) * n"),
            Fw("loss", "1"),
            Int("n", 1),
            Int("width", 1),
            Int("column"),
            *ROWS,
            Int("batch", 1),
        ),
        check=True,
        of=("dqn",),
    ),
)
