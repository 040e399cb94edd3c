"""Float64 references of the kernels, written from the descriptions in native_modules/kernels/.

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


def coloured_normal(rng, correlation, noise, count):
    rho = correlation[0]
    fresh = np.zeros(count)
    normal(rng, fresh, count)
    noise[:count] = rho * noise[:count] + np.sqrt(1 - rho**2) * fresh


# --- networks ---


LEAK, EPSILON = f32(0.01), f32(1e-5)


def records(layout):
    return [[int(x) for x in layout[i : i + 4]] for i in range(0, len(layout), 4)]


def split(layout, params):
    """The params of each layer as views: [weights (in, out), biases], [gains, biases] or nothing."""
    layers, at = [], 0
    for kind, n, m, _ in records(layout):
        sizes = {1: (n * m, m), 2: (n, n)}.get(kind, ())
        parts = []
        for size in sizes:
            parts.append(params[at : at + size])
            at += size
        if kind == 1:
            parts[0] = parts[0].reshape(n, m)
        layers.append(parts)
    return layers


def init_params(layout, params, rng):
    layers = split(layout, params)
    uniform(rng, params, sum(part.size for parts in layers for part in parts))
    for (kind, n, _, _), parts in zip(records(layout), layers, strict=True):
        for k, part in enumerate(parts):
            part[...] = part / np.sqrt(n) if kind == 1 else 1 - k


ACTIVATIONS = {
    0: lambda x: x,
    1: lambda x: np.maximum(x, 0),
    2: np.tanh,
    3: lambda x: np.where(x > 0, x, LEAK * x),
    4: lambda x: (1 + np.tanh(x / 2)) / 2,
    5: lambda x: np.where(np.abs(x) < 3, x * (27 + x**2) / (27 + 9 * x**2), np.sign(x)),
    6: lambda x: x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))) / 2,
    7: lambda x: np.exp(x - np.log(np.exp(x).sum(axis=1, keepdims=True))),
}
SLOPES = {  # from the output
    0: np.ones_like,
    1: lambda y: (y > 0) * 1.0,
    2: lambda y: 1 - y**2,
    3: lambda y: np.where(y > 0, 1, LEAK),
    4: lambda y: y * (1 - y),
}


def gelu_slope(x):
    t = np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))
    return (1 + t) / 2 + x * (1 - t**2) / 2 * np.sqrt(2 / np.pi) * (1 + 3 * 0.044715 * x**2)


def elementwise_gradient(x, activation, d):
    if activation == 5:
        t = 9 * x**2 + 27
        return d * np.where(np.abs(x) < 3, ((27 + 3 * x**2) * t - (27 * x + x**3) * 18 * x) / t**2, 0)
    if activation == 6:
        return d * gelu_slope(x)
    y = ACTIVATIONS[7](x)
    jacobian = y[:, :, None] * (np.eye(y.shape[1]) - y[:, None, :])
    return np.einsum("ri,rij->rj", d, jacobian)


def spread(x):
    return np.sqrt(x.var(axis=1, keepdims=True) + EPSILON)


def standardised(x):
    return (x - x.mean(axis=1, keepdims=True)) / spread(x)


def layer(kind, parts, x):
    """A layer's output before its activation."""
    if kind == 1:
        return x @ parts[0] + parts[1]
    if kind == 4:
        return x
    return standardised(x) * parts[0] + parts[1] if parts else standardised(x)


def norm_input_gradient(x, d):
    """Through the Jacobian of each row, as it stands in no backend."""
    n, y = x.shape[1], standardised(x)
    jacobian = (np.eye(n) - 1 / n - y[:, :, None] * y[:, None, :] / n) / spread(x)[:, :, None]
    return np.einsum("ri,rij->rj", d, jacobian)


