"""Acrobot: rows of a vector of them."""

import numpy as np

from .arithmetic import TWO_PI
from .contract import INT, RNG, Buffer, F, W, kernel
from .threefry import advance, blocks, unit

_MAX_VELOCITY = np.array((4 * np.pi, 9 * np.pi), np.float32).reshape(2, 1)
_HALF, _STEP, _SIXTH = np.float32(0.1), np.float32(0.2), np.float32(0.2 / 6)
_GRAVITY_1, _GRAVITY_2 = np.float32(14.7), np.float32(4.9)


def _observe(state, obs, row, rows):
    """Write obs; how deep the tips hang below their pivots."""
    state = state[4 * row : 4 * (row + rows)].reshape(rows, 4)
    obs = obs[6 * row : 6 * (row + rows)].reshape(rows, 6)
    obs[:, 0:4:2] = np.cos(state[:, :2])
    obs[:, 1:4:2] = np.sin(state[:, :2])
    obs[:, 4:] = state[:, 2:]
    return obs[:, 0] + obs[:, 0] * obs[:, 2] - obs[:, 1] * obs[:, 3]


def _rates(state, torque):
    angle1, angle2, velocity1, velocity2 = state
    sine1, cosine1, sine2, cosine2 = np.sin(angle1), np.cos(angle1), np.sin(angle2), np.cos(angle2)
    half = np.float32(0.5)
    d1 = np.float32(3.5) + cosine2
    d2 = np.float32(1.25) + half * cosine2
    phi2 = _GRAVITY_2 * (sine1 * cosine2 + cosine1 * sine2)
    phi1 = _GRAVITY_1 * sine1 + phi2 - (half * velocity2 + velocity1) * velocity2 * sine2
    share = d2 / d1
    turn2 = (torque + share * phi1 - phi2 - half * velocity1 * velocity1 * sine2) / (np.float32(1.25) - share * d2)
    return np.stack((velocity1, velocity2, -(d2 * turn2 + phi1) / d1, turn2))


def _advance(state, torque, row, rows):
    at = state[4 * row : 4 * (row + rows)].reshape(rows, 4)
    start = at.T.copy()
    rate = total = _rates(start, torque)
    for by, weight in ((_HALF, 2), (_HALF, 2), (_STEP, 1)):
        rate = _rates(start + by * rate, torque)
        total = total + np.float32(weight) * rate
    start += _SIXTH * total
    start[:2] -= TWO_PI * np.rint(start[:2] / TWO_PI)
    np.clip(start[2:], -_MAX_VELOCITY, _MAX_VELOCITY, out=start[2:])
    at[:] = start.T


@kernel
def acrobot_observe(state: F("(row + rows) * 4"), obs: W("(row + rows) * 6"), row: INT, rows: INT):
    _observe(state, obs, row, rows)


@kernel
def acrobot_reset(rng: RNG, state: W("(row + rows) * 4"), obs: W("(row + rows) * 6"), row: INT, rows: INT):
    a, b = blocks(rng, 2 * row, 2 * rows)
    words = np.stack((a, b), axis=1).reshape(-1)
    state[4 * row : 4 * (row + rows)] = np.float32(0.1) * unit(words)
    advance(rng)
    _observe(state, obs, row, rows)


@kernel
def acrobot_step(
    state: W("(row + rows) * 4"),
    action: Buffer("row + rows", "i"),
    obs: W("(row + rows) * 6"),
    reward: W("row + rows"),
    ended: Buffer("row + rows", "B", True),
    row: INT,
    rows: INT,
):
    chosen = action[row : row + rows]
    _advance(state, (chosen == 2).astype(np.float32) - (chosen == 0), row, rows)
    up = _observe(state, obs, row, rows) < -1
    ended[row : row + rows] = up
    reward[row : row + rows] = np.where(up, np.float32(0), np.float32(-1))


@kernel
def acrobot_swing_up_step(
    state: W("(row + rows) * 4"),
    action: F("row + rows"),
    obs: W("(row + rows) * 6"),
    reward: W("row + rows"),
    row: INT,
    rows: INT,
):
    _advance(state, action[row : row + rows].clip(-1, 1), row, rows)
    reward[row : row + rows] = np.float32(-0.25) * _observe(state, obs, row, rows) - np.float32(0.5)
