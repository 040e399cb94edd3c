// From a network's output to an action, and the policies' gradients. Lanes are rows of the batch.

#define LOG_STD_MIN -20.0f
#define LOG_STD_MAX 2.0f
#define LOG_2 0x1.62e43p-1f
#define HALF_LOG_2PI 0x1.d67f1cp-1f

KERNEL(void, uniform_action)(uint32_t *rng, const float *scaling, float *action, uint32_t act_size) {
    rng_fill(rng, action, act_size, 0, NULL);
    FOR_LANES(i, n, 0, act_size) {
        v_put(action + i, n, v_fma(v_get(scaling + i, n), v_get(action + i, n), v_get(scaling + act_size + i, n)));
    }
}

KERNEL(void, deterministic_action)(
    const float *mu, const float *noise, const float *sigma, const float *scaling, float *action, uint32_t act_size) {
    FOR_LANES(i, n, 0, act_size) {
        vf a = v_get(mu + i, n);
        if (noise) {
            a = v_fma(v_set(sigma[0]), v_get(noise + i, n), a);
        }
        a = v_clip(a, v_set(-1), v_set(1));
        v_put(action + i, n, v_fma(v_get(scaling + i, n), a, v_get(scaling + act_size + i, n)));
    }
}

INLINE vf clip_log_std(vf log_std) {
    return v_clip(log_std, v_set(LOG_STD_MIN), v_set(LOG_STD_MAX));
}

KERNEL(void, gaussian_action)(
    const float *head, const float *noise, const float *scaling, float *action, uint32_t act_size) {
    FOR_LANES(i, n, 0, act_size) {
        vf u = v_get(head + i, n);
        if (noise) {
            u = v_fma(v_exp(clip_log_std(v_get(head + act_size + i, n))), v_get(noise + i, n), u);
        }
        v_put(action + i, n, v_fma(v_get(scaling + i, n), v_tanh(u), v_get(scaling + act_size + i, n)));
    }
}

KERNEL(void, gaussian_head)(const float *head, const float *noise, float *action, uint32_t width, uint32_t column,
    float *log_prob, uint32_t act_size, uint32_t row, uint32_t rows) {
    FOR_LANES(r, n, row, row + rows) {
        vf sum = v_set(0);
        for (uint32_t j = 0; j < act_size; j++) {
            const float *mean = head + (size_t)r * 2 * act_size + j;
            vf log_std = clip_log_std(v_get_column(mean + act_size, 2 * act_size, n));
            vf e = v_get_column(noise + (size_t)r * act_size + j, act_size, n);
            vf u = v_fma(v_exp(log_std), e, v_get_column(mean, 2 * act_size, n));
            v_put_column(action + (size_t)r * width + column + j, width, n, v_tanh(u));
            // log(1 - tanh(u)^2) / 2 = log 2 - |u| - log(1 + exp(-2 |u|))
            vf size = v_abs(u);
            vf squash = (v_set(LOG_2) - size) - v_log(v_set(1) + v_exp(v_set(-2) * size));
            vf density = (v_set(-0.5f) * (e * e) - log_std) - v_set(HALF_LOG_2PI);
            sum += density - v_set(2) * squash;
        }
        v_put(log_prob + r, n, sum);
    }
}

KERNEL(void, gaussian_head_backward)(const float *head, const float *noise, const float *action, uint32_t width,
    uint32_t column, const float *d_x1, const float *d_x2, const float *coeffs, float *d_head, uint32_t act_size,
    uint32_t row, uint32_t rows, uint32_t batch) {
    float weight = coeffs[1] / (float)batch;
    FOR_LANES(r, n, row, row + rows) {
        for (uint32_t j = 0; j < act_size; j++) {
            size_t at = (size_t)r * 2 * act_size + j;
            size_t critic_at = (size_t)(r - row) * width + column + j;
            vf log_std = v_get_column(head + at + act_size, 2 * act_size, n);
            vf clipped = clip_log_std(log_std);
            vf a = v_get_column(action + (size_t)r * width + column + j, width, n);
            vf da = v_get_column(d_x1 + critic_at, width, n);
            if (d_x2) {
                da += v_get_column(d_x2 + critic_at, width, n);
            }
            vf du = v_fma(v_set(2 * weight), a, da * v_fma(-a, a, v_set(1)));
            vf spread = v_exp(clipped) * v_get_column(noise + (size_t)r * act_size + j, act_size, n);
            vf d_log_std = v_fma(du, spread, v_set(-weight));
            d_log_std =
                v_select(v_lt(clipped, log_std), v_set(0), v_select(v_lt(log_std, clipped), v_set(0), d_log_std));
            v_put_column(d_head + at, 2 * act_size, n, du);
            v_put_column(d_head + at + act_size, 2 * act_size, n, d_log_std);
        }
    }
}

KERNEL(void, smoothed_action)(const float *mu, const float *noise, const float *smoothing, float *action,
    uint32_t width, uint32_t column, uint32_t act_size, uint32_t row, uint32_t rows) {
    vf sigma = v_set(smoothing[0]);
    vf limit = v_set(smoothing[1]);
    FOR_LANES(r, n, row, row + rows) {
        for (uint32_t j = 0; j < act_size; j++) {
            size_t at = (size_t)r * act_size + j;
            vf e = v_clip(sigma * v_get_column(noise + at, act_size, n), -limit, limit);
            vf a = v_clip(v_get_column(mu + at, act_size, n) + e, v_set(-1), v_set(1));
            v_put_column(action + (size_t)r * width + column + j, width, n, a);
        }
    }
}
