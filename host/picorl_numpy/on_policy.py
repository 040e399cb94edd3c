"""On-policy algorithms."""

import numpy as np

from .arithmetic import HALF_LOG_2_PI, ZERO, exp, log_softmax
from .contract import F32, INT, POSITIVE, RNG, Buffer, F, W, kernel, within
from .threefry import advance, blocks


@kernel
def policy_action(
    mean: F("(row + rows) * act_size"),
    noise: F("(row + rows) * act_size"),
    log_std: F("act_size"),
    scaling: F("2 * act_size"),
    raw: W("(row + rows) * act_size"),
    action: W("rows * act_size"),
    act_size: POSITIVE,
    row: INT,
    rows: INT,
):
    part = slice(row * act_size, (row + rows) * act_size)
    u = exp(log_std[:act_size]) * noise[part].reshape(rows, act_size)
    u += mean[part].reshape(rows, act_size)
    raw[part] = u.reshape(-1)
    u = scaling[:act_size] * u.clip(-1, 1) + scaling[act_size : 2 * act_size]
    action[: rows * act_size] = u.reshape(-1)


def _scores(mean, raw, log_std, act_size, row, rows):
    """z and exp(-log_std) of a Gaussian policy, and the log-density of each row."""
    part = slice(row * act_size, (row + rows) * act_size)
    log_std = log_std[:act_size]
    inverse_std = exp(-log_std)
    z = (raw[part] - mean[part]).reshape(rows, act_size)
    z *= inverse_std
    return z, inverse_std, np.add.reduce(np.float32(-0.5) * (z * z) - log_std - HALF_LOG_2_PI, axis=1)


@kernel
def gaussian_log_prob(
    mean: F("(row + rows) * act_size"),
    raw: F("(row + rows) * act_size"),
    log_std: F("act_size"),
    log_prob: W("row + rows"),
    act_size: POSITIVE,
    row: INT,
    rows: INT,
):
    log_prob[row : row + rows] = _scores(mean, raw, log_std, act_size, row, rows)[2]


def _surrogate(log_prob, old_log_prob, advantage, clip, stats, row, batch):
    """The gradient of PPO's clipped objective at log_prob, one number for each row."""
    part = slice(row, row + len(log_prob))
    low, high = 1 - clip[0], 1 + clip[0]
    a = advantage[part]
    change = log_prob - old_log_prob[part]
    ratio = exp(change)
    gain = a * ratio
    above, below = ratio > high, ratio < low
    if not row:
        stats[:3] = 0
    stats[0] -= np.add.reduce(np.minimum(gain, a * ratio.clip(low, high)))
    stats[1] += np.add.reduce((ratio - 1) - change)
    stats[2] += np.count_nonzero(above | below)
    gain *= np.float32(-1) / np.float32(batch)
    gain[(above & (a >= 0)) | (below & (a < 0))] = 0
    return gain


@kernel
def ppo_gaussian_delta(
    mean: F("(row + rows) * act_size"),
    raw: F("(row + rows) * act_size"),
    log_std: F("act_size"),
    old_log_prob: F("row + rows"),
    advantage: F("row + rows"),
    clip: F("1"),
    entropy: F("1"),
    d_mean: W("(row + rows) * act_size"),
    d_log_std: W("act_size"),
    stats: W("3"),
    act_size: POSITIVE,
    row: INT,
    rows: INT,
    batch: POSITIVE,
):
    z, inverse_std, log_prob = _scores(mean, raw, log_std, act_size, row, rows)
    g = _surrogate(log_prob, old_log_prob, advantage, clip, stats, row, batch)
    bonus = entropy[0] * (np.float32(rows) / np.float32(batch))
    d_mean[row * act_size : (row + rows) * act_size] = (g[:, None] * z * inverse_std).reshape(-1)
    d_log_std[:act_size] += g @ (z * z - 1) - bonus


@kernel
def categorical_sample(
    logits: F("(row + rows) * n"), rng: RNG, choice: Buffer("row + rows", "i", True), n: POSITIVE, row: INT, rows: INT
):
    x = logits[row * n : (row + rows) * n].reshape(rows, n)
    sums = np.add.accumulate(exp(x - x.max(axis=1, keepdims=True)), axis=1)
    u = (blocks(rng, row, rows)[0] >> 8).astype(F32) * np.float32(2**-24)
    above = u[:, None] * sums[:, -1:] < sums
    above[:, -1] = True
    choice[row : row + rows] = above.argmax(axis=1)
    advance(rng)


@kernel
def argmax(x: F("(row + rows) * n"), choice: Buffer("row + rows", "i", True), n: POSITIVE, row: INT, rows: INT):
    choice[row : row + rows] = x[row * n : (row + rows) * n].reshape(rows, n).argmax(axis=1)


