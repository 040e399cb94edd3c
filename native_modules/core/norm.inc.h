// Normalisation of a row (Ba et al. 2016): (x - mean) / sqrt(variance + epsilon), and for a layer norm gains and biases.
// PICORL_W rows go together, so that the ends of their sums and the roots are found at once.

#define NORM_EPSILON 0x1.4f8b58p-17f

typedef enum norm_sum { SUM_X, SUM_SQUARES, SUM_GRADIENTS, SUM_PRODUCTS } norm_sum;

typedef struct norm {
    const float *x, *delta; // rows of `width`; delta is the gradient before the activation
    const float *gain;      // NULL: none. Biases stand behind.
    uint32_t width;
    float mean[PICORL_W], scale[PICORL_W]; // of each row; scale is 1 / deviation
} norm;

INLINE vf normalized(const norm *c, uint32_t r, uint32_t i, uint32_t n) {
    return (v_get(c->x + (size_t)r * c->width + i, n) - v_set(c->mean[r])) * v_set(c->scale[r]);
}

// The gradient at what `normalized` gives.
INLINE vf norm_gradient(const norm *c, uint32_t r, uint32_t i, uint32_t n) {
    vf delta = v_get(c->delta + (size_t)r * c->width + i, n);
    if (c->gain) {
        delta = delta * v_get(c->gain + i, n);
    }
    return delta;
}

// `sum` and row r's terms i to i + n - 1 in its first lanes.
INLINE vf norm_add(vf sum, const norm *c, uint32_t r, uint32_t i, uint32_t n, const norm_sum which) {
    if (which == SUM_X) {
        return sum + v_get(c->x + (size_t)r * c->width + i, n);
    }
    if (which == SUM_SQUARES) {
        vf d = v_first(v_get(c->x + (size_t)r * c->width + i, n) - v_set(c->mean[r]), n);
        return v_fma(d, d, sum);
    }
    vf g = norm_gradient(c, r, i, n);
    if (which == SUM_GRADIENTS) {
        return sum + g;
    }
    return v_fma(g, normalized(c, r, i, n), sum);
}

// Means over each of up to PICORL_W rows, row r's in lane r: sums in LANES lanes (index mod LANES) and the tree, times
// 1 / width.
#if PICORL_W == 1
INLINE float norm_means(const norm *c, uint32_t rows, const norm_sum which) {
    float lane[LANES];
    uint32_t whole = c->width - c->width % LANES;
    (void)rows;
    _Pragma("GCC unroll 1") for (uint32_t first = 0; first < LANES; first += 4) {
        float sum[4];
        UNROLL for (uint32_t k = 0; k < 4; k++) {
            sum[k] = 0;
        }
        for (uint32_t i = first; i < whole; i += LANES) {
            UNROLL for (uint32_t k = 0; k < 4; k++) {
                sum[k] = norm_add(sum[k], c, 0, i + k, 1, which);
            }
        }
        UNROLL for (uint32_t k = 0; k < 4; k++) {
            lane[first + k] = sum[k];
        }
    }
    _Pragma("GCC unroll 1") for (uint32_t i = whole; i < c->width; i++) {
        lane[i - whole] = norm_add(lane[i - whole], c, 0, i, 1, which);
    }
    return tree_of_lanes(lane) * (1 / (float)c->width);
}
#else
INLINE vf norm_means(const norm *c, uint32_t rows, const norm_sum which) {
    vf sums[PICORL_W];
    UNROLL for (uint32_t r = 0; r < PICORL_W; r++) {
        sums[r] = v_set(0);
    }
    for (uint32_t r = 0; r < rows; r++) {
        vf part[LANES / PICORL_W];
        UNROLL for (uint32_t k = 0; k < LANES / PICORL_W; k++) {
            part[k] = v_set(0);
        }
        for (uint32_t i = 0; i < c->width; i += LANES) {
            UNROLL for (uint32_t k = 0; k < LANES / PICORL_W; k++) {
                uint32_t at = i + k * PICORL_W;
                if (at < c->width) {
                    part[k] = norm_add(part[k], c, r, at, least(c->width - at, PICORL_W), which);
                }
            }
        }
        UNROLL for (uint32_t half = LANES / PICORL_W / 2; half; half /= 2) {
            UNROLL for (uint32_t k = 0; k < half; k++) {
                part[k] += part[k + half];
            }
        }
        sums[r] = part[0];
    }
    return sum_lanes_of_rows(sums) * v_set(1 / (float)c->width);
}
#endif

NOINLINE void norm_statistics(norm *c, uint32_t rows) {
    v_store(c->mean, norm_means(c, rows, SUM_X));
    vf variance = norm_means(c, rows, SUM_SQUARES);
    v_store(c->scale, v_set(1) / v_sqrt(variance + v_set(NORM_EPSILON)));
}

NOINLINE void norm_forward(layer_shape s, const float *params, const float *x, float *out, uint32_t rows) {
    norm c;
    c.width = s.inputs;
    for (uint32_t first = 0; first < rows; first += PICORL_W) {
        uint32_t in_group = least(rows - first, PICORL_W);
        c.x = x + (size_t)first * c.width;
        norm_statistics(&c, in_group);
        for (uint32_t r = 0; r < in_group; r++) {
            float *to = out + (size_t)(first + r) * c.width;
            FOR_LANES(i, n, 0, c.width) {
                vf y = normalized(&c, r, i, n);
                if (params) {
                    y = v_fma(y, v_get(params + i, n), v_get(params + c.width + i, n));
                }
                v_put(to + i, n, v_flush(y));
            }
        }
    }
    if (s.activation != PICORL_IDENTITY) {
        activate_all(out, rows * c.width, s.activation);
    }
}

// d_x of up to PICORL_W rows, times the derivative of `before` at x. It may be x.
NOINLINE void norm_input_gradient(const norm *c, float *d_x, uint32_t rows, int32_t before) {
    float mean[PICORL_W], slope[PICORL_W];
    v_store(mean, norm_means(c, rows, SUM_GRADIENTS));
    v_store(slope, norm_means(c, rows, SUM_PRODUCTS));
    for (uint32_t r = 0; r < rows; r++) {
        FOR_LANES(i, n, 0, c->width) {
            size_t at = (size_t)r * c->width + i;
            vf away = v_fma(normalized(c, r, i, n), v_set(slope[r]), v_set(mean[r]));
            vf d = (norm_gradient(c, r, i, n) - away) * v_set(c->scale[r]);
            v_put(d_x + at, n, derive_any(v_flush(d), v_get(c->x + at, n), before));
        }
    }
}

// As dense_backward.
NOINLINE void norm_backward(layer_shape s, const float *params, const float *x, const float *delta, float *grad,
    float *d_x, uint32_t rows, int32_t before) {
    norm c;
    c.width = s.inputs;
    c.gain = params;
    for (uint32_t first = 0; first < rows; first += PICORL_W) {
        uint32_t in_group = least(rows - first, PICORL_W);
        size_t at = (size_t)first * c.width;
        c.x = x + at;
        c.delta = delta + at;
        norm_statistics(&c, in_group);
        for (uint32_t r = 0; grad && params && r < in_group; r++) {
            FOR_LANES(i, n, 0, c.width) {
                vf d = v_get(c.delta + (size_t)r * c.width + i, n);
                v_put(grad + i, n, v_fma(d, normalized(&c, r, i, n), v_get(grad + i, n)));
                v_put(grad + c.width + i, n, v_get(grad + c.width + i, n) + d);
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
