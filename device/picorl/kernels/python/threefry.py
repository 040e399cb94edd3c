"""Random numbers: Threefry-2x32."""

from array import array
from math import cos, log, sin, sqrt

from . import arithmetic, checks

MASK = 0xFFFFFFFF
_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))  # Threefry-2x32


def block(rng, row):
    """The two words of Threefry-2x32 (Salmon et al. 2011) at (step, row)."""
    # In halves of 16 bits: where small integers have 31, those of 32 come from the heap, at five times the time.
    k0 = rng[0]
    k1 = rng[1]
    keys = (
        (k0 >> 16, k0 & 0xFFFF),
        (k1 >> 16, k1 & 0xFFFF),
        (k0 >> 16 ^ k1 >> 16 ^ 0x1BD1, (k0 ^ k1) & 0xFFFF ^ 0x1BDA),
    )
    word = rng[2]
    high, low = keys[0]
    a = (word & 0xFFFF) + low
    a_high = (word >> 16) + high + (a >> 16) & 0xFFFF
    a &= 0xFFFF
    high, low = keys[1]
    b = (row & 0xFFFF) + low
    b_high = (row >> 16) + high + (b >> 16) & 0xFFFF
    b &= 0xFFFF
    for group in range(1, 6):
        for left in _ROTATIONS[(group - 1) & 1]:
            a += b
            a_high = a_high + b_high + (a >> 16) & 0xFFFF
            a &= 0xFFFF
            if left > 15:
                b, b_high = b_high, b
                left -= 16
            right = 16 - left
            high = b_high << left & 0xFFFF | b >> right
            b = (b << left & 0xFFFF | b_high >> right) ^ a
            b_high = high ^ a_high
        high, low = keys[group % 3]
        a += low
        a_high = a_high + high + (a >> 16) & 0xFFFF
        a &= 0xFFFF
        high, low = keys[(group + 1) % 3]
        b += low + group
        b_high = b_high + high + (b >> 16) & 0xFFFF
        b &= 0xFFFF
    return a_high << 16 | a, b_high << 16 | b


# Or many blocks at once: a large integer is so many lanes of 64 bits, of which a word has the lower half.
_LANES = 16
_ONES = 1
for _lane in range(1, _LANES):
    _ONES |= 1 << 64 * _lane


def _lanes(rng, row, count):
    """Both words of each block from row on, as an array of 2 * count."""
    ones = _ONES & (1 << 64 * count) - 1
    mask = ones * MASK
    k0 = rng[0]
    k1 = rng[1]
    keys = (k0 * ones, k1 * ones, (k0 ^ k1 ^ 0x1BD11BDA) * ones)
    rows = 0
    for lane in range(count - 1, -1, -1):
        rows = rows << 64 | row + lane
    a = rng[2] * ones + keys[0] & mask
    b = rows + keys[1] & mask
    for group in range(1, 6):
        for left in _ROTATIONS[(group - 1) & 1]:
            a = a + b & mask
            b = (b << left | b >> 32 - left) & mask ^ a
        a = a + keys[group % 3] & mask
        b = b + keys[(group + 1) % 3] + group * ones & mask
    return array("I", (b << 32 | a).to_bytes(8 * count, "little"))


def blocks(rng, row, count):
    """What `block` gives for row, row + 1, …, count of them."""
    end = row + count
    while row < end:
        n = min(_LANES, end - row)
        if n > 4:  # they take memory, which a collection has to bring back
            words = _lanes(rng, row, n)
            for i in range(0, 2 * n, 2):
                yield words[i], words[i + 1]
        else:
            for r in range(row, end):
                yield block(rng, r)
        row += n


def advance(rng):
    rng[2] = (rng[2] + 1) & MASK


def unit(word):
    return (word >> 8) * 1.1920928955078125e-07 - 1  # 2^-23


def fill_uniform(rng, out, count):
    half = (count + 1) // 2
    j = 0
    for a, b in blocks(rng, 0, half):
        out[j] = unit(a)
        if half + j < count:
            out[half + j] = unit(b)
        j += 1
    advance(rng)


def uniform(rng, out, count):
    checks.rng_state("uniform", rng)
    checks.integer("uniform", "count", count)
    checks.need("uniform", "out", out, count)
    fill_uniform(rng, out, count)


def _normal(rng, count):
    """(index, number) of each of count; then the next step."""
    half = (count + 1) // 2
    j = 0
    for a, b in blocks(rng, 0, half):
        radius = sqrt(-2 * log(((a >> 8) + 1) * 5.960464477539063e-08))  # 2^-24
        turn = (b >> 8) * 5.960464477539063e-08 * (2 * arithmetic.PI)
        yield j, radius * cos(turn)
        if half + j < count:
            yield half + j, radius * sin(turn)
        j += 1
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
