"""On-policy algorithms: rollouts of `steps` rows for each of `envs` environments, row = step * envs + environment."""

from .contract import RNG, ROWS, Buffer, F, Fw, Int, Kernel

KERNELS = (
    Kernel(
        "policy_action",
        """Gaussian policy with a standard deviation of its own (not squashed): raw = fma(exp(log_std), noise, mean) at rows
        [row, row + rows) of raw (batch, act_size), and from it, counted from 0, what the environments get:
        action (rows, act_size) = fma(half, clip(raw, -1, 1), middle), scaling = half, middle.""",
        (
            F("mean", "(row + rows) * act_size"),
            F("noise", "(row + rows) * act_size"),
            F("log_std", "act_size"),
            F("scaling", "2 * act_size"),
            Fw("raw", "(row + rows) * act_size"),
            Fw("action", "rows * act_size"),
            Int("act_size", 1),
            *ROWS,
        ),
        of=("ppo",),
    ),
    Kernel(
        "gaussian_log_prob",
        """log_prob (batch) of raw (batch, act_size) under mean and log_std: the sum over actions, in order, of
        (-0.5 (z * z) - log_std) - log(2 pi)/2 with z = (raw - mean) * exp(-log_std).""",
        (
            F("mean", "(row + rows) * act_size"),
            F("raw", "(row + rows) * act_size"),
            F("log_std", "act_size"),
            Fw("log_prob", "row + rows"),
            Int("act_size", 1),
            *ROWS,
        ),
        of=("ppo",),
    ),
    Kernel(
        "ppo_gaussian_delta",
        """Gradient of PPO's clipped objective (Schulman et al. 2017, eq. 7) less entropy[0] times the policy's entropy, for the
        policy of `policy_action`. With log_prob as in `gaussian_log_prob`, ratio = exp(log_prob - old_log_prob), A the advantage and
        clip[0] the range e, s = 1 / batch: g = -((A * ratio) * s), but 0 where (A >= 0 and ratio > 1 + e) or (A < 0 and ratio < 1 - e);
        d_mean (batch, act_size) = (g * z) * exp(-log_std); to d_log_std (act_size) is added, rows ascending,
        fma(g, fma(z, z, -1), -(entropy[0] * s)). stats (3) gathers, rows ascending, starting at 0 when row is 0: the objective
        -min(A * ratio, A * clip(ratio, 1 - e, 1 + e)), the approximate KL divergence (ratio - 1) - (log_prob - old_log_prob), and the
        number of rows whose ratio is outside the range.""",
        (
            F("mean", "(row + rows) * act_size"),
            F("raw", "(row + rows) * act_size"),
            F("log_std", "act_size"),
            F("old_log_prob", "row + rows"),
            F("advantage", "row + rows"),
            F("clip", "1"),
            F("entropy", "1"),
            Fw("d_mean", "(row + rows) * act_size"),
            Fw("d_log_std", "act_size"),
            Fw("stats", "3"),
            Int("act_size", 1),
            *ROWS,
            Int("batch", 1),
        ),
        of=("ppo",),
    ),
    Kernel(
        "categorical_sample",
        """Draw choices (batch) from softmax(logits (batch, n)) at rows [row, row + rows): row r takes word 0 of block (step, r), u =
        (word >> 8) * 2^-24; the choice is the first k with u * total < e_0 + ... + e_k, e_k = exp(logit_k - max), sums in order, the
        last one if there is none. Advances rng one step.""",
        (
            F("logits", "(row + rows) * n"),
            RNG,
            Buffer("choice", "i", "row + rows", True),
            Int("n", 1),
            *ROWS,
        ),
        of=("ppo",),
    ),
    Kernel(
        "argmax",
        """choice (batch) = the index of the largest of x (batch, n) in rows [row, row + rows), the first of equals.""",
        (F("x", "(row + rows) * n"), Buffer("choice", "i", "row + rows", True), Int("n", 1), *ROWS),
    ),
    Kernel(
        "categorical_log_prob",
        """log_prob (batch) of choice (batch) under softmax(logits (batch, n)): (logit - max) - log(sum of exp(logit_k - max), in
        order). ValueError for a choice that is not in 0 to n - 1.""",
        (
            F("logits", "(row + rows) * n"),
            Buffer("choice", "i", "row + rows"),
            Fw("log_prob", "row + rows"),
            Int("n", 1),
            *ROWS,
        ),
        check=True,
        of=("ppo",),
    ),
    Kernel(
        "ppo_categorical_delta",
        """As `ppo_gaussian_delta`, for softmax(logits (batch, n)) and log_prob as in `categorical_log_prob`: with
        l_k = (logit_k - max) - log(sum), p_k = exp(l_k) and the entropy H = -h, h = fma(p_k, l_k, h) from 0, in order:
        d_logits_k = ((g if k is the choice, else 0) - g * p_k) + (entropy[0] * s) * (p_k * (l_k + H)).
        ValueError for a choice that is not in 0 to n - 1.""",
        (
            F("logits", "(row + rows) * n"),
            Buffer("choice", "i", "row + rows"),
            F("old_log_prob", "row + rows"),
            F("advantage", "row + rows"),
            F("clip", "1"),
            F("entropy", "1"),
            Fw("d_logits", "(row + rows) * n"),
            Fw("stats", "3"),
            Int("n", 1),
            *ROWS,
            Int("batch", 1),
        ),
        check=True,
        of=("ppo",),
    ),
    Kernel(
        "value_delta",
        """Gradient of mean((value - target)^2) / 2: d_value = (value - target) * (1 / batch). With old_value, PPO's clipped value loss:
        where |value - old| > clip[0], v = old + clip(value - old, -clip[0], clip[0]) takes value's place, with gradient 0, if (v - target)^2 >
        (value - target)^2. loss[0] gathers the (larger) squares, rows ascending, starting at 0 when row is 0.""",
        (
            F("value", "row + rows"),
            F("target", "row + rows"),
            F("old_value", "row + rows", optional=True),
            F("clip", "1"),
            Fw("d_value", "row + rows"),
            Fw("loss", "1"),
            *ROWS,
            Int("batch", 1),
        ),
        of=("ppo",),
    ),
    Kernel(
        "rollout_observe",
        """Store what the actions at `row` led to, of all environments: reward (envs) and ended (envs; 1 terminated, 2 truncated) go to
        their rows, next_obs (envs, obs_size) to last_obs. final_obs (envs, obs_size) holds the last observations of the episodes that ended.
        Returns 0, with nothing written, when a reward or a final_obs is not finite; otherwise 1, plus 2 when all of next_obs is
        finite (if not, last_obs stays), plus 4 when an episode was truncated.""",
        (
            F("reward", "envs"),
            F("next_obs", "envs * obs_size"),
            Buffer("ended", "B", "envs"),
            F("final_obs", "envs * obs_size"),
            Fw("last_obs", "envs * obs_size"),
            Fw("rollout_reward", "row + envs"),
            Buffer("rollout_ended", "B", "row + envs", True),
            Int("envs", 1),
            Int("obs_size", 1),
            Int("row"),
        ),
        returns="int",
        of=("ppo",),
    ),
    Kernel(
        "gae",
        """Generalised advantage estimation (Schulman et al. 2016, eq. 16) over a rollout: value ((steps + 1) * envs) holds the values of all
        observations, the one after the last step included; ended (steps * envs) is 0 where an episode went on, 1 where it terminated, 2
        where it was truncated; there final_value (steps * envs) is the value of its last observation. coeffs = gamma, lambda. From the
        last step to the first: next = value of the row after (0 terminated, final_value truncated); delta = fma(gamma, next, reward) - value;
        advantage = fma(gamma * lambda, the advantage of the row after (0 behind the last), delta), or delta where the episode ended.
        target = advantage + value.""",
        (
            F("reward", "steps * envs"),
            Buffer("ended", "B", "steps * envs"),
            F("value", "(steps + 1) * envs"),
            F("final_value", "steps * envs"),
            F("coeffs", "2"),
            Fw("advantage", "steps * envs"),
            Fw("target", "steps * envs"),
            Int("envs", 1),
            Int("steps", 1),
        ),
        of=("ppo",),
    ),
)
