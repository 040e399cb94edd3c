"""Float64 references of the kernels, written from the descriptions in native_modules/kernels.py.

Each takes the arguments of its kernel: float buffers as float64 arrays (written in place), integer buffers as int64
arrays, bytes as uint8 arrays. They are short and slow, and share no code with any backend.
"""

import decimal
import re
import zlib

import numpy as np

PI = float(np.float32(np.pi))
TWO_PI = float(np.float32(2 * np.pi))


def f32(x):
    return float(np.float32(x))


# --- random numbers: Threefry-2x32, 20 rounds, after Salmon et al. 2011 ---


def threefry(key, counter):
    mask = 0xFFFFFFFF
    ks = [key[0], key[1], 0x1BD11BDA ^ key[0] ^ key[1]]
    x0, x1 = (counter[0] + ks[0]) & mask, (counter[1] + ks[1]) & mask
    rotations = [13, 15, 26, 6, 17, 29, 16, 24]
    for i in range(20):
        x0 = (x0 + x1) & mask
        r = rotations[i % 8]
        x1 = (x1 << r | x1 >> 32 - r) & mask
        x1 ^= x0
        if i % 4 == 3:
            s = i // 4 + 1
            x0 = (x0 + ks[s % 3]) & mask
            x1 = (x1 + ks[(s + 1) % 3] + s) & mask
    return x0, x1


def block(rng, row):
    return threefry((int(rng[0]), int(rng[1])), (int(rng[2]), row))


def advance(rng):
    rng[2] = (rng[2] + 1) % 2**32


def unit(word):
    return (word >> 8) / 2**23 - 1


def fill_pairs(rng, out, count, pair):
    half = (count + 1) // 2
    for j in range(half):
        first, second = pair(*block(rng, j))
        out[j] = first
        if half + j < count:
            out[half + j] = second
    advance(rng)


def uniform(rng, out, count):
    fill_pairs(rng, out, count, lambda a, b: (unit(a), unit(b)))


def box_muller(a, b):
    radius = np.sqrt(-2 * np.log(((a >> 8) + 1) / 2**24))
    turn = (b >> 8) / 2**24
    return radius * np.cos(2 * np.pi * turn), radius * np.sin(2 * np.pi * turn)


def normal(rng, out, count):
    fill_pairs(rng, out, count, box_muller)


# --- networks ---


def split(layout, params):
    """[(weights (in, out), biases, activation)] as views of params."""
    layers, at = [], 0
    for _, n, m, activation in np.reshape(layout, (-1, 4)):
        layers.append((params[at : at + n * m].reshape(n, m), params[at + n * m : at + n * m + m], activation))
        at += n * m + m
    return layers


def init_params(layout, params, rng):
    total = sum(w.size + b.size for w, b, _ in split(layout, params))
    uniform(rng, params, total)
    for w, b, _ in split(layout, params):
        w /= np.sqrt(len(w))
        b /= np.sqrt(len(w))


def activate(x, activation):
    return [lambda x: x, lambda x: np.maximum(x, 0), np.tanh][activation](x)


def slope(y, activation):
    return [np.ones_like, lambda y: (y > 0) * 1.0, lambda y: 1 - y**2][activation](y)


def outputs(layout, params, x):
    """The outputs of every layer for x (rows, n_in)."""
    ys = []
    for w, b, activation in split(layout, params):
        x = activate(x @ w + b, activation)
        ys.append(x)
    return ys


def rows_of(x, width, row, rows):
    return x[row * width : (row + rows) * width].reshape(rows, width)


def forward(layout, params, x, out, cache, row, rows):
    ys = outputs(layout, params, rows_of(x, layout[1], row, rows))
    out[row * layout[-2] : (row + rows) * layout[-2]] = ys[-1].reshape(-1)
    at = 0
    for y in ys[:-1]:
        cache[at : at + y.size] = y.reshape(-1)
        at += y.size


