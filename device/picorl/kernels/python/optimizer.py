"""Optimisers and their step sizes."""

from math import sqrt

from . import arithmetic, checks, statistics


def adam_advance(hyper, state):
    checks.need("adam_advance", "hyper", hyper, 4)
    checks.need("adam_advance", "state", state, 4)
    state[0] *= hyper[1]
    state[1] *= hyper[2]
    state[2] = hyper[0] / (1 - state[0])
    state[3] = 1 / sqrt(1 - state[1])


def adam(params, grad, m, v, hyper, state, start, count):
    end = checks.span("adam", start, count)
    checks.need("adam", "params", params, end)
    _adam("adam", params, grad, m, v, hyper, state, start, end)


def adam_delta(grad, m, v, hyper, state, start, count):
    _adam("adam_delta", None, grad, m, v, hyper, state, start, checks.span("adam_delta", start, count))


def _adam(kernel, params, grad, m, v, hyper, state, start, end):
    checks.need(kernel, "grad", grad, end)
    checks.need(kernel, "m", m, end)
    checks.need(kernel, "v", v, end)
    checks.need(kernel, "hyper", hyper, 4)
    checks.need(kernel, "state", state, 4)
    beta1 = hyper[1]
    beta2 = hyper[2]
    epsilon = hyper[3]
    rate = state[2]
    scale = state[3]
    for i in range(start, end):
        g = arithmetic.flush(grad[i])
        first = arithmetic.flush(beta1 * m[i] + (1 - beta1) * g)
        second = arithmetic.flush(beta2 * v[i] + (1 - beta2) * g * g)
        step = rate * first / (sqrt(second) * scale + epsilon)
        m[i] = first
        v[i] = second
        if params is None:
            grad[i] = step
        else:
            params[i] = arithmetic.flush(params[i] - step)
            grad[i] = 0.0


def apply_delta(params, delta, start, count):
    end = checks.span("apply_delta", start, count)
    checks.need("apply_delta", "params", params, end)
    checks.need("apply_delta", "delta", delta, end)
    for i in range(start, end):
        params[i] = arithmetic.flush(params[i] - delta[i])
        delta[i] = 0.0


def polyak(target, source, tau, start, count):
    end = checks.span("polyak", start, count)
    checks.need("polyak", "target", target, end)
    checks.need("polyak", "source", source, end)
    checks.need("polyak", "tau", tau, 1)
    share = tau[0]
    for i in range(start, end):
        value = target[i]
        target[i] = arithmetic.flush(value + share * (source[i] - value))


def add_squares(x, total, start, count):
    end = checks.span("add_squares", start, count)
    checks.need("add_squares", "x", x, end)
    checks.need("add_squares", "total", total, 1)
    total[0] += statistics.sum_lanes(x, start, count, True)


def norm_scale(total, max_norm, scale):
    checks.need("norm_scale", "total", total, 1)
    checks.need("norm_scale", "max_norm", max_norm, 1)
    checks.need("norm_scale", "scale", scale, 1)
    norm = sqrt(total[0])
    scale[0] = 1.0 if norm <= max_norm[0] else max_norm[0] / (norm + 9.999999974752427e-07)  # 1e-6


def scale(x, factor, start, count):
    end = checks.span("scale", start, count)
    checks.need("scale", "x", x, end)
    checks.need("scale", "factor", factor, 1)
    for i in range(start, end):
        x[i] *= factor[0]


def linear_schedule(ends, out, index, step, steps):
    kernel = "linear_schedule"
    checks.integer(kernel, "index", index)
    checks.integer(kernel, "step", step)
    checks.integer(kernel, "steps", steps, 1)
    checks.need(kernel, "ends", ends, 2)
    checks.need(kernel, "out", out, index + 1)
    out[index] = min(step, steps) / steps * (ends[1] - ends[0]) + ends[0]


def sgd_delta(grad, velocity, hyper, start, count):
    kernel = "sgd_delta"
    end = checks.span(kernel, start, count)
    checks.need(kernel, "grad", grad, end)
    if velocity is not None:
        checks.need(kernel, "velocity", velocity, end)
    checks.need(kernel, "hyper", hyper, 2)
    for i in range(start, end):
        step = arithmetic.flush(grad[i])
        if velocity is not None:
            step = arithmetic.flush(hyper[1] * velocity[i] + step)
            velocity[i] = step
        grad[i] = hyper[0] * step
