"""Optimisers, in blocks of views.BLOCK floats."""

from ulab import numpy as np

from ..python import checks
from ..python import optimizer as python
from .vectors import few, few_for_adam, flush, scalar
from .views import BLOCK, flat, put, save

_SUM = 256  # of squares in float32; the sums of such pieces are added in Python's floats


def adam(views, params, grad, m, v, hyper, state, start, count):
    if few_for_adam(count):
        return python.adam(params, grad, m, v, hyper, state, start, count)
    end = checks.span("adam", start, count)
    params = views.need("adam", "params", params, end)
    _adam(views, "adam", params, grad, m, v, hyper, state, start, end)


def adam_delta(views, grad, m, v, hyper, state, start, count):
    if few_for_adam(count):
        return python.adam_delta(grad, m, v, hyper, state, start, count)
    _adam(views, "adam_delta", None, grad, m, v, hyper, state, start, checks.span("adam_delta", start, count))


def _adam(views, kernel, params, grad, m, v, hyper, state, start, end):
    grad = views.need(kernel, "grad", grad, end)
    m = views.need(kernel, "m", m, end)
    v = views.need(kernel, "v", v, end)
    views.need(kernel, "hyper", hyper, 4)
    views.need(kernel, "state", state, 4)
    beta1 = scalar(hyper[1])
    beta2 = scalar(hyper[2])
    rest1 = scalar(1 - hyper[1])
    rest2 = scalar(1 - hyper[2])
    epsilon = scalar(hyper[3])
    rate = scalar(state[2])
    scale = scalar(state[3])
    for at in range(start, end, BLOCK):
        count = min(BLOCK, end - at)
        g = flat(grad, at, count)
        first = flat(m, at, count)
        second = flat(v, at, count)
        step = g * rest1
        first *= beta1
        first += step
        flush(first)
        g *= g
        g *= rest2
        second *= beta2
        second += g
        flush(second)
        np.sqrt(second, out=step)
        step *= scale
        step += epsilon
        step = first / step
        step *= rate
        save(m, at, first)
        save(v, at, second)
        if params is None:
            put(grad, at, step)
            continue
        p = flat(params, at, count)
        p -= step
        flush(p)
        save(params, at, p)
        put(grad, at, np.zeros(count))


def apply_delta(views, params, delta, start, count):
    if few(count):
        return python.apply_delta(params, delta, start, count)
    end = checks.span("apply_delta", start, count)
    params = views.need("apply_delta", "params", params, end)
    delta = views.need("apply_delta", "delta", delta, end)
    for at in range(start, end, BLOCK):
        count = min(BLOCK, end - at)
        p = flat(params, at, count)
        d = flat(delta, at, count)
        p -= d
        flush(p)
        save(params, at, p)
        put(delta, at, np.zeros(count))  # times zero, what is not a number would stay


def polyak(views, target, source, tau, start, count):
    if few(count):
        return python.polyak(target, source, tau, start, count)
    end = checks.span("polyak", start, count)
    target = views.need("polyak", "target", target, end)
    source = views.need("polyak", "source", source, end)
    views.need("polyak", "tau", tau, 1)
    share = scalar(tau[0])
    for at in range(start, end, BLOCK):
        count = min(BLOCK, end - at)
        t = flat(target, at, count)
        step = flat(source, at, count) - t
        step *= share
        t += step
        flush(t)
        save(target, at, t)


def add_squares(views, x, total, start, count):
    if few(count):
        return python.add_squares(x, total, start, count)
    end = checks.span("add_squares", start, count)
    x = views.need("add_squares", "x", x, end)
    views.need("add_squares", "total", total, 1)
    squares = 0.0
    for at in range(start, end, _SUM):
        part = flat(x, at, min(_SUM, end - at))
        squares += np.dot(part, part)
    total[0] += squares


def scale(views, x, factor, start, count):
    if few(count):
        return python.scale(x, factor, start, count)
    end = checks.span("scale", start, count)
    x = views.need("scale", "x", x, end)
    views.need("scale", "factor", factor, 1)
    by = scalar(factor[0])
    for at in range(start, end, BLOCK):
        part = flat(x, at, min(BLOCK, end - at))
        part *= by
        save(x, at, part)


def sgd_delta(views, grad, velocity, hyper, start, count):
    kernel = "sgd_delta"
    if few(count):
        return python.sgd_delta(grad, velocity, hyper, start, count)
    end = checks.span(kernel, start, count)
    grad = views.need(kernel, "grad", grad, end)
    if velocity is not None:
        velocity = views.need(kernel, "velocity", velocity, end)
    views.need(kernel, "hyper", hyper, 2)
    rate = scalar(hyper[0])
    momentum = scalar(hyper[1])
    for at in range(start, end, BLOCK):
        count = min(BLOCK, end - at)
        g = flat(grad, at, count)
        flush(g)
        if velocity:
            step = flat(velocity, at, count)
            step *= momentum
            step += g
            flush(step)
            save(velocity, at, step)
            put(grad, at, step * rate)
        else:
            g *= rate
            save(grad, at, g)
