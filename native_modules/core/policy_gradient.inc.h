// PPO (Schulman et al. 2017): acting, log-densities and the gradient of the clipped objective. Lanes are rows of the batch.

// --- the clipped objective, whatever the policy -------------------------------------------------------------------

typedef struct surrogate {
    float low, high; // the range of the ratio that gains
    float share;     // of a row in the mean
    float *stats;
} surrogate;

INLINE surrogate surrogate_begin(const float *clip, float *stats, uint32_t row, uint32_t batch) {
    surrogate s = {1 - clip[0], 1 + clip[0], 1 / (float)batch, stats};
    if (row == 0) {
        stats[0] = stats[1] = stats[2] = 0;
    }
    return s;
}

// The gradient of the mean objective at log_prob, of n rows from `row`.
ELEMENTARY vf surrogate_gradient(
    const surrogate *s, vf log_prob, const float *old_log_prob, const float *advantage, uint32_t n) {
    vf low = v_set(s->low);
    vf high = v_set(s->high);
    vf change = log_prob - v_get(old_log_prob, n);
    vf ratio = v_exp(change);
    vf a = v_get(advantage, n);
    vf gain = a * ratio;
    vf g = -(gain * v_set(s->share));
    g = v_select(v_lt(high, ratio), v_select(v_ge(a, v_set(0)), v_set(0), g), g);
    g = v_select(v_lt(ratio, low), v_select(v_lt(a, v_set(0)), v_set(0), g), g);
    vf outside = v_select(v_lt(ratio, low), v_set(1), v_select(v_lt(high, ratio), v_set(1), v_set(0)));
    s->stats[0] = add_in_order(s->stats[0], -v_min(gain, a * v_clip(ratio, low, high)), n);
    s->stats[1] = add_in_order(s->stats[1], (ratio - v_set(1)) - change, n);
    s->stats[2] = add_in_order(s->stats[2], outside, n);
    return g;
}

// --- Gaussian policy ----------------------------------------------------------------------------------------------
// Column by column, so that a standard deviation's exp is taken once for all rows.

KERNEL(void, policy_action)(const float *mean, const float *noise, const float *log_std, const float *scaling,
    float *raw, float *action, uint32_t act_size, uint32_t row, uint32_t rows) {
    size_t first = (size_t)row * act_size;
    for (uint32_t j = 0; j < act_size; j++) {
        vf std = v_exp(v_set(log_std[j]));
        FOR_LANES(r, n, 0, rows) {
            size_t at = (size_t)r * act_size + j;
            vf u =
                v_fma(std, v_get_column(noise + first + at, act_size, n), v_get_column(mean + first + at, act_size, n));
            v_put_column(raw + first + at, act_size, n, u);
            u = v_fma(v_set(scaling[j]), v_clip(u, v_set(-1), v_set(1)), v_set(scaling[act_size + j]));
            v_put_column(action + at, act_size, n, u);
        }
    }
}

// The log-density of a standard score z.
INLINE vf gaussian_density(vf z, float log_std) {
    return (v_set(-0.5f) * (z * z) - v_set(log_std)) - v_set(HALF_LOG_2PI);
}

INLINE vf standard_score(
    const float *mean, const float *raw, size_t at, uint32_t act_size, uint32_t n, vf inverse_std) {
    return (v_get_column(raw + at, act_size, n) - v_get_column(mean + at, act_size, n)) * inverse_std;
}

KERNEL(void, gaussian_log_prob)(const float *mean, const float *raw, const float *log_std, float *log_prob,
    uint32_t act_size, uint32_t row, uint32_t rows) {
    for (uint32_t j = 0; j < act_size; j++) {
        vf inverse_std = v_exp(v_set(-log_std[j]));
        FOR_LANES(r, n, row, row + rows) {
            vf z = standard_score(mean, raw, (size_t)r * act_size + j, act_size, n, inverse_std);
            vf sum = j ? v_get(log_prob + r, n) : v_set(0);
            v_put(log_prob + r, n, sum + gaussian_density(z, log_std[j]));
        }
    }
}

