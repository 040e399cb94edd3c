"""MountainCar: rows of a vector of them."""

from math import cos

from . import arithmetic, checks, threefry

_LEFT_END = -1.2000000476837158


def mountain_car_reset(rng, state, row, rows):
    checks.rng_state("mountain_car_reset", rng)
    end = checks.row_range("mountain_car_reset", row, rows)
    checks.need("mountain_car_reset", "state", state, end * 2)
    for r in range(row, end):
        state[2 * r] = 0.1 * threefry.unit(threefry.block(rng, r)[0]) - 0.5
        state[2 * r + 1] = 0.0
    threefry.advance(rng)


def mountain_car_step(state, action, reward, ended, row, rows):
    kernel = "mountain_car_step"
    end = checks.row_range(kernel, row, rows)
    checks.need(kernel, "state", state, end * 2)
    checks.need(kernel, "action", action, end)
    checks.need(kernel, "reward", reward, end)
    checks.need(kernel, "ended", ended, end, "B")
    for r in range(row, end):
        at = 2 * r
        push = 0.0015 * arithmetic.clip(action[r], -1.0, 1.0)
        velocity = arithmetic.clip(state[at + 1] + push - 0.0025 * cos(3 * state[at]), -0.07, 0.07)
        state[at] = position = arithmetic.clip(state[at] + velocity, _LEFT_END, 0.6)
        state[at + 1] = velocity = 0.0 if position <= _LEFT_END and velocity < 0 else velocity
        ended[r] = int(state[at] >= 0.44999998807907104 and velocity >= 0)  # 0.45 as float32
        reward[r] = (100 if ended[r] else 0) - 0.1 * action[r] * action[r]
