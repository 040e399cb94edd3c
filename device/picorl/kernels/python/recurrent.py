"""Recurrent networks: sequences out of the replay, and gated recurrent units."""

from . import arithmetic, checks
from .arithmetic import tanh


def replay_gather_sequences(
    replay_obs,
    replay_action,
    replay_reward,
    replay_flags,
    indices,
    x,
    action,
    reward,
    keep,
    weight,
    obs_size,
    act_size,
    capacity,
    count,
    steps,
    burn_in,
):
    kernel = "replay_gather_sequences"
    checks.integer(kernel, "obs_size", obs_size, 1)
    checks.integer(kernel, "act_size", act_size, 1)
    checks.integer(kernel, "capacity", capacity, 2)
    checks.integer(kernel, "count", count)
    checks.integer(kernel, "steps", steps, 1)
    checks.integer(kernel, "burn_in", burn_in)
    checks.need(kernel, "replay_obs", replay_obs, capacity * obs_size)
    checks.need(kernel, "replay_action", replay_action, capacity * act_size)
    checks.need(kernel, "replay_reward", replay_reward, capacity)
    checks.need(kernel, "replay_flags", replay_flags, capacity, "B")
    total = count * steps
    checks.need(kernel, "indices", indices, count, "i")
    checks.need(kernel, "x", x, total * (obs_size + act_size))
    checks.need(kernel, "action", action, total * act_size)
    checks.need(kernel, "reward", reward, total)
    checks.need(kernel, "keep", keep, total)
    checks.need(kernel, "weight", weight, total)
    if steps > capacity:
        raise ValueError("%s: steps is %d, must be at most %d (capacity)" % (kernel, steps, capacity))
    checks.within(kernel, "indices", indices, 0, count, capacity)
    learned = s = at = wide = 0
    for k in range(count):
        row = indices[k]
        cold = True
        for t in range(steps):
            before = (row or capacity) - 1
            on = replay_flags[before] == 1
            flag = replay_flags[row]
            for i in range(obs_size):
                x[wide + i] = replay_obs[row * obs_size + i]
            wide += obs_size
            for j in range(act_size):
                x[wide + j] = replay_action[before * act_size + j] if on else 0.0
                action[at + j] = replay_action[row * act_size + j] if flag else 0.0
            wide += act_size
            at += act_size
            reward[s] = replay_reward[before] if t and replay_flags[before] else 0.0
            keep[s] = 1.0 if t and on else 0.0
            cold = cold and on
            if flag and t + 1 < steps and not (cold and t < burn_in):
                weight[s] = 1.0
                learned += 1
            else:
                weight[s] = 0.0
            s += 1
            row = (row + 1) % capacity
    for s in range(total):
        if weight[s]:
            weight[s] = total / learned


def weigh_rows(weight, x, width, row, rows):
    end = checks.row_range("weigh_rows", row, rows)
    checks.integer("weigh_rows", "width", width, 1)
    checks.need("weigh_rows", "weight", weight, end)
    checks.need("weigh_rows", "x", x, end * width)
    for r in range(row, end):
        w = weight[r]
        for i in range(r * width, (r + 1) * width):
            x[i] = w * x[i] if w else 0.0


def _step(kernel, keep, gates, previous, candidate, units, width, steps, step, row, rows):
    checks.integer(kernel, "units", units, 1)
    checks.integer(kernel, "width", width, 1)
    checks.integer(kernel, "steps", steps, 1)
    checks.integer(kernel, "step", step)
    end = checks.row_range(kernel, row, rows)
    checks.need(kernel, "keep", keep, end * steps)
    checks.need(kernel, "gates", gates, rows * steps * 3 * units)
    checks.need(kernel, "previous", previous, rows * steps * units)
    checks.need(kernel, "candidate", candidate, rows * steps * units)
    return end


def _within(kernel, units, width, steps, step):
    if units > width:
        raise ValueError("%s: units is %d, must be at most %d (width)" % (kernel, units, width))
    checks.fits(kernel, "step", step, "1", 1, "steps", steps)


def _sigmoid(x):
    return arithmetic.flush(1 / (1 + arithmetic.flushed_exp(-x)))


def gru_cell(keep, gates, hidden, state, previous, candidate, out, units, width, steps, step, row, rows):
    kernel = "gru_cell"
    end = _step(kernel, keep, gates, previous, candidate, units, width, steps, step, row, rows)
    checks.need(kernel, "hidden", hidden, rows * 3 * units)
    checks.need(kernel, "state", state, rows * units)
    checks.need(kernel, "out", out, end * steps * width)
    _within(kernel, units, width, steps, step)
    for b in range(rows):
        here = b * steps + step
        there = (row + b) * steps + step
        clears = step + 1 < steps and not keep[there + 1]
        at = here * 3 * units
        of = b * 3 * units
        for j in range(units):
            h = state[b * units + j]
            c = hidden[of + 2 * units + j]
            r = _sigmoid(gates[at + j] + hidden[of + j])
            z = _sigmoid(gates[at + units + j] + hidden[of + units + j])
            n = arithmetic.flush(tanh(r * c + gates[at + 2 * units + j]))
            previous[here * units + j] = h
            candidate[here * units + j] = c
            gates[at + j] = r
            gates[at + units + j] = z
            gates[at + 2 * units + j] = n
            h = arithmetic.flush(z * (h - n) + n)
            out[there * width + j] = h
            state[b * units + j] = 0.0 if clears else h


def gru_cell_backward(
    keep,
    gates,
    previous,
    candidate,
    d_out1,
    d_out2,
    d_state,
    d_through,
    d_hidden,
    all_d_hidden,
    units,
    width,
    steps,
    step,
    row,
    rows,
):
    kernel = "gru_cell_backward"
    _step(kernel, keep, gates, previous, candidate, units, width, steps, step, row, rows)
    checks.need(kernel, "d_out1", d_out1, rows * steps * width)
    if d_out2 is not None:
        checks.need(kernel, "d_out2", d_out2, rows * steps * width)
    checks.need(kernel, "d_state", d_state, rows * units)
    checks.need(kernel, "d_through", d_through, rows * units)
    checks.need(kernel, "d_hidden", d_hidden, rows * 3 * units)
    checks.need(kernel, "all_d_hidden", all_d_hidden, rows * steps * 3 * units)
    _within(kernel, units, width, steps, step)
    flush = arithmetic.flush
    for b in range(rows):
        here = b * steps + step
        goes = step + 1 < steps and keep[(row + b) * steps + step + 1]
        at = here * 3 * units
        to = b * 3 * units
        for j in range(units):
            r = gates[at + j]
            z = gates[at + units + j]
            n = gates[at + 2 * units + j]
            g = d_out1[here * width + j]
            if d_out2 is not None:
                g += d_out2[here * width + j]
            if goes:
                g += d_state[b * units + j] + d_through[b * units + j]
            dn = g * (1 - z) * (1 - n * n)
            dz = g * (previous[here * units + j] - n) * (z * (1 - z))
            dr = dn * candidate[here * units + j] * (r * (1 - r))
            gates[at + j] = d_hidden[to + j] = all_d_hidden[at + j] = flush(dr)
            k = units + j
            gates[at + k] = d_hidden[to + k] = all_d_hidden[at + k] = flush(dz)
            k += units
            gates[at + k] = flush(dn)
            d_hidden[to + k] = all_d_hidden[at + k] = flush(dn * r)
            d_state[b * units + j] = flush(g * z)
