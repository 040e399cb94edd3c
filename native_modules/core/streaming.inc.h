// Streaming reinforcement learning (Elsayed, Vasan & Mahmood 2024): one transition at a time, a trace for each parameter.

INLINE float absolute(float x) {
    return float_of_bits(bits_of_float(x) & ~SIGN_BIT);
}

// --- how training starts -------------------------------------------------------------------------------------------

// How many of a unit's incoming weights are 0; it keeps one at least.
INLINE uint32_t zeros_of(float sparsity, uint32_t inputs) {
    if (!(sparsity > 0)) { // not a number either
        return 0;
    }
    float wanted = (sparsity < 1 ? sparsity : 1) * (float)inputs;
    uint32_t zeros = (uint32_t)wanted;
    return least(zeros + ((float)zeros < wanted), inputs - 1);
}

// Parameter i of the buffer comes from block (step, i).
NOINLINE void sparse_dense(float *params, uint32_t first, layer_shape s, float sparsity, const uint32_t *rng) {
    float bound = 1 / scalar_sqrt((float)s.inputs);
    for (uint32_t o = 0; o < s.outputs; o++) {
        uint32_t zeros = zeros_of(sparsity, s.inputs);
        for (uint32_t i = 0; i < s.inputs; i++) {
            uint32_t at = first + i * s.outputs + o;
            uint32_t words[2][PICORL_W];
            rng_words(rng, at, words);
            if ((uint64_t)words[1][0] * (s.inputs - i) >> 32 < zeros) {
                zeros--;
                params[at] = 0;
            } else {
                params[at] = ((float)(int32_t)(words[0][0] >> 8) * 0x1p-23f - 1) * bound;
            }
        }
        params[first + s.inputs * s.outputs + o] = 0;
    }
}

KERNEL(void, sparse_init)(const int32_t *layout, uint32_t layers, float *params, const float *sparsity, uint32_t *rng) {
    uint32_t first = 0;
    for (uint32_t l = 0; l < layers; l++, layout += PICORL_RECORD) {
        uint32_t count = layer_params(layout);
        if (is_dense(layout)) {
            sparse_dense(params, first, shape_of(layout), sparsity[0], rng);
        } else {
            norm_init(params + first, count / 2);
        }
        first += count;
    }
    rng[RNG_STEP]++;
}

INLINE float scalar_fma(float a, float b, float c) {
    float y;
    v_put(&y, 1, v_fma(v_set(a), v_set(b), v_set(c)));
    return y;
}

// --- rewards and errors --------------------------------------------------------------------------------------------

KERNEL(void, scale_reward)(const float *reward, const float *coeffs, float *stats, float *scaled) {
    stats[1] = scalar_fma(coeffs[0], stats[1], reward[0]);
    if (stats[0] < MOST_ROWS) {
        stats[0] += 1;
        float d = stats[1] - stats[2];
        stats[2] = scalar_fma(d, 1 / stats[0], stats[2]);
        stats[3] = scalar_fma(d, stats[1] - stats[2], stats[3]);
    }
    float variance = stats[0] < 2 ? 1 : stats[3] / (stats[0] - 1);
    scaled[0] = reward[0] / scalar_sqrt(variance + 0x1.5798eep-27f);
}

INLINE float error_of(float reward, float value, float next_value, float gamma, uint32_t terminated) {
    return (terminated ? reward : scalar_fma(gamma, next_value, reward)) - value;
}

KERNEL(void, td_error)(const float *reward, const float *value, const float *next_value, const float *coeffs,
    float *delta, uint32_t terminated) {
    delta[0] = error_of(reward[0], value[0], next_value[0], coeffs[0], terminated);
}

KERNEL(int32_t, q_error)(const float *reward, const float *q, const float *next_q, const int32_t *choice,
    const float *coeffs, float *d_q, float *delta, uint32_t n, uint32_t terminated) {
    uint32_t chosen = (uint32_t)choice[0];
    uint32_t best = 0;
    float most = next_q[0];
    for (uint32_t k = 0; k < n; k++) {
        best = q[best] < q[k] ? k : best;
        most = most < next_q[k] ? next_q[k] : most;
        d_q[k] = k == chosen;
    }
    delta[0] = error_of(reward[0], q[chosen], most, coeffs[0], terminated);
    return chosen == best;
}

// --- the policy ----------------------------------------------------------------------------------------------------

#define LEAST_STD 0x1p-20f

// What softplus makes of s; *slope is its derivative.
ELEMENTARY vf softplus_std(vf s, vf *slope) {
    vf one = v_set(1);
    vf t = v_exp(-v_abs(s));
    vf w = one + t;
    vm rises = v_ge(s, v_set(0));
    *slope = v_select(rises, one, t) / w;
    vf rest = w - one;
    // The quotient takes back what w lost of t in rounding.
    vf log1p = v_select(v_lt(v_set(0), rest), v_log(w) * (t / rest), t);
    vf std = v_select(rises, s, v_set(0)) + log1p;
    return v_select(v_lt(std, v_set(LEAST_STD)), v_set(LEAST_STD), std);
}

