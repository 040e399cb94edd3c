"""Networks."""

from math import sqrt

from . import arithmetic, checks, threefry
from .arithmetic import tanh


def init_params(layout, params, rng):
    n = checks.shape("init_params", layout, params)[3]
    checks.rng_state("init_params", rng)
    threefry.fill_uniform(rng, params, n)
    start = 0
    for record in range(0, len(layout), checks.RECORD):
        n_in = layout[record + 1]
        bound = 1 / sqrt(n_in)
        end = start + checks.layer_params(layout, record)
        for i in range(start, end):
            params[i] = params[i] * bound if layout[record] == checks.DENSE else 1.0 if i < start + n_in else 0.0
        start = end


def forward(layout, params, x, out, cache, row, rows):
    n_in, n_out, n_hidden, _ = checks.shape("forward", layout, params)
    end = checks.row_range("forward", row, rows)
    checks.need("forward", "x", x, end * n_in)
    checks.need("forward", "out", out, end * n_out)
    checks.need("forward", "cache", cache, rows * n_hidden)
    source = x
    source_at = row * n_in
    start = hidden = 0
    for record in range(0, len(layout), checks.RECORD):
        if record + checks.RECORD < len(layout):
            sink = cache
            at = hidden
        else:
            sink = out
            at = row * n_out
        run = _dense if layout[record] == checks.DENSE else rare(layout[record]).forward
        run(layout, record, params, start, source, source_at, sink, at, rows)
        start += checks.layer_params(layout, record)
        source = cache
        source_at = hidden
        hidden += rows * layout[record + 2]


def rare(kind):
    """The module of other layers. Few networks have them, and boards little memory."""
    if kind == checks.ELEMENTWISE:
        from . import elementwise as found
    else:
        from . import norms as found
    return found


def _dense(layout, record, params, weights, source, source_at, sink, at, rows):
    n = layout[record + 1]
    m = layout[record + 2]
    activation = layout[record + 3]
    bias = weights + n * m
    for _ in range(rows):
        inputs = list(source[source_at : source_at + n])  # a list's floats are boxed once
        for o in range(m):
            acc = params[bias + o]
            k = weights + o
            for value in inputs:
                acc += value * params[k]
                k += m
            if activation == 1:
                if not acc >= arithmetic.FLT_MIN:
                    acc = 0.0
            else:
                if activation == 2:
                    acc = tanh(acc)
                elif activation:
                    acc = arithmetic.activated(acc, activation)
                if -arithmetic.FLT_MIN < acc < arithmetic.FLT_MIN:
                    acc = 0.0
            sink[at] = acc
            at += 1
        source_at += n


def backward(layout, params, x, out, cache, d_out, grad, d_x, row, rows):
    n_in, n_out, n_hidden, start = checks.shape("backward", layout, params)
    end = checks.row_range("backward", row, rows)
    checks.need("backward", "x", x, end * n_in)
    checks.need("backward", "out", out, end * n_out)
    checks.need("backward", "cache", cache, rows * n_hidden)
    checks.need("backward", "d_out", d_out, end * n_out)
    if grad is not None:
        checks.need("backward", "grad", grad, start)
    if d_x is not None:
        checks.need("backward", "d_x", d_x, rows * n_in)

    at = row * n_out
    activation = layout[len(layout) - 1]
    for i in range(at, at + rows * n_out if activation else at):
        d_out[i] *= arithmetic.slope(out[i], activation)
    delta = d_out
    hidden = rows * n_hidden
    for record in range(len(layout) - checks.RECORD, -1, -checks.RECORD):
        n = layout[record + 1]
        start -= checks.layer_params(layout, record)
        if record:
            hidden -= rows * n
            source = sink = cache  # the inputs' gradients replace the inputs
            source_at = sink_at = hidden
            slope = layout[record - 1]
        else:
            source = x
            source_at = row * n
            sink = d_x
            sink_at = 0
            slope = 0
        run = _dense_backward if layout[record] == checks.DENSE else rare(layout[record]).backward
        run(layout, record, params, start, source, source_at, delta, at, grad, sink, sink_at, rows, slope)
        delta = cache
        at = hidden


def _dense_backward(layout, record, params, weights, source, source_at, delta, at, grad, sink, sink_at, rows, slope):
    n = layout[record + 1]
    m = layout[record + 2]
    for _ in range(rows):
        deltas = list(delta[at : at + m])
        at += m
        k = weights
        if grad is not None:
            for i in range(source_at, source_at + n):
                value = source[i]
                if value:  # ReLU leaves many zeros
                    for d in deltas:
                        grad[k] += value * d
                        k += 1
                else:
                    k += m
            for d in deltas:
                grad[k] += d
                k += 1
        if sink is not None:
            k = weights
            for i in range(sink_at, sink_at + n):
                acc = 0.0
                for d in deltas:
                    acc += d * params[k]
                    k += 1
                if -arithmetic.FLT_MIN < acc < arithmetic.FLT_MIN:
                    acc = 0.0
                if slope == 1:
                    if not source[i] > 0:
                        acc = 0.0
                elif slope:
                    acc *= arithmetic.slope(source[i], slope)
                sink[i] = acc
        source_at += n
        sink_at += n
