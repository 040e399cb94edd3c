"""Streaming reinforcement learning: one transition at a time, a trace for each parameter."""

import math

import numpy as np

from .arithmetic import ZERO, exp, flush
from .contract import DENSE, F32, INT, LAYOUT, POSITIVE, RNG, Buffer, F, W, kernel, within
from .threefry import advance, blocks, unit

_ONE = np.float32(1)
_LEAST_STD = np.float32(2**-20)


def _sparse_dense(params, first, inputs, outputs, sparsity, rng):
    count = inputs * outputs
    words, order = blocks(rng, first, count)
    weights = params[first : first + count].reshape(inputs, outputs)
    weights[...] = (unit(words) * (_ONE / np.sqrt(np.float32(inputs)))).reshape(inputs, outputs)
    order = order.astype(np.uint64).reshape(inputs, outputs)
    share = min(sparsity, _ONE) if sparsity > 0 else ZERO  # of what is not a number, too
    left = np.full(outputs, min(math.ceil(share * np.float32(inputs)), inputs - 1), np.uint64)
    for i in range(inputs):
        drawn = (order[i] * np.uint64(inputs - i)) >> np.uint64(32) < left
        weights[i, drawn] = 0
        left -= drawn
    params[first + count : first + count + outputs] = 0


@kernel
def sparse_init(layout: LAYOUT, params: W("n_params"), sparsity: F("1"), rng: RNG):
    for layer in layout.layers:
        if layer.kind == DENSE:
            _sparse_dense(params, layer.start, layer.inputs, layer.outputs, sparsity[0], rng)
        else:
            params[layer.start : layer.bias] = 1
            params[layer.bias : layer.end] = 0
    advance(rng)


@kernel
def scale_reward(reward: F("1"), coeffs: F("1"), stats: W("4"), scaled: W("1")):
    stats[1] = coeffs[0] * stats[1] + reward[0]
    if stats[0] < 2**24:  # float32 counts no further
        stats[0] += 1
        d = stats[1] - stats[2]
        stats[2] += d / stats[0]
        stats[3] += d * (stats[1] - stats[2])
    variance = stats[3] / (stats[0] - _ONE) if stats[0] >= 2 else _ONE
    scaled[0] = reward[0] / np.sqrt(variance + np.float32(1e-8))


def _std(s):
    """What softplus makes of s, and its derivative."""
    t = exp(-np.abs(s))
    std = np.maximum(np.maximum(s, ZERO) + np.log1p(t), _LEAST_STD)
    return std, np.where(s >= 0, _ONE, t) / (_ONE + t)


def _to_environment(raw, scaling, act_size):
    return scaling[:act_size] * raw.clip(-1, 1) + scaling[act_size : 2 * act_size]


@kernel
def softplus_action(
    head: F("2 * act_size"),
    noise: F("act_size"),
    scaling: F("2 * act_size"),
    raw: W("act_size"),
    action: W("act_size"),
    act_size: POSITIVE,
):
    std, _ = _std(head[act_size : 2 * act_size])
    raw[:act_size] = std * noise[:act_size] + head[:act_size]
    action[:act_size] = _to_environment(raw[:act_size], scaling, act_size)


@kernel
def taken_action(
    action: F("act_size"), raw: F("act_size"), scaling: F("2 * act_size"), taken: W("act_size"), act_size: POSITIVE
):
    a, u, half, middle = action[:act_size], raw[:act_size], scaling[:act_size], scaling[act_size : 2 * act_size]
    same = np.abs(a - _to_environment(u, scaling, act_size)) <= np.float32(2**-20) * half
    taken[:act_size] = np.where(same, u, (a - middle) / half)


@kernel
def softplus_delta(
    head: F("2 * act_size"),
    taken: F("act_size"),
    delta: F("1"),
    entropy: F("1"),
    d_head: W("2 * act_size"),
    act_size: POSITIVE,
):
    std, slope = _std(head[act_size : 2 * act_size])
    z = (taken[:act_size] - head[:act_size]) / std
    d_head[:act_size] = z / std
    d_head[act_size : 2 * act_size] = (z * z - _ONE + entropy[0] * np.sign(delta[0])) / std * slope


def _error(reward, value, next_value, coeffs, terminated):
    return (reward[0] if terminated else coeffs[0] * next_value + reward[0]) - value


@kernel
def td_error(reward: F("1"), value: F("1"), next_value: F("1"), coeffs: F("1"), delta: W("1"), terminated: INT):
    delta[0] = _error(reward, value[0], next_value[0], coeffs, terminated)


@kernel
def q_error(
    reward: F("1"),
    q: F("n"),
    next_q: F("n"),
    choice: Buffer("1", "i"),
    coeffs: F("1"),
    d_q: W("n"),
    delta: W("1"),
    n: POSITIVE,
    terminated: INT,
):
    chosen = int(within("q_error", "choice", choice, 0, 1, n)[0])
    d_q[:n] = 0
    d_q[chosen] = 1
    delta[0] = _error(reward, q[chosen], next_q[:n].max(), coeffs, terminated)
    return int(chosen == q[:n].argmax())


@kernel
def obgd_norm(trace: F("start + count"), lanes: W("16"), start: INT, count: INT):
    sizes = np.zeros((start % 16 + count + 15) // 16 * 16, F32)
    sizes[start % 16 : start % 16 + count] = np.abs(trace[start : start + count])
    lanes[:16] += np.add.reduce(sizes.reshape(-1, 16), axis=0)


@kernel
def obgd_scale(lanes: W("16"), delta: F("1"), hyper: F("4"), step: W("1")):
    rate, kappa = hyper[0], hyper[1]
    bound = rate * kappa * max(abs(delta[0]), _ONE) * np.add.reduce(lanes[:16])
    step[0] = (rate / bound if bound > 1 else rate) * delta[0]
    lanes[:16] = 0


@kernel
def obgd_step(
    params: W("start + count"), trace: W("start + count"), step: F("1"), hyper: F("4"), start: INT, count: INT
):
    x, e = params[start : start + count], trace[start : start + count]
    x += step[0] * e
    e *= hyper[2] * hyper[3]
    flush(x)
    flush(e)
