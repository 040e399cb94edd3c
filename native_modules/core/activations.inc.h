// Activations and their derivatives at an output. Those up to tanh are computed where the product's sums leave its tiles;
// the others pass over a layer's outputs afterwards, because their code would stand in every tile.

#define LEAK 0x1.47ae14p-7f // the leaky ReLU's slope below 0

// Instead of an activation: what stands for the output is the derivative already.
#define SLOPES 256

INLINE vf activate(vf x, int32_t activation) {
    switch (activation) {
        case PICORL_RELU:
            return v_select(v_ge(x, v_set(FLOAT_MIN)), x, v_set(0));
        case PICORL_TANH:
            return v_flush(v_tanh(x));
        default:
            return v_flush(x);
    }
}

// delta * f'(out)
INLINE vf derive(vf delta, vf out, int32_t activation) {
    switch (activation) {
        case PICORL_RELU:
            return v_select(v_lt(v_set(0), out), delta, v_set(0));
        case PICORL_TANH:
            return delta * v_fma(-out, out, v_set(1));
        case SLOPES:
            return delta * out;
        default:
            return delta;
    }
}

// --- beyond tanh --------------------------------------------------------------------------------------------------

INLINE int is_other(int32_t activation) {
    return PICORL_WITH_ACTIVATIONS && (activation == PICORL_LEAKY_RELU || activation == PICORL_SIGMOID);
}

// Any activation, in place.
NOINLINE void activate_all(float *x, uint32_t count, int32_t activation) {
    FOR_LANES(i, n, 0, count) {
        vf y = v_get(x + i, n);
        if (PICORL_WITH_ACTIVATIONS && activation == PICORL_LEAKY_RELU) {
            y = v_flush(v_select(v_ge(y, v_set(0)), y, v_set(LEAK) * y));
        } else if (PICORL_WITH_ACTIVATIONS && activation == PICORL_SIGMOID) {
            y = v_flush(v_set(1) / (v_set(1) + v_exp(-y)));
        } else {
            y = activate(y, activation);
        }
        v_put(x + i, n, y);
    }
}

INLINE vf other_slope(vf out, int32_t activation) {
    switch (activation) {
        case PICORL_LEAKY_RELU:
            return v_select(v_lt(v_set(0), out), v_set(1), v_set(LEAK));
        case PICORL_SIGMOID:
            return out * (v_set(1) - out);
        default:
            return v_set(1);
    }
}

// Outputs become the derivatives there. Returns what stands for the activation from now on.
NOINLINE int32_t slopes_of_others(float *out, uint32_t count, int32_t activation) {
    FOR_LANES(i, n, 0, count) {
        v_put(out + i, n, other_slope(v_get(out + i, n), activation));
    }
    return SLOPES;
}

// delta * f'(out) of any activation
INLINE vf derive_any(vf delta, vf out, int32_t activation) {
    if (is_other(activation)) {
        return delta * other_slope(out, activation);
    }
    return derive(delta, out, activation);
}

NOINLINE void derive_outputs(float *delta, const float *out, uint32_t count, int32_t activation) {
    FOR_LANES(i, n, 0, count) {
        v_put(delta + i, n, derive_any(v_get(delta + i, n), v_get(out + i, n), activation));
    }
}