def outputs(layout, params, x):
    """The outputs of every layer for x (rows, n_in)."""
    ys = []
    for (kind, _, _, activation), parts in zip(records(layout), split(layout, params), strict=True):
        x = ACTIVATIONS[activation](layer(kind, parts, x))
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
    shapes, layers = records(layout), split(layout, params)
    grads = split(layout, grad) if grad is not None else None
    xs, at = [rows_of(x, layout[1], row, rows)], 0
    for _, _, m, _ in shapes[:-1]:
        xs.append(cache[at : at + rows * m].reshape(rows, m))
        at += rows * m
    ys = [*xs[1:], rows_of(out, layout[-2], row, rows)]
    deltas = [*xs[1:], rows_of(d_out, layout[-2], row, rows)]
    ys = [y.copy() for y in ys]
    xs = [x.copy() for x in xs]
    d = deltas[-1].copy()
    for k in reversed(range(len(shapes))):
        kind, _, _, activation = shapes[k]
        d = d * SLOPES.get(activation, np.ones_like)(ys[k])
        deltas[k][...] = d
        if grads and grads[k]:
            grads[k][0][...] += xs[k].T @ d if kind == 1 else (standardised(xs[k]) * d).sum(axis=0)
            grads[k][1][...] += d.sum(axis=0)
        if kind == 1:
            d = d @ layers[k][0].T
        elif kind == 4:
            d = elementwise_gradient(xs[k], activation, d)
        else:
            d = norm_input_gradient(xs[k], d * layers[k][0] if layers[k] else d)
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


def replay_gather_sequences(
    replay_obs, replay_action, replay_reward, replay_flags, indices, x, action, reward, keep, weight,
    obs_size, act_size, capacity, count, steps, burn_in,
):  # fmt: skip
    x = x[: count * steps * (obs_size + act_size)].reshape(count, steps, obs_size + act_size)
    action = action[: count * steps * act_size].reshape(-1, act_size)
    learned = []
    for k, first in enumerate(indices[:count]):
        begun = False  # whether an episode began in this sequence
        for t in range(steps):
            s, i = k * steps + t, (first + t) % capacity
            before = (i - 1) % capacity
            on = replay_flags[before] == 1
            begun |= not on
            a_before = replay_action[before * act_size : (before + 1) * act_size] * on
            x[k, t] = [*replay_obs[i * obs_size : (i + 1) * obs_size], *a_before]
            action[s] = replay_action[i * act_size : (i + 1) * act_size] * (replay_flags[i] > 0)
            reward[s] = replay_reward[before] if t > 0 and replay_flags[before] else 0
            keep[s] = t > 0 and on
            if replay_flags[i] and t < steps - 1 and (begun or t >= burn_in):
                learned.append(s)
    weight[: count * steps] = 0
    weight[learned] = count * steps / max(1, len(learned))


def weigh_rows(weight, x, width, row, rows):
    rows_of(x, width, row, rows)[...] *= weight[row : row + rows, None]


# --- recurrent networks ---


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def at_step(x, steps, step, columns, row, rows):
    return rows_of(x, steps * columns, row, rows)[:, step * columns : (step + 1) * columns]


def gru_cell(keep, gates, hidden, state, previous, candidate, out, units, width, steps, step, row, rows):
    from_x = at_step(gates, steps, step, 3 * units, 0, rows)
    x_r, x_z, x_n = np.split(from_x.copy(), 3, axis=1)
    h_r, h_z, h_n = np.split(rows_of(hidden, 3 * units, 0, rows), 3, axis=1)
    h = rows_of(state, units, 0, rows)
    r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
    n = np.tanh(x_n + r * h_n)
    at_step(previous, steps, step, units, 0, rows)[...] = h
    at_step(candidate, steps, step, units, 0, rows)[...] = h_n
    from_x[...] = np.hstack([r, z, n])
    h[...] = (1 - z) * n + z * h
    at_step(out, steps, step, width, row, rows)[:, :units] = h
    if step + 1 < steps:
        h *= at_step(keep, steps, step + 1, 1, row, rows)


