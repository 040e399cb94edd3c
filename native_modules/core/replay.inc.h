// The replay: a ring of rows, each observation stored once. Row r + 1 holds the next observation of row r.

enum { FLAG_NONE, FLAG_TRANSITION, FLAG_TERMINATED };

INLINE int is_finite(float x) {
    return (bits_of_float(x) & EXPONENT_BITS) != EXPONENT_BITS;
}

INLINE int32_t finite_values(const float *x, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        if (!is_finite(x[i])) {
            return 0;
        }
    }
    return 1;
}

INLINE uint32_t next_row(uint32_t row, uint32_t capacity) {
    return row + 1 == capacity ? 0 : row + 1;
}

// Write obs to the row at head, which becomes the pending one; a transition that stood there is gone.
NOINLINE void replay_open_row(
    float *replay_obs, uint8_t *replay_flags, int32_t *state, const float *obs, uint32_t obs_size) {
    uint32_t head = (uint32_t)state[PICORL_HEAD];
    if (replay_flags[head] != FLAG_NONE) {
        replay_flags[head] = FLAG_NONE;
        state[PICORL_VALID]--;
    }
    copy_floats(replay_obs + (size_t)head * obs_size, obs, obs_size);
    if (state[PICORL_SIZE] <= (int32_t)head) {
        state[PICORL_SIZE] = (int32_t)head + 1;
    }
    state[PICORL_PENDING] = 1;
}

// The row at head stays as a boundary when the transition before it needs it.
NOINLINE void replay_open_episode(
    float *replay_obs, uint8_t *replay_flags, int32_t *state, const float *obs, uint32_t obs_size, uint32_t capacity) {
    uint32_t head = (uint32_t)state[PICORL_HEAD];
    if (replay_flags[head == 0 ? capacity - 1 : head - 1] == FLAG_TRANSITION) {
        state[PICORL_HEAD] = (int32_t)next_row(head, capacity);
    }
    replay_open_row(replay_obs, replay_flags, state, obs, obs_size);
}

KERNEL(int32_t, replay_begin)(float *replay_obs, uint8_t *replay_flags, int32_t *replay_state, const float *obs,
    uint32_t obs_size, uint32_t capacity) {
    replay_state[PICORL_PENDING] = 0;
    if (!finite_values(obs, obs_size)) {
        replay_state[PICORL_REFUSED]++;
        return 0;
    }
    replay_open_episode(replay_obs, replay_flags, replay_state, obs, obs_size, capacity);
    return 1;
}

KERNEL(int32_t, replay_observe)(float *replay_obs, float *replay_action, float *replay_reward, uint8_t *replay_flags,
    int32_t *replay_state, const float *action, const float *reward, const float *next_obs, const float *scaling,
    uint32_t obs_size, uint32_t act_size, uint32_t capacity, uint32_t terminated, uint32_t ended) {
    int32_t obs_fine = finite_values(next_obs, obs_size);
    if (!replay_state[PICORL_PENDING] || !obs_fine || !is_finite(reward[0]) || !finite_values(action, act_size)) {
        replay_state[PICORL_REFUSED]++;
        replay_state[PICORL_PENDING] = 0;
        if (obs_fine && !ended) {
            replay_open_episode(replay_obs, replay_flags, replay_state, next_obs, obs_size, capacity);
        }
        return 0;
    }
    uint32_t head = (uint32_t)replay_state[PICORL_HEAD];
    for (uint32_t i = 0; i < act_size; i++) {
        replay_action[(size_t)head * act_size + i] =
            scalar_clip((action[i] - scaling[act_size + i]) / scaling[i], -1, 1);
    }
    replay_reward[head] = reward[0];
    replay_flags[head] = terminated ? FLAG_TERMINATED : FLAG_TRANSITION;
    replay_state[PICORL_VALID]++;
    replay_state[PICORL_HEAD] = (int32_t)next_row(head, capacity);
    replay_open_row(replay_obs, replay_flags, replay_state, next_obs, obs_size);
    replay_state[PICORL_PENDING] = !ended;
    return 1;
}

KERNEL(void, replay_sample)(const uint8_t *replay_flags, const int32_t *replay_state, uint32_t *rng, int32_t *indices,
    uint32_t capacity, uint32_t count) {
    (void)capacity;
    uint32_t size = (uint32_t)replay_state[PICORL_SIZE];
    uint32_t words[2][PICORL_W];
    uint32_t block = 0;
    for (uint32_t found = 0; found < count; block += PICORL_W) {
        rng_words(rng, block, words);
        for (uint32_t draw = 0; draw < 2 * PICORL_W && found < count; draw++) {
            uint32_t row = (uint32_t)(((uint64_t)words[draw & 1][draw >> 1] * size) >> 32);
            indices[found] = (int32_t)row;
            found += replay_flags[row] != FLAG_NONE;
        }
    }
    rng[RNG_STEP]++;
}

// An observation to two places.
INLINE void copy_twice(const float *from, uint32_t count, float *to, float *too) {
#if PICORL_W >= 8
    if (count <= PICORL_W) {
        vf x = v_load_n(from, count);
        v_store_n(to, count, x);
        v_store_n(too, count, x);
        return;
    }
#endif
    for (uint32_t i = 0; i < count; i++) {
        to[i] = too[i] = from[i];
    }
}

KERNEL(void, replay_gather)(const float *replay_obs, const float *replay_action, const float *replay_reward,
    const uint8_t *replay_flags, const int32_t *indices, float *obs, float *obs_action, float *next_obs,
    float *next_obs_action, float *reward, float *not_terminated, uint32_t obs_size, uint32_t act_size,
    uint32_t capacity, uint32_t count) {
    uint32_t width = obs_size + act_size;
    for (uint32_t k = 0; k < count; k++) {
        uint32_t row = (uint32_t)indices[k];
        copy_twice(replay_obs + (size_t)row * obs_size, obs_size, obs, obs_action);
        copy_twice(replay_obs + (size_t)next_row(row, capacity) * obs_size, obs_size, next_obs, next_obs_action);
        for (uint32_t i = 0; i < act_size; i++) {
            obs_action[obs_size + i] = replay_action[(size_t)row * act_size + i];
        }
        reward[k] = replay_reward[row];
        not_terminated[k] = replay_flags[row] == FLAG_TERMINATED ? 0 : 1;
        obs += obs_size;
        next_obs += obs_size;
        obs_action += width;
        next_obs_action += width;
    }
}
