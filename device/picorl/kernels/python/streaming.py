"""Streaming reinforcement learning: one transition at a time, a trace for each parameter."""

from array import array
from math import log, sqrt

from . import arithmetic, checks, threefry

_LEAST_STD = 9.5367431640625e-07  # 2^-20


def _sparse_dense(params, first, inputs, outputs, sparsity, rng):
    bound = 1 / sqrt(inputs)
    share = min(sparsity, 1) if sparsity > 0 else 0  # of what is not a number, too
    wanted = array("f", (share * inputs,))[0]  # 0.9 * 10 is 9 there
    most = int(wanted)
    most = min(most + 1 if most < wanted else most, inputs - 1)
    for o in range(outputs):
        left = most
        for i in range(inputs):
            at = first + i * outputs + o
            word0, word1 = threefry.block(rng, at)
            if (word1 * (inputs - i)) >> 32 < left:
                left -= 1
                params[at] = 0.0
            else:
                params[at] = threefry.unit(word0) * bound
        params[first + inputs * outputs + o] = 0.0


def sparse_init(layout, params, sparsity, rng):
    kernel = "sparse_init"
    checks.shape(kernel, layout, params)
    checks.need(kernel, "sparsity", sparsity, 1)
    checks.rng_state(kernel, rng)
    first = 0
    for record in range(0, len(layout), checks.RECORD):
        n = layout[record + 1]
        end = first + checks.layer_params(layout, record)
        if layout[record] == checks.DENSE:
            _sparse_dense(params, first, n, layout[record + 2], sparsity[0], rng)
        else:
            for i in range(first, end):
                params[i] = 1.0 if i < first + n else 0.0
        first = end
    threefry.advance(rng)


def scale_reward(reward, coeffs, stats, scaled):
    kernel = "scale_reward"
    checks.need(kernel, "reward", reward, 1)
    checks.need(kernel, "coeffs", coeffs, 1)
    checks.need(kernel, "stats", stats, 4)
    checks.need(kernel, "scaled", scaled, 1)
    stats[1] = coeffs[0] * stats[1] + reward[0]
    if stats[0] < 16777216:  # float32 counts no further than 2^24
        stats[0] += 1
        d = stats[1] - stats[2]
        stats[2] += d / stats[0]
        stats[3] += d * (stats[1] - stats[2])
    variance = stats[3] / (stats[0] - 1) if stats[0] >= 2 else 1.0
    scaled[0] = reward[0] / sqrt(variance + 9.99999993922529e-09)  # 1e-8


def _std(s):
    """What softplus makes of s, and its derivative."""
    t = arithmetic.flushed_exp(-abs(s))
    w = 1 + t
    # The quotient takes back what w lost of t in rounding.
    std = max(s, 0.0) + (log(w) * (t / (w - 1)) if w > 1 else t)
    return max(std, _LEAST_STD), (1.0 if s >= 0 else t) / w


def _to_environment(raw, scaling, j, act_size):
    return scaling[j] * arithmetic.clip(raw, -1.0, 1.0) + scaling[act_size + j]


def softplus_action(head, noise, scaling, raw, action, act_size):
    kernel = "softplus_action"
    checks.integer(kernel, "act_size", act_size, 1)
    checks.need(kernel, "head", head, 2 * act_size)
    checks.need(kernel, "noise", noise, act_size)
    checks.need(kernel, "scaling", scaling, 2 * act_size)
    checks.need(kernel, "raw", raw, act_size)
    checks.need(kernel, "action", action, act_size)
    for j in range(act_size):
        raw[j] = _std(head[act_size + j])[0] * noise[j] + head[j]
        action[j] = _to_environment(raw[j], scaling, j, act_size)


def taken_action(action, raw, scaling, taken, act_size):
    kernel = "taken_action"
    checks.integer(kernel, "act_size", act_size, 1)
    checks.need(kernel, "action", action, act_size)
    checks.need(kernel, "raw", raw, act_size)
    checks.need(kernel, "scaling", scaling, 2 * act_size)
    checks.need(kernel, "taken", taken, act_size)
    for j in range(act_size):
        half = scaling[j]
        same = abs(action[j] - _to_environment(raw[j], scaling, j, act_size)) <= 9.5367431640625e-07 * half  # 2^-20
        taken[j] = raw[j] if same else (action[j] - scaling[act_size + j]) / half