def backward(layout, params, x, out, cache, d_out, grad, d_x, row, rows):
    layers = split(layout, params)
    grads = split(layout, grad) if grad is not None else None
    xs, at = [rows_of(x, layout[1], row, rows)], 0
    for w, _, _ in layers[:-1]:
        xs.append(cache[at : at + rows * w.shape[1]].reshape(rows, -1))
        at += rows * w.shape[1]
    ys = [*xs[1:], rows_of(out, layout[-2], row, rows)]
    deltas = [*xs[1:], rows_of(d_out, layout[-2], row, rows)]
    d = deltas[-1].copy()
    for k in reversed(range(len(layers))):
        d = d * slope(ys[k], layers[k][2])
        if grads:
            grads[k][0][...] += xs[k].T @ d
            grads[k][1][...] += d.sum(axis=0)
        before = d @ layers[k][0].T
        deltas[k][...] = d
        d = before
    if d_x is not None:
        d_x[: d.size] = d.reshape(-1)


# --- optimiser ---


def adam_advance(hyper, state):
    lr, beta1, beta2, _ = hyper[:4]
    state[0] *= beta1
    state[1] *= beta2
    state[2] = lr / (1 - f32(state[0]))
    state[3] = 1 / np.sqrt(1 - f32(state[1]))


def moments(grad, m, v, hyper, state, span):
    _, beta1, beta2, epsilon = hyper[:4]
    m[span] = beta1 * m[span] + (1 - beta1) * grad[span]
    v[span] = beta2 * v[span] + (1 - beta2) * grad[span] ** 2
    return state[2] * m[span] / (np.sqrt(v[span]) * state[3] + epsilon)


def adam(params, grad, m, v, hyper, state, start, count):
    span = slice(start, start + count)
    params[span] -= moments(grad, m, v, hyper, state, span)
    grad[span] = 0


def adam_delta(grad, m, v, hyper, state, start, count):
    span = slice(start, start + count)
    grad[span] = moments(grad, m, v, hyper, state, span)


def apply_delta(params, delta, start, count):
    span = slice(start, start + count)
    params[span] -= delta[span]
    delta[span] = 0


def polyak(target, source, tau, start, count):
    span = slice(start, start + count)
    target[span] = (1 - tau[0]) * target[span] + tau[0] * source[span]


# --- replay ---


def write_pending(replay_obs, replay_flags, replay_state, obs, obs_size, capacity, head, pending):
    replay_obs[head * obs_size : (head + 1) * obs_size] = obs[:obs_size]
    replay_flags[head] = 0
    replay_state[:3] = head, max(replay_state[1], head + 1), pending
    replay_state[3] = np.count_nonzero(replay_flags[:capacity])


def replay_begin(replay_obs, replay_flags, replay_state, obs, obs_size, capacity):
    head = replay_state[0]
    if not np.isfinite(obs[:obs_size]).all():
        replay_state[2] = 0
        replay_state[4] += 1
        return 0
    if replay_flags[:capacity][head - 1] == 1:
        head = (head + 1) % capacity
    write_pending(replay_obs, replay_flags, replay_state, obs, obs_size, capacity, head, 1)
    return 1


def replay_observe(
    replay_obs, replay_action, replay_reward, replay_flags, replay_state, action, reward, next_obs, scaling, obs_size,
    act_size, capacity, terminated, ended,
):  # fmt: skip
    head, _, pending = replay_state[:3]
    finite = np.isfinite(np.concatenate([action[:act_size], reward[:1], next_obs[:obs_size]]))
    if not (pending and finite.all()):
        replay_state[2] = 0
        replay_state[4] += 1
        if not ended and finite[act_size + 1 :].all():
            replay_begin(replay_obs, replay_flags, replay_state, next_obs, obs_size, capacity)
        return 0
    half, middle = scaling[:act_size], scaling[act_size : 2 * act_size]
    replay_action[head * act_size : (head + 1) * act_size] = np.clip((action[:act_size] - middle) / half, -1, 1)
    replay_reward[head] = reward[0]
    replay_flags[head] = 1 + (terminated > 0)
    head = (head + 1) % capacity
    write_pending(replay_obs, replay_flags, replay_state, next_obs, obs_size, capacity, head, int(not ended))
    return 1


def replay_sample(replay_flags, replay_state, rng, indices, capacity, count):
    drawn, k = [], 0
    while len(drawn) < count:
        row = block(rng, k >> 1)[k & 1] * int(replay_state[1]) >> 32
        if replay_flags[row]:
            drawn.append(row)
        k += 1
    indices[:count] = drawn
    advance(rng)


