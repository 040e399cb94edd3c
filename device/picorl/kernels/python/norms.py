"""Normalisation over the rows of a layer (Ba et al. 2016)."""

from math import sqrt

from . import arithmetic, checks

_EPSILON = 9.999999747378752e-06  # 1e-5


def _mean(x):
    """In 16 lanes: many boards' floats have 32 bits."""
    lanes = [0.0] * 16
    for i in range(len(x)):
        lanes[i % 16] += x[i]
    for half in (8, 4, 2, 1):
        for k in range(half):
            lanes[k] += lanes[k + half]
    return lanes[0] / len(x)


def _normalized(x, at, n):
    """A row with mean 0 and variance 1, and what it was multiplied with."""
    mean = _mean(x[at : at + n])
    row = [x[i] - mean for i in range(at, at + n)]
    scale = 1 / sqrt(_mean([d * d for d in row]) + _EPSILON)
    return [d * scale for d in row], scale


def forward(layout, record, params, gain, source, source_at, sink, at, rows):
    n = layout[record + 1]
    activation = layout[record + 3]
    learned = layout[record] == checks.LAYER_NORM
    for _ in range(rows):
        k = gain
        for y in _normalized(source, source_at, n)[0]:
            if learned:
                y = y * params[k] + params[k + n]
                k += 1
            sink[at] = arithmetic.activated(y, activation)
            at += 1
        source_at += n


def backward(layout, record, params, gain, source, source_at, delta, at, grad, sink, sink_at, rows, slope):
    n = layout[record + 1]
    learned = layout[record] == checks.LAYER_NORM
    for _ in range(rows):
        row, scale = _normalized(source, source_at, n)
        gradient = list(delta[at : at + n])
        if learned:
            k = gain
            for i in range(n):
                d = gradient[i]
                if grad is not None:
                    grad[k] += d * row[i]
                    grad[k + n] += d
                gradient[i] = d * params[k]
                k += 1
        if sink is not None:
            mean = _mean(gradient)
            away = _mean([gradient[i] * row[i] for i in range(n)])
            for i in range(n):
                d = arithmetic.flush((gradient[i] - (row[i] * away + mean)) * scale)
                sink[sink_at + i] = d * arithmetic.slope(source[source_at + i], slope) if slope else d
        at += n
        source_at += n
        sink_at += n
