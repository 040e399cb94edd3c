"""The replay: a ring of rows; state is head, size, pending, valid, refused, spare."""

from . import arithmetic, checks, threefry


def _replay(kernel, flags, state, capacity):
    checks.integer(kernel, "capacity", capacity, 2)
    checks.need(kernel, "replay_flags", flags, capacity, "B")
    checks.need(kernel, "replay_state", state, 6, "i")


def _consistent(kernel, state, capacity):
    checks.integer(kernel, "replay_state[0] (head)", state[0], 0, capacity - 1)
    checks.integer(kernel, "replay_state[1] (size)", state[1], 0, capacity)
    checks.integer(kernel, "replay_state[2] (pending)", state[2], 0, 1)
    checks.integer(kernel, "replay_state[3] (valid)", state[3], 0, state[1])
    checks.integer(kernel, "replay_state[4] (refused)", state[4], 0, 0x7FFFFFFF)


def _land(rows, flags, state, obs, obs_size, head, capacity, pending):
    """Write obs to row `head`; the transition that was there is gone."""
    if flags[head]:
        flags[head] = 0
        state[3] -= 1
    at = head * obs_size
    for i in range(obs_size):
        rows[at + i] = obs[i]
    state[0] = head
    if state[1] <= head:
        state[1] = head + 1
    state[2] = pending


def _begin(rows, flags, state, obs, obs_size, capacity):
    head = state[0]
    # A transition that bootstraps needs the row after it: that one stays, as a boundary.
    if flags[(head or capacity) - 1] == 1:
        head = (head + 1) % capacity
    _land(rows, flags, state, obs, obs_size, head, capacity, 1)


def replay_begin(replay_obs, replay_flags, replay_state, obs, obs_size, capacity):
    checks.integer("replay_begin", "obs_size", obs_size, 1)
    _replay("replay_begin", replay_flags, replay_state, capacity)
    checks.need("replay_begin", "replay_obs", replay_obs, capacity * obs_size)
    checks.need("replay_begin", "obs", obs, obs_size)
    _consistent("replay_begin", replay_state, capacity)
    if not checks.finite(obs, obs_size):
        replay_state[2] = 0
        replay_state[4] += 1
        return 0
    _begin(replay_obs, replay_flags, replay_state, obs, obs_size, capacity)
    return 1


def replay_observe(
    replay_obs,
    replay_action,
    replay_reward,
    replay_flags,
    replay_state,
    action,
    reward,
    next_obs,
    scaling,
    obs_size,
    act_size,
    capacity,
    terminated,
    ended,
):
    kernel = "replay_observe"
    _stored(kernel, replay_obs, replay_action, replay_reward, obs_size, act_size, capacity)
    _replay(kernel, replay_flags, replay_state, capacity)
    checks.need(kernel, "action", action, act_size)
    checks.need(kernel, "reward", reward, 1)
    checks.need(kernel, "next_obs", next_obs, obs_size)
    checks.need(kernel, "scaling", scaling, 2 * act_size)
    checks.integer(kernel, "terminated", terminated)
    checks.integer(kernel, "ended", ended)
    _consistent(kernel, replay_state, capacity)
    going_on = checks.finite(next_obs, obs_size)
    if not (going_on and replay_state[2] and checks.finite(action, act_size) and checks.finite(reward, 1)):
        replay_state[2] = 0
        replay_state[4] += 1
        if going_on and not ended:
            _begin(replay_obs, replay_flags, replay_state, next_obs, obs_size, capacity)
        return 0
    head = replay_state[0]
    at = head * act_size
    for j in range(act_size):
        replay_action[at + j] = arithmetic.clip((action[j] - scaling[act_size + j]) / scaling[j], -1.0, 1.0)
    replay_reward[head] = reward[0]
    replay_flags[head] = 2 if terminated else 1
    replay_state[3] += 1
    head = (head + 1) % capacity
    _land(replay_obs, replay_flags, replay_state, next_obs, obs_size, head, capacity, 0 if ended else 1)
    return 1


def _stored(kernel, replay_obs, replay_action, replay_reward, obs_size, act_size, capacity):
    checks.integer(kernel, "obs_size", obs_size, 1)
    checks.integer(kernel, "act_size", act_size, 1)
    checks.integer(kernel, "capacity", capacity, 2)
    checks.need(kernel, "replay_obs", replay_obs, capacity * obs_size)
    checks.need(kernel, "replay_action", replay_action, capacity * act_size)
    checks.need(kernel, "replay_reward", replay_reward, capacity)


def replay_sample(replay_flags, replay_state, rng, indices, capacity, count):
    kernel = "replay_sample"
    _replay(kernel, replay_flags, replay_state, capacity)
    checks.rng_state(kernel, rng)
    checks.integer(kernel, "count", count)
    checks.need(kernel, "indices", indices, count, "i")
    _consistent(kernel, replay_state, capacity)
    size = replay_state[1]
    for i in range(size):
        if replay_flags[i]:
            break
    else:
        raise ValueError("replay_sample: replay_flags has no row with a flag, must have one to draw")
    done = row = 0
    while done < count:
        most = (count - done + 1) // 2
        for words in threefry.blocks(rng, row, most):
            for word in words:
                i = (word * size) >> 32
                if replay_flags[i] and done < count:
                    indices[done] = i
                    done += 1
        row += most
    threefry.advance(rng)


def replay_gather(
    replay_obs,
    replay_action,
    replay_reward,
    replay_flags,
    indices,
    obs,
    obs_action,
    next_obs,
    next_obs_action,
    reward,
    not_terminated,
    obs_size,
    act_size,
    capacity,
    count,
):
    kernel = "replay_gather"
    _stored(kernel, replay_obs, replay_action, replay_reward, obs_size, act_size, capacity)
    checks.need(kernel, "replay_flags", replay_flags, capacity, "B")
    checks.integer(kernel, "count", count)
    width = obs_size + act_size
    checks.need(kernel, "indices", indices, count, "i")
    checks.need(kernel, "obs", obs, count * obs_size)
    checks.need(kernel, "obs_action", obs_action, count * width)
    checks.need(kernel, "next_obs", next_obs, count * obs_size)
    checks.need(kernel, "next_obs_action", next_obs_action, count * width)
    checks.need(kernel, "reward", reward, count)
    checks.need(kernel, "not_terminated", not_terminated, count)
    checks.within(kernel, "indices", indices, 0, count, capacity)
    of = memoryview(replay_obs)
    obs = memoryview(obs)
    next_obs = memoryview(next_obs)
    obs_action = memoryview(obs_action)
    next_obs_action = memoryview(next_obs_action)
    k = at = wide = 0
    for row in indices[:count]:
        here = row * obs_size
        after = (row + 1) % capacity * obs_size
        row_obs = of[here : here + obs_size]
        obs[at : at + obs_size] = row_obs
        obs_action[wide : wide + obs_size] = row_obs
        row_obs = of[after : after + obs_size]
        next_obs[at : at + obs_size] = row_obs
        next_obs_action[wide : wide + obs_size] = row_obs
        at += obs_size
        here = row * act_size
        for j in range(wide + obs_size, wide + width):
            obs_action[j] = replay_action[here]
            here += 1
        wide += width
        reward[k] = replay_reward[row]
        not_terminated[k] = 0.0 if replay_flags[row] == 2 else 1.0
        k += 1
