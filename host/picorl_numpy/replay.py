"""The replay: a ring of rows."""

import numpy as np

from .contract import (
    CAPACITY,
    FLAGS,
    FLAGS_W,
    INT,
    POSITIVE,
    REPLAY_ACTION,
    REPLAY_OBS,
    RNG,
    STATE,
    STATE_W,
    Buffer,
    F,
    W,
    integer,
    kernel,
    within,
)
from .threefry import advance, blocks

_HEAD, _SIZE, _PENDING, _VALID, _REFUSED = range(5)


def _consistent(kernel, state, capacity):
    head, size, pending, valid, refused = state[:5].tolist()
    if not (0 <= head < capacity and valid <= size <= capacity and 0 <= pending <= 1 and valid >= 0 and refused >= 0):
        integer(kernel, "replay_state[0] (head)", head, 0, capacity - 1)
        integer(kernel, "replay_state[1] (size)", size, 0, capacity)
        integer(kernel, "replay_state[2] (pending)", pending, 0, 1)
        integer(kernel, "replay_state[3] (valid)", valid, 0, size)
        integer(kernel, "replay_state[4] (refused)", refused, 0, 0x7FFFFFFF)
    return head, pending


def _land(rows, flags, state, obs, obs_size, head, pending):
    """Write obs to row `head`; the transition that was there is gone."""
    if flags[head]:
        flags[head] = 0
        state[_VALID] -= 1
    rows[head * obs_size : (head + 1) * obs_size] = obs[:obs_size]
    state[_HEAD] = head
    state[_SIZE] = max(state[_SIZE], head + 1)
    state[_PENDING] = pending


def _begin(rows, flags, state, obs, obs_size, capacity):
    head = int(state[_HEAD])
    # A transition that bootstraps needs the row after it: that one stays, as a boundary.
    if flags[(head - 1) % capacity] == 1:
        head = (head + 1) % capacity
    _land(rows, flags, state, obs, obs_size, head, 1)


@kernel
def replay_begin(
    replay_obs: W(REPLAY_OBS),
    replay_flags: FLAGS_W,
    replay_state: STATE_W,
    obs: F("obs_size"),
    obs_size: POSITIVE,
    capacity: CAPACITY,
):
    _consistent("replay_begin", replay_state, capacity)
    if not np.isfinite(obs[:obs_size]).all():
        replay_state[_PENDING] = 0
        replay_state[_REFUSED] += 1
        return 0
    _begin(replay_obs, replay_flags, replay_state, obs, obs_size, capacity)
    return 1


@kernel
def replay_observe(
    replay_obs: W(REPLAY_OBS),
    replay_action: W(REPLAY_ACTION),
    replay_reward: W("capacity"),
    replay_flags: FLAGS_W,
    replay_state: STATE_W,
    action: F("act_size"),
    reward: F("1"),
    next_obs: F("obs_size"),
    scaling: F("2 * act_size"),
    obs_size: POSITIVE,
    act_size: POSITIVE,
    capacity: CAPACITY,
    terminated: INT,
    ended: INT,
):
    head, pending = _consistent("replay_observe", replay_state, capacity)
    action = action[:act_size]
    going_on = np.isfinite(next_obs[:obs_size]).all()
    if not (going_on and pending and np.isfinite(action).all() and np.isfinite(reward[0])):
        replay_state[_PENDING] = 0
        replay_state[_REFUSED] += 1
        if going_on and not ended:
            _begin(replay_obs, replay_flags, replay_state, next_obs, obs_size, capacity)
        return 0
    scaled = (action - scaling[act_size : 2 * act_size]) / scaling[:act_size]
    replay_action[head * act_size : (head + 1) * act_size] = scaled.clip(-1, 1)
    replay_reward[head] = reward[0]
    replay_flags[head] = 2 if terminated else 1
    replay_state[_VALID] += 1
    _land(replay_obs, replay_flags, replay_state, next_obs, obs_size, (head + 1) % capacity, 0 if ended else 1)
    return 1


@kernel
def replay_sample(
    replay_flags: FLAGS,
    replay_state: STATE,
    rng: RNG,
    indices: Buffer("count", "i", True),
    capacity: CAPACITY,
    count: INT,
):
    _consistent("replay_sample", replay_state, capacity)
    size = int(replay_state[_SIZE])
    if not replay_flags[:size].any():
        raise ValueError("replay_sample: replay_flags has no row with a flag, must have one to draw")
    done = first = 0
    n = count // 2 + 8  # a few rows are rejected
    while done < count:
        words = np.stack(blocks(rng, first, n), axis=1).reshape(-1)
        rows = (words.astype(np.uint64) * np.uint64(size)) >> np.uint64(32)
        rows = rows[replay_flags[rows] != 0][: count - done]
        indices[done : done + len(rows)] = rows
        done += len(rows)
        first += n
        n = min(n * 4, 1 << 16)
    advance(rng)


@kernel
def replay_gather(
    replay_obs: F(REPLAY_OBS),
    replay_action: F(REPLAY_ACTION),
    replay_reward: F("capacity"),
    replay_flags: FLAGS,
    indices: Buffer("count", "i"),
    obs: W("count * obs_size"),
    obs_action: W("count * (obs_size + act_size)"),
    next_obs: W("count * obs_size"),
    next_obs_action: W("count * (obs_size + act_size)"),
    reward: W("count"),
    not_terminated: W("count"),
    obs_size: POSITIVE,
    act_size: POSITIVE,
    capacity: CAPACITY,
    count: INT,
):
    rows = within("replay_gather", "indices", indices, 0, count, capacity)
    stored = replay_obs[: capacity * obs_size].reshape(capacity, obs_size)
    here = obs[: count * obs_size].reshape(count, obs_size)
    here[...] = stored[rows]
    after = next_obs[: count * obs_size].reshape(count, obs_size)
    after[...] = stored[(rows + 1) % capacity]
    width = obs_size + act_size
    wide = obs_action[: count * width].reshape(count, width)
    wide[:, :obs_size] = here
    wide[:, obs_size:] = replay_action[: capacity * act_size].reshape(capacity, act_size)[rows]
    next_obs_action[: count * width].reshape(count, width)[:, :obs_size] = after
    reward[:count] = replay_reward[rows]
    not_terminated[:count] = replay_flags[rows] != 2
