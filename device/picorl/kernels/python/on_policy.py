"""On-policy algorithms."""

from . import arithmetic, checks, threefry


def policy_action(mean, noise, log_std, scaling, raw, action, act_size, row, rows):
    kernel = "policy_action"
    checks.integer(kernel, "act_size", act_size, 1)
    end = checks.row_range(kernel, row, rows)
    checks.need(kernel, "mean", mean, end * act_size)
    checks.need(kernel, "noise", noise, end * act_size)
    checks.need(kernel, "log_std", log_std, act_size)
    checks.need(kernel, "scaling", scaling, 2 * act_size)
    checks.need(kernel, "raw", raw, end * act_size)
    checks.need(kernel, "action", action, rows * act_size)
    for j in range(act_size):
        std = arithmetic.flushed_exp(log_std[j])
        for r in range(rows):
            at = (row + r) * act_size + j
            u = std * noise[at] + mean[at]
            raw[at] = u
            action[r * act_size + j] = scaling[j] * arithmetic.clip(u, -1.0, 1.0) + scaling[act_size + j]


def _gaussian(kernel, mean, raw, log_std, act_size, row, rows):
    checks.integer(kernel, "act_size", act_size, 1)
    end = checks.row_range(kernel, row, rows)
    checks.need(kernel, "mean", mean, end * act_size)
    checks.need(kernel, "raw", raw, end * act_size)
    checks.need(kernel, "log_std", log_std, act_size)
    return end


def _density(mean, raw, log_std, act_size, r):
    """The log-density of row r of raw."""
    total = 0.0
    at = r * act_size
    for j in range(act_size):
        z = (raw[at + j] - mean[at + j]) * arithmetic.flushed_exp(-log_std[j])
        total += -0.5 * z * z - log_std[j] - 0.9189385175704956  # log(2 pi) / 2
    return total


def gaussian_log_prob(mean, raw, log_std, log_prob, act_size, row, rows):
    end = _gaussian("gaussian_log_prob", mean, raw, log_std, act_size, row, rows)
    checks.need("gaussian_log_prob", "log_prob", log_prob, end)
    for r in range(row, end):
        log_prob[r] = _density(mean, raw, log_std, act_size, r)


def _surrogate(log_prob, old_log_prob, advantage, clip, stats, batch):
    """The gradient of PPO's clipped objective at a row's log_prob; adds the row to stats."""
    low = 1 - clip
    high = 1 + clip
    ratio = arithmetic.flushed_exp(log_prob - old_log_prob)
    gain = advantage * ratio
    clipped = advantage * arithmetic.clip(ratio, low, high)
    stats[0] -= clipped if clipped < gain else gain
    stats[1] += (ratio - 1) - (log_prob - old_log_prob)
    if ratio > high:
        stats[2] += 1
        if advantage >= 0:
            return 0.0
    elif ratio < low:
        stats[2] += 1
        if advantage < 0:
            return 0.0
    return -gain / batch


def _objective(kernel, old_log_prob, advantage, clip, entropy, end):
    checks.need(kernel, "old_log_prob", old_log_prob, end)
    checks.need(kernel, "advantage", advantage, end)
    checks.need(kernel, "clip", clip, 1)
    checks.need(kernel, "entropy", entropy, 1)


def begin_stats(stats, row):
    if row == 0:
        for i in range(3):
            stats[i] = 0.0


def ppo_gaussian_delta(
    mean, raw, log_std, old_log_prob, advantage, clip, entropy, d_mean, d_log_std, stats, act_size, row, rows, batch
):
    kernel = "ppo_gaussian_delta"
    checks.integer(kernel, "act_size", act_size, 1)
    checks.row_range(kernel, row, rows)
    checks.integer(kernel, "batch", batch, 1)
    end = _gaussian(kernel, mean, raw, log_std, act_size, row, rows)
    _objective(kernel, old_log_prob, advantage, clip, entropy, end)
    checks.need(kernel, "d_mean", d_mean, end * act_size)
    checks.need(kernel, "d_log_std", d_log_std, act_size)
    checks.need(kernel, "stats", stats, 3)
    begin_stats(stats, row)
    for r in range(row, end):
        log_prob = _density(mean, raw, log_std, act_size, r)
        g = _surrogate(log_prob, old_log_prob[r], advantage[r], clip[0], stats, batch)
        for j in range(act_size):
            at = r * act_size + j
            inverse_std = arithmetic.flushed_exp(-log_std[j])
            z = (raw[at] - mean[at]) * inverse_std
            d_mean[at] = g * z * inverse_std
            d_log_std[j] += g * (z * z - 1) - entropy[0] / batch


def categorical_sample(logits, rng, choice, n, row, rows):
    kernel = "categorical_sample"
    end = checks.columns(kernel, "logits", logits, n, row, rows)
    checks.rng_state(kernel, rng)
    checks.need(kernel, "choice", choice, end, "i")
    for r in range(row, end):
        at = r * n
        most = logits[at + arithmetic.largest(logits, at, n)]
        total = 0.0
        for k in range(n):
            total += arithmetic.flushed_exp(logits[at + k] - most)
        threshold = (threefry.block(rng, r)[0] >> 8) * 5.960464477539063e-08 * total  # 2^-24
        total = 0.0
        chosen = n - 1
        for k in range(n):
            total += arithmetic.flushed_exp(logits[at + k] - most)
            if threshold < total:
                chosen = k
                break
        choice[r] = chosen
    threefry.advance(rng)