KERNEL(void, ppo_gaussian_delta)(const float *mean, const float *raw, const float *log_std, const float *old_log_prob,
    const float *advantage, const float *clip, const float *entropy, float *d_mean, float *d_log_std, float *stats,
    uint32_t act_size, uint32_t row, uint32_t rows, uint32_t batch) {
    surrogate s = surrogate_begin(clip, stats, row, batch);
    vf bonus = v_set(-(entropy[0] * s.share));
    for (uint32_t j = 0; j < act_size; j++) { // d_mean holds the standard scores z, then g * z
        vf inverse_std = v_exp(v_set(-log_std[j]));
        FOR_LANES(r, n, row, row + rows) {
            size_t at = (size_t)r * act_size + j;
            v_put_column(d_mean + at, act_size, n, standard_score(mean, raw, at, act_size, n, inverse_std));
        }
    }
    FOR_LANES(r, n, row, row + rows) {
        float *scores = d_mean + (size_t)r * act_size;
        vf log_prob = v_set(0);
        for (uint32_t j = 0; j < act_size; j++) {
            log_prob += gaussian_density(v_get_column(scores + j, act_size, n), log_std[j]);
        }
        vf g = surrogate_gradient(&s, log_prob, old_log_prob + r, advantage + r, n);
        for (uint32_t j = 0; j < act_size; j++) {
            vf z = v_get_column(scores + j, act_size, n);
            v_put_column(scores + j, act_size, n, g * z);
            d_log_std[j] = add_in_order(d_log_std[j], v_fma(g, v_fma(z, z, v_set(-1)), bonus), n);
        }
    }
    for (uint32_t j = 0; j < act_size; j++) {
        vf inverse_std = v_exp(v_set(-log_std[j]));
        FOR_LANES(r, n, row, row + rows) {
            float *at = d_mean + (size_t)r * act_size + j;
            v_put_column(at, act_size, n, v_get_column(at, act_size, n) * inverse_std);
        }
    }
}

// --- categorical policy -------------------------------------------------------------------------------------------

typedef struct softmax {
    vf max, sum; // of exp(logit - max)
} softmax;

// Of n_rows rows of n logits.
ELEMENTARY softmax softmax_of(const float *logits, uint32_t n, uint32_t n_rows) {
    softmax s = {v_get_column(logits, n, n_rows), v_set(0)};
    for (uint32_t k = 1; k < n; k++) {
        vf x = v_get_column(logits + k, n, n_rows);
        s.max = v_select(v_lt(s.max, x), x, s.max);
    }
    for (uint32_t k = 0; k < n; k++) {
        s.sum += v_exp(v_get_column(logits + k, n, n_rows) - s.max);
    }
    return s;
}

KERNEL(void, categorical_sample)(
    const float *logits, uint32_t *rng, int32_t *choice, uint32_t n, uint32_t row, uint32_t rows) {
    FOR_LANES(r, count, row, row + rows) {
        const float *from = logits + (size_t)r * n;
        softmax s = softmax_of(from, n, count);
        vu word0, word1;
        rng_blocks(rng, v_iota() + r, &word0, &word1);
        vf threshold = (v_of_ints(word0 >> 8) * v_set(0x1p-24f)) * s.sum;
        // Sums only grow, so the choice is the number of those that are not above the threshold.
        vf sum = v_set(0);
        vu chosen = v_set_bits(0);
        for (uint32_t k = 0; k + 1 < n; k++) {
            sum += v_exp(v_get_column(from + k, n, count) - s.max);
            chosen = v_select_bits(v_lt(threshold, sum), chosen, v_set_bits(k + 1));
        }
        v_put_choices(choice + r, count, chosen);
    }
    rng[RNG_STEP]++;
}

KERNEL(void, categorical_log_prob)(
    const float *logits, const int32_t *choice, float *log_prob, uint32_t n, uint32_t row, uint32_t rows) {
    FOR_LANES(r, count, row, row + rows) {
        const float *from = logits + (size_t)r * n;
        softmax s = softmax_of(from, n, count);
        vf logit = chosen_column(from, v_get_choices(choice + r, count), n, count);
        v_put(log_prob + r, count, (logit - s.max) - v_log(s.sum));
    }
}

