"""Values of discrete actions."""

import numpy as np

from .arithmetic import huber
from .contract import F32, INT, POSITIVE, RNG, Buffer, F, W, fits, kernel
from .threefry import advance, blocks


@kernel
def epsilon_greedy(
    q: F("(row + rows) * n"),
    epsilon: F("1"),
    rng: RNG,
    choice: Buffer("row + rows", "i", True),
    n: POSITIVE,
    row: INT,
    rows: INT,
):
    first, second = blocks(rng, row, rows)
    random = (first >> 8).astype(F32) * np.float32(2**-24) < epsilon[0]
    best = q[row * n : (row + rows) * n].reshape(rows, n).argmax(axis=1)
    choice[row : row + rows] = np.where(random, (second.astype(np.uint64) * n) >> 32, best)
    advance(rng)


@kernel
def dqn_target(
    reward: F("row + rows"),
    not_terminated: F("row + rows"),
    q_select: F("(row + rows) * n"),
    q_value: F("(row + rows) * n"),
    coeffs: F("1"),
    target: W("row + rows"),
    n: POSITIVE,
    row: INT,
    rows: INT,
):
    here = slice(row, row + rows)
    best = q_select[row * n : (row + rows) * n].reshape(rows, n).argmax(axis=1)
    q = q_value[row * n : (row + rows) * n].reshape(rows, n)[np.arange(rows), best]
    target[here] = coeffs[0] * not_terminated[here] * q + reward[here]


@kernel
def choice_delta(
    q: F("(row + rows) * n"),
    action: F("(row + rows) * width"),
    scaling: F("2"),
    target: F("row + rows"),
    limit: F("1"),
    d_q: W("(row + rows) * n"),
    loss: W("1"),
    n: POSITIVE,
    width: POSITIVE,
    column: INT,
    row: INT,
    rows: INT,
    batch: POSITIVE,
):
    fits("choice_delta", "column", column, "1", 1, "width", width)
    here = slice(row, row + rows)
    a = action[: (row + rows) * width].reshape(-1, width)[here, column] * scaling[0] + scaling[1]
    chosen = np.clip(np.floor(a + np.float32(0.5)), 0, n - 1).astype(int)
    error = q[row * n : (row + rows) * n].reshape(rows, n)[np.arange(rows), chosen] - target[here]
    clipped = np.clip(error, -limit[0], limit[0])
    slopes = d_q[row * n : (row + rows) * n].reshape(rows, n)
    slopes[:] = 0
    slopes[np.arange(rows), chosen] = clipped / np.float32(batch)
    loss[0] = (loss[0] if row else 0) + huber(error, clipped, limit)
