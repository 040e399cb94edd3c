"""Actor-critic algorithms."""

from math import exp, log

from . import arithmetic, checks
from .arithmetic import tanh


def _policy(kernel, head, heads, noise, action, width, column, act_size, row, rows):
    """The checks of a policy's batch; `heads`: floats of the network's output per action."""
    end = checks.row_range(kernel, row, rows)
    checks.integer(kernel, "act_size", act_size, 1)
    checks.integer(kernel, "width", width, 1)
    checks.integer(kernel, "column", column)
    checks.need(kernel, "head" if heads == 2 else "mu", head, end * heads * act_size)
    checks.need(kernel, "noise", noise, end * act_size)
    checks.need(kernel, "action", action, end * width)
    checks.fits(kernel, "column", column, "act_size", act_size, "width", width)
    return end


def gaussian_head(head, noise, action, width, column, log_prob, act_size, row, rows):
    end = _policy("gaussian_head", head, 2, noise, action, width, column, act_size, row, rows)
    checks.need("gaussian_head", "log_prob", log_prob, end)
    for r in range(row, end):
        total = 0.0
        for j in range(act_size):
            at = 2 * r * act_size + j
            log_std = arithmetic.clip(head[at + act_size], -20.0, 2.0)
            n = noise[r * act_size + j]
            u = exp(log_std) * n + head[at]
            action[r * width + column + j] = tanh(u)
            u = abs(u)
            # log(2 pi) / 2 and log 2
            total += -0.5 * n * n - log_std - 0.9189385175704956
            total -= 2 * (0.6931471824645996 - u - log(1 + exp(-2 * u)))
        log_prob[r] = total


def gaussian_head_backward(head, noise, action, width, column, d_x1, d_x2, coeffs, d_head, act_size, row, rows, batch):
    kernel = "gaussian_head_backward"
    end = _policy(kernel, head, 2, noise, action, width, column, act_size, row, rows)
    checks.integer(kernel, "batch", batch, 1)
    checks.need(kernel, "d_x1", d_x1, rows * width)
    if d_x2 is not None:
        checks.need(kernel, "d_x2", d_x2, rows * width)
    checks.need(kernel, "coeffs", coeffs, 2)
    checks.need(kernel, "d_head", d_head, end * 2 * act_size)
    w = coeffs[1] / batch
    for r in range(row, end):
        for j in range(act_size):
            at = (r - row) * width + column + j
            da = d_x1[at]
            if d_x2 is not None:
                da += d_x2[at]
            a = action[r * width + column + j]
            du = 2 * w * a + da * (1 - a * a)
            at = 2 * r * act_size + j
            d_head[at] = arithmetic.flush(du)
            at += act_size
            log_std = head[at]
            if -20 <= log_std <= 2:
                du = du * exp(log_std) * noise[r * act_size + j] - w
            else:
                du = 0.0
            d_head[at] = arithmetic.flush(du)


def smoothed_action(mu, noise, smoothing, action, width, column, act_size, row, rows):
    end = _policy("smoothed_action", mu, 1, noise, action, width, column, act_size, row, rows)
    checks.need("smoothed_action", "smoothing", smoothing, 2)
    sigma = smoothing[0]
    c = smoothing[1]
    for r in range(row, end):
        for j in range(act_size):
            at = r * act_size + j
            action[r * width + column + j] = arithmetic.clip(
                mu[at] + arithmetic.clip(sigma * noise[at], -c, c), -1.0, 1.0
            )


def td_target(reward, not_terminated, q1, q2, log_prob, coeffs, target, row, rows):
    kernel = "td_target"
    end = checks.row_range(kernel, row, rows)
    checks.need(kernel, "reward", reward, end)
    checks.need(kernel, "not_terminated", not_terminated, end)
    checks.need(kernel, "q1", q1, end)
    if q2 is not None:
        checks.need(kernel, "q2", q2, end)
    if log_prob is not None:
        checks.need(kernel, "log_prob", log_prob, end)
    checks.need(kernel, "coeffs", coeffs, 2)
    checks.need(kernel, "target", target, end)
    for r in range(row, end):
        q = q1[r]
        if q2 is not None and q2[r] < q:
            q = q2[r]
        if log_prob is not None:
            q -= coeffs[1] * log_prob[r]
        target[r] = coeffs[0] * not_terminated[r] * q + reward[r]


def mse_delta(q, target, d_q, loss, row, rows, batch):
    kernel = "mse_delta"
    end = checks.row_range(kernel, row, rows)
    checks.integer(kernel, "batch", batch, 1)
    checks.need(kernel, "q", q, end)
    checks.need(kernel, "target", target, end)
    checks.need(kernel, "d_q", d_q, end)
    checks.need(kernel, "loss", loss, 1)
    total = loss[0] if row else 0.0
    for r in range(row, end):
        d = q[r] - target[r]
        d_q[r] = d * (2 / batch)
        total += d * d
    loss[0] = total


def policy_delta(q1, q2, d_q1, d_q2, loss, row, rows, batch):
    kernel = "policy_delta"
    end = checks.row_range(kernel, row, rows)
    checks.integer(kernel, "batch", batch, 1)
    checks.need(kernel, "q1", q1, end)
    if q2 is not None:
        checks.need(kernel, "q2", q2, end)
    checks.need(kernel, "d_q1", d_q1, end)
    if d_q2 is not None:
        checks.need(kernel, "d_q2", d_q2, end)
    checks.need(kernel, "loss", loss, 1)
    if (q2 is None) != (d_q2 is None):
        have = "is given, must be None" if q2 is None else "is None, must be given"
        raise ValueError("policy_delta: d_q2 %s like q2" % have)
    total = loss[0] if row else 0.0
    for r in range(row, end):
        q = q1[r]
        second = q2 is not None and q2[r] < q
        d_q1[r] = 0.0 if second else -1 / batch
        if d_q2 is not None:
            d_q2[r] = -1 / batch if second else 0.0
        total -= q2[r] if second else q
    loss[0] = total


def temperature_grad(log_alpha, log_prob, target_entropy, grad, batch):
    kernel = "temperature_grad"
    checks.integer(kernel, "batch", batch, 1)
    checks.need(kernel, "log_alpha", log_alpha, 1)
    checks.need(kernel, "log_prob", log_prob, batch)
    checks.need(kernel, "target_entropy", target_entropy, 1)
    checks.need(kernel, "grad", grad, 1)
    total = 0.0
    for r in range(batch):
        total += log_prob[r]
    grad[0] -= arithmetic.flushed_exp(log_alpha[0]) * (total / batch + target_entropy[0])


def temperature(log_alpha, coeffs):
    checks.need("temperature", "log_alpha", log_alpha, 1)
    checks.need("temperature", "coeffs", coeffs, 2)
    coeffs[1] = arithmetic.flushed_exp(log_alpha[0])


def log_temperature(coeffs, log_alpha):
    checks.need("log_temperature", "coeffs", coeffs, 2)
    checks.need("log_temperature", "log_alpha", log_alpha, 1)
    log_alpha[0] = log(coeffs[1])
