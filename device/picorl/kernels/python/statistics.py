"""Means and spreads."""

from math import sqrt

from . import arithmetic, checks


def sum_lanes(x, start, count, squares):
    """The sum of x[start : start + count] or of its squares, in 16 lanes: many boards' floats have 32 bits."""
    lanes = [0.0] * 16
    for i in range(count):
        value = x[start + i]
        lanes[i % 16] += value * value if squares else value
    for half in (8, 4, 2, 1):
        for k in range(half):
            lanes[k] += lanes[k + half]
    return lanes[0]


def standardise(x, count):
    checks.integer("standardise", "count", count, 1)
    checks.need("standardise", "x", x, count)
    if count == 1:
        return
    for _ in range(2):  # the second time what rounding left of the mean
        mean = sum_lanes(x, 0, count, False) / count
        for i in range(count):
            x[i] -= mean
    deviation = sqrt(sum_lanes(x, 0, count, True) / count) + 9.99999993922529e-09  # 1e-8
    for i in range(count):
        x[i] /= deviation


def moments_update(x, moments, width, rows):
    kernel = "moments_update"
    checks.integer(kernel, "width", width, 1)
    checks.integer(kernel, "rows", rows)
    checks.need(kernel, "x", x, rows * width)
    checks.need(kernel, "moments", moments, 1 + 2 * width)
    for r in range(rows):
        at = r * width
        if not moments[0] < 16777216 or not checks.finite(x, width, at):  # float32 counts no further than 2^24
            continue
        moments[0] += 1
        for j in range(width):
            d = x[at + j] - moments[1 + j]
            moments[1 + j] += d / moments[0]
            moments[1 + width + j] += d * (x[at + j] - moments[1 + j])


def _moments_end(kernel, x, moments, out, width, row, rows):
    """Check what the kernels that go by moments take; where their rows end."""
    checks.integer(kernel, "width", width, 1)
    end = checks.row_range(kernel, row, rows)
    checks.need(kernel, "x", x, end * width)
    checks.need(kernel, "moments", moments, 1 + 2 * width)
    checks.need(kernel, "out", out, end * width)
    return end


def _deviation(moments, width, j):
    return sqrt(moments[1 + width + j] / moments[0] + 9.99999993922529e-09)  # 1e-8


def moments_apply(x, moments, out, width, row, rows):
    end = _moments_end("moments_apply", x, moments, out, width, row, rows)
    for j in range(width):
        if moments[0] > 0:
            mean = moments[1 + j]
            deviation = _deviation(moments, width, j)
            for at in range(row * width + j, end * width, width):
                out[at] = arithmetic.clip((x[at] - mean) / deviation, -10.0, 10.0)
        else:
            for at in range(row * width + j, end * width, width):
                out[at] = x[at]


def moments_restore(x, moments, out, width, row, rows):
    end = _moments_end("moments_restore", x, moments, out, width, row, rows)
    for j in range(width):
        mean = 0.0
        deviation = 1.0
        if moments[0] > 0:
            mean = moments[1 + j]
            deviation = _deviation(moments, width, j)
        for at in range(row * width + j, end * width, width):
            out[at] = x[at] * deviation + mean
