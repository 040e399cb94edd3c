"""Minibatches, running statistics, the gradient's norm, schedules."""

from .contract import CLIPS_NORM, DISCRETE, RNG, ROWS, SPAN, WRAPPERS, Buffer, F, Fw, Int, Kernel

KERNELS = (
    Kernel(
        "standardise",
        """x[0:count] = (x - mean) / (sqrt(mean of (x - mean)^2) + 1e-8). The mean is taken away twice, the second time what rounding left of
        it, so that equal numbers become 0. Sums are those of `add_squares` (of x: without the square), times 1 / count. x stays as it
        is when count is 1.""",
        (Fw("x", "count"), Int("count", 1)),
        of=("ppo",),
    ),
    Kernel(
        "permutation",
        """indices[0:count] = 0 to count - 1 in random order (Fisher and Yates): for i = count - 1 down to 1, draw k = count - 1 - i takes
        word k & 1 of block (step, k >> 1), j = (word * (i + 1)) >> 32, and i and j change places. Advances rng one step.""",
        (RNG, Buffer("indices", "i", "count", True), Int("count", 1)),
        of=("ppo", "supervised"),
    ),
    Kernel(
        "gather_rows",
        """dst (count, width) from row 0 = the rows indices[start:start + count] of src (limit, width).
        ValueError for an index that is not in 0 to limit - 1.""",
        (
            F("src", "limit * width"),
            Buffer("indices", "i", "start + count"),
            Fw("dst", "count * width"),
            Int("limit", 1),
            Int("width", 1),
            *SPAN,
        ),
        check=True,
        of=("ppo", "supervised"),
    ),
    Kernel(
        "gather_ints",
        """As `gather_rows`, with int32 and a width of 1.""",
        (
            Buffer("src", "i", "limit"),
            Buffer("indices", "i", "start + count"),
            Buffer("dst", "i", "count", True),
            Int("limit", 1),
            *SPAN,
        ),
        check=True,
        of=("ppo", "supervised"),
    ),
    Kernel(
        "add_squares",
        """total[0] += the sum of x^2 over [start, start + count): 16 lanes (index from start, mod 16) from 0 with fma, and
        the tree of dense layers with few outputs.""",
        (F("x", "start + count"), Fw("total", "1"), *SPAN),
        of=CLIPS_NORM,
    ),
    Kernel(
        "norm_scale",
        """scale[0] = 1 when the norm sqrt(total[0]) is at most max_norm[0], else max_norm[0] / (norm + 1e-6): gradient clipping as PyTorch has it
        (Pascanu et al. 2013).""",
        (F("total", "1"), F("max_norm", "1"), Fw("scale", "1")),
        of=CLIPS_NORM,
    ),
    Kernel(
        "scale",
        """x[start:start + count] *= factor[0].""",
        (Fw("x", "start + count"), F("factor", "1"), *SPAN),
        of=(*CLIPS_NORM, "supervised", WRAPPERS),
    ),
    Kernel(
        "linear_schedule",
        """out[index] = fma(done, ends[1] - ends[0], ends[0]) with done = min(step, steps) / steps in float32: from ends[0] at the start to
        ends[1] after `steps`.""",
        (F("ends", "2"), Fw("out", "index + 1"), Int("index"), Int("step"), Int("steps", 1)),
        of=DISCRETE,
    ),
    Kernel(
        "moments_update",
        """Running mean and variance of each column of x (rows, width), row after row (Welford 1962): moments = count, then mean (width),
        then the sum of squared deviations (width). count = count + 1; d = x - mean; mean = fma(d, 1 / count, mean);
        sum = fma(d, x - mean, sum) with the new mean. Rows that are not finite are left out, and so are those behind the 2^24th: float32 counts
        no further.""",
        (F("x", "rows * width"), Fw("moments", "1 + 2 * width"), Int("width", 1), Int("rows")),
        of=("ppo", "stream", "supervised", WRAPPERS),
    ),
    Kernel(
        "moments_apply",
        """out (batch, width) = clip((x - mean) / sqrt(sum / count + 1e-8), -10, 10) at rows [row, row + rows); out = x while count is 0. out may
        be x.""",
        (
            F("x", "(row + rows) * width"),
            F("moments", "1 + 2 * width"),
            Fw("out", "(row + rows) * width"),
            Int("width", 1),
            *ROWS,
        ),
    ),
    Kernel(
        "moments_restore",
        """The inverse of `moments_apply` but for its limits: out (batch, width) = fma(x, sqrt(sum / count + 1e-8), mean) at rows
        [row, row + rows); out = x while count is 0. out may be x.""",
        (
            F("x", "(row + rows) * width"),
            F("moments", "1 + 2 * width"),
            Fw("out", "(row + rows) * width"),
            Int("width", 1),
            *ROWS,
        ),
        of=("supervised",),
    ),
)
