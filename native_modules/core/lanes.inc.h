// Whole arrays as vectors: loops, and loads and stores that know the last vector may be short.

// i is the index of a vector's first lane and n the number of its lanes: PICORL_W but in the last round.
#define FOR_LANES(i, n, start, end) \
    for (uint32_t i = (start), n = PICORL_W, end_##i = (end); i < end_##i && (n = least(end_##i - i, PICORL_W), 1); \
        i += PICORL_W)

INLINE uint32_t least(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

INLINE vf v_get(const float *p, uint32_t n) {
    return n == PICORL_W ? v_load(p) : v_load_n(p, n);
}

INLINE void v_put(float *p, uint32_t n, vf x) {
    if (n == PICORL_W) {
        v_store(p, x);
    } else {
        v_store_n(p, n, x);
    }
}

// The first n lanes of x, the others 0.
INLINE vf v_first(vf x, uint32_t n) {
#if PICORL_W > 1
    if (n < PICORL_W) {
        return v_select(v_lt(v_of_ints(v_iota()), v_set((float)n)), x, v_set(0));
    }
#endif
    return x;
}

// One column of n rows of a matrix.
INLINE vf v_get_column(const float *p, uint32_t width, uint32_t n) {
    if (PICORL_W == 1 || width == 1) {
        return v_get(p, n);
    }
    float lanes[PICORL_W] = {0};
    for (uint32_t k = 0; k < n; k++) {
        lanes[k] = p[k * (size_t)width];
    }
    return v_load(lanes);
}

INLINE void v_put_column(float *p, uint32_t width, uint32_t n, vf x) {
    if (PICORL_W == 1 || width == 1) {
        v_put(p, n, x);
        return;
    }
    float lanes[PICORL_W];
    v_store(lanes, x);
    for (uint32_t k = 0; k < n; k++) {
        p[k * (size_t)width] = lanes[k];
    }
}

// sum + x[0] + x[1] + ... of n lanes.
INLINE float add_in_order(float sum, vf x, uint32_t n) {
    float lanes[PICORL_W];
    v_store(lanes, x);
    for (uint32_t k = 0; k < n; k++) {
        sum += lanes[k];
    }
    return sum;
}

INLINE float scalar_clip(float x, float low, float high) {
    return x < low ? low : (x > high ? high : x);
}

INLINE float scalar_sqrt(float x) {
    float y;
    v_put(&y, 1, v_sqrt(v_set(x)));
    return y;
}

NOINLINE float scalar_exp(float x) {
    float y;
    v_put(&y, 1, v_exp(v_set(x)));
    return y;
}

NOINLINE float scalar_log(float x) {
    float y;
    v_put(&y, 1, v_log(v_set(x)));
    return y;
}