INLINE vf action_of(vf raw, const float *scaling, uint32_t j, uint32_t act_size, uint32_t n) {
    return v_fma(v_get(scaling + j, n), v_clip(raw, v_set(-1), v_set(1)), v_get(scaling + act_size + j, n));
}

KERNEL(void, softplus_action)(
    const float *head, const float *noise, const float *scaling, float *raw, float *action, uint32_t act_size) {
    FOR_LANES(j, n, 0, act_size) {
        vf slope;
        vf std = softplus_std(v_get(head + act_size + j, n), &slope);
        vf u = v_fma(std, v_get(noise + j, n), v_get(head + j, n));
        v_put(raw + j, n, u);
        v_put(action + j, n, action_of(u, scaling, j, act_size, n));
    }
}

KERNEL(void, taken_action)(
    const float *action, const float *raw, const float *scaling, float *taken, uint32_t act_size) {
    FOR_LANES(j, n, 0, act_size) {
        vf a = v_get(action + j, n);
        vf u = v_get(raw + j, n);
        vf half = v_get(scaling + j, n);
        vm same = v_ge(v_set(0x1p-20f) * half, v_abs(a - action_of(u, scaling, j, act_size, n)));
        v_put(taken + j, n, v_select(same, u, (a - v_get(scaling + act_size + j, n)) / half));
    }
}

KERNEL(void, softplus_delta)(
    const float *head, const float *taken, const float *delta, const float *entropy, float *d_head, uint32_t act_size) {
    vf bonus = v_set(delta[0] > 0 ? entropy[0] : delta[0] < 0 ? -entropy[0] : 0);
    FOR_LANES(j, n, 0, act_size) {
        vf slope;
        vf std = softplus_std(v_get(head + act_size + j, n), &slope);
        vf z = (v_get(taken + j, n) - v_get(head + j, n)) / std;
        v_put(d_head + j, n, z / std);
        v_put(d_head + act_size + j, n, ((v_fma(z, z, v_set(-1)) + bonus) / std) * slope);
    }
}

// --- the optimiser -------------------------------------------------------------------------------------------------

KERNEL(void, obgd_norm)(const float *trace, float *lanes, uint32_t start, uint32_t count) {
    uint32_t end = start + count;
    for (; start < end && start % LANES; start++) {
        lanes[start % LANES] += absolute(trace[start]);
    }
    vf part[LANES / PICORL_W];
    UNROLL for (uint32_t k = 0; k < LANES / PICORL_W; k++) {
        part[k] = v_load(lanes + k * PICORL_W);
    }
    for (; end - start >= LANES; start += LANES) {
        UNROLL for (uint32_t k = 0; k < LANES / PICORL_W; k++) {
            part[k] += v_abs(v_load(trace + start + k * PICORL_W));
        }
    }
    UNROLL for (uint32_t k = 0; k < LANES / PICORL_W; k++) {
        v_store(lanes + k * PICORL_W, part[k]);
    }
    for (; start < end; start++) {
        lanes[start % LANES] += absolute(trace[start]);
    }
}

KERNEL(void, obgd_scale)(float *lanes, const float *delta, const float *hyper, float *step) {
    float total = tree_of_lanes(lanes);
    float size = absolute(delta[0]);
    float bound = ((hyper[0] * hyper[1]) * (size > 1 ? size : 1)) * total;
    step[0] = (bound > 1 ? hyper[0] / bound : hyper[0]) * delta[0];
    for (uint32_t k = 0; k < LANES; k++) {
        lanes[k] = 0;
    }
}

KERNEL(void, obgd_step)(
    float *params, float *trace, const float *step, const float *hyper, uint32_t start, uint32_t count) {
    vf size = v_set(step[0]);
    vf decay = v_set(hyper[2] * hyper[3]);
#ifdef FLOAT_HARDWARE
    float *params_at = params + start;
    float *trace_at = trace + start;
    for (uint32_t end = start + FOURS(count); start != end; start += 4) {
        float x[8]; // params, then traces
        const float *from = params_at;
        LOAD_FOUR(x, from, s16, s17, s18, s19);
        from = trace_at;
        LOAD_FOUR(x + 4, from, s20, s21, s22, s23);
        UNROLL for (uint32_t i = 0; i < 4; i++) {
            x[i] = v_fma(size, x[4 + i], x[i]);
            x[4 + i] *= decay;
        }
        flush_eight(x);
        STORE_FOUR(params_at, x, s16, s17, s18, s19);
        STORE_FOUR(trace_at, x + 4, s20, s21, s22, s23);
    }
    count %= 4;
#endif
    FOR_LANES(i, n, start, start + count) {
        vf e = v_get(trace + i, n);
        v_put(params + i, n, v_flush(v_fma(size, e, v_get(params + i, n))));
        v_put(trace + i, n, v_flush(decay * e));
    }
}
