"""Optimisers and their step sizes."""

import numpy as np

from .arithmetic import flush
from .contract import INT, POSITIVE, F, W, kernel


@kernel
def adam_advance(hyper: F("4"), state: W("4")):
    state[:2] *= hyper[1:3]
    state[2] = hyper[0] / (1 - state[0])
    state[3] = 1 / np.sqrt(1 - state[1])


@kernel
def adam(
    params: W("start + count"),
    grad: W("start + count"),
    m: W("start + count"),
    v: W("start + count"),
    hyper: F("4"),
    state: F("4"),
    start: INT,
    count: INT,
):
    span = slice(start, start + count)
    params, grad = params[span], grad[span]
    params -= _adam_step(grad, m[span], v[span], hyper, state)
    grad.fill(0)


@kernel
def adam_delta(
    grad: W("start + count"),
    m: W("start + count"),
    v: W("start + count"),
    hyper: F("4"),
    state: F("4"),
    start: INT,
    count: INT,
):
    span = slice(start, start + count)
    grad = grad[span]
    grad[...] = _adam_step(grad, m[span], v[span], hyper, state)


def _adam_step(grad, m, v, hyper, state):
    _, beta1, beta2, epsilon = hyper[:4]
    g = (1 - beta1) * grad
    m *= beta1
    m += g
    flush(m)
    np.multiply(grad, 1 - beta2, out=g)
    g *= grad
    v *= beta2
    v += g
    flush(v)
    np.sqrt(v, out=g)
    g *= state[3]
    g += epsilon
    step = state[2] * m
    step /= g
    return step


@kernel
def apply_delta(params: W("start + count"), delta: W("start + count"), start: INT, count: INT):
    params, delta = params[start : start + count], delta[start : start + count]
    params -= delta
    delta.fill(0)


@kernel
def polyak(target: W("start + count"), source: F("start + count"), tau: F("1"), start: INT, count: INT):
    target = target[start : start + count]
    step = source[start : start + count] - target
    step *= tau[0]
    target += step


@kernel
def add_squares(x: F("start + count"), total: W("1"), start: INT, count: INT):
    x = x[start : start + count]
    total[0] += x @ x


@kernel
def norm_scale(total: F("1"), max_norm: F("1"), scale: W("1")):
    norm = np.sqrt(total[0])
    scale[0] = 1 if norm <= max_norm[0] else max_norm[0] / (norm + np.float32(1e-6))


@kernel
def scale(x: W("start + count"), factor: F("1"), start: INT, count: INT):
    x[start : start + count] *= factor[0]


@kernel
def linear_schedule(ends: F("2"), out: W("index + 1"), index: INT, step: INT, steps: POSITIVE):
    done = np.float32(min(step, steps)) / np.float32(steps)
    out[index] = done * (ends[1] - ends[0]) + ends[0]


@kernel
def sgd_delta(
    grad: W("start + count"), velocity: W("start + count", optional=True), hyper: F("2"), start: INT, count: INT
):
    step = grad[start : start + count]
    flush(step)
    if velocity is not None:
        v = velocity[start : start + count]
        v *= hyper[1]
        v += step
        flush(v)
        step[...] = v
    step *= hyper[0]
