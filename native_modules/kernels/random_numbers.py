"""Random numbers."""

from .contract import RNG, F, Fw, Int, Kernel

KERNELS = (
    Kernel(
        "uniform",
        """Fill out[0:count] with uniform numbers in [-1, 1): with h = (count + 1) // 2, element j < h comes from word 0
        of block (step, j) and element h + j from word 1; the value is (word >> 8) * 2^-23 - 1. Advances rng one step.""",
        (RNG, Fw("out", "count"), Int("count")),
    ),
    Kernel(
        "normal",
        """Fill out[0:count] with standard normal numbers (Box and Muller 1958): with h = (count + 1) // 2 and words w0, w1
        of block (step, j): radius = sqrt(-2 log(((w0 >> 8) + 1) * 2^-24)), turn = (w1 >> 8) * 2^-24; out[j] = radius *
        cos(2 pi turn), out[h + j] = radius * sin(2 pi turn). Advances rng one step.""",
        (RNG, Fw("out", "count"), Int("count")),
    ),
    Kernel(
        "coloured_normal",
        """Step noise[0:count] as an Ornstein-Uhlenbeck process of variance 1: noise = flush(fma(rho, noise, sqrt(fma(-rho,
        rho, 1)) * n)), where rho is correlation[0] and n what `normal` would draw. Advances rng one step.""",
        (RNG, F("correlation", "1"), Fw("noise", "count"), Int("count")),
        of=("sac", "td3"),
    ),
)
