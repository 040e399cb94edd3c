"""Streaming reinforcement learning: what is done to every parameter at every step."""

from ulab import numpy as np

from ..python import checks
from ..python import streaming as python
from .vectors import few, flush, scalar
from .views import BLOCK, flat, save

_LANES = 16


def obgd_norm(views, trace, lanes, start, count):
    if few(count, least=2 * _LANES):
        return python.obgd_norm(trace, lanes, start, count)
    end = checks.span("obgd_norm", start, count)
    trace = views.need("obgd_norm", "trace", trace, end)
    lanes = views.need("obgd_norm", "lanes", lanes, _LANES)
    first = (start + _LANES - 1) // _LANES * _LANES
    last = end // _LANES * _LANES
    python.obgd_norm(trace.x, lanes.x, start, first - start)
    sums = flat(lanes, 0, _LANES)
    for at in range(first, last, BLOCK):
        part = abs(flat(trace, at, min(BLOCK, last - at)))
        rows = len(part) // _LANES
        sums += np.dot(np.ones(rows), part.reshape((rows, _LANES)))
    save(lanes, 0, sums)
    python.obgd_norm(trace.x, lanes.x, last, end - last)


def obgd_step(views, params, trace, step, hyper, start, count):
    kernel = "obgd_step"
    if few(count):
        return python.obgd_step(params, trace, step, hyper, start, count)
    end = checks.span(kernel, start, count)
    params = views.need(kernel, "params", params, end)
    trace = views.need(kernel, "trace", trace, end)
    views.need(kernel, "step", step, 1)
    views.need(kernel, "hyper", hyper, 4)
    size = scalar(step[0])
    decay = scalar(hyper[2] * hyper[3])
    for at in range(start, end, BLOCK):
        count = min(BLOCK, end - at)
        t = flat(trace, at, count)
        p = flat(params, at, count)
        p += t * size
        flush(p)
        save(params, at, p)
        t *= decay
        flush(t)
        save(trace, at, t)