def categorical_log_prob(logits, choice, log_prob, n, row, rows):
    kernel = "categorical_log_prob"
    end = checks.columns(kernel, "logits", logits, n, row, rows)
    checks.need(kernel, "choice", choice, end, "i")
    checks.need(kernel, "log_prob", log_prob, end)
    checks.within(kernel, "choice", choice, row, end, n)
    for r in range(row, end):
        log_prob[r] = logits[r * n + choice[r]] - arithmetic.log_sum_exp(logits, r * n, n)


def ppo_categorical_delta(logits, choice, old_log_prob, advantage, clip, entropy, d_logits, stats, n, row, rows, batch):
    kernel = "ppo_categorical_delta"
    checks.integer(kernel, "n", n, 1)
    checks.row_range(kernel, row, rows)
    checks.integer(kernel, "batch", batch, 1)
    end = checks.columns(kernel, "logits", logits, n, row, rows)
    checks.need(kernel, "choice", choice, end, "i")
    _objective(kernel, old_log_prob, advantage, clip, entropy, end)
    checks.need(kernel, "d_logits", d_logits, end * n)
    checks.need(kernel, "stats", stats, 3)
    checks.within(kernel, "choice", choice, row, end, n)
    begin_stats(stats, row)
    for r in range(row, end):
        at = r * n
        log_sum = arithmetic.log_sum_exp(logits, at, n)
        log_prob = logits[at + choice[r]] - log_sum
        g = _surrogate(log_prob, old_log_prob[r], advantage[r], clip[0], stats, batch)
        minus_entropy = 0.0
        for k in range(n):
            minus_entropy += arithmetic.flushed_exp(logits[at + k] - log_sum) * (logits[at + k] - log_sum)
        for k in range(n):
            log_p = logits[at + k] - log_sum
            p = arithmetic.flushed_exp(log_p)
            d = (g if k == choice[r] else 0.0) - g * p
            d_logits[at + k] = d + entropy[0] / batch * p * (log_p - minus_entropy)


def value_delta(value, target, old_value, clip, d_value, loss, row, rows, batch):
    kernel = "value_delta"
    end = checks.row_range(kernel, row, rows)
    checks.integer(kernel, "batch", batch, 1)
    checks.need(kernel, "value", value, end)
    checks.need(kernel, "target", target, end)
    if old_value is not None:
        checks.need(kernel, "old_value", old_value, end)
    checks.need(kernel, "clip", clip, 1)
    checks.need(kernel, "d_value", d_value, end)
    checks.need(kernel, "loss", loss, 1)
    limit = clip[0]
    total = loss[0] if row else 0.0
    for r in range(row, end):
        error = value[r] - target[r]
        square = error * error
        if old_value is not None:
            change = value[r] - old_value[r]
            if abs(change) > limit:
                other = old_value[r] + arithmetic.clip(change, -limit, limit) - target[r]
                if other * other > square:
                    square = other * other
                    error = 0.0
        d_value[r] = error / batch
        total += square
    loss[0] = total


def rollout_observe(reward, next_obs, ended, final_obs, last_obs, rollout_reward, rollout_ended, envs, obs_size, row):
    kernel = "rollout_observe"
    checks.integer(kernel, "envs", envs, 1)
    checks.integer(kernel, "obs_size", obs_size, 1)
    checks.integer(kernel, "row", row)
    size = envs * obs_size
    checks.need(kernel, "reward", reward, envs)
    checks.need(kernel, "next_obs", next_obs, size)
    checks.need(kernel, "ended", ended, envs, "B")
    checks.need(kernel, "final_obs", final_obs, size)
    checks.need(kernel, "last_obs", last_obs, size)
    checks.need(kernel, "rollout_reward", rollout_reward, row + envs)
    checks.need(kernel, "rollout_ended", rollout_ended, row + envs, "B")
    if not (checks.finite(reward, envs) and checks.finite(final_obs, size)):
        return 0
    found = 1
    for e in range(envs):
        rollout_reward[row + e] = reward[e]
        rollout_ended[row + e] = ended[e]
        if ended[e] == 2:
            found = 5
    if not checks.finite(next_obs, size):
        return found
    for i in range(size):
        last_obs[i] = next_obs[i]
    return found + 2


def gae(reward, ended, value, final_value, coeffs, advantage, target, envs, steps):
    kernel = "gae"
    checks.integer(kernel, "envs", envs, 1)
    checks.integer(kernel, "steps", steps, 1)
    n = steps * envs
    checks.need(kernel, "reward", reward, n)
    checks.need(kernel, "ended", ended, n, "B")
    checks.need(kernel, "value", value, n + envs)
    checks.need(kernel, "final_value", final_value, n)
    checks.need(kernel, "coeffs", coeffs, 2)
    checks.need(kernel, "advantage", advantage, n)
    checks.need(kernel, "target", target, n)
    gamma = coeffs[0]
    decay = gamma * coeffs[1]
    for e in range(envs):
        total = 0.0
        for at in range(n - envs + e, -1, -envs):
            if ended[at] == 0:
                after = value[at + envs]
            else:
                total = 0.0
                after = 0.0 if ended[at] == 1 else final_value[at]
            total = gamma * after + reward[at] - value[at] + decay * total
            advantage[at] = total
            target[at] = total + value[at]