def gru_cell_backward(
    keep, gates, previous, candidate, d_out1, d_out2, d_state, d_through, d_hidden, all_d_hidden, units, width, steps,
    step, row, rows,
):  # fmt: skip
    from_x = at_step(gates, steps, step, 3 * units, 0, rows)
    r, z, n = np.split(from_x.copy(), 3, axis=1)
    h, c = (at_step(x, steps, step, units, 0, rows) for x in (previous, candidate))
    g = sum(at_step(d, steps, step, width, 0, rows)[:, :units] for d in (d_out1, d_out2) if d is not None)
    if step + 1 < steps:
        later = rows_of(d_state, units, 0, rows) + rows_of(d_through, units, 0, rows)
        g = g + later * at_step(keep, steps, step + 1, 1, row, rows)
    # h = (1 - z) n + z h_before, n = tanh(x_n + r c)
    d_n = g * (1 - z) * (1 - n**2)
    d_z = g * (h - n) * z * (1 - z)
    d_r = d_n * c * r * (1 - r)
    from_x[...] = np.hstack([d_r, d_z, d_n])
    deltas = np.hstack([d_r, d_z, d_n * r])
    rows_of(d_hidden, 3 * units, 0, rows)[...] = deltas
    at_step(all_d_hidden, steps, step, 3 * units, 0, rows)[...] = deltas
    rows_of(d_state, units, 0, rows)[...] = g * z


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


# --- values of discrete actions ---


def epsilon_greedy(q, epsilon, rng, choice, n, row, rows):
    for r, values in enumerate(rows_of(q, n, row, rows), row):
        a, b = block(rng, r)
        choice[r] = b * n >> 32 if (a >> 8) / 2**24 < epsilon[0] else values.tolist().index(max(values))
    advance(rng)


def dqn_target(reward, not_terminated, q_select, q_value, coeffs, target, n, row, rows):
    for r in range(row, row + rows):
        best = np.argmax(q_select[r * n : (r + 1) * n])
        target[r] = reward[r] + coeffs[0] * not_terminated[r] * q_value[r * n + best]


def huber(error, limit):
    return np.where(np.abs(error) <= limit, error**2 / 2, limit * (np.abs(error) - limit / 2))


def choice_delta(q, action, scaling, target, limit, d_q, loss, n, width, column, row, rows, batch):
    loss[0] = loss[0] if row else 0
    for r in range(row, row + rows):
        choice = np.floor(scaling[0] * action[r * width + column] + scaling[1] + 0.5)
        choice = int(np.clip(choice, 0, n - 1))
        error = q[r * n + choice] - target[r]
        d_q[r * n : (r + 1) * n] = 0
        d_q[r * n + choice] = np.sign(error) * min(abs(error), limit[0]) / batch
        loss[0] += huber(error, limit[0])


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


# --- on-policy algorithms ---


def policy_action(mean, noise, log_std, scaling, raw, action, act_size, row, rows):
    u = rows_of(mean, act_size, row, rows) + np.exp(log_std[:act_size]) * rows_of(noise, act_size, row, rows)
    rows_of(raw, act_size, row, rows)[...] = u
    rows_of(action, act_size, 0, rows)[...] = to_environment(scaling, np.clip(u, -1, 1), act_size)


def normal_log_prob(mean, raw, log_std):
    """The log-density of raw (rows, act_size) under independent normal distributions."""
    std = np.exp(log_std)
    return np.log(np.exp(-(((raw - mean) / std) ** 2) / 2) / (std * np.sqrt(2 * np.pi))).sum(axis=1)


def gaussian_log_prob(mean, raw, log_std, log_prob, act_size, row, rows):
    m, u = rows_of(mean, act_size, row, rows), rows_of(raw, act_size, row, rows)
    log_prob[row : row + rows] = normal_log_prob(m, u, log_std[:act_size])


def ppo_objective(log_prob, old_log_prob, advantage, e):
    """What PPO maximises, one number for each row (Schulman et al. 2017, eq. 7)."""
    ratio = np.exp(log_prob - old_log_prob)
    return np.minimum(ratio * advantage, np.clip(ratio, 1 - e, 1 + e) * advantage)


def ppo_rows(log_prob, old_log_prob, advantage, e, stats, row, batch):
    """The gradient of minus the mean objective at each log_prob; gathers stats."""
    if row == 0:
        stats[:3] = 0
    gradient = np.zeros(len(log_prob))
    for k, (new, old, a) in enumerate(zip(log_prob, old_log_prob[row:], advantage[row:], strict=False)):
        ratio = np.exp(new - old)
        free = ratio <= 1 + e if a >= 0 else ratio >= 1 - e
        gradient[k] = -a * ratio / batch if free else 0
        stats[0] -= ppo_objective(new, old, a, e)
        stats[1] += ratio - 1 - np.log(ratio)
        stats[2] += abs(ratio - 1) > e
    return gradient


