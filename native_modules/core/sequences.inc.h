// Sequences out of the replay, for recurrent networks.

// Whether an episode goes on from the row before this one.
INLINE int goes_on(const uint8_t *replay_flags, uint32_t row, uint32_t capacity) {
    return replay_flags[(row ? row : capacity) - 1] == FLAG_TRANSITION;
}

KERNEL(void, replay_gather_sequences)(const float *replay_obs, const float *replay_action, const float *replay_reward,
    const uint8_t *replay_flags, const int32_t *indices, float *x, float *action, float *reward, float *keep,
    float *weight, uint32_t obs_size, uint32_t act_size, uint32_t capacity, uint32_t count, uint32_t steps,
    uint32_t burn_in) {
    uint32_t learned = 0;
    for (uint32_t k = 0, s = 0; k < count; k++) {
        uint32_t row = (uint32_t)indices[k];
        uint32_t before = (row ? row : capacity) - 1;
        int cold = goes_on(replay_flags, row, capacity); // what the episode was before is not known
        for (uint32_t t = 0; t < steps; t++, s++) {
            int on = goes_on(replay_flags, row, capacity);
            int flag = replay_flags[row];
            int led_here = t && replay_flags[before] != FLAG_NONE;
            copy_floats(x, replay_obs + (size_t)row * obs_size, obs_size);
            x += obs_size;
            for (uint32_t i = 0; i < act_size; i++) {
                *x++ = on ? replay_action[(size_t)before * act_size + i] : 0;
                *action++ = flag ? replay_action[(size_t)row * act_size + i] : 0;
            }
            reward[s] = led_here ? replay_reward[before] : 0;
            keep[s] = t && on ? 1 : 0;
            cold = cold && on;
            int learn = flag && t + 1 < steps && !(cold && t < burn_in);
            weight[s] = learn ? 1 : 0;
            learned += (uint32_t)learn;
            before = row;
            row = next_row(row, capacity);
        }
    }
    // Not by `scale` of 0 / 0 where there is nothing to learn.
    vf share = v_set(learned ? (float)(count * steps) / (float)learned : 0);
    FOR_LANES(i, n, 0, count * steps) {
        v_put(weight + i, n, v_get(weight + i, n) * share);
    }
}

KERNEL(void, weigh_rows)(const float *weight, float *x, uint32_t width, uint32_t row, uint32_t rows) {
    for (uint32_t r = row; r < row + rows; r++) {
        for (uint32_t i = r * width; i < (r + 1) * width; i++) {
            x[i] = weight[r] == 0 ? 0 : weight[r] * x[i];
        }
    }
}
