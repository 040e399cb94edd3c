"""Acrobot: rows of a vector of them."""

from math import cos, sin

from . import arithmetic, checks, threefry

_MAX_VELOCITY = (12.566370964050293, 28.274333953857422)  # 4 pi and 9 pi as float32


def _rows(kernel, state, obs, row, rows):
    end = checks.row_range(kernel, row, rows)
    checks.need(kernel, "state", state, end * 4)
    checks.need(kernel, "obs", obs, end * 6)
    return end


def _observe(state, obs, r):
    """Write obs; how deep the tip hangs below the pivot."""
    at = 6 * r
    for link in range(2):
        obs[at + 2 * link] = cos(state[4 * r + link])
        obs[at + 2 * link + 1] = sin(state[4 * r + link])
        obs[at + 4 + link] = state[4 * r + 2 + link]
    return obs[at] + obs[at] * obs[at + 2] - obs[at + 1] * obs[at + 3]


def _rates(state, torque):
    angle1, angle2, velocity1, velocity2 = state
    sine2 = sin(angle2)
    d1 = 3.5 + cos(angle2)
    d2 = 1.25 + 0.5 * cos(angle2)
    phi2 = 4.9 * sin(angle1 + angle2)
    phi1 = 14.7 * sin(angle1) + phi2 - (0.5 * velocity2 + velocity1) * velocity2 * sine2
    share = d2 / d1
    turn2 = (torque + share * phi1 - phi2 - 0.5 * velocity1 * velocity1 * sine2) / (1.25 - share * d2)
    return (velocity1, velocity2, -(d2 * turn2 + phi1) / d1, turn2)


def _advance(state, at, torque):
    start = [state[at + i] for i in range(4)]
    rate = _rates(start, torque)
    total = list(rate)
    for by, weight in ((0.1, 2), (0.1, 2), (0.2, 1)):
        rate = _rates([start[i] + by * rate[i] for i in range(4)], torque)
        for i in range(4):
            total[i] += weight * rate[i]
    for i in range(4):
        start[i] += 0.2 / 6 * total[i]
    for i in range(2):
        angle = (start[i] + arithmetic.PI) % (2 * arithmetic.PI) - arithmetic.PI
        state[at + i] = angle
        state[at + 2 + i] = arithmetic.clip(start[2 + i], -_MAX_VELOCITY[i], _MAX_VELOCITY[i])


def acrobot_observe(state, obs, row, rows):
    for r in range(row, _rows("acrobot_observe", state, obs, row, rows)):
        _observe(state, obs, r)


def acrobot_reset(rng, state, obs, row, rows):
    checks.rng_state("acrobot_reset", rng)
    end = _rows("acrobot_reset", state, obs, row, rows)
    for at in range(2 * row, 2 * end):
        a, b = threefry.block(rng, at)
        state[2 * at] = 0.1 * threefry.unit(a)
        state[2 * at + 1] = 0.1 * threefry.unit(b)
    threefry.advance(rng)
    for r in range(row, end):
        _observe(state, obs, r)


def acrobot_step(state, action, obs, reward, ended, row, rows):
    kernel = "acrobot_step"
    end = _rows(kernel, state, obs, row, rows)
    checks.need(kernel, "action", action, end, "i")
    checks.need(kernel, "reward", reward, end)
    checks.need(kernel, "ended", ended, end, "B")
    for r in range(row, end):
        _advance(state, 4 * r, -1.0 if action[r] == 0 else 1.0 if action[r] == 2 else 0.0)
        ended[r] = int(_observe(state, obs, r) < -1)
        reward[r] = ended[r] - 1


def acrobot_swing_up_step(state, action, obs, reward, row, rows):
    kernel = "acrobot_swing_up_step"
    end = _rows(kernel, state, obs, row, rows)
    checks.need(kernel, "action", action, end)
    checks.need(kernel, "reward", reward, end)
    for r in range(row, end):
        _advance(state, 4 * r, arithmetic.clip(action[r], -1.0, 1.0))
        reward[r] = -0.25 * _observe(state, obs, r) - 0.5
