"""Random numbers: Threefry-2x32."""

from math import cos, log, sin, sqrt

from . import arithmetic, checks

MASK = 0xFFFFFFFF
_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))  # Threefry-2x32


def block(rng, row):
    """The two words of Threefry-2x32 (Salmon et al. 2011) at (step, row)."""
    mask = MASK
    k0 = rng[0]
    k1 = rng[1]
    keys = (k0, k1, k0 ^ k1 ^ 0x1BD11BDA)
    a = (rng[2] + k0) & mask
    b = (row + k1) & mask
    for group in range(1, 6):
        for left in _ROTATIONS[(group - 1) & 1]:
            a = (a + b) & mask
            b = ((b << left) & mask | b >> (32 - left)) ^ a
        a = (a + keys[group % 3]) & mask
        b = (b + keys[(group + 1) % 3] + group) & mask
    return a, b


def advance(rng):
    rng[2] = (rng[2] + 1) & MASK


def unit(word):
    return (word >> 8) * 1.1920928955078125e-07 - 1  # 2^-23


def fill_uniform(rng, out, count):
    half = (count + 1) // 2
    for j in range(half):
        a, b = block(rng, j)
        out[j] = unit(a)
        if half + j < count:
            out[half + j] = unit(b)
    advance(rng)


def uniform(rng, out, count):
    checks.rng_state("uniform", rng)
    checks.integer("uniform", "count", count)
    checks.need("uniform", "out", out, count)
    fill_uniform(rng, out, count)


def _normal(rng, count):
    """(index, number) of each of count; then the next step."""
    half = (count + 1) // 2
    for j in range(half):
        a, b = block(rng, j)
        radius = sqrt(-2 * log(((a >> 8) + 1) * 5.960464477539063e-08))  # 2^-24
        turn = (b >> 8) * 5.960464477539063e-08 * (2 * arithmetic.PI)
        yield j, radius * cos(turn)
        if half + j < count:
            yield half + j, radius * sin(turn)
    advance(rng)


def normal(rng, out, count):
    checks.rng_state("normal", rng)
    checks.integer("normal", "count", count)
    checks.need("normal", "out", out, count)
    for j, x in _normal(rng, count):
        out[j] = x


def coloured_normal(rng, correlation, noise, count):
    checks.rng_state("coloured_normal", rng)
    checks.integer("coloured_normal", "count", count)
    checks.need("coloured_normal", "correlation", correlation, 1)
    checks.need("coloured_normal", "noise", noise, count)
    rho = correlation[0]
    rest = sqrt(1 - rho * rho)
    for j, x in _normal(rng, count):
        noise[j] = arithmetic.flush(rho * noise[j] + rest * x)