KERNEL(void, ppo_categorical_delta)(const float *logits, const int32_t *choice, const float *old_log_prob,
    const float *advantage, const float *clip, const float *entropy, float *d_logits, float *stats, uint32_t n,
    uint32_t row, uint32_t rows, uint32_t batch) {
    surrogate s = surrogate_begin(clip, stats, row, batch);
    vf bonus = v_set(entropy[0] * s.share);
    FOR_LANES(r, count, row, row + rows) {
        const float *from = logits + (size_t)r * n;
        float *to = d_logits + (size_t)r * n;
        softmax m = softmax_of(from, n, count);
        vf log_sum = v_log(m.sum);
        vu choice_here = v_get_choices(choice + r, count);
        vf log_prob = (chosen_column(from, choice_here, n, count) - m.max) - log_sum;
        vf g = surrogate_gradient(&s, log_prob, old_log_prob + r, advantage + r, count);
        vf minus_entropy = v_set(0);
        for (uint32_t k = 0; k < n; k++) { // the probabilities, for now
            vf l = (v_get_column(from + k, n, count) - m.max) - log_sum;
            vf p = v_exp(l);
            minus_entropy = v_fma(p, l, minus_entropy);
            v_put_column(to + k, n, count, p);
        }
        for (uint32_t k = 0; k < n; k++) {
            vf l = (v_get_column(from + k, n, count) - m.max) - log_sum;
            vf p = v_get_column(to + k, n, count);
            vf of_choice = v_select(v_equal(choice_here, v_set_bits(k)), g, v_set(0)) - g * p;
            v_put_column(to + k, n, count, of_choice + bonus * (p * (l - minus_entropy)));
        }
    }
}

// --- values -------------------------------------------------------------------------------------------------------

KERNEL(void, value_delta)(const float *value, const float *target, const float *old_value, const float *clip,
    float *d_value, float *loss, uint32_t row, uint32_t rows, uint32_t batch) {
    vf share = v_set(1 / (float)batch);
    vf limit = v_set(clip[0]);
    float sum = row ? loss[0] : 0;
    FOR_LANES(r, n, row, row + rows) {
        vf v = v_get(value + r, n);
        vf aim = v_get(target + r, n);
        vf error = v - aim;
        vf square = error * error;
        vf d = error * share;
        if (old_value) {
            vf old = v_get(old_value + r, n);
            vf change = v - old;
            vf clipped = (old + v_clip(change, -limit, limit)) - aim;
            vf other = v_select(v_lt(limit, v_abs(change)), clipped * clipped, square);
            vm worse = v_lt(square, other);
            d = v_select(worse, v_set(0), d);
            square = v_select(worse, other, square);
        }
        v_put(d_value + r, n, d);
        sum = add_in_order(sum, square, n);
    }
    loss[0] = sum;
}

KERNEL(int32_t, rollout_observe)(const float *reward, const float *next_obs, const uint8_t *ended,
    const float *final_obs, float *last_obs, float *rollout_reward, uint8_t *rollout_ended, uint32_t envs,
    uint32_t obs_size, uint32_t row) {
    if (!(floats_are_finite(reward, envs) && floats_are_finite(final_obs, envs * obs_size))) {
        return 0;
    }
    int32_t truncated = 0;
    for (uint32_t e = 0; e < envs; e++) {
        rollout_reward[row + e] = reward[e];
        rollout_ended[row + e] = ended[e];
        truncated |= ended[e] == 2;
    }
    int32_t going_on = floats_are_finite(next_obs, envs * obs_size);
    if (going_on) {
        copy_floats(last_obs, next_obs, envs * obs_size);
    }
    return 1 + 2 * going_on + 4 * truncated;
}

// Lanes are environments.
KERNEL(void, gae)(const float *reward, const uint8_t *ended, const float *value, const float *final_value,
    const float *coeffs, float *advantage, float *target, uint32_t envs, uint32_t steps) {
    vf gamma = v_set(coeffs[0]);
    vf decay = v_set(coeffs[0] * coeffs[1]);
    FOR_LANES(e, n, 0, envs) {
        size_t at = (size_t)steps * envs + e;
        vf next = v_get(value + at, n);
        vf sum = v_set(0);
        for (uint32_t step = 0; step < steps; step++) {
            at -= envs;
            uint32_t lanes[PICORL_W] = {0};
            for (uint32_t k = 0; k < n; k++) {
                lanes[k] = ended[at + k];
            }
            vu end = v_load_bits(lanes);
            vf last = v_select(v_equal(end, v_set_bits(1)), v_set(0), v_get(final_value + at, n));
            vm going_on = v_equal(end, v_set_bits(0));
            vf here = v_get(value + at, n);
            vf delta = v_fma(gamma, v_select(going_on, next, last), v_get(reward + at, n)) - here;
            sum = v_select(going_on, v_fma(decay, sum, delta), delta);
            v_put(advantage + at, n, sum);
            v_put(target + at, n, sum + here);
            next = here;
        }
    }
}
