"""Means and spreads."""

import numpy as np

from .contract import INT, POSITIVE, F, W, kernel


@kernel
def standardise(x: W("count"), count: POSITIVE):
    if count > 1:
        x = x[:count]
        for _ in range(2):  # the second time what rounding left of the mean
            x -= np.add.reduce(x) / np.float32(count)
        x /= np.sqrt(x @ x / np.float32(count)) + np.float32(1e-8)


@kernel
def moments_update(x: F("rows * width"), moments: W("1 + 2 * width"), width: POSITIVE, rows: INT):
    mean, squares = moments[1 : width + 1], moments[width + 1 : 2 * width + 1]
    for y in x[: rows * width].reshape(rows, width):
        if moments[0] < 2**24 and np.isfinite(y).all():  # float32 counts no further
            moments[0] += 1
            d = y - mean
            mean += d / moments[0]
            squares += d * (y - mean)


def _by_moments(change, x, moments, out, width, row, rows):
    """out = change(x, means, deviations) at rows [row, row + rows), or x before anything was counted."""
    part = slice(row * width, (row + rows) * width)
    count, mean, squares = moments[0], moments[1 : width + 1], moments[width + 1 : 2 * width + 1]
    if count > 0:
        deviation = np.sqrt(squares / count + np.float32(1e-8))
        out[part] = change(x[part].reshape(rows, width), mean, deviation).reshape(-1)
    else:
        out[part] = x[part]


@kernel
def moments_apply(
    x: F("(row + rows) * width"),
    moments: F("1 + 2 * width"),
    out: W("(row + rows) * width"),
    width: POSITIVE,
    row: INT,
    rows: INT,
):
    _by_moments(lambda y, mean, deviation: ((y - mean) / deviation).clip(-10, 10), x, moments, out, width, row, rows)


@kernel
def moments_restore(
    x: F("(row + rows) * width"),
    moments: F("1 + 2 * width"),
    out: W("(row + rows) * width"),
    width: POSITIVE,
    row: INT,
    rows: INT,
):
    _by_moments(lambda y, mean, deviation: y * deviation + mean, x, moments, out, width, row, rows)
