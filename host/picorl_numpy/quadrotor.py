"""Quadrotor: rows of a vector of them."""

import numpy as np

from .contract import INT, RNG, Buffer, F, W, kernel
from .threefry import advance, blocks, unit

_BODY = 13
_HALF, _STEP, _SIXTH = np.float32(0.005), np.float32(0.01), np.float32(0.01 / 6)
_GRAVITY, _LIFT = np.float32(9.81), np.float32(0.15 / 0.028)
_TURN, _YAW = np.float32(0.15 * 0.0325 / 1.66e-5), np.float32(0.15 * 0.006 / 2.93e-5)
_GYRATION = np.float32(1 - 2.93 / 1.66)
_HOVER, _SPIN_UP = np.float32(0.4578), np.float32(1 - np.exp(-0.2))
_SPREAD = np.array((0.2,) * 6 + (0.1,) * 3 + (0.5,) * 3, np.float32)


def _rates(body, lift, turn):
    w, x, y, z, a, b, c = body[6:]
    rate = np.empty_like(body)
    rate[:3] = body[3:6]
    rate[3] = 2 * lift * (x * z + w * y)
    rate[4] = 2 * lift * (y * z - w * x)
    rate[5] = lift - 2 * lift * (x * x + y * y) - _GRAVITY
    rate[6] = -(x * a + y * b + z * c)
    rate[7] = w * a + y * c - z * b
    rate[8] = w * b + z * a - x * c
    rate[9] = w * c + x * b - y * a
    rate[6:10] *= np.float32(0.5)
    rate[10:] = turn
    rate[10] += _GYRATION * c * b
    rate[11] -= _GYRATION * c * a
    return rate


def _squares(x):
    return np.add.reduce(x * x, axis=0)


def _normalise(attitude):
    attitude *= np.where(attitude[0] < 0, np.float32(-1), np.float32(1)) / np.sqrt(_squares(attitude))


@kernel
def quadrotor_reset(rng: RNG, state: W("(row + rows) * 17"), row: INT, rows: INT):
    at = state[17 * row : 17 * (row + rows)].reshape(rows, 17)
    a, b = blocks(rng, 6 * row, 6 * rows)
    drawn = _SPREAD * unit(np.stack((a, b), axis=1).reshape(rows, 12))
    at[:, :6], at[:, 6], at[:, 7:_BODY], at[:, _BODY:] = drawn[:, :6], 1, drawn[:, 6:], _HOVER
    _normalise(at[:, 6:10].T)
    advance(rng)


@kernel
def quadrotor_step(
    state: W("(row + rows) * 17"),
    action: F("(row + rows) * 4"),
    reward: W("row + rows"),
    ended: Buffer("row + rows", "B", True),
    row: INT,
    rows: INT,
):
    at = state[17 * row : 17 * (row + rows)].reshape(rows, 17).T
    half = np.float32(0.5)
    asked = half * action[4 * row : 4 * (row + rows)].reshape(rows, 4).T.clip(-1, 1) + half
    at[_BODY:] += _SPIN_UP * (asked - at[_BODY:])
    t0, t1, t2, t3 = at[_BODY:]
    turn = np.stack(
        (
            _TURN * ((t2 + t3) - (t0 + t1)),
            _TURN * ((t1 + t2) - (t0 + t3)),
            _YAW * ((t1 + t3) - (t0 + t2)),
        )
    )
    lift = _LIFT * ((t2 + t3) + (t0 + t1))
    body = at[:_BODY].copy()
    rate = total = _rates(body, lift, turn)
    for by, weight in ((_HALF, 2), (_HALF, 2), (_STEP, 1)):
        rate = _rates(body + by * rate, lift, turn)
        total = total + np.float32(weight) * rate
    body += _SIXTH * total
    _normalise(body[6:10])
    at[:_BODY] = body
    cost = 10 * _squares(body[:3]) + _squares(body[3:6]) + 4 * _squares(body[7:10])
    cost += np.float32(0.02) * _squares(body[10:]) + np.float32(0.1) * _squares(asked - _HOVER)
    reward[row : row + rows] = 1 / (1 + cost)
    inside = _squares(body[7:9]) < half
    inside &= (np.abs(body[:3]) <= 1).all(axis=0) & (np.abs(body[10:]) <= 35).all(axis=0)
    ended[row : row + rows] = ~inside
