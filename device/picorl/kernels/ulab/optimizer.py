"""Optimisers, in blocks of views.BLOCK floats."""

from ulab import numpy as np

from ..python import checks
from ..python import optimizer as python
from .networks import flush
from .views import BLOCK, flat, put, save

# Below, plain Python is faster.
_LEAST = 4


def adam(views, params, grad, m, v, hyper, state, start, count):
    end = checks.span("adam", start, count)
    params = views.need("adam", "params", params, end)
    _adam(views, "adam", params, grad, m, v, hyper, state, start, end)


def adam_delta(views, grad, m, v, hyper, state, start, count):
    _adam(views, "adam_delta", None, grad, m, v, hyper, state, start, checks.span("adam_delta", start, count))


def _adam(views, kernel, params, grad, m, v, hyper, state, start, end):
    grad = views.need(kernel, "grad", grad, end)
    m = views.need(kernel, "m", m, end)
    v = views.need(kernel, "v", v, end)
    views.need(kernel, "hyper", hyper, 4)
    views.need(kernel, "state", state, 4)
    if end - start < _LEAST:
        return python.adam_elements(params.x if params else None, grad.x, m.x, v.x, hyper, state, start, end)
    beta1 = np.array([hyper[1]])
    beta2 = np.array([hyper[2]])
    rest1 = np.array([1 - hyper[1]])
    rest2 = np.array([1 - hyper[2]])
    epsilon = np.array([hyper[3]])
    rate = np.array([state[2]])
    scale = np.array([state[3]])
    for at in range(start, end, BLOCK):
        count = min(BLOCK, end - at)
        g = flat(grad, at, count)
        first = flat(m, at, count)
        second = flat(v, at, count)
        flush(g)
        step = g * rest1
        first *= beta1
        first += step
        flush(first)
        step = g * rest2
        step *= g
        second *= beta2
        second += step
        flush(second)
        step = np.sqrt(second)
        step *= scale
        step += epsilon
        step = first / step
        step *= rate
        save(m, at, first)
        save(v, at, second)
        if params is None:
            put(grad, at, step)
        else:
            p = flat(params, at, count)
            p -= step
            flush(p)
            save(params, at, p)
            put(grad, at, np.zeros(count))


def apply_delta(views, params, delta, start, count):
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
    end = checks.span("polyak", start, count)
    target = views.need("polyak", "target", target, end)
    source = views.need("polyak", "source", source, end)
    views.need("polyak", "tau", tau, 1)
    share = np.array([tau[0]])
    for at in range(start, end, BLOCK):
        count = min(BLOCK, end - at)
        t = flat(target, at, count)
        step = flat(source, at, count) - t
        step *= share
        t += step
        flush(t)
        save(target, at, t)
