"""Streaming algorithms: one transition at a time, a trace for each parameter."""

from .contract import RNG, SPAN, Buffer, F, Fw, Int, Kernel, Layout

KERNELS = (
    Kernel(
        "sparse_init",
        """Sparse initialisation (Elsayed et al. 2024): as `init_params`, but a dense layer's biases are 0, and
        z = min(ceil(s * inputs), inputs - 1) of each unit's incoming weights, s = sparsity[0] within 0 to 1 (NaN: 0). Parameter i of the whole buffer takes
        block (step, i): u * (1.0f / sqrtf(inputs)), u of word 0 as in `uniform`. Which are 0 (selection sampling): with z left to
        choose among the last k inputs of a unit, it is the weight of the first of them if (word 1 * k) >> 32 is below z.
        Advances rng by one step.""",
        (Layout(), Fw("params", "n_params"), F("sparsity", "1"), RNG),
        of=("stream",),
    ),
    Kernel(
        "scale_reward",
        """scaled[0] = reward[0] / sqrt(v + 1e-8), v the variance of the discounted return so far (Engstrom et al. 2020): stats = count,
        return, mean, sum of squared deviations; return = fma(gamma, return, reward), gamma = coeffs[0]; then the others as in
        `moments_update`, and v = sum / (count - 1), but 1 while count is below 2.""",
        (F("reward", "1"), F("coeffs", "1"), Fw("stats", "4"), Fw("scaled", "1")),
        of=("stream",),
    ),
    Kernel(
        "softplus_action",
        """Gaussian policy that is not squashed: from head (2 * act_size) = mean | s, with std = max(softplus(s), 2^-20),
        raw = fma(std, noise, mean), and action = fma(half, clip(raw, -1, 1), middle), scaling = half, middle.
        softplus(s) = max(s, 0) + log1p(t), t = exp(-|s|), w = 1 + t, log1p(t) = t where w is 1, else log(w) * (t / (w - 1)).""",
        (
            F("head", "2 * act_size"),
            F("noise", "act_size"),
            F("scaling", "2 * act_size"),
            Fw("raw", "act_size"),
            Fw("action", "act_size"),
            Int("act_size", 1),
        ),
        of=("stream",),
    ),
    Kernel(
        "taken_action",
        """taken (act_size) = raw where action is what `softplus_action` made of it, |action - fma(half, clip(raw, -1, 1), middle)| <=
        2^-20 * half, else (action - middle) / half.""",
        (
            F("action", "act_size"),
            F("raw", "act_size"),
            F("scaling", "2 * act_size"),
            Fw("taken", "act_size"),
            Int("act_size", 1),
        ),
        of=("stream",),
    ),
    Kernel(
        "softplus_delta",
        """Gradient at head (2 * act_size) of log_prob(taken) + c * H, the log-density and the entropy of the policy of `softplus_action`;
        c = entropy[0] with the sign of delta[0], 0 for 0, so that a step along delta * gradient raises the entropy whatever delta's sign.
        With z = (taken - mean) / std: d_mean = z / std, d_s = ((fma(z, z, -1) + c) / std) * slope, and the slope of softplus,
        1 / (1 + t) where s >= 0, else t / (1 + t), t = exp(-|s|).""",
        (
            F("head", "2 * act_size"),
            F("taken", "act_size"),
            F("delta", "1"),
            F("entropy", "1"),
            Fw("d_head", "2 * act_size"),
            Int("act_size", 1),
        ),
        of=("stream",),
    ),
    Kernel(
        "td_error",
        """delta[0] = fma(gamma, next_value, reward) - value, gamma = coeffs[0]; reward - value when terminated.""",
        (
            F("reward", "1"),
            F("value", "1"),
            F("next_value", "1"),
            F("coeffs", "1"),
            Fw("delta", "1"),
            Int("terminated"),
        ),
        of=("stream",),
    ),
    Kernel(
        "q_error",
        """As `td_error`, with value = q[choice[0]] and next_value = the largest of next_q, both of n. Writes d_q (n), the gradient of value: 1
        at the choice, 0 elsewhere. Returns 1 when the choice is the one with the largest q, the first of equals, else 0.
        ValueError for a choice that is not in 0 to n - 1.""",
        (
            F("reward", "1"),
            F("q", "n"),
            F("next_q", "n"),
            Buffer("choice", "i", "1"),
            F("coeffs", "1"),
            Fw("d_q", "n"),
            Fw("delta", "1"),
            Int("n", 1),
            Int("terminated"),
        ),
        returns="int",
        check=True,
        of=("stream",),
    ),
    Kernel(
        "obgd_norm",
        """Adds |trace[i]| to lanes[i mod 16], for i from start to start + count - 1.""",
        (F("trace", "start + count"), Fw("lanes", "16"), *SPAN),
        of=("stream",),
    ),
    Kernel(
        "obgd_scale",
        """Overshooting-bounded gradient descent (Elsayed et al. 2024): hyper = learning rate, kappa, gamma, lambda; with s the sum of the lanes of
        `obgd_norm` by the tree of dense layers with few outputs and m = ((rate * kappa) * max(|delta|, 1)) * s,
        step[0] = (rate / m if m > 1, else rate) * delta. lanes (16) become 0.""",
        (Fw("lanes", "16"), F("delta", "1"), F("hyper", "4"), Fw("step", "1")),
        of=("stream",),
    ),
    Kernel(
        "obgd_step",
        """params = flush(fma(step[0], trace, params)), then trace = flush((gamma * lambda) * trace), on elements [start, start + count); hyper as in
        `obgd_scale`. `backward` adds the next gradient to them.""",
        (
            Fw("params", "start + count"),
            Fw("trace", "start + count"),
            F("step", "1"),
            F("hyper", "4"),
            *SPAN,
        ),
        of=("stream",),
    ),
)
