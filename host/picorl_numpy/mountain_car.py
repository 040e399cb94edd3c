"""MountainCar: rows of a vector of them."""

import numpy as np

from .contract import INT, RNG, Buffer, F, W, kernel
from .threefry import advance, blocks, unit

_POWER, _SLOPE, _MAX_SPEED = np.float32(0.0015), np.float32(0.0025), np.float32(0.07)
_LEFT_END, _RIGHT_END, _GOAL = np.float32(-1.2), np.float32(0.6), np.float32(0.45)


@kernel
def mountain_car_reset(rng: RNG, state: W("(row + rows) * 2"), row: INT, rows: INT):
    word, _ = blocks(rng, row, rows)
    state = state[2 * row : 2 * (row + rows)]
    state[0::2] = np.float32(0.1) * unit(word) - np.float32(0.5)
    state[1::2] = 0
    advance(rng)


@kernel
def mountain_car_step(
    state: W("(row + rows) * 2"),
    action: F("row + rows"),
    reward: W("row + rows"),
    ended: Buffer("row + rows", "B", True),
    row: INT,
    rows: INT,
):
    position, velocity = state[2 * row : 2 * (row + rows)].reshape(rows, 2).T
    asked = action[row : row + rows]
    velocity += _POWER * asked.clip(-1, 1) - _SLOPE * np.cos(3 * position)
    np.clip(velocity, -_MAX_SPEED, _MAX_SPEED, out=velocity)
    position += velocity
    np.clip(position, _LEFT_END, _RIGHT_END, out=position)
    velocity[(position <= _LEFT_END) & (velocity < 0)] = 0
    arrived = (position >= _GOAL) & (velocity >= 0)
    ended[row : row + rows] = arrived
    reward[row : row + rows] = np.float32(100) * arrived - np.float32(0.1) * asked * asked