def replay_gather(
    replay_obs, replay_action, replay_reward, replay_flags, indices, obs, obs_action, next_obs, next_obs_action,
    reward, not_terminated, obs_size, act_size, capacity, count,
):  # fmt: skip
    width = obs_size + act_size
    for k, i in enumerate(indices[:count]):
        after = (i + 1) % capacity
        s = replay_obs[i * obs_size : (i + 1) * obs_size]
        s_next = replay_obs[after * obs_size : (after + 1) * obs_size]
        a = replay_action[i * act_size : (i + 1) * act_size]
        obs[k * obs_size : (k + 1) * obs_size] = s
        next_obs[k * obs_size : (k + 1) * obs_size] = s_next
        obs_action[k * width : (k + 1) * width] = np.concatenate([s, a])
        next_obs_action[k * width : k * width + obs_size] = s_next
        reward[k] = replay_reward[i]
        not_terminated[k] = replay_flags[i] != 2


# --- acting ---


def to_environment(scaling, u, act_size):
    return scaling[:act_size] * u + scaling[act_size : 2 * act_size]


def uniform_action(rng, scaling, action, act_size):
    u = np.zeros(act_size)
    uniform(rng, u, act_size)
    action[:act_size] = to_environment(scaling, u, act_size)


def deterministic_action(mu, noise, sigma, scaling, action, act_size):
    u = mu[:act_size] + (0 if noise is None else sigma[0] * noise[:act_size])
    action[:act_size] = to_environment(scaling, np.clip(u, -1, 1), act_size)


def gaussian_action(head, noise, scaling, action, act_size):
    std = np.exp(np.clip(head[act_size : 2 * act_size], -20, 2))
    u = head[:act_size] + (0 if noise is None else std * noise[:act_size])
    action[:act_size] = to_environment(scaling, np.tanh(u), act_size)


# --- actor-critic algorithms ---


def squashed(head, noise):
    """Actions and log-density of head (rows, 2 * act_size) with noise (rows, act_size)."""
    mean, log_std = np.split(head, 2, axis=1)
    log_std = np.clip(log_std, -20, 2)
    u = mean + np.exp(log_std) * noise
    log_normal = -(noise**2) / 2 - log_std - np.log(2 * np.pi) / 2
    log_slope = 2 * (np.log(2) - np.abs(u) - np.log1p(np.exp(-2 * np.abs(u))))  # log(1 - tanh(u)^2)
    return np.tanh(u), (log_normal - log_slope).sum(axis=1)


def gaussian_head(head, noise, action, width, column, log_prob, act_size, row, rows):
    a, density = squashed(rows_of(head, 2 * act_size, row, rows), rows_of(noise, act_size, row, rows))
    rows_of(action, width, row, rows)[:, column : column + act_size] = a
    log_prob[row : row + rows] = density


def gaussian_head_backward(
    head, noise, action, width, column, d_x1, d_x2, coeffs, d_head, act_size, row, rows, batch
):  # fmt: skip
    here = slice(column, column + act_size)
    log_std = rows_of(head, 2 * act_size, row, rows)[:, act_size:]
    a = rows_of(action, width, row, rows)[:, here]
    da = rows_of(d_x1, width, 0, rows)[:, here]
    if d_x2 is not None:
        da = da + rows_of(d_x2, width, 0, rows)[:, here]
    w = coeffs[1] / batch
    du = da * (1 - a**2) + 2 * w * a
    d = rows_of(d_head, 2 * act_size, row, rows)
    d[:, :act_size] = du
    d[:, act_size:] = du * np.exp(np.clip(log_std, -20, 2)) * rows_of(noise, act_size, row, rows) - w
    d[:, act_size:][(log_std < -20) | (log_std > 2)] = 0


def smoothed_action(mu, noise, smoothing, action, width, column, act_size, row, rows):
    shift = np.clip(smoothing[0] * rows_of(noise, act_size, row, rows), -smoothing[1], smoothing[1])
    a = np.clip(rows_of(mu, act_size, row, rows) + shift, -1, 1)
    rows_of(action, width, row, rows)[:, column : column + act_size] = a


