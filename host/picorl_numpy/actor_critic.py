"""Actor-critic algorithms."""

import numpy as np

from .arithmetic import HALF_LOG_2_PI, LOG_2, exp
from .contract import INT, POSITIVE, F, W, fits, kernel


def columns_of(x, width, column, columns, row, rows):
    return x[row * width : (row + rows) * width].reshape(rows, width)[:, column : column + columns]


@kernel
def gaussian_head(
    head: F("(row + rows) * 2 * act_size"),
    noise: F("(row + rows) * act_size"),
    action: W("(row + rows) * width"),
    width: POSITIVE,
    column: INT,
    log_prob: W("row + rows"),
    act_size: POSITIVE,
    row: INT,
    rows: INT,
):
    fits("gaussian_head", "column", column, "act_size", act_size, "width", width)
    mean = columns_of(head, 2 * act_size, 0, act_size, row, rows)
    log_std = columns_of(head, 2 * act_size, act_size, act_size, row, rows).clip(-20, 2)
    noise = columns_of(noise, act_size, 0, act_size, row, rows)
    u = np.exp(log_std) * noise + mean
    columns_of(action, width, column, act_size, row, rows)[...] = np.tanh(u)
    u = np.abs(u)
    density = -noise * noise / 2 - log_std - HALF_LOG_2_PI - 2 * (LOG_2 - u - np.log1p(np.exp(-2 * u)))
    np.add.reduce(density, axis=1, out=log_prob[row : row + rows])


@kernel
def gaussian_head_backward(
    head: F("(row + rows) * 2 * act_size"),
    noise: F("(row + rows) * act_size"),
    action: F("(row + rows) * width"),
    width: POSITIVE,
    column: INT,
    d_x1: F("rows * width"),
    d_x2: F("rows * width", optional=True),
    coeffs: F("2"),
    d_head: W("(row + rows) * 2 * act_size"),
    act_size: POSITIVE,
    row: INT,
    rows: INT,
    batch: POSITIVE,
):
    fits("gaussian_head_backward", "column", column, "act_size", act_size, "width", width)
    log_std = columns_of(head, 2 * act_size, act_size, act_size, row, rows)
    noise = columns_of(noise, act_size, 0, act_size, row, rows)
    a = columns_of(action, width, column, act_size, row, rows)
    da = columns_of(d_x1, width, column, act_size, 0, rows)
    if d_x2 is not None:
        da = da + columns_of(d_x2, width, column, act_size, 0, rows)
    w = coeffs[1] / np.float32(batch)
    du = 2 * w * a + da * (1 - a * a)
    columns_of(d_head, 2 * act_size, 0, act_size, row, rows)[...] = du
    free = (log_std >= -20) & (log_std <= 2)
    d_log_std = du * np.exp(log_std.clip(-20, 2)) * noise - w
    columns_of(d_head, 2 * act_size, act_size, act_size, row, rows)[...] = np.where(free, d_log_std, 0)


@kernel
def smoothed_action(
    mu: F("(row + rows) * act_size"),
    noise: F("(row + rows) * act_size"),
    smoothing: F("2"),
    action: W("(row + rows) * width"),
    width: POSITIVE,
    column: INT,
    act_size: POSITIVE,
    row: INT,
    rows: INT,
):
    fits("smoothed_action", "column", column, "act_size", act_size, "width", width)
    sigma, c = smoothing[:2]
    u = (sigma * columns_of(noise, act_size, 0, act_size, row, rows)).clip(-c, c)
    u += columns_of(mu, act_size, 0, act_size, row, rows)
    columns_of(action, width, column, act_size, row, rows)[...] = u.clip(-1, 1)


@kernel
def td_target(
    reward: F("row + rows"),
    not_terminated: F("row + rows"),
    q1: F("row + rows"),
    q2: F("row + rows", optional=True),
    log_prob: F("row + rows", optional=True),
    coeffs: F("2"),
    target: W("row + rows"),
    row: INT,
    rows: INT,
):
    part = slice(row, row + rows)
    gamma, alpha = coeffs[:2]
    q = q1[part]
    if q2 is not None:
        q = np.where(q2[part] < q, q2[part], q)
    if log_prob is not None:
        q = q - alpha * log_prob[part]
    target[part] = gamma * not_terminated[part] * q + reward[part]


@kernel
def mse_delta(
    q: F("row + rows"),
    target: F("row + rows"),
    d_q: W("row + rows"),
    loss: W("1"),
    row: INT,
    rows: INT,
    batch: POSITIVE,
):
    d = q[row : row + rows] - target[row : row + rows]
    np.multiply(d, np.float32(2) / np.float32(batch), out=d_q[row : row + rows])
    loss[0] = d @ d + (loss[0] if row else np.float32(0))


@kernel
def policy_delta(
    q1: F("row + rows"),
    q2: F("row + rows", optional=True),
    d_q1: W("row + rows"),
    d_q2: W("row + rows", optional=True),
    loss: W("1"),
    row: INT,
    rows: INT,
    batch: POSITIVE,
):
    if (q2 is None) != (d_q2 is None):
        have = "is given, must be None" if q2 is None else "is None, must be given"
        raise ValueError(f"policy_delta: d_q2 {have} like q2")
    part = slice(row, row + rows)
    share = np.float32(-1) / np.float32(batch)
    q = q1[part]
    if q2 is None:
        d_q1[part] = share
    else:
        second = q2[part] < q
        q = np.where(second, q2[part], q)
        d_q1[part] = share * ~second
        d_q2[part] = share * second
    loss[0] = (loss[0] if row else np.float32(0)) - np.add.reduce(q)


@kernel
def temperature_grad(log_alpha: F("1"), log_prob: F("batch"), target_entropy: F("1"), grad: W("1"), batch: POSITIVE):
    mean = np.add.reduce(log_prob[:batch]) / np.float32(batch)
    grad[0] -= exp(log_alpha[0]) * (mean + target_entropy[0])


@kernel
def temperature(log_alpha: F("1"), coeffs: W("2")):
    coeffs[1] = exp(log_alpha[0])


@kernel
def log_temperature(coeffs: F("2"), log_alpha: W("1")):
    log_alpha[0] = np.log(coeffs[1])
