// Normalisation of a row (Ba et al. 2016): (x - mean) / sqrt(variance + epsilon), and for a layer norm gains and biases.
// PICORL_W rows go together, so that the ends of their sums and the roots are found at once.

#define NORM_EPSILON 0x1.4f8b58p-17f

typedef enum norm_pass { PASS_MEAN, PASS_VARIANCE, PASS_GRADIENT } norm_pass;

typedef struct norm_row {
    const float *x, *delta; // delta is the gradient before the activation
    const float *gain;      // NULL: none. Biases stand behind.
    float mean, scale;      // scale is 1 / deviation
} norm_row;

// Rows of `width`, with what is known of each.
typedef struct norm {
    const float *x, *delta, *gain;
    uint32_t width;
    float mean[PICORL_W], scale[PICORL_W];
} norm;

typedef struct norm_sums {
    vf first, second;
} norm_sums;

INLINE norm_row row_of_norm(const norm *c, uint32_t r) {
    size_t at = (size_t)r * c->width;
    norm_row row = {c->x + at, c->delta + at, c->gain, c->mean[r], c->scale[r]};
    return row;
}

INLINE vf normalized(norm_row row, uint32_t i, uint32_t n) {
    return (v_get(row.x + i, n) - v_set(row.mean)) * v_set(row.scale);
}

// The gradient at what `normalized` gives.
INLINE vf norm_gradient(norm_row row, uint32_t i, uint32_t n) {
    vf delta = v_get(row.delta + i, n);
    if (row.gain) {
        delta = delta * v_get(row.gain + i, n);
    }
    return delta;
}

// Adds numbers i to i + n - 1 of a row to the sums' first lanes.
INLINE void norm_add(norm_sums *sums, norm_row row, uint32_t i, uint32_t n, const norm_pass pass) {
    if (pass == PASS_MEAN) {
        sums->first += v_get(row.x + i, n);
    } else if (pass == PASS_VARIANCE) {
        vf d = v_first(v_get(row.x + i, n) - v_set(row.mean), n);
        sums->first = v_fma(d, d, sums->first);
    } else {
        vf g = norm_gradient(row, i, n);
        sums->first += g;
        sums->second = v_fma(g, normalized(row, i, n), sums->second);
    }
}

// Means over each of up to PICORL_W rows, row r's in lane r: sums in LANES lanes (index mod LANES) and the tree, times
// 1 / width.
#if PICORL_W == 1
INLINE norm_sums norm_means(const norm *c, uint32_t rows, const norm_pass pass) {
    float first[LANES], second[LANES];
    norm_row row = row_of_norm(c, 0);
    uint32_t whole = c->width / LANES;
    (void)rows;
    _Pragma("GCC unroll 1") for (uint32_t lane = 0; lane < LANES; lane += 4) {
        norm_sums sums[4];
        norm_row at = row;
        at.x += lane;
        at.delta += lane;
        at.gain += at.gain ? lane : 0;
        UNROLL for (uint32_t k = 0; k < 4; k++) {
            sums[k].first = sums[k].second = 0;
        }
        for (uint32_t blocks = whole; blocks; blocks--) {
            UNROLL for (uint32_t k = 0; k < 4; k++) {
                norm_add(&sums[k], at, k, 1, pass);
            }
            at.x += LANES;
            at.delta += LANES;
            at.gain += at.gain ? LANES : 0;
        }
        UNROLL for (uint32_t k = 0; k < 4; k++) {
            first[lane + k] = sums[k].first;
            second[lane + k] = sums[k].second;
        }
    }
    _Pragma("GCC unroll 1") for (uint32_t i = whole * LANES; i < c->width; i++) {
        norm_sums sums = {first[i % LANES], second[i % LANES]};
        norm_add(&sums, row, i, 1, pass);
        first[i % LANES] = sums.first;
        second[i % LANES] = sums.second;
    }
    float share = 1 / (float)c->width;
    norm_sums means = {tree_of_lanes(first) * share, 0};
    if (pass == PASS_GRADIENT) {
        means.second = tree_of_lanes(second) * share;
    }
    return means;
}
#else
INLINE norm_sums norm_means(const norm *c, uint32_t rows, const norm_pass pass) {
    vf first[PICORL_W], second[PICORL_W];
    UNROLL for (uint32_t r = 0; r < PICORL_W; r++) {
        first[r] = second[r] = v_set(0);
    }
    for (uint32_t r = 0; r < rows; r++) {
        norm_row row = row_of_norm(c, r);
        norm_sums part[LANES / PICORL_W];
        UNROLL for (uint32_t k = 0; k < LANES / PICORL_W; k++) {
            part[k].first = part[k].second = v_set(0);
        }
        for (uint32_t i = 0; i < c->width; i += LANES) {
            UNROLL for (uint32_t k = 0; k < LANES / PICORL_W; k++) {
                uint32_t at = i + k * PICORL_W;
                if (at < c->width) {
                    norm_add(&part[k], row, at, least(c->width - at, PICORL_W), pass);
                }
            }
        }
        UNROLL for (uint32_t half = LANES / PICORL_W / 2; half; half /= 2) {
            UNROLL for (uint32_t k = 0; k < half; k++) {
                part[k].first += part[k + half].first;
                part[k].second += part[k + half].second;
            }
        }
        first[r] = part[0].first;
        second[r] = part[0].second;
    }
    vf share = v_set(1 / (float)c->width);
    norm_sums means = {sum_lanes_of_rows(first) * share, v_set(0)};
    if (pass == PASS_GRADIENT) {
        means.second = sum_lanes_of_rows(second) * share;
    }
    return means;
}
#endif

