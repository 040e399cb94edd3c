"""Actor-critic algorithms."""

from ulab import numpy as np

from ..python import actor_critic as python
from ..python import arithmetic, checks
from .vectors import MINUS_ONE, ONE, block_rows, few, flush, rows_total, scalar, total
from .views import BLOCK, flat, matrix, put, save

_LEAST_LOG_STD = scalar(-20.0)
_MOST_LOG_STD = scalar(2.0)
_HALF = scalar(-0.5)
_MINUS_TWO = scalar(-2.0)
_TWO = scalar(2.0)
_LOG_PROB = scalar(0.9189385175704956 + 2 * 0.6931471824645996)  # log(2 pi) / 2 + 2 log 2


def _policy(views, kernel, head, heads, noise, action, width, column, act_size, row, rows):
    """The checks of a policy's batch; `heads`: floats of the network's output per action."""
    end = checks.row_range(kernel, row, rows)
    checks.integer(kernel, "act_size", act_size, 1)
    checks.integer(kernel, "width", width, 1)
    checks.integer(kernel, "column", column)
    head = views.need(kernel, "head" if heads == 2 else "mu", head, end * heads * act_size)
    noise = views.need(kernel, "noise", noise, end * act_size)
    action = views.need(kernel, "action", action, end * width)
    checks.fits(kernel, "column", column, "act_size", act_size, "width", width)
    return head, noise, action, end


def gaussian_head(views, head, noise, action, width, column, log_prob, act_size, row, rows):
    kernel = "gaussian_head"
    if few(rows, act_size):
        return python.gaussian_head(head, noise, action, width, column, log_prob, act_size, row, rows)
    head, noise, action, end = _policy(views, kernel, head, 2, noise, action, width, column, act_size, row, rows)
    log_prob = views.need(kernel, "log_prob", log_prob, end)
    block = block_rows(max(2 * act_size, width))
    for first in range(row, end, block):
        count = min(block, end - first)
        outputs = matrix(head, first * 2 * act_size, count, 2 * act_size)
        n = matrix(noise, first * act_size, count, act_size)
        log_std = np.clip(outputs[:, act_size:], _LEAST_LOG_STD, _MOST_LOG_STD)
        u = np.exp(log_std)
        u *= n
        u += outputs[:, :act_size]
        actions = matrix(action, first * width, count, width)
        actions[:, column : column + act_size] = np.tanh(u)
        save(action, first * width, actions)
        # -n^2 / 2 - log_std - log(2 pi) / 2 - 2 (log 2 - |u| - log(1 + exp(-2 |u|)))
        u = abs(u)
        rest = u * _MINUS_TWO
        np.exp(rest, out=rest)
        rest += ONE
        np.log(rest, out=rest)
        rest += u
        rest *= _TWO
        rest -= log_std
        rest -= _LOG_PROB
        log_std = n * n
        log_std *= _HALF
        rest += log_std
        put(log_prob, first, rows_total(rest, act_size))


def gaussian_head_backward(
    views, head, noise, action, width, column, d_x1, d_x2, coeffs, d_head, act_size, row, rows, batch
):
    kernel = "gaussian_head_backward"
    if few(rows, act_size):
        return python.gaussian_head_backward(
            head, noise, action, width, column, d_x1, d_x2, coeffs, d_head, act_size, row, rows, batch
        )
    head, noise, action, end = _policy(views, kernel, head, 2, noise, action, width, column, act_size, row, rows)
    checks.integer(kernel, "batch", batch, 1)
    d_x1 = views.need(kernel, "d_x1", d_x1, rows * width)
    if d_x2 is not None:
        d_x2 = views.need(kernel, "d_x2", d_x2, rows * width)
    views.need(kernel, "coeffs", coeffs, 2)
    d_head = views.need(kernel, "d_head", d_head, end * 2 * act_size)
    weight = coeffs[1] / batch
    last = column + act_size
    block = block_rows(max(2 * act_size, width))
    for first in range(row, end, block):
        count = min(block, end - first)
        a = matrix(action, first * width, count, width)[:, column:last]
        du = a * a
        du -= ONE
        du *= MINUS_ONE
        gradient = matrix(d_x1, (first - row) * width, count, width)[:, column:last]
        if d_x2:
            gradient = gradient + matrix(d_x2, (first - row) * width, count, width)[:, column:last]
        du *= gradient
        a = a * scalar(2 * weight)
        du += a
        flush(du)
        deltas = matrix(d_head, first * 2 * act_size, count, 2 * act_size)
        deltas[:, :act_size] = du
        log_std = matrix(head, first * 2 * act_size, count, 2 * act_size)[:, act_size:]
        learns = log_std >= _LEAST_LOG_STD
        learns *= log_std <= _MOST_LOG_STD
        du *= np.exp(np.clip(log_std, _LEAST_LOG_STD, _MOST_LOG_STD))
        du *= matrix(noise, first * act_size, count, act_size)
        du -= scalar(weight)
        du *= learns
        flush(du)
        deltas[:, act_size:] = du
        save(d_head, first * 2 * act_size, deltas)


