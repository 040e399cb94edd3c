"""Recurrent networks: sequences out of the replay, and gated recurrent units."""

import numpy as np

from .arithmetic import exp
from .contract import (
    CAPACITY,
    FLAGS,
    INT,
    POSITIVE,
    REPLAY_ACTION,
    REPLAY_OBS,
    Buffer,
    F,
    W,
    kernel,
    within,
)


@kernel
def replay_gather_sequences(
    replay_obs: F(REPLAY_OBS),
    replay_action: F(REPLAY_ACTION),
    replay_reward: F("capacity"),
    replay_flags: FLAGS,
    indices: Buffer("count", "i"),
    x: W("count * steps * (obs_size + act_size)"),
    action: W("count * steps * act_size"),
    reward: W("count * steps"),
    keep: W("count * steps"),
    weight: W("count * steps"),
    obs_size: POSITIVE,
    act_size: POSITIVE,
    capacity: CAPACITY,
    count: INT,
    steps: POSITIVE,
    burn_in: INT,
):
    if steps > capacity:
        raise ValueError(f"replay_gather_sequences: steps is {steps}, must be at most {capacity} (capacity)")
    first = within("replay_gather_sequences", "indices", indices, 0, count, capacity)
    rows = (first[:, None] + np.arange(steps)) % capacity
    before = (rows - 1) % capacity
    flags, flags_before = replay_flags[rows], replay_flags[before]
    on = flags_before == 1
    actions = replay_action[: capacity * act_size].reshape(capacity, act_size)
    wide = x[: count * steps * (obs_size + act_size)].reshape(count, steps, obs_size + act_size)
    wide[:, :, :obs_size] = replay_obs[: capacity * obs_size].reshape(capacity, obs_size)[rows]
    wide[:, :, obs_size:] = np.where(on[:, :, None], actions[before], 0)
    action[: count * steps * act_size].reshape(count, steps, act_size)[...] = np.where(
        flags[:, :, None] != 0, actions[rows], 0
    )
    later = np.arange(steps) > 0
    reward[: count * steps].reshape(count, steps)[...] = np.where(later & (flags_before != 0), replay_reward[before], 0)
    keep[: count * steps].reshape(count, steps)[...] = later & on
    cold = np.logical_and.accumulate(on, axis=1) & (np.arange(steps) < burn_in)
    learn = (flags != 0) & ~cold & (np.arange(steps) + 1 < steps)
    learned = np.count_nonzero(learn)
    share = np.float32(count * steps) / np.float32(learned) if learned else 0
    weight[: count * steps].reshape(count, steps)[...] = learn * np.float32(share)


@kernel
def weigh_rows(weight: F("row + rows"), x: W("(row + rows) * width"), width: POSITIVE, row: INT, rows: INT):
    x = x[row * width : (row + rows) * width].reshape(rows, width)
    weight = weight[row : row + rows, None]
    x[...] = np.where(weight == 0, 0, weight * x)


def _checked(kernel, units, width, steps, step):
    if units > width:
        raise ValueError(f"{kernel}: units is {units}, must be at most {width} (width)")
    if step >= steps:
        raise ValueError(f"{kernel}: step + 1 is {step + 1}, must be at most {steps} (steps)")


def _step(x, rows, steps, step, columns, row=0):
    """Step `step` of x (row + rows, steps, columns)."""
    return x[row * steps * columns : (row + rows) * steps * columns].reshape(rows, steps, columns)[:, step]


def _goes_on(keep, row, rows, steps, step):
    """(rows, 1): whether the step after goes on from this one."""
    return _step(keep, rows, steps, step + 1, 1, row) != 0


def _sigmoid(x):
    return 1 / (1 + exp(-x))


@kernel
def gru_cell(
    keep: F("(row + rows) * steps"),
    gates: W("rows * steps * 3 * units"),
    hidden: F("rows * 3 * units"),
    state: W("rows * units"),
    previous: W("rows * steps * units"),
    candidate: W("rows * steps * units"),
    out: W("(row + rows) * steps * width"),
    units: POSITIVE,
    width: POSITIVE,
    steps: POSITIVE,
    step: INT,
    row: INT,
    rows: INT,
):
    _checked("gru_cell", units, width, steps, step)
    hidden = hidden[: rows * 3 * units].reshape(rows, 3 * units)
    state = state[: rows * units].reshape(rows, units)
    gates = _step(gates, rows, steps, step, 3 * units)
    both = _sigmoid(gates[:, : 2 * units] + hidden[:, : 2 * units])
    z = both[:, units:]
    n = np.tanh(both[:, :units] * hidden[:, 2 * units :] + gates[:, 2 * units :])
    h = z * (state - n) + n
    _step(previous, rows, steps, step, units)[...] = state
    _step(candidate, rows, steps, step, units)[...] = hidden[:, 2 * units :]
    gates[:, : 2 * units] = both
    gates[:, 2 * units :] = n
    _step(out, rows, steps, step, width, row)[:, :units] = h
    state[...] = h if step + 1 == steps else np.where(_goes_on(keep, row, rows, steps, step), h, 0)


@kernel
def gru_cell_backward(
    keep: F("(row + rows) * steps"),
    gates: W("rows * steps * 3 * units"),
    previous: F("rows * steps * units"),
    candidate: F("rows * steps * units"),
    d_out1: F("rows * steps * width"),
    d_out2: F("rows * steps * width", optional=True),
    d_state: W("rows * units"),
    d_through: F("rows * units"),
    d_hidden: W("rows * 3 * units"),
    all_d_hidden: W("rows * steps * 3 * units"),
    units: POSITIVE,
    width: POSITIVE,
    steps: POSITIVE,
    step: INT,
    row: INT,
    rows: INT,
):
    _checked("gru_cell_backward", units, width, steps, step)
    gates = _step(gates, rows, steps, step, 3 * units)
    r, z, n = gates[:, :units], gates[:, units : 2 * units], gates[:, 2 * units :]
    d_state = d_state[: rows * units].reshape(rows, units)
    g = _step(d_out1, rows, steps, step, width)[:, :units]
    if d_out2 is not None:
        g = g + _step(d_out2, rows, steps, step, width)[:, :units]
    if step + 1 < steps:
        later = d_state + d_through[: rows * units].reshape(rows, units)
        g = g + np.where(_goes_on(keep, row, rows, steps, step), later, 0)
    through_z = g * z
    dn = g * (1 - z) * (1 - n * n)
    dz = g * (_step(previous, rows, steps, step, units) - n) * (z * (1 - z))
    dr = dn * _step(candidate, rows, steps, step, units) * (r * (1 - r))
    deltas = d_hidden[: rows * 3 * units].reshape(rows, 3 * units)
    deltas[:, :units] = dr
    deltas[:, units : 2 * units] = dz
    deltas[:, 2 * units :] = dn * r
    _step(all_d_hidden, rows, steps, step, 3 * units)[...] = deltas
    gates[:, : 2 * units] = deltas[:, : 2 * units]
    gates[:, 2 * units :] = dn
    d_state[...] = through_z