NOINLINE void norm_statistics(norm *c, uint32_t rows) {
    v_store(c->mean, norm_means(c, rows, PASS_MEAN).first);
    vf variance = norm_means(c, rows, PASS_VARIANCE).first;
    v_store(c->scale, v_set(1) / v_sqrt(variance + v_set(NORM_EPSILON)));
}

NOINLINE void norm_forward(layer_shape s, const float *params, const float *x, float *out, uint32_t rows) {
    norm c;
    c.delta = x; // of no use here
    c.gain = params;
    c.width = s.inputs;
    for (uint32_t first = 0; first < rows; first += PICORL_W) {
        uint32_t in_group = least(rows - first, PICORL_W);
        c.x = x + (size_t)first * s.inputs;
        norm_statistics(&c, in_group);
        for (uint32_t r = 0; r < in_group; r++) {
            norm_row row = row_of_norm(&c, r);
            float *to = out + (size_t)(first + r) * s.inputs;
            FOR_LANES(i, n, 0, s.inputs) {
                vf y = normalized(row, i, n);
                if (params) {
                    y = v_fma(y, v_get(params + i, n), v_get(params + s.inputs + i, n));
                }
                v_put(to + i, n, y);
            }
        }
    }
    activate_all(out, rows * s.inputs, s.activation);
}

// d_x of up to PICORL_W rows, times the derivative of `before` at x. It may be x.
NOINLINE void norm_input_gradient(const norm *c, float *d_x, uint32_t rows, int32_t before) {
    float mean[PICORL_W], slope[PICORL_W];
    norm_sums means = norm_means(c, rows, PASS_GRADIENT);
    uint32_t width = c->width;
    v_store(mean, means.first);
    v_store(slope, means.second);
    for (uint32_t r = 0; r < rows; r++, d_x += width) {
        norm_row row = row_of_norm(c, r);
        vf from_mean = v_set(mean[r]);
        vf from_slope = v_set(slope[r]);
        FOR_LANES(i, n, 0, width) {
            vf away = v_fma(normalized(row, i, n), from_slope, from_mean);
            vf d = v_flush((norm_gradient(row, i, n) - away) * v_set(row.scale));
            if (before != PICORL_IDENTITY) {
                d = derive_any(d, v_get(row.x + i, n), before);
            }
            v_put(d_x + i, n, d);
        }
    }
}

// As dense_backward.
NOINLINE void norm_backward(layer_shape s, const float *params, const float *x, const float *delta, float *grad,
    float *d_x, uint32_t rows, int32_t before) {
    norm c;
    c.gain = params;
    c.width = s.inputs;
    for (uint32_t first = 0; first < rows; first += PICORL_W) {
        uint32_t in_group = least(rows - first, PICORL_W);
        size_t at = (size_t)first * s.inputs;
        c.x = x + at;
        c.delta = delta + at;
        norm_statistics(&c, in_group);
        for (uint32_t r = 0; grad && params && r < in_group; r++) {
            norm_row row = row_of_norm(&c, r);
            FOR_LANES(i, n, 0, s.inputs) {
                vf d = v_get(row.delta + i, n);
                v_put(grad + i, n, v_fma(d, normalized(row, i, n), v_get(grad + i, n)));
                v_put(grad + s.inputs + i, n, v_get(grad + s.inputs + i, n) + d);
            }
        }
        if (d_x) {
            norm_input_gradient(&c, d_x + at, in_group, before);
        }
    }
}

INLINE void norm_init(float *params, uint32_t width) {
    for (uint32_t i = 0; i < width; i++) {
        params[i] = 1;
        params[width + i] = 0;
    }
}
