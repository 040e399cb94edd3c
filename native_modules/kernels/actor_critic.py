"""Actor-critic algorithms: rows [row, row + rows) of a batch; actions here are in [-1, 1]."""

from .contract import ROWS, SAC_USERS, F, Fw, Int, Kernel

KERNELS = (
    Kernel(
        "gaussian_head",
        """Squashed Gaussian policy (Haarnoja et al. 2018, appendix C): from head (batch, 2 * act_size) = mean | log_std and
        noise (batch, act_size) write tanh(u), u = fma(std, noise, mean), std = exp(clip(log_std, -20, 2)), to columns
        [column, column + act_size) of action (batch, width), and its log-density to log_prob (batch):
        the sum over actions, in order, of -noise^2/2 - log_std - log(2 pi)/2 - 2 (log 2 - |u| - log(1 + exp(-2 |u|))).""",
        (
            F("head", "(row + rows) * 2 * act_size"),
            F("noise", "(row + rows) * act_size"),
            Fw("action", "(row + rows) * width"),
            Int("width", 1),
            Int("column"),
            Fw("log_prob", "row + rows"),
            Int("act_size", 1),
            *ROWS,
        ),
        check=True,
        of=SAC_USERS,
    ),
    Kernel(
        "gaussian_head_backward",
        """Gradient at head of mean(alpha * log_prob - min Q): with w = alpha / batch (alpha = coeffs[1]), a the action of
        `gaussian_head`, da = d_x1 + d_x2 at its columns (d_x1, d_x2 (rows, width): the critics' input gradients, rows counted
        from 0; d_x2 may be None) and du = fma(2 w, a, da * (1 - a^2)):
        d_mean = du, d_log_std = fma(du, std * noise, -w), or 0 where log_std was clipped.""",
        (
            F("head", "(row + rows) * 2 * act_size"),
            F("noise", "(row + rows) * act_size"),
            F("action", "(row + rows) * width"),
            Int("width", 1),
            Int("column"),
            F("d_x1", "rows * width"),
            F("d_x2", "rows * width", optional=True),
            F("coeffs", "2"),
            Fw("d_head", "(row + rows) * 2 * act_size"),
            Int("act_size", 1),
            *ROWS,
            Int("batch", 1),
        ),
        check=True,
        of=SAC_USERS,
    ),
    Kernel(
        "smoothed_action",
        """Target policy smoothing (Fujimoto et al. 2018, eq. 14): clip(mu + clip(sigma * noise, -c, c), -1, 1), with
        smoothing = sigma, c, to columns [column, column + act_size) of action (batch, width).""",
        (
            F("mu", "(row + rows) * act_size"),
            F("noise", "(row + rows) * act_size"),
            F("smoothing", "2"),
            Fw("action", "(row + rows) * width"),
            Int("width", 1),
            Int("column"),
            Int("act_size", 1),
            *ROWS,
        ),
        check=True,
        of=("td3",),
    ),
    Kernel(
        "td_target",
        """target = fma(gamma * not_terminated, q, reward) with q = min(q1, q2) (q2 None: q1), minus alpha * log_prob as
        fma(-alpha, log_prob, q) unless log_prob is None; coeffs = gamma, alpha.""",
        (
            F("reward", "row + rows"),
            F("not_terminated", "row + rows"),
            F("q1", "row + rows"),
            F("q2", "row + rows", optional=True),
            F("log_prob", "row + rows", optional=True),
            F("coeffs", "2"),
            Fw("target", "row + rows"),
            *ROWS,
        ),
        of=("td3", *SAC_USERS),
    ),
    Kernel(
        "mse_delta",
        """Gradient of mean((q - target)^2): d_q = (q - target) * (2 / batch). loss[0] gathers the sum of squares, rows
        ascending, starting at 0 when row is 0.""",
        (
            F("q", "row + rows"),
            F("target", "row + rows"),
            Fw("d_q", "row + rows"),
            Fw("loss", "1"),
            *ROWS,
            Int("batch", 1),
        ),
        of=("td3", "supervised", *SAC_USERS),
    ),
    Kernel(
        "policy_delta",
        """Gradient of -mean(min(q1, q2)): -1/batch at the smaller (q1 when equal) and 0 at the other; q2 and d_q2 None: all
        at q1. loss[0] gathers -min(q1, q2), rows ascending, starting at 0 when row is 0.""",
        (
            F("q1", "row + rows"),
            F("q2", "row + rows", optional=True),
            Fw("d_q1", "row + rows"),
            Fw("d_q2", "row + rows", optional=True),
            Fw("loss", "1"),
            *ROWS,
            Int("batch", 1),
        ),
        check=True,
        of=("td3", *SAC_USERS),
    ),
    Kernel(
        "temperature_grad",
        """Gradient of J(alpha) = mean(-alpha (log_prob + target_entropy)) (Haarnoja et al. 2018, eq. 18) by log alpha, added to grad[0]:
        -exp(log_alpha) * (sum(log_prob) / batch + target_entropy), the sum in ascending order.""",
        (
            F("log_alpha", "1"),
            F("log_prob", "batch"),
            F("target_entropy", "1"),
            Fw("grad", "1"),
            Int("batch", 1),
        ),
        of=SAC_USERS,
    ),
    Kernel(
        "temperature",
        """coeffs[1] = exp(log_alpha[0]).""",
        (F("log_alpha", "1"), Fw("coeffs", "2")),
        of=SAC_USERS,
    ),
    Kernel(
        "log_temperature",
        """log_alpha[0] = log(coeffs[1]): where training starts.""",
        (F("coeffs", "2"), Fw("log_alpha", "1")),
        of=("ppo", *SAC_USERS),
    ),
)
