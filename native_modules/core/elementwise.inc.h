// Layers that are nothing but an activation whose derivative takes its input, or the whole row.

#define GELU_SLOPE 0x1.988454p0f  // 2 sqrt(2 / pi)
#define GELU_CUBE 0x1.2444f2p-4f  // 0.044715 times that
#define GELU_CUBE3 0x1.b6676cp-3f // and three times that

// x (27 + x^2) / (27 + 9 x^2) within ±3, and ±1 beyond
INLINE vf fast_tanh(vf x) {
    x = v_clip(x, v_set(-3), v_set(3));
    vf square = x * x;
    return x * (square + v_set(27)) / v_fma(v_set(9), square, v_set(27));
}

INLINE vf fast_tanh_slope(vf x) {
    x = v_clip(x, v_set(-3), v_set(3));
    vf square = x * x;
    vf root = (v_set(9) - square) / v_fma(v_set(3), square, v_set(9));
    return root * root;
}

// 1 + exp(-2 u), u the argument of the tanh in x (1 + tanh(u)) / 2 (Hendrycks and Gimpel 2016), which is x / (1 + exp(-2 u))
INLINE vf gelu_divisor(vf x) {
    return v_set(1) + v_exp(-(x * v_fma(v_set(GELU_CUBE), x * x, v_set(GELU_SLOPE))));
}

INLINE vf gelu_slope(vf x) {
    vf s = v_set(1) / gelu_divisor(x);
    return v_fma(x * (s * (v_set(1) - s)), v_fma(v_set(GELU_CUBE3), x * x, v_set(GELU_SLOPE)), s);
}

// --- softmax: sums in LANES lanes (index mod LANES) and the tree ---------------------------------------------------

typedef struct exponentials {
    float largest;
    float sum;      // of exp(x - largest)
    float weighted; // of that times delta, if there is one
} exponentials;

INLINE vf exponential(float largest, const float *x, uint32_t n) {
    return v_first(v_exp(v_get(x, n) - v_set(largest)), n);
}

NOINLINE exponentials exponentials_of(const float *x, const float *delta, uint32_t width) {
    exponentials e = {float_of_bits(SIGN_BIT | EXPONENT_BITS), 0, 0};
    float sum[LANES], weighted[LANES];
    for (uint32_t k = 0; k < LANES; k++) {
        sum[k] = weighted[k] = 0;
    }
    for (uint32_t i = 0; i < width; i++) {
        e.largest = e.largest < x[i] ? x[i] : e.largest;
    }
    FOR_LANES(i, n, 0, width) {
        float *to = sum + i % LANES;
        vf y = exponential(e.largest, x + i, n);
        v_store(to, v_load(to) + y);
        if (delta) {
            to = weighted + i % LANES;
            v_store(to, v_fma(v_get(delta + i, n), y, v_load(to)));
        }
    }
    e.sum = tree_of_lanes(sum);
    e.weighted = tree_of_lanes(weighted);
    return e;
}

NOINLINE void softmax_forward(const float *x, float *out, uint32_t width, uint32_t rows) {
    for (; rows; rows--, x += width, out += width) {
        exponentials e = exponentials_of(x, NULL, width);
        FOR_LANES(i, n, 0, width) {
            v_put(out + i, n, v_flush(exponential(e.largest, x + i, n) / v_set(e.sum)));
        }
    }
}

NOINLINE void softmax_backward(
    const float *x, const float *delta, float *d_x, uint32_t width, uint32_t rows, int32_t before) {
    for (; rows; rows--, x += width, delta += width, d_x += width) {
        exponentials e = exponentials_of(x, delta, width);
        vf mean = v_set(e.weighted / e.sum);
        FOR_LANES(i, n, 0, width) {
            vf y = exponential(e.largest, x + i, n) / v_set(e.sum);
            vf d = v_flush(y * (v_get(delta + i, n) - mean));
            v_put(d_x + i, n, derive_any(d, v_get(x + i, n), before));
        }
    }
}

// --- any ----------------------------------------------------------------------------------------------------------

NOINLINE void elementwise_forward(layer_shape s, const float *x, float *out, uint32_t rows) {
    if (s.activation == PICORL_SOFTMAX) {
        softmax_forward(x, out, s.inputs, rows);
        return;
    }
    FOR_LANES(i, n, 0, rows * s.inputs) {
        vf y = v_get(x + i, n);
        if (s.activation == PICORL_GELU) {
            y = y / gelu_divisor(y);
        } else {
            y = fast_tanh(y);
        }
        v_put(out + i, n, v_flush(y));
    }
}

// As dense_backward, but there are no parameters.
NOINLINE void elementwise_backward(
    layer_shape s, const float *x, const float *delta, float *d_x, uint32_t rows, int32_t before) {
    if (!d_x) {
        return;
    }
    if (s.activation == PICORL_SOFTMAX) {
        softmax_backward(x, delta, d_x, s.inputs, rows, before);
        return;
    }
    FOR_LANES(i, n, 0, rows * s.inputs) {
        vf y = v_get(x + i, n);
        vf slope;
        if (s.activation == PICORL_GELU) {
            slope = gelu_slope(y);
        } else {
            slope = fast_tanh_slope(y);
        }
        v_put(d_x + i, n, derive_any(v_flush(v_get(delta + i, n) * slope), y, before));
    }
}