@kernel
def categorical_log_prob(
    logits: F("(row + rows) * n"),
    choice: Buffer("row + rows", "i"),
    log_prob: W("row + rows"),
    n: POSITIVE,
    row: INT,
    rows: INT,
):
    chosen = within("categorical_log_prob", "choice", choice, row, rows, n)
    log_prob[row : row + rows] = log_softmax(logits, n, row, rows)[np.arange(rows), chosen]


@kernel
def ppo_categorical_delta(
    logits: F("(row + rows) * n"),
    choice: Buffer("row + rows", "i"),
    old_log_prob: F("row + rows"),
    advantage: F("row + rows"),
    clip: F("1"),
    entropy: F("1"),
    d_logits: W("(row + rows) * n"),
    stats: W("3"),
    n: POSITIVE,
    row: INT,
    rows: INT,
    batch: POSITIVE,
):
    chosen = within("ppo_categorical_delta", "choice", choice, row, rows, n)
    l = log_softmax(logits, n, row, rows)  # noqa: E741
    p = exp(l)
    all_rows = np.arange(rows)
    g = _surrogate(l[all_rows, chosen], old_log_prob, advantage, clip, stats, row, batch)
    minus_entropy = np.add.reduce(p * l, axis=1, keepdims=True)
    d = (entropy[0] / np.float32(batch)) * (p * (l - minus_entropy)) - g[:, None] * p
    d[all_rows, chosen] += g
    d_logits[row * n : (row + rows) * n] = d.reshape(-1)


@kernel
def value_delta(
    value: F("row + rows"),
    target: F("row + rows"),
    old_value: F("row + rows", optional=True),
    clip: F("1"),
    d_value: W("row + rows"),
    loss: W("1"),
    row: INT,
    rows: INT,
    batch: POSITIVE,
):
    part = slice(row, row + rows)
    error = value[part] - target[part]
    square = error * error
    error *= np.float32(1) / np.float32(batch)
    if old_value is not None:
        old = old_value[part]
        change = value[part] - old
        clipped = old + change.clip(-clip[0], clip[0]) - target[part]
        clipped *= clipped
        worse = (np.abs(change) > clip[0]) & (clipped > square)
        error[worse] = 0
        square[worse] = clipped[worse]
    d_value[part] = error
    loss[0] = np.add.reduce(square) + (loss[0] if row else np.float32(0))


@kernel
def rollout_observe(
    reward: F("envs"),
    next_obs: F("envs * obs_size"),
    ended: Buffer("envs", "B"),
    final_obs: F("envs * obs_size"),
    last_obs: W("envs * obs_size"),
    rollout_reward: W("row + envs"),
    rollout_ended: Buffer("row + envs", "B", True),
    envs: POSITIVE,
    obs_size: POSITIVE,
    row: INT,
):
    size = envs * obs_size
    if not (np.isfinite(reward[:envs]).all() and np.isfinite(final_obs[:size]).all()):
        return 0
    rollout_reward[row : row + envs] = reward[:envs]
    rollout_ended[row : row + envs] = ended[:envs]
    going_on = bool(np.isfinite(next_obs[:size]).all())
    if going_on:
        last_obs[:size] = next_obs[:size]
    return 1 + 2 * going_on + 4 * bool((ended[:envs] == 2).any())


@kernel
def gae(
    reward: F("steps * envs"),
    ended: Buffer("steps * envs", "B"),
    value: F("(steps + 1) * envs"),
    final_value: F("steps * envs"),
    coeffs: F("2"),
    advantage: W("steps * envs"),
    target: W("steps * envs"),
    envs: POSITIVE,
    steps: POSITIVE,
):
    n = steps * envs
    gamma, decay = coeffs[0], coeffs[0] * coeffs[1]
    here, end = value[:n], ended[:n]
    going_on = end == 0
    last = np.where(end == 1, ZERO, final_value[:n])
    delta = gamma * np.where(going_on, value[envs : n + envs], last) + reward[:n] - here
    decays = decay * going_on
    if envs == 1:  # NumPy's cost of a call outweighs the work
        total, sums = 0.0, []
        for d, k in zip(delta[::-1].tolist(), decays[::-1].tolist(), strict=True):
            total = d + k * total if k else d
            sums.append(total)
        advantage[:n] = sums[::-1]
    else:
        total = np.zeros(envs, F32)
        for at in range(n - envs, -1, -envs):
            row = slice(at, at + envs)
            total = np.where(going_on[row], delta[row] + decay * total, delta[row])
            advantage[row] = total
    np.add(advantage[:n], here, out=target[:n])