def td_target(reward, not_terminated, q1, q2, log_prob, coeffs, target, row, rows):
    for r in range(row, row + rows):
        q = q1[r] if q2 is None else min(q1[r], q2[r])
        if log_prob is not None:
            q = q - coeffs[1] * log_prob[r]
        target[r] = reward[r] + coeffs[0] * not_terminated[r] * q


def mse_delta(q, target, d_q, loss, row, rows, batch):
    loss[0] = loss[0] if row else 0
    for r in range(row, row + rows):
        d_q[r] = 2 * (q[r] - target[r]) / batch
        loss[0] += (q[r] - target[r]) ** 2


def policy_delta(q1, q2, d_q1, d_q2, loss, row, rows, batch):
    loss[0] = loss[0] if row else 0
    for r in range(row, row + rows):
        second = q2 is not None and q2[r] < q1[r]
        d_q1[r] = 0 if second else -1 / batch
        if d_q2 is not None:
            d_q2[r] = -1 / batch if second else 0
        loss[0] -= q2[r] if second else q1[r]


def temperature_grad(log_alpha, log_prob, target_entropy, grad, batch):
    grad[0] += -np.exp(log_alpha[0]) * (log_prob[:batch].mean() + target_entropy[0])


def temperature(log_alpha, coeffs):
    coeffs[1] = np.exp(log_alpha[0])


def log_temperature(coeffs, log_alpha):
    log_alpha[0] = np.log(coeffs[1])


# --- moving numbers ---


def copy_columns(src, src_width, src_column, src_row, dst, dst_width, dst_column, dst_row, columns, rows):
    for r in range(rows):
        for c in range(columns):
            dst[(dst_row + r) * dst_width + dst_column + c] = src[(src_row + r) * src_width + src_column + c]


def copy(src, src_start, dst, dst_start, count):
    dst[dst_start : dst_start + count] = src[src_start : src_start + count]


def fill(x, value, start, count):
    x[start : start + count] = value[0]


def accumulate(total, index, x):
    total[index] += x[0]


def all_finite(x, start, count):
    return int(np.isfinite(x[start : start + count]).all())


def telemetry_line(line, fields, ints, floats, length, n_ints, n_floats):
    for at, value in zip(fields, ints[:n_ints], strict=False):
        line[at : at + 11] = list(b"%11d" % value)
    for at, value in zip(fields[n_ints:], floats[:n_floats], strict=False):
        line[at : at + 15] = list(number(value).rjust(15).encode())
    line[length - 11 : length - 3] = list(b"%08x" % zlib.crc32(line[: length - 21].astype(np.uint8)))


def number(value):
    """Nine digits in the telemetry's notation."""
    if not np.isfinite(value):
        return "null"
    rounded = f"{value:.8e}"
    if value == 0 or 1e-4 <= abs(float(rounded)) < 1e9:
        return re.sub(r"(\.\d+?)0*$", r"\1", f"{decimal.Decimal(rounded):.13f}")
    return re.sub(r"\.?0*e", "e", rounded)


def crc32(data, crc):
    crc[0] = zlib.crc32(data, int(crc[0]))


# --- environments ---


def pendulum_observe(state, obs, row, rows):
    for r in range(row, row + rows):
        angle, velocity = state[2 * r : 2 * r + 2]
        obs[3 * r : 3 * r + 3] = np.cos(angle), np.sin(angle), velocity


def pendulum_reset(rng, state, obs, row, rows):
    for r in range(row, row + rows):
        a, b = block(rng, r)
        state[2 * r : 2 * r + 2] = PI * unit(a), unit(b)
    advance(rng)
    pendulum_observe(state, obs, row, rows)


def pendulum_step(state, action, obs, reward, row, rows):
    for r in range(row, row + rows):
        angle, velocity = state[2 * r : 2 * r + 2]
        u = np.clip(action[r], -2, 2)
        reward[r] = -(angle**2 + 0.1 * velocity**2 + 0.001 * u**2)
        velocity = np.clip(velocity + (15 * np.sin(angle) + 3 * u) * 0.05, -8, 8)
        angle = f32(angle + velocity * 0.05)
        if angle >= PI:
            angle -= TWO_PI
        elif angle < -PI:
            angle += TWO_PI
        state[2 * r : 2 * r + 2] = angle, velocity
    pendulum_observe(state, obs, row, rows)
