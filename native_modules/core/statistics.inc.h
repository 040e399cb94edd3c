// Sums over arrays, and what follows from them: norms, means and variances.

// The sum of x, or of its squares: LANES lanes (index mod LANES) and the tree.
ELEMENTARY float sum_in_lanes(const float *x, uint32_t count, int squares) {
    float lane[LANES];
#if PICORL_W == 1
    for (uint32_t k = 0; k < LANES; k++) {
        lane[k] = 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        lane[i % LANES] = v_fma(x[i], squares ? x[i] : 1, lane[i % LANES]);
    }
#else
    vf part[LANES / PICORL_W];
    UNROLL for (uint32_t k = 0; k < LANES / PICORL_W; k++) {
        part[k] = v_set(0);
    }
    for (uint32_t i = 0; i < count; i += LANES) {
        UNROLL for (uint32_t k = 0; k < LANES / PICORL_W; k++) {
            uint32_t at = i + k * PICORL_W;
            if (at < count) {
                vf y = v_get(x + at, least(count - at, PICORL_W));
                part[k] = v_fma(y, squares ? y : v_set(1), part[k]);
            }
        }
    }
    UNROLL for (uint32_t k = 0; k < LANES / PICORL_W; k++) {
        v_store(lane + k * PICORL_W, part[k]);
    }
#endif
    return tree_of_lanes(lane);
}

NOINLINE void subtract(float *x, uint32_t count, float y) {
    FOR_LANES(i, n, 0, count) {
        v_put(x + i, n, v_get(x + i, n) - v_set(y));
    }
}

KERNEL(void, standardise)(float *x, uint32_t count) {
    if (count == 1) {
        return;
    }
    float share = 1 / (float)count;
    for (int round = 0; round < 2; round++) { // the second time what rounding left of the mean
        subtract(x, count, sum_in_lanes(x, count, 0) * share);
    }
    vf deviation = v_set(scalar_sqrt(sum_in_lanes(x, count, 1) * share) + 0x1.5798eep-27f);
    FOR_LANES(i, n, 0, count) {
        v_put(x + i, n, v_get(x + i, n) / deviation);
    }
}

KERNEL(void, add_squares)(const float *x, float *total, uint32_t start, uint32_t count) {
    total[0] += sum_in_lanes(x + start, count, 1);
}

KERNEL(void, norm_scale)(const float *total, const float *max_norm, float *scale) {
    float norm = scalar_sqrt(total[0]);
    scale[0] = norm <= max_norm[0] ? 1 : max_norm[0] / (norm + 0x1.0c6f7ap-20f);
}

KERNEL(void, scale)(float *x, const float *factor, uint32_t start, uint32_t count) {
    vf by = v_set(factor[0]);
    FOR_LANES(i, n, start, start + count) {
        v_put(x + i, n, v_get(x + i, n) * by);
    }
}

KERNEL(void, linear_schedule)(const float *ends, float *out, uint32_t index, uint32_t step, uint32_t steps) {
    vf done = v_set((float)least(step, steps) / (float)steps);
    v_put(out + index, 1, v_fma(done, v_set(ends[1] - ends[0]), v_set(ends[0])));
}

#define MOST_ROWS 0x1p24f // float32 counts no further

KERNEL(void, moments_update)(const float *x, float *moments, uint32_t width, uint32_t rows) {
    float *mean = moments + 1;
    float *sum = mean + width;
    for (uint32_t r = 0; r < rows; r++, x += width) {
        if (!finite_values(x, width) || !(moments[0] < MOST_ROWS)) {
            continue;
        }
        moments[0] += 1;
        vf share = v_set(1 / moments[0]);
        FOR_LANES(i, n, 0, width) {
            vf y = v_get(x + i, n);
            vf old = v_get(mean + i, n);
            vf d = y - old;
            vf moved = v_fma(d, share, old);
            v_put(mean + i, n, moved);
            v_put(sum + i, n, v_fma(d, y - moved, v_get(sum + i, n)));
        }
    }
}

INLINE float deviation_of(float sum, float count) {
    return scalar_sqrt(sum / count + 0x1.5798eep-27f);
}

KERNEL(void, moments_apply)(
    const float *x, const float *moments, float *out, uint32_t width, uint32_t row, uint32_t rows) {
    const float *mean = moments + 1;
    const float *sum = mean + width;
    size_t first = (size_t)row * width;
    if (!(moments[0] > 0)) {
        copy_floats(out + first, x + first, rows * width);
        return;
    }
    for (uint32_t j = 0; j < width; j++) {
        vf deviation = v_set(deviation_of(sum[j], moments[0]));
        FOR_LANES(r, n, 0, rows) {
            size_t at = first + (size_t)r * width + j;
            vf y = (v_get_column(x + at, width, n) - v_set(mean[j])) / deviation;
            v_put_column(out + at, width, n, v_clip(y, v_set(-10), v_set(10)));
        }
    }
}

KERNEL(void, moments_restore)(
    const float *x, const float *moments, float *out, uint32_t width, uint32_t row, uint32_t rows) {
    const float *mean = moments + 1;
    const float *sum = mean + width;
    size_t first = (size_t)row * width;
    if (!(moments[0] > 0)) {
        copy_floats(out + first, x + first, rows * width);
        return;
    }
    for (uint32_t j = 0; j < width; j++) {
        vf deviation = v_set(deviation_of(sum[j], moments[0]));
        FOR_LANES(r, n, 0, rows) {
            size_t at = first + (size_t)r * width + j;
            v_put_column(out + at, width, n, v_fma(v_get_column(x + at, width, n), deviation, v_set(mean[j])));
        }
    }
}