def smoothed_action(views, mu, noise, smoothing, action, width, column, act_size, row, rows):
    kernel = "smoothed_action"
    if few(rows, act_size):
        return python.smoothed_action(mu, noise, smoothing, action, width, column, act_size, row, rows)
    mu, noise, action, end = _policy(views, kernel, mu, 1, noise, action, width, column, act_size, row, rows)
    views.need(kernel, "smoothing", smoothing, 2)
    sigma = scalar(smoothing[0])
    limit = scalar(smoothing[1])
    block = block_rows(width)
    for first in range(row, end, block):
        count = min(block, end - first)
        a = np.clip(matrix(noise, first * act_size, count, act_size) * sigma, limit * MINUS_ONE, limit)
        a += matrix(mu, first * act_size, count, act_size)
        actions = matrix(action, first * width, count, width)
        actions[:, column : column + act_size] = np.clip(a, MINUS_ONE, ONE)
        save(action, first * width, actions)


def td_target(views, reward, not_terminated, q1, q2, log_prob, coeffs, target, row, rows):
    kernel = "td_target"
    if few(rows):
        return python.td_target(reward, not_terminated, q1, q2, log_prob, coeffs, target, row, rows)
    end = checks.row_range(kernel, row, rows)
    reward = views.need(kernel, "reward", reward, end)
    not_terminated = views.need(kernel, "not_terminated", not_terminated, end)
    q1 = views.need(kernel, "q1", q1, end)
    if q2 is not None:
        q2 = views.need(kernel, "q2", q2, end)
    if log_prob is not None:
        log_prob = views.need(kernel, "log_prob", log_prob, end)
    views.need(kernel, "coeffs", coeffs, 2)
    target = views.need(kernel, "target", target, end)
    for at in range(row, end, BLOCK):
        count = min(BLOCK, end - at)
        q = flat(q1, at, count)
        q = np.minimum(flat(q2, at, count), q) if q2 else q * ONE
        if log_prob:
            q -= flat(log_prob, at, count) * scalar(coeffs[1])
        q *= flat(not_terminated, at, count)
        q *= scalar(coeffs[0])
        q += flat(reward, at, count)
        put(target, at, q)


def mse_delta(views, q, target, d_q, loss, row, rows, batch):
    kernel = "mse_delta"
    if few(rows):
        return python.mse_delta(q, target, d_q, loss, row, rows, batch)
    end = checks.row_range(kernel, row, rows)
    checks.integer(kernel, "batch", batch, 1)
    q = views.need(kernel, "q", q, end)
    target = views.need(kernel, "target", target, end)
    d_q = views.need(kernel, "d_q", d_q, end)
    views.need(kernel, "loss", loss, 1)
    squares = loss[0] if row else 0.0
    share = scalar(2 / batch)
    for at in range(row, end, BLOCK):
        count = min(BLOCK, end - at)
        d = flat(q, at, count) - flat(target, at, count)
        squares += np.dot(d, d)
        d *= share
        put(d_q, at, d)
    loss[0] = squares


def policy_delta(views, q1, q2, d_q1, d_q2, loss, row, rows, batch):
    if few(rows) or q2 is None or d_q2 is None:
        return python.policy_delta(q1, q2, d_q1, d_q2, loss, row, rows, batch)
    kernel = "policy_delta"
    end = checks.row_range(kernel, row, rows)
    checks.integer(kernel, "batch", batch, 1)
    q1 = views.need(kernel, "q1", q1, end)
    q2 = views.need(kernel, "q2", q2, end)
    d_q1 = views.need(kernel, "d_q1", d_q1, end)
    d_q2 = views.need(kernel, "d_q2", d_q2, end)
    views.need(kernel, "loss", loss, 1)
    sum_q = loss[0] if row else 0.0
    share = scalar(-1 / batch)
    for at in range(row, end, BLOCK):
        count = min(BLOCK, end - at)
        q = flat(q1, at, count)
        other = flat(q2, at, count)
        second = (other < q) * share
        put(d_q2, at, second)
        second -= share
        second *= MINUS_ONE
        put(d_q1, at, second)
        sum_q -= total(np.minimum(other, q))
    loss[0] = sum_q


def temperature_grad(views, log_alpha, log_prob, target_entropy, grad, batch):
    kernel = "temperature_grad"
    if few(batch):
        return python.temperature_grad(log_alpha, log_prob, target_entropy, grad, batch)
    checks.integer(kernel, "batch", batch, 1)
    views.need(kernel, "log_alpha", log_alpha, 1)
    log_prob = views.need(kernel, "log_prob", log_prob, batch)
    views.need(kernel, "target_entropy", target_entropy, 1)
    views.need(kernel, "grad", grad, 1)
    sum_log_prob = 0.0
    for at in range(0, batch, BLOCK):
        sum_log_prob += total(flat(log_prob, at, min(BLOCK, batch - at)))
    grad[0] -= arithmetic.flushed_exp(log_alpha[0]) * (sum_log_prob / batch + target_entropy[0])
