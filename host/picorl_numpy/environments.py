"""Environments: rows of a vector of them."""

import numpy as np

from .arithmetic import PI, TWO_PI
from .contract import INT, RNG, Buffer, F, W, kernel
from .threefry import advance, blocks, unit


def _observe(state, obs, row, rows):
    state = state[2 * row : 2 * (row + rows)]
    obs = obs[3 * row : 3 * (row + rows)]
    obs[0::3] = np.cos(state[0::2])
    obs[1::3] = np.sin(state[0::2])
    obs[2::3] = state[1::2]


@kernel
def pendulum_reset(rng: RNG, state: W("(row + rows) * 2"), obs: W("(row + rows) * 3"), row: INT, rows: INT):
    a, b = blocks(rng, row, rows)
    state[2 * row : 2 * (row + rows) : 2] = PI * unit(a)
    state[2 * row + 1 : 2 * (row + rows) : 2] = unit(b)
    advance(rng)
    _observe(state, obs, row, rows)


@kernel
def pendulum_observe(state: F("(row + rows) * 2"), obs: W("(row + rows) * 3"), row: INT, rows: INT):
    _observe(state, obs, row, rows)


@kernel
def pendulum_step(
    state: W("(row + rows) * 2"),
    action: F("row + rows"),
    obs: W("(row + rows) * 3"),
    reward: W("row + rows"),
    row: INT,
    rows: INT,
):
    angle = state[2 * row : 2 * (row + rows) : 2]
    velocity = state[2 * row + 1 : 2 * (row + rows) : 2]
    u = action[row : row + rows].clip(-2, 2)
    cost = angle * angle + np.float32(0.1) * velocity * velocity + np.float32(0.001) * u * u
    reward[row : row + rows] = -cost
    velocity += (15 * np.sin(angle) + 3 * u) * np.float32(0.05)
    np.clip(velocity, -8, 8, out=velocity)
    angle += velocity * np.float32(0.05)
    wrap = np.where(angle >= PI, -TWO_PI, np.where(angle < -PI, TWO_PI, np.float32(0)))
    angle += wrap
    _observe(state, obs, row, rows)


@kernel
def cartpole_reset(rng: RNG, state: W("(row + rows) * 4"), row: INT, rows: INT):
    a, b = blocks(rng, 2 * row, 2 * rows)
    words = np.stack((a, b), axis=1).reshape(-1)
    state[4 * row : 4 * (row + rows)] = np.float32(0.05) * unit(words)
    advance(rng)


@kernel
def cartpole_step(
    state: W("(row + rows) * 4"),
    action: Buffer("row + rows", "i"),
    ended: Buffer("row + rows", "B", True),
    row: INT,
    rows: INT,
):
    position, velocity, angle, omega = state[4 * row : 4 * (row + rows)].reshape(rows, 4).T
    sine, cosine = np.sin(angle), np.cos(angle)
    mass, moment, step = np.float32(1.1), np.float32(0.05), np.float32(0.02)
    force = np.where(action[row : row + rows] == 1, np.float32(10), np.float32(-10))
    t = (moment * omega * omega * sine + force) / mass
    inertia = np.float32(0.5) * (np.float32(4 / 3) - np.float32(0.1) * cosine * cosine / mass)
    turn = (np.float32(9.8) * sine - cosine * t) / inertia
    push = t - moment * turn * cosine / mass
    position += step * velocity
    velocity += step * push
    angle += step * omega
    omega += step * turn
    fallen = (np.abs(position) > np.float32(2.4)) | (np.abs(angle) > np.float32(np.radians(12)))
    ended[row : row + rows] = fallen
