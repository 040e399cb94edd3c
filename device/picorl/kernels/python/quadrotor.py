"""Quadrotor: rows of a vector of them."""

from math import sqrt

from . import arithmetic, checks, threefry

_STATE = 17
_BODY = 13
_HOVER = 0.4578000009059906
_LIFT = 0.15 / 0.028
_TURN = 0.15 * 0.0325 / 1.66e-5
_YAW = 0.15 * 0.006 / 2.93e-5
_GYRATION = 1 - 2.93 / 1.66
_SPIN_UP = 0.18126924335956573  # 1 - exp(-0.01 / 0.05)


def _rates(body, lift, turn):
    w, x, y, z = body[6:10]
    a, b, c = body[10:]
    return body[3:6] + [
        2 * lift * (x * z + w * y),
        2 * lift * (y * z - w * x),
        lift * (1 - 2 * (x * x + y * y)) - 9.81,
        -0.5 * (x * a + y * b + z * c),
        0.5 * (w * a + y * c - z * b),
        0.5 * (w * b + z * a - x * c),
        0.5 * (w * c + x * b - y * a),
        turn[0] + _GYRATION * b * c,
        turn[1] - _GYRATION * a * c,
        turn[2],
    ]


def _advance(body, lift, turn):
    rate = _rates(body, lift, turn)
    total = rate[:]
    for by, weight in ((0.005, 2), (0.005, 2), (0.01, 1)):
        rate = _rates([body[i] + by * rate[i] for i in range(_BODY)], lift, turn)
        for i in range(_BODY):
            total[i] += weight * rate[i]
    for i in range(_BODY):
        body[i] += 0.01 / 6 * total[i]


def _squares(x, start, end):
    total = 0.0
    for i in range(start, end):
        total += x[i] * x[i]
    return total


def _normalise(x, at):
    scale = (-1 if x[at] < 0 else 1) / sqrt(_squares(x, at, at + 4))
    for i in range(at, at + 4):
        x[i] *= scale


def quadrotor_reset(rng, state, row, rows):
    checks.rng_state("quadrotor_reset", rng)
    end = checks.row_range("quadrotor_reset", row, rows)
    checks.need("quadrotor_reset", "state", state, end * _STATE)
    for r in range(row, end):
        at = _STATE * r
        drawn = []
        for k in range(6 * r, 6 * r + 6):
            drawn += [threefry.unit(word) for word in threefry.block(rng, k)]
        for i in range(3):
            state[at + i] = 0.2 * drawn[i]
            state[at + 3 + i] = 0.2 * drawn[3 + i]
            state[at + 7 + i] = 0.1 * drawn[6 + i]
            state[at + 10 + i] = 0.5 * drawn[9 + i]
        state[at + 6] = 1.0
        _normalise(state, at + 6)
        for i in range(_BODY, _STATE):
            state[at + i] = _HOVER
    threefry.advance(rng)


def quadrotor_step(state, action, reward, ended, row, rows):
    kernel = "quadrotor_step"
    end = checks.row_range(kernel, row, rows)
    checks.need(kernel, "state", state, end * _STATE)
    checks.need(kernel, "action", action, end * 4)
    checks.need(kernel, "reward", reward, end)
    checks.need(kernel, "ended", ended, end, "B")
    for r in range(row, end):
        at = _STATE * r
        effort = 0.0
        for i in range(4):
            asked = 0.5 * arithmetic.clip(action[4 * r + i], -1.0, 1.0) + 0.5
            effort += (asked - _HOVER) * (asked - _HOVER)
            state[at + _BODY + i] += _SPIN_UP * (asked - state[at + _BODY + i])
        t0, t1, t2, t3 = [state[at + _BODY + i] for i in range(4)]
        turn = (_TURN * (t2 + t3 - t0 - t1), _TURN * (t1 + t2 - t0 - t3), _YAW * (t1 + t3 - t0 - t2))
        body = [state[at + i] for i in range(_BODY)]
        _advance(body, _LIFT * (t0 + t1 + t2 + t3), turn)
        _normalise(body, 6)
        for i in range(_BODY):
            state[at + i] = body[i]
        cost = 10 * _squares(body, 0, 3) + _squares(body, 3, 6) + 4 * _squares(body, 7, 10)
        cost += 0.02 * _squares(body, 10, 13) + 0.1 * effort
        reward[r] = 1 / (1 + cost)
        inside = _squares(state, at + 7, at + 9) < 0.5
        for i in range(3):
            inside = inside and abs(state[at + i]) <= 1 and abs(state[at + 10 + i]) <= 35
        ended[r] = 0 if inside else 1
