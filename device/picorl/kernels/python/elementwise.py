"""Layers that are nothing but an activation whose derivative takes its input, or the whole row."""

from . import arithmetic

_GELU_SLOPE = 1.5957691669464111  # 2 sqrt(2 / pi)
_GELU_CUBE = 0.07135481387376785  # 0.044715 times that


def _fast_tanh(x):
    """The value and the derivative."""
    x = arithmetic.clip(x, -3.0, 3.0)
    square = x * x
    root = (9 - square) / (9 + 3 * square)
    return x * (27 + square) / (27 + 9 * square), root * root


def _gelu(x):
    s = 1 / (1 + arithmetic.flushed_exp(-x * (_GELU_SLOPE + _GELU_CUBE * x * x)))
    return x * s, s + x * s * (1 - s) * (_GELU_SLOPE + 3 * _GELU_CUBE * x * x)


def _softmax(x, at, n):
    most = x[at + arithmetic.largest(x, at, n)]
    row = [arithmetic.flushed_exp(x[i] - most) for i in range(at, at + n)]
    total = sum(row)
    return [y / total for y in row]


def forward(layout, record, params, start, source, source_at, sink, at, rows):
    n = layout[record + 1]
    function = _function(layout[record + 3])
    for _ in range(rows):
        row = (
            [function(x)[0] for x in source[source_at : source_at + n]] if function else _softmax(source, source_at, n)
        )
        for y in row:
            sink[at] = arithmetic.flush(y)
            at += 1
        source_at += n


def _function(activation):
    return _fast_tanh if activation == 5 else _gelu if activation == 6 else None


def backward(layout, record, params, start, source, source_at, delta, at, grad, sink, sink_at, rows, slope):
    n = layout[record + 1]
    function = _function(layout[record + 3])
    for _ in range(rows if sink is not None else 0):
        if function:
            gradient = [delta[at + i] * function(source[source_at + i])[1] for i in range(n)]
        else:
            row = _softmax(source, source_at, n)
            mean = sum([row[i] * delta[at + i] for i in range(n)])
            gradient = [row[i] * (delta[at + i] - mean) for i in range(n)]
        for i in range(n):
            d = arithmetic.flush(gradient[i])
            sink[sink_at + i] = d * arithmetic.slope(source[source_at + i], slope) if slope else d
        at += n
        source_at += n
        sink_at += n
