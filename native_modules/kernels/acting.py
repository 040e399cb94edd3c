"""Acting: one observation, results in the environment's units."""

from .contract import RNG, SAC_USERS, F, Fw, Int, Kernel

KERNELS = (
    Kernel(
        "uniform_action",
        """action = fma(half, u, middle) with u as `uniform` draws it for act_size; scaling = half, middle.
        Advances rng one step.""",
        (RNG, F("scaling", "2 * act_size"), Fw("action", "act_size"), Int("act_size", 1)),
        of=("td3", *SAC_USERS),
    ),
    Kernel(
        "deterministic_action",
        """action = fma(half, clip(fma(sigma[0], noise, mu), -1, 1), middle); noise None: without exploration.""",
        (
            F("mu", "act_size"),
            F("noise", "act_size", optional=True),
            F("sigma", "1"),
            F("scaling", "2 * act_size"),
            Fw("action", "act_size"),
            Int("act_size", 1),
        ),
    ),
    Kernel(
        "gaussian_action",
        """action = fma(half, tanh(fma(exp(clip(log_std, -20, 2)), noise, mean)), middle) where head (2 * act_size) = mean,
        log_std; noise None: tanh(mean).""",
        (
            F("head", "2 * act_size"),
            F("noise", "act_size", optional=True),
            F("scaling", "2 * act_size"),
            Fw("action", "act_size"),
            Int("act_size", 1),
        ),
    ),
)