def ppo_gaussian_delta(
    mean, raw, log_std, old_log_prob, advantage, clip, entropy, d_mean, d_log_std, stats, act_size, row, rows, batch
):  # fmt: skip
    m, u, log_std = rows_of(mean, act_size, row, rows), rows_of(raw, act_size, row, rows), log_std[:act_size]
    g = ppo_rows(normal_log_prob(m, u, log_std), old_log_prob, advantage, clip[0], stats, row, batch)
    variance = np.exp(2 * log_std)
    rows_of(d_mean, act_size, row, rows)[...] = g[:, None] * (u - m) / variance
    d_log_std[:act_size] += (g[:, None] * ((u - m) ** 2 / variance - 1)).sum(axis=0) - entropy[0] * rows / batch


def probabilities(logits):
    e = np.exp(logits)
    return e / e.sum(axis=-1, keepdims=True)


def categorical_sample(logits, rng, choice, n, row, rows):
    for r, p in enumerate(probabilities(rows_of(logits, n, row, rows)), row):
        u = (block(rng, r)[0] >> 8) / 2**24
        choice[r] = min(np.searchsorted(np.cumsum(p), u, side="right"), n - 1)
    advance(rng)


def argmax(x, choice, n, row, rows):
    for r, values in enumerate(rows_of(x, n, row, rows), row):
        choice[r] = values.tolist().index(max(values))


def categorical_log_prob(logits, choice, log_prob, n, row, rows):
    for r, p in enumerate(probabilities(rows_of(logits, n, row, rows)), row):
        log_prob[r] = np.log(p[choice[r]])


def ppo_categorical_delta(
    logits, choice, old_log_prob, advantage, clip, entropy, d_logits, stats, n, row, rows, batch
):  # fmt: skip
    log_prob = np.zeros(row + rows)
    categorical_log_prob(logits, choice, log_prob, n, row, rows)
    g = ppo_rows(log_prob[row:], old_log_prob, advantage, clip[0], stats, row, batch)
    p = probabilities(rows_of(logits, n, row, rows))
    chosen = np.eye(n)[choice[row : row + rows]]
    d_entropy = -p * (np.log(p) - (p * np.log(p)).sum(axis=1, keepdims=True))
    rows_of(d_logits, n, row, rows)[...] = g[:, None] * (chosen - p) - entropy[0] / batch * d_entropy


def value_delta(value, target, old_value, clip, d_value, loss, row, rows, batch):
    loss[0] = loss[0] if row else 0
    for r in range(row, row + rows):
        square, d = (value[r] - target[r]) ** 2, (value[r] - target[r]) / batch
        if old_value is not None and abs(value[r] - old_value[r]) > clip[0]:
            other = (old_value[r] + np.sign(value[r] - old_value[r]) * clip[0] - target[r]) ** 2
            square, d = max(square, other), 0 if other > square else d
        d_value[r] = d
        loss[0] += square


def rollout_observe(reward, next_obs, ended, final_obs, last_obs, rollout_reward, rollout_ended, envs, obs_size, row):
    n = envs * obs_size
    if not np.all(np.isfinite([*reward[:envs], *final_obs[:n]])):
        return 0
    rollout_reward[row : row + envs] = reward[:envs]
    rollout_ended[row : row + envs] = ended[:envs]
    found = 1 | (4 if 2 in list(ended[:envs]) else 0)
    if np.all(np.isfinite(next_obs[:n])):
        last_obs[:n] = next_obs[:n]
        found |= 2
    return found


