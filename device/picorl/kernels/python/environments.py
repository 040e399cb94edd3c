"""Environments: rows of a vector of them."""

from math import cos, sin

from . import arithmetic, checks, threefry


def _pendulum(kernel, state, obs, row, rows):
    end = checks.row_range(kernel, row, rows)
    checks.need(kernel, "state", state, end * 2)
    checks.need(kernel, "obs", obs, end * 3)
    return end


def _pendulum_observe(state, obs, row, end):
    for r in range(row, end):
        angle = state[2 * r]
        obs[3 * r] = cos(angle)
        obs[3 * r + 1] = sin(angle)
        obs[3 * r + 2] = state[2 * r + 1]


def pendulum_reset(rng, state, obs, row, rows):
    checks.rng_state("pendulum_reset", rng)
    end = _pendulum("pendulum_reset", state, obs, row, rows)
    for r in range(row, end):
        a, b = threefry.block(rng, r)
        state[2 * r] = arithmetic.PI * threefry.unit(a)
        state[2 * r + 1] = threefry.unit(b)
    threefry.advance(rng)
    _pendulum_observe(state, obs, row, end)


def pendulum_observe(state, obs, row, rows):
    _pendulum_observe(state, obs, row, _pendulum("pendulum_observe", state, obs, row, rows))


def pendulum_step(state, action, obs, reward, row, rows):
    end = _pendulum("pendulum_step", state, obs, row, rows)
    checks.need("pendulum_step", "action", action, end)
    checks.need("pendulum_step", "reward", reward, end)
    for r in range(row, end):
        angle = state[2 * r]
        velocity = state[2 * r + 1]
        u = arithmetic.clip(action[r], -2.0, 2.0)
        reward[r] = -(angle * angle + 0.1 * velocity * velocity + 0.001 * u * u)
        velocity = arithmetic.clip(velocity + (15 * sin(angle) + 3 * u) * 0.05, -8.0, 8.0)
        state[2 * r + 1] = velocity
        state[2 * r] = angle + velocity * 0.05
        angle = state[2 * r]  # as float32, else it could round up to pi
        if angle >= arithmetic.PI:
            state[2 * r] = angle - 2 * arithmetic.PI
        elif angle < -arithmetic.PI:
            state[2 * r] = angle + 2 * arithmetic.PI
    _pendulum_observe(state, obs, row, end)


def cartpole_reset(rng, state, row, rows):
    checks.rng_state("cartpole_reset", rng)
    end = checks.row_range("cartpole_reset", row, rows)
    checks.need("cartpole_reset", "state", state, end * 4)
    for at in range(2 * row, 2 * end):
        a, b = threefry.block(rng, at)
        state[2 * at] = 0.05 * threefry.unit(a)
        state[2 * at + 1] = 0.05 * threefry.unit(b)
    threefry.advance(rng)


def cartpole_step(state, action, ended, row, rows):
    kernel = "cartpole_step"
    end = checks.row_range(kernel, row, rows)
    checks.need(kernel, "state", state, end * 4)
    checks.need(kernel, "action", action, end, "i")
    checks.need(kernel, "ended", ended, end, "B")
    for r in range(row, end):
        at = 4 * r
        angle = state[at + 2]
        omega = state[at + 3]
        sine = sin(angle)
        cosine = cos(angle)
        t = ((10 if action[r] == 1 else -10) + 0.05 * omega * omega * sine) / 1.1
        turn = (9.8 * sine - cosine * t) / (0.5 * (4 / 3 - 0.1 * cosine * cosine / 1.1))
        push = t - 0.05 * turn * cosine / 1.1
        state[at] += 0.02 * state[at + 1]
        state[at + 1] += 0.02 * push
        state[at + 2] += 0.02 * omega
        state[at + 3] += 0.02 * turn
        # 12 degrees, and both as float32
        ended[r] = int(abs(state[at]) > 2.4000000953674316 or abs(state[at + 2]) > 0.20943951606750488)