def softplus_delta(head, taken, delta, entropy, d_head, act_size):
    kernel = "softplus_delta"
    checks.integer(kernel, "act_size", act_size, 1)
    checks.need(kernel, "head", head, 2 * act_size)
    checks.need(kernel, "taken", taken, act_size)
    checks.need(kernel, "delta", delta, 1)
    checks.need(kernel, "entropy", entropy, 1)
    checks.need(kernel, "d_head", d_head, 2 * act_size)
    bonus = entropy[0] if delta[0] > 0 else -entropy[0] if delta[0] < 0 else 0.0
    for j in range(act_size):
        std, slope = _std(head[act_size + j])
        z = (taken[j] - head[j]) / std
        d_head[j] = z / std
        d_head[act_size + j] = (z * z - 1 + bonus) / std * slope


def _error(reward, value, next_value, coeffs, terminated):
    return (reward[0] if terminated else coeffs[0] * next_value + reward[0]) - value


def td_error(reward, value, next_value, coeffs, delta, terminated):
    kernel = "td_error"
    checks.integer(kernel, "terminated", terminated)
    checks.need(kernel, "reward", reward, 1)
    checks.need(kernel, "value", value, 1)
    checks.need(kernel, "next_value", next_value, 1)
    checks.need(kernel, "coeffs", coeffs, 1)
    checks.need(kernel, "delta", delta, 1)
    delta[0] = _error(reward, value[0], next_value[0], coeffs, terminated)


def q_error(reward, q, next_q, choice, coeffs, d_q, delta, n, terminated):
    kernel = "q_error"
    checks.integer(kernel, "n", n, 1)
    checks.integer(kernel, "terminated", terminated)
    checks.need(kernel, "reward", reward, 1)
    checks.need(kernel, "q", q, n)
    checks.need(kernel, "next_q", next_q, n)
    checks.need(kernel, "choice", choice, 1, "i")
    checks.need(kernel, "coeffs", coeffs, 1)
    checks.need(kernel, "d_q", d_q, n)
    checks.need(kernel, "delta", delta, 1)
    checks.within(kernel, "choice", choice, 0, 1, n)
    chosen = choice[0]
    for k in range(n):
        d_q[k] = 1.0 if k == chosen else 0.0
    delta[0] = _error(reward, q[chosen], next_q[arithmetic.largest(next_q, 0, n)], coeffs, terminated)
    return 1 if chosen == arithmetic.largest(q, 0, n) else 0


def obgd_norm(trace, lanes, start, count):
    end = checks.span("obgd_norm", start, count)
    checks.need("obgd_norm", "trace", trace, end)
    checks.need("obgd_norm", "lanes", lanes, 16)
    for i in range(start, end):
        lanes[i % 16] += abs(trace[i])


def obgd_scale(lanes, delta, hyper, step):
    kernel = "obgd_scale"
    checks.need(kernel, "lanes", lanes, 16)
    checks.need(kernel, "delta", delta, 1)
    checks.need(kernel, "hyper", hyper, 4)
    checks.need(kernel, "step", step, 1)
    total = 0.0
    for k in range(16):
        total += lanes[k]
        lanes[k] = 0.0
    rate = hyper[0]
    bound = rate * hyper[1] * max(abs(delta[0]), 1.0) * total
    step[0] = (rate / bound if bound > 1 else rate) * delta[0]


def obgd_step(params, trace, step, hyper, start, count):
    kernel = "obgd_step"
    end = checks.span(kernel, start, count)
    checks.need(kernel, "params", params, end)
    checks.need(kernel, "trace", trace, end)
    checks.need(kernel, "step", step, 1)
    checks.need(kernel, "hyper", hyper, 4)
    size = step[0]
    decay = hyper[2] * hyper[3]
    for i in range(start, end):
        params[i] = arithmetic.flush(params[i] + size * trace[i])
        trace[i] = arithmetic.flush(decay * trace[i])
