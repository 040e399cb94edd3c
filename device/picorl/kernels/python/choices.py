"""Values of discrete actions."""

from . import arithmetic, checks, threefry


def epsilon_greedy(q, epsilon, rng, choice, n, row, rows):
    kernel = "epsilon_greedy"
    end = checks.columns(kernel, "q", q, n, row, rows)
    checks.need(kernel, "epsilon", epsilon, 1)
    checks.rng_state(kernel, rng)
    checks.need(kernel, "choice", choice, end, "i")
    r = row
    for word0, word1 in threefry.blocks(rng, row, rows):
        random = (word0 >> 8) * 5.960464477539063e-08 < epsilon[0]  # 2^-24
        choice[r] = (word1 * n) >> 32 if random else arithmetic.largest(q, r * n, n)
        r += 1
    threefry.advance(rng)


def dqn_target(reward, not_terminated, q_select, q_value, coeffs, target, n, row, rows):
    kernel = "dqn_target"
    end = checks.columns(kernel, "q_select", q_select, n, row, rows)
    checks.need(kernel, "reward", reward, end)
    checks.need(kernel, "not_terminated", not_terminated, end)
    checks.need(kernel, "q_value", q_value, end * n)
    checks.need(kernel, "coeffs", coeffs, 1)
    checks.need(kernel, "target", target, end)
    for r in range(row, end):
        q = q_value[r * n + arithmetic.largest(q_select, r * n, n)]
        target[r] = coeffs[0] * not_terminated[r] * q + reward[r]


def choice_delta(q, action, scaling, target, limit, d_q, loss, n, width, column, row, rows, batch):
    kernel = "choice_delta"
    checks.integer(kernel, "width", width, 1)
    checks.integer(kernel, "column", column)
    checks.integer(kernel, "batch", batch, 1)
    end = checks.columns(kernel, "q", q, n, row, rows)
    checks.need(kernel, "action", action, end * width)
    checks.need(kernel, "scaling", scaling, 2)
    checks.need(kernel, "target", target, end)
    checks.need(kernel, "limit", limit, 1)
    checks.need(kernel, "d_q", d_q, end * n)
    checks.need(kernel, "loss", loss, 1)
    checks.fits(kernel, "column", column, "1", 1, "width", width)
    total = loss[0] if row else 0.0
    most = limit[0]
    for r in range(row, end):
        a = scaling[0] * action[r * width + column] + scaling[1]
        chosen = max(0, min(n - 1, int(a + 0.5)))
        error = q[r * n + chosen] - target[r]
        clipped = arithmetic.clip(error, -most, most)
        total += 0.5 * clipped * clipped + (abs(error) - abs(clipped)) * most
        for k in range(n):
            d_q[r * n + k] = clipped / batch if k == chosen else 0.0
    loss[0] = total