def gae(reward, ended, value, final_value, coeffs, advantage, target, envs, steps):
    gamma, decay = coeffs[0], coeffs[0] * coeffs[1]
    reward, ended, final_value = (rows_of(x, envs, 0, steps) for x in (reward, ended, final_value))
    value = rows_of(value, envs, 0, steps + 1)
    for e in range(envs):
        for t in range(steps):
            total, weight = 0, 1
            for k in range(t, steps):  # the sum of deltas to the end of the episode or of the rollout
                next_value = {0: value[k + 1, e], 1: 0, 2: final_value[k, e]}[ended[k, e]]
                total += weight * (reward[k, e] + gamma * next_value - value[k, e])
                weight *= decay
                if ended[k, e]:
                    break
            rows_of(advantage, envs, 0, steps)[t, e] = total
            rows_of(target, envs, 0, steps)[t, e] = total + value[t, e]


def standardise(x, count):
    if count > 1:
        part = x[:count]
        part[...] = (part - part.mean()) / (part.std() + 1e-8)


def permutation(rng, indices, count):
    order = list(range(count))
    for k in range(count - 1):
        i = count - 1 - k
        j = block(rng, k // 2)[k % 2] * (i + 1) >> 32
        order[i], order[j] = order[j], order[i]
    indices[:count] = order
    advance(rng)


def gather_rows(src, indices, dst, limit, width, start, count):
    for k in range(count):
        dst[k * width : (k + 1) * width] = src[indices[start + k] * width :][:width]


def gather_ints(src, indices, dst, limit, start, count):
    for k in range(count):
        dst[k] = src[indices[start + k]]


def add_squares(x, total, start, count):
    total[0] += np.linalg.norm(x[start : start + count]) ** 2


def norm_scale(total, max_norm, scale):
    norm = total[0] ** 0.5
    scale[0] = 1 if norm <= max_norm[0] else max_norm[0] / (norm + 1e-6)


def scale(x, factor, start, count):
    x[start : start + count] *= factor[0]


def linear_schedule(ends, out, index, step, steps):
    out[index] = np.interp(step, (0, steps), ends[:2])


def moments_update(x, moments, width, rows):
    """By the formulas for merging two sets of data (Chan et al. 1979): `moments`, and all new rows at once."""
    new = rows_of(x, width, 0, rows)
    new = new[np.isfinite(new).all(axis=1)][: int(2**24 - moments[0])]
    if len(new):
        n, m = moments[0], len(new)
        apart = new.mean(axis=0) - moments[1 : width + 1]
        moments[width + 1 : 2 * width + 1] += new.var(axis=0) * m + apart**2 * n * m / (n + m)
        moments[1 : width + 1] += apart * m / (n + m)
        moments[0] += m


def moments_apply(x, moments, out, width, row, rows):
    y = rows_of(x, width, row, rows)
    if moments[0]:
        std = np.sqrt(moments[width + 1 : 2 * width + 1] / moments[0] + 1e-8)
        y = np.clip((y - moments[1 : width + 1]) / std, -10, 10)
    rows_of(out, width, row, rows)[...] = y


def moments_restore(x, moments, out, width, row, rows):
    y = rows_of(x, width, row, rows)
    if moments[0]:
        y = y * np.sqrt(moments[width + 1 : 2 * width + 1] / moments[0] + 1e-8) + moments[1 : width + 1]
    rows_of(out, width, row, rows)[...] = y


# --- streaming algorithms ---


def sparse_init(layout, params, sparsity, rng):
    at = 0
    for (kind, n, m, _), parts in zip(records(layout), split(layout, params), strict=True):
        if kind != 1:
            for k, part in enumerate(parts):
                part[...] = 1 - k
                at += n
            continue
        w, b = parts
        words = np.array([block(rng, at + i) for i in range(n * m)], np.int64).reshape(n, m, 2)
        share = np.float32(np.clip(np.nan_to_num(sparsity[0]), 0, 1))
        zeros = min(int(np.ceil(share * np.float32(n))), n - 1)
        for o in range(m):
            left = zeros
            for i in range(n):
                chosen = int(words[i, o, 1]) * (n - i) >> 32 < left
                w[i, o] = 0 if chosen else unit(words[i, o, 0]) / np.sqrt(n)
                left -= chosen
        b[:] = 0
        at += n * m + m
    advance(rng)


def scale_reward(reward, coeffs, stats, scaled):
    stats[1] = coeffs[0] * stats[1] + reward[0]
    if stats[0] < 2**24:
        stats[0] += 1
        before = stats[2]
        stats[2] += (stats[1] - before) / stats[0]
        stats[3] += (stats[1] - before) * (stats[1] - stats[2])
    variance = stats[3] / (stats[0] - 1) if stats[0] >= 2 else 1
    scaled[0] = reward[0] / np.sqrt(variance + 1e-8)


def softplus_std(s):
    return np.maximum(np.logaddexp(0, s), 2.0**-20)


def softplus_action(head, noise, scaling, raw, action, act_size):
    raw[:act_size] = head[:act_size] + softplus_std(head[act_size : 2 * act_size]) * noise[:act_size]
    action[:act_size] = to_environment(scaling, np.clip(raw[:act_size], -1, 1), act_size)


def taken_action(action, raw, scaling, taken, act_size):
    made = to_environment(scaling, np.clip(raw[:act_size], -1, 1), act_size)
    half, middle = scaling[:act_size], scaling[act_size : 2 * act_size]
    same = np.abs(action[:act_size] - made) <= 2.0**-20 * half
    taken[:act_size] = np.where(same, raw[:act_size], (action[:act_size] - middle) / half)


def softplus_delta(head, taken, delta, entropy, d_head, act_size):
    mean, s = head[:act_size], head[act_size : 2 * act_size]
    std = softplus_std(s)
    off = taken[:act_size] - mean
    d_std = off**2 / std**3 - 1 / std + np.sign(delta[0]) * entropy[0] / std
    d_head[:act_size] = off / std**2
    d_head[act_size : 2 * act_size] = d_std / (1 + np.exp(-s))


def td_error(reward, value, next_value, coeffs, delta, terminated):
    delta[0] = reward[0] + (0 if terminated else coeffs[0] * next_value[0]) - value[0]


def q_error(reward, q, next_q, choice, coeffs, d_q, delta, n, terminated):
    d_q[:n] = np.arange(n) == choice[0]
    td_error(reward, q[choice[:1]], [max(next_q[:n])], coeffs, delta, terminated)
    return int(np.argmax(q[:n]) == choice[0])


def obgd_norm(trace, lanes, start, count):
    for i in range(start, start + count):
        lanes[i % 16] += abs(trace[i])


def obgd_scale(lanes, delta, hyper, step):
    rate, kappa, _, _ = hyper[:4]
    overshoot = rate * kappa * max(abs(delta[0]), 1) * lanes[:16].sum()
    step[0] = delta[0] * (rate / overshoot if overshoot > 1 else rate)
    lanes[:16] = 0


def obgd_step(params, trace, step, hyper, start, count):
    here = slice(start, start + count)
    params[here] += step[0] * trace[here]
    trace[here] *= hyper[2] * hyper[3]


# --- supervised learning ---


def huber_delta(q, target, limit, d_q, loss, row, rows, batch):
    loss[0] = loss[0] if row else 0
    for r in range(row, row + rows):
        error = q[r] - target[r]
        d_q[r] = np.sign(error) * min(abs(error), limit[0]) / batch
        loss[0] += huber(error, limit[0])


def cross_entropy_delta(logits, choice, d_logits, loss, n, row, rows, batch):
    p = probabilities(rows_of(logits, n, row, rows))
    chosen = np.eye(n)[choice[row : row + rows]]
    rows_of(d_logits, n, row, rows)[...] = (p - chosen) / batch
    loss[0] = (loss[0] if row else 0) - np.log((p * chosen).sum(axis=1)).sum()


def sgd_delta(grad, velocity, hyper, start, count):
    span = slice(start, start + count)
    step = grad[span].copy()
    if velocity is not None:
        step += hyper[1] * velocity[span]
        velocity[span] = step
    grad[span] = hyper[0] * step


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


def cartpole_reset(rng, state, row, rows):
    for r in range(row, row + rows):
        words = [*block(rng, 2 * r), *block(rng, 2 * r + 1)]
        state[4 * r : 4 * r + 4] = [0.05 * unit(word) for word in words]
    advance(rng)


def cartpole_step(state, action, ended, row, rows):
    """Barto, Sutton and Anderson 1983 without friction, corrected as by Florian 2007, in Gymnasium's units."""
    gravity, cart, pole, half, dt = 9.8, 1.0, 0.1, 0.5, 0.02
    for r in range(row, row + rows):
        x, v, angle, omega = state[4 * r : 4 * r + 4]
        force = 10 if action[r] == 1 else -10
        push = (force + pole * half * omega**2 * np.sin(angle)) / (cart + pole)
        inertia = half * (4 / 3 - pole * np.cos(angle) ** 2 / (cart + pole))
        turn = (gravity * np.sin(angle) - np.cos(angle) * push) / inertia
        x_acc = push - pole * half * turn * np.cos(angle) / (cart + pole)
        x, v, angle, omega = x + dt * v, v + dt * x_acc, angle + dt * omega, omega + dt * turn
        state[4 * r : 4 * r + 4] = x, v, angle, omega
        ended[r] = abs(x) > 2.4 or abs(angle) > 12 * np.pi / 180


def mountain_car_reset(rng, state, row, rows):
    for r in range(row, row + rows):
        state[2 * r : 2 * r + 2] = 0.1 * unit(block(rng, r)[0]) - 0.5, 0
    advance(rng)


def mountain_car_step(state, action, reward, ended, row, rows):
    """Moore 1990 with a continuous push, in Gymnasium's units."""
    left, right, goal, most = f32(-1.2), f32(0.6), f32(0.45), f32(0.07)
    for r in range(row, row + rows):
        x, v = state[2 * r : 2 * r + 2]
        v += 0.0015 * min(max(action[r], -1), 1) - 0.0025 * np.cos(3 * x)
        v = min(max(v, -most), most)
        x = min(max(f32(x + v), left), right)
        v = max(v, 0) if x == left else v
        state[2 * r : 2 * r + 2] = x, v
        ended[r] = x >= goal and v >= 0
        reward[r] = 100 * ended[r] - 0.1 * action[r] ** 2


def rk4(rates, y, dt):
    k1 = rates(y)
    k2 = rates(y + dt / 2 * k1)
    k3 = rates(y + dt / 2 * k2)
    k4 = rates(y + dt * k3)
    return y + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


def acrobot_depth(angle1, angle2):
    return np.cos(angle1) + np.cos(angle1 + angle2)


def acrobot_move(state, torque):
    """Two links whose inertia matrix is solved for: Sutton and Barto 2018, section 11.3 of the first edition."""
    mass, length, middle, inertia, g = 1.0, 1.0, 0.5, 1.0, 9.8

    def rates(y):
        a1, a2, w1, w2 = y
        coupling = mass * length * middle
        m22 = mass * middle**2 + inertia
        m12 = m22 + coupling * np.cos(a2)
        m11 = 2 * m12 - m22 + mass * middle**2 + inertia + mass * length**2
        phi2 = mass * middle * g * np.sin(a1 + a2)
        phi1 = -coupling * np.sin(a2) * (w2**2 + 2 * w1 * w2) + (middle + length) * mass * g * np.sin(a1) + phi2
        forces = -phi1, torque - coupling * w1**2 * np.sin(a2) - phi2
        return np.array([w1, w2, *np.linalg.solve([[m11, m12], [m12, m22]], forces)])

    y = rk4(rates, np.array(state), 0.2)
    y[:2] -= 2 * np.pi * np.round(y[:2] / (2 * np.pi))
    return np.clip(y, [-np.inf, -np.inf, -4 * np.pi, -9 * np.pi], [np.inf, np.inf, 4 * np.pi, 9 * np.pi])


def acrobot_observe(state, obs, row, rows):
    for r in range(row, row + rows):
        a1, a2, w1, w2 = state[4 * r : 4 * r + 4]
        obs[6 * r : 6 * r + 6] = np.cos(a1), np.sin(a1), np.cos(a2), np.sin(a2), w1, w2


def acrobot_reset(rng, state, obs, row, rows):
    for r in range(row, row + rows):
        words = [*block(rng, 2 * r), *block(rng, 2 * r + 1)]
        state[4 * r : 4 * r + 4] = [0.1 * unit(word) for word in words]
    advance(rng)
    acrobot_observe(state, obs, row, rows)


def acrobot_step(state, action, obs, reward, ended, row, rows):
    for r in range(row, row + rows):
        torque = {0: -1, 2: 1}.get(int(action[r]), 0)
        state[4 * r : 4 * r + 4] = acrobot_move(state[4 * r : 4 * r + 4], torque)
        ended[r] = acrobot_depth(*state[4 * r : 4 * r + 2]) < -1
        reward[r] = ended[r] - 1.0
    acrobot_observe(state, obs, row, rows)


def acrobot_swing_up_step(state, action, obs, reward, row, rows):
    for r in range(row, row + rows):
        state[4 * r : 4 * r + 4] = acrobot_move(state[4 * r : 4 * r + 4], np.clip(action[r], -1, 1))
        reward[r] = -(acrobot_depth(*state[4 * r : 4 * r + 2]) + 2) / 4
    acrobot_observe(state, obs, row, rows)


QUADROTOR_HOVER = 9.81 * 0.028 / (4 * 0.15)


def rotation(q):
    """Of a quaternion, whatever its length: R v = q v q*."""
    w, x, y, z = q
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return (w * w - q[1:] @ q[1:]) * np.eye(3) + 2 * np.outer(q[1:], q[1:]) + 2 * w * cross


def quadrotor_reset(rng, state, row, rows):
    for r in range(row, row + rows):
        u = np.array([unit(word) for k in range(6) for word in block(rng, 6 * r + k)])
        q = np.array([1, *(0.1 * u[6:9])])
        q /= np.linalg.norm(q)
        state[17 * r : 17 * r + 17] = [*(0.2 * u[:6]), *q, *(0.5 * u[9:]), *[QUADROTOR_HOVER] * 4]
    advance(rng)


def quadrotor_step(state, action, reward, ended, row, rows):
    """Newton and Euler: forces at the rotors' places, moments by cross products."""
    mass, dt, motor, most, arm, drag = 0.028, 0.01, 0.05, 0.15, 0.0325, 0.006
    inertia = np.array([1.66e-5, 1.66e-5, 2.93e-5])
    places = arm * np.array([[1, -1, 0], [-1, -1, 0], [-1, 1, 0], [1, 1, 0]])
    spins = np.array([-1, 1, -1, 1])
    for r in range(row, row + rows):
        at = state[17 * r : 17 * r + 17]
        asked = (np.clip(action[4 * r : 4 * r + 4], -1, 1) + 1) / 2
        at[13:] += (1 - np.exp(-dt / motor)) * (asked - at[13:])
        forces = np.outer(most * at[13:], [0, 0, 1])
        moment = np.cross(places, forces).sum(0) + [0, 0, drag * (spins @ forces[:, 2])]

        def rates(y, forces=forces, moment=moment):
            q, omega = y[6:10], y[10:]
            # Off the unit sphere, between the stages of a step, the kernel's matrix is 1 - 2 (...), not this quaternion's product.
            matrix = rotation(q) + (1 - q @ q) * np.eye(3)
            turn = np.array([-q[1:] @ omega, *(q[0] * omega + np.cross(q[1:], omega))]) / 2
            spin = (moment - np.cross(omega, inertia * omega)) / inertia
            return np.concatenate([y[3:6], matrix @ forces.sum(0) / mass - [0, 0, 9.81], turn, spin])

        at[:13] = rk4(rates, at[:13].copy(), dt)
        at[6:10] *= (-1 if at[6] < 0 else 1) / np.linalg.norm(at[6:10])
        weights = np.repeat([10, 1, 4, 0.02], 3)
        errors = np.concatenate([at[:6], at[7:13]])
        reward[r] = 1 / (1 + weights @ errors**2 + 0.1 * np.sum((asked - QUADROTOR_HOVER) ** 2))
        flat = rotation(at[6:10])[2, 2] <= 0
        ended[r] = flat or np.abs(at[:3]).max() > 1 or np.abs(at[10:13]).max() > 35
