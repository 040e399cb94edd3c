"""On-policy algorithms."""

from ulab import numpy as np

from ..python import arithmetic, checks, statistics
from ..python import on_policy as python
from .vectors import MINUS_ONE, ONE, block_rows, few, rows_total, scalar, total
from .views import BLOCK, flat, matrix, put, save

_HALF = scalar(-0.5)
_LOG_DENSITY = scalar(0.9189385175704956)  # log(2 pi) / 2


def _inverse_std(log_std, act_size):
    return np.array([arithmetic.flushed_exp(-log_std[j]) for j in range(act_size)])


def _density(z, log_std, act_size):
    """The log-densities of rows (count, 1) or (count) whose distances from the mean are z (count, act_size) deviations."""
    found = z * z
    found *= _HALF
    found -= log_std
    found -= _LOG_DENSITY
    return rows_total(found, act_size)


def gaussian_log_prob(views, mean, raw, log_std, log_prob, act_size, row, rows):
    kernel = "gaussian_log_prob"
    if few(rows, act_size):
        return python.gaussian_log_prob(mean, raw, log_std, log_prob, act_size, row, rows)
    checks.integer(kernel, "act_size", act_size, 1)
    end = checks.row_range(kernel, row, rows)
    mean = views.need(kernel, "mean", mean, end * act_size)
    raw = views.need(kernel, "raw", raw, end * act_size)
    log_std = views.need(kernel, "log_std", log_std, act_size)
    log_prob = views.need(kernel, "log_prob", log_prob, end)
    inverse_std = _inverse_std(log_std.x, act_size)
    log_std = flat(log_std, 0, act_size)
    block = block_rows(act_size)
    for first in range(row, end, block):
        count = min(block, end - first)
        z = matrix(raw, first * act_size, count, act_size) - matrix(mean, first * act_size, count, act_size)
        z *= inverse_std
        put(log_prob, first, _density(z, log_std, act_size))


def _surrogate(log_prob, old_log_prob, advantage, clip, stats, batch):
    """The gradients of PPO's clipped objective at rows' log_prob; adds the rows to stats."""
    high = scalar(1 + clip)
    low = scalar(1 - clip)
    change = log_prob - old_log_prob
    ratio = np.exp(change)
    stats[1] += total(ratio) - len(ratio) - total(change)
    gain = ratio * advantage
    clipped = np.clip(ratio, low, high)
    clipped *= advantage
    stats[0] -= total(np.minimum(gain, clipped))
    above = ratio > high
    below = ratio < low
    # Where the clip holds the ratio, nothing is learned. Masks are numbers of 8 bits.
    learns = advantage < 0.0
    stopped = below * learns
    learns = advantage >= 0.0
    learns *= above
    stopped += learns
    above += below
    stats[2] += total(above * ONE)
    gain *= scalar(-1 / batch)
    gain *= stopped < 1.0
    return gain


