"""Random numbers: Threefry-2x32."""

import numpy as np

from .arithmetic import TWO_PI, flush
from .contract import F32, INT, RNG, F, W, kernel

_MASK = 0xFFFFFFFF
_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_SHIFTS = [[(np.array(r, np.uint32), np.array(32 - r, np.uint32)) for r in group] for group in _ROTATIONS]
_FEW = 8  # blocks: below, Python's integers are faster than NumPy's arrays
_STEPS, _ROWS = 16, 64  # blocks made ahead: small arrays cost NumPy as much as large ones
_ahead = {}  # the last of them: (seed, stream) -> (first step, words 0, words 1)


def blocks(rng, first, count):
    """Both words of the Threefry-2x32 blocks (step, first), (step, first + 1), … as two uint32 arrays."""
    k0, k1, step = rng[:3].tolist()
    keys = (k0, k1, k0 ^ k1 ^ 0x1BD11BDA)
    if count <= _FEW:
        words = [_block(keys, step, first + j) for j in range(count)]
        return np.array(words, np.uint32).reshape(count, 2).T
    if first + count > _ROWS:
        rows = np.arange(first, first + count, dtype=np.uint32)
        return _threefry(keys, np.full(count, step, np.uint32), rows)
    start, a, b = _ahead.get((k0, k1), (step + 1, None, None))
    if not start <= step < start + _STEPS:
        steps = (step + np.arange(_STEPS, dtype=np.uint64)).astype(np.uint32)
        words = _threefry(keys, np.repeat(steps, _ROWS), np.tile(np.arange(_ROWS, dtype=np.uint32), _STEPS))
        if len(_ahead) > 100:
            _ahead.clear()
        start, (a, b) = step, words
        _ahead[k0, k1] = start, a, b
    at = (step - start) * _ROWS + first
    return a[at : at + count], b[at : at + count]


def _threefry(keys, a, b):
    a += np.array(keys[0], np.uint32)
    b += np.array(keys[1], np.uint32)
    carried = np.empty_like(b)
    for group in range(5):
        for left, right in _SHIFTS[group & 1]:
            np.add(a, b, a)
            np.right_shift(b, right, carried)
            np.left_shift(b, left, b)
            np.bitwise_or(b, carried, b)
            np.bitwise_xor(b, a, b)
        a += np.array(keys[(group + 1) % 3], np.uint32)
        b += np.array((keys[(group + 2) % 3] + group + 1) & _MASK, np.uint32)
    return a, b


def _block(keys, step, row):
    a = (step + keys[0]) & _MASK
    b = (row + keys[1]) & _MASK
    for group in range(5):
        for left in _ROTATIONS[group & 1]:
            a = (a + b) & _MASK
            b = ((b << left) & _MASK | b >> (32 - left)) ^ a
        a = (a + keys[(group + 1) % 3]) & _MASK
        b = (b + keys[(group + 2) % 3] + group + 1) & _MASK
    return a, b


def advance(rng):
    rng[2] = (int(rng[2]) + 1) & _MASK


def unit(words):
    return (words >> 8).astype(F32) * np.float32(2**-23) - np.float32(1)


def fill_uniform(rng, out, count):
    half = (count + 1) // 2
    a, b = blocks(rng, 0, half)
    out[:half] = unit(a)
    out[half:count] = unit(b[: count - half])
    advance(rng)


@kernel
def uniform(rng: RNG, out: W("count"), count: INT):
    fill_uniform(rng, out, count)


def _normal(rng, count):
    half = (count + 1) // 2
    a, b = blocks(rng, 0, half)
    radius = np.sqrt(-2 * np.log(((a >> 8) + 1).astype(F32) * np.float32(2**-24)))
    turn = (b >> 8).astype(F32) * (TWO_PI * np.float32(2**-24))
    advance(rng)
    return radius * np.cos(turn), (radius * np.sin(turn))[: count - half]


@kernel
def normal(rng: RNG, out: W("count"), count: INT):
    half = (count + 1) // 2
    out[:half], out[half:count] = _normal(rng, count)


@kernel
def coloured_normal(rng: RNG, correlation: F("1"), noise: W("count"), count: INT):
    rho = correlation[0]
    fresh = np.concatenate(_normal(rng, count))
    noise = noise[:count]
    noise[:] = rho * noise + np.sqrt(1 - rho * rho) * fresh
    flush(noise)
