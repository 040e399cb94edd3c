// Values of discrete actions: choosing by them, and what they learn from. Lanes are rows of the batch.

KERNEL(void, epsilon_greedy)(
    const float *q, const float *epsilon, uint32_t *rng, int32_t *choice, uint32_t n, uint32_t row, uint32_t rows) {
    FOR_LANES(r, count, row, row + rows) {
        vu word0, word1;
        rng_blocks(rng, v_iota() + r, &word0, &word1);
        float u[PICORL_W];
        uint32_t words[PICORL_W], best[PICORL_W];
        v_store(u, v_of_ints(word0 >> 8) * v_set(0x1p-24f));
        v_store_bits(words, word1);
        v_store_bits(best, largest_of(q + (size_t)r * n, n, count));
        for (uint32_t k = 0; k < count; k++) {
            choice[r + k] = (int32_t)(u[k] < epsilon[0] ? (uint32_t)((uint64_t)words[k] * n >> 32) : best[k]);
        }
    }
    rng[RNG_STEP]++;
}

KERNEL(void, dqn_target)(const float *reward, const float *not_terminated, const float *q_select, const float *q_value,
    const float *coeffs, float *target, uint32_t n, uint32_t row, uint32_t rows) {
    FOR_LANES(r, count, row, row + rows) {
        size_t at = (size_t)r * n;
        vf q = chosen_column(q_value + at, largest_of(q_select + at, n, count), n, count);
        v_put(
            target + r, count, v_fma(v_set(coeffs[0]) * v_get(not_terminated + r, count), q, v_get(reward + r, count)));
    }
}

// clipped is the error within the limit.
INLINE vf huber_loss(vf error, vf clipped, vf limit) {
    return (v_set(0.5f) * clipped) * clipped + (v_abs(error) - v_abs(clipped)) * limit;
}

KERNEL(void, choice_delta)(const float *q, const float *action, const float *scaling, const float *target,
    const float *limit, float *d_q, float *loss, uint32_t n, uint32_t width, uint32_t column, uint32_t row,
    uint32_t rows, uint32_t batch) {
    vf most = v_set(limit[0]);
    vf share = v_set(1 / (float)batch);
    if (row == 0) {
        loss[0] = 0;
    }
    FOR_LANES(r, count, row, row + rows) {
        const float *from = q + (size_t)r * n;
        float *to = d_q + (size_t)r * n;
        vf a = v_get_column(action + (size_t)r * width + column, width, count);
        a = v_fma(v_set(scaling[0]), a, v_set(scaling[1]));
        vu chosen = v_set_bits(0);
        float edge = 0.5f;
        for (uint32_t k = 1; k < n; k++, edge += 1) {
            chosen = v_select_bits(v_lt(a, v_set(edge)), chosen, v_set_bits(k));
        }
        vf error = chosen_column(from, chosen, n, count) - v_get(target + r, count);
        vf clipped = v_clip(error, -most, most);
        loss[0] = add_in_order(loss[0], huber_loss(error, clipped, most), count);
        vf slope = clipped * share;
        for (uint32_t k = 0; k < n; k++) {
            v_put_column(to + k, n, count, v_select(v_equal(chosen, v_set_bits(k)), slope, v_set(0)));
        }
    }
}