def ppo_gaussian_delta(
    views,
    mean,
    raw,
    log_std,
    old_log_prob,
    advantage,
    clip,
    entropy,
    d_mean,
    d_log_std,
    stats,
    act_size,
    row,
    rows,
    batch,
):
    kernel = "ppo_gaussian_delta"
    if few(rows, act_size):
        return python.ppo_gaussian_delta(
            mean,
            raw,
            log_std,
            old_log_prob,
            advantage,
            clip,
            entropy,
            d_mean,
            d_log_std,
            stats,
            act_size,
            row,
            rows,
            batch,
        )
    checks.integer(kernel, "act_size", act_size, 1)
    end = checks.row_range(kernel, row, rows)
    checks.integer(kernel, "batch", batch, 1)
    mean = views.need(kernel, "mean", mean, end * act_size)
    raw = views.need(kernel, "raw", raw, end * act_size)
    log_std = views.need(kernel, "log_std", log_std, act_size)
    old_log_prob = views.need(kernel, "old_log_prob", old_log_prob, end)
    advantage = views.need(kernel, "advantage", advantage, end)
    views.need(kernel, "clip", clip, 1)
    views.need(kernel, "entropy", entropy, 1)
    d_mean = views.need(kernel, "d_mean", d_mean, end * act_size)
    d_log_std = views.need(kernel, "d_log_std", d_log_std, act_size)
    views.need(kernel, "stats", stats, 3)
    python.begin_stats(stats, row)
    inverse_std = _inverse_std(log_std.x, act_size)
    log_std = flat(log_std, 0, act_size)
    bonus = scalar(entropy[0] / batch)
    block = block_rows(act_size)
    for first in range(row, end, block):
        count = min(block, end - first)
        z = matrix(raw, first * act_size, count, act_size) - matrix(mean, first * act_size, count, act_size)
        z *= inverse_std
        log_prob = _density(z, log_std, act_size)
        if act_size == 1:
            log_prob = log_prob.reshape((count,))
        gain = _surrogate(
            log_prob, flat(old_log_prob, first, count), flat(advantage, first, count), clip[0], stats, batch
        ).reshape((count, 1))
        mean_step = z * inverse_std
        mean_step *= gain
        put(d_mean, first * act_size, mean_step)
        z *= z
        z -= ONE
        z *= gain
        z -= bonus
        step = flat(d_log_std, 0, act_size)
        step += np.dot(np.ones(count), z)
        save(d_log_std, 0, step)


def value_delta(views, value, target, old_value, clip, d_value, loss, row, rows, batch):
    kernel = "value_delta"
    if few(rows):
        return python.value_delta(value, target, old_value, clip, d_value, loss, row, rows, batch)
    end = checks.row_range(kernel, row, rows)
    checks.integer(kernel, "batch", batch, 1)
    value = views.need(kernel, "value", value, end)
    target = views.need(kernel, "target", target, end)
    if old_value is not None:
        old_value = views.need(kernel, "old_value", old_value, end)
    views.need(kernel, "clip", clip, 1)
    d_value = views.need(kernel, "d_value", d_value, end)
    views.need(kernel, "loss", loss, 1)
    limit = scalar(clip[0])
    squares = loss[0] if row else 0.0
    for at in range(row, end, BLOCK):
        count = min(BLOCK, end - at)
        error = flat(value, at, count) - flat(target, at, count)
        squares += np.dot(error, error)
        if old_value:
            old = flat(old_value, at, count)
            change = flat(value, at, count) - old
            other = np.clip(change, limit * MINUS_ONE, limit)
            other += old
            other -= flat(target, at, count)
            other *= other
            other -= error * error
            # Only there: elsewhere rounding alone makes a difference.
            worse = abs(change) > limit
            worse *= other > 0.0
            squares += np.dot(other, worse)
            error *= worse < 1.0
        error *= scalar(1 / batch)
        put(d_value, at, error)
    loss[0] = squares


def standardise(views, x, count):
    if few(count, least=2):
        return statistics.standardise(x, count)
    checks.integer("standardise", "count", count, 1)
    x = views.need("standardise", "x", x, count)
    for _ in range(2):  # the second time what rounding left of the mean
        _each(x, count, scalar(-_sum(x, count, False) / count), False)
    deviation = (_sum(x, count, True) / count) ** 0.5 + 9.99999993922529e-09  # 1e-8
    _each(x, count, scalar(1 / deviation), True)


def _sum(x, count, squares):
    found = 0.0
    for at in range(0, count, BLOCK):
        part = flat(x, at, min(BLOCK, count - at))
        found += np.dot(part, part) if squares else total(part)
    return found


def _each(x, count, by, multiplies):
    for at in range(0, count, BLOCK):
        part = flat(x, at, min(BLOCK, count - at))
        if multiplies:
            part *= by
        else:
            part += by
        save(x, at, part)
