// Adam, Polyak averages and what moves parameters.

KERNEL(void, adam_advance)(const float *hyper, float *state) {
    state[0] *= hyper[1];
    state[1] *= hyper[2];
    state[2] = hyper[0] / (1 - state[0]);
    state[3] = 1 / scalar_sqrt(1 - state[1]);
}

typedef struct adam_constants {
    vf beta1, rest1, beta2, rest2, rate, scale, epsilon;
} adam_constants;

INLINE adam_constants adam_prepare(const float *hyper, const float *state) {
    adam_constants c = {v_set(hyper[1]), v_set(1 - hyper[1]), v_set(hyper[2]), v_set(1 - hyper[2]), v_set(state[2]),
        v_set(state[3]), v_set(hyper[3])};
    return c;
}

// Moves the moments along and returns the step to subtract.
INLINE vf adam_step(const adam_constants *c, vf g, vf *m, vf *v) {
    g = v_flush(g);
    *m = v_flush(v_fma(c->beta1, *m, c->rest1 * g));
    *v = v_flush(v_fma(c->beta2, *v, (c->rest2 * g) * g));
    return (c->rate * *m) / v_fma(v_sqrt(*v), c->scale, c->epsilon);
}

#ifdef FLOAT_HARDWARE
#define FOURS(n) ((n) / 4 * 4)

// The same for four elements; the moments' pointers move on.
INLINE void adam_four(const adam_constants *c, float *g, float **m, float **v, float *step) {
    float first[4];
    float second[4];
    float moments[8];
    float *m_at = *m;
    float *v_at = *v;
    LOAD_FOUR(first, m_at, s24, s25, s26, s27);
    LOAD_FOUR(second, v_at, s28, s29, s30, s31);
    flush_four(g);
    UNROLL for (uint32_t i = 0; i < 4; i++) {
        moments[i] = v_fma(c->beta1, first[i], c->rest1 * g[i]);
        moments[4 + i] = v_fma(c->beta2, second[i], (c->rest2 * g[i]) * g[i]);
    }
    flush_eight(moments);
    STORE_FOUR(*m, moments, s16, s17, s18, s19);
    STORE_FOUR(*v, moments + 4, s20, s21, s22, s23);
    UNROLL for (uint32_t i = 0; i < 4; i++) {
        step[i] = (c->rate * moments[i]) / v_fma(v_sqrt(moments[4 + i]), c->scale, c->epsilon);
    }
}

// params = flush(params - step) and gone = 0; the pointers move on.
INLINE void subtract_four(float **params, const float *step, float **gone) {
    float x[4];
    float *from = *params;
    LOAD_FOUR(x, from, s24, s25, s26, s27);
    UNROLL for (uint32_t i = 0; i < 4; i++) {
        x[i] -= step[i];
    }
    flush_four(x);
    STORE_FOUR(*params, x, s24, s25, s26, s27);
    CLEAR_FOUR(*gone);
}
#endif

KERNEL(void, adam)(float *params, float *grad, float *m, float *v, const float *hyper, const float *state,
    uint32_t start, uint32_t count) {
    adam_constants c = adam_prepare(hyper, state);
#ifdef FLOAT_HARDWARE
    float *params_at = params + start;
    float *grad_at = grad + start;
    float *m_at = m + start;
    float *v_at = v + start;
    for (uint32_t end = start + FOURS(count); start != end; start += 4) {
        float g[4];
        float step[4];
        const float *from = grad_at;
        LOAD_FOUR(g, from, s0, s1, s2, s3);
        adam_four(&c, g, &m_at, &v_at, step);
        subtract_four(&params_at, step, &grad_at);
    }
    count %= 4;
#endif
    FOR_LANES(i, n, start, start + count) {
        vf first = v_get(m + i, n);
        vf second = v_get(v + i, n);
        vf step = adam_step(&c, v_get(grad + i, n), &first, &second);
        v_put(params + i, n, v_flush(v_get(params + i, n) - step));
        v_put(grad + i, n, v_set(0));
        v_put(m + i, n, first);
        v_put(v + i, n, second);
    }
}

KERNEL(void, adam_delta)(
    float *grad, float *m, float *v, const float *hyper, const float *state, uint32_t start, uint32_t count) {
    adam_constants c = adam_prepare(hyper, state);
#ifdef FLOAT_HARDWARE
    float *grad_at = grad + start;
    float *m_at = m + start;
    float *v_at = v + start;
    for (uint32_t end = start + FOURS(count); start != end; start += 4) {
        float g[4];
        float step[4];
        const float *from = grad_at;
        LOAD_FOUR(g, from, s0, s1, s2, s3);
        adam_four(&c, g, &m_at, &v_at, step);
        STORE_FOUR(grad_at, step, s24, s25, s26, s27);
    }
    count %= 4;
#endif
    FOR_LANES(i, n, start, start + count) {
        vf first = v_get(m + i, n);
        vf second = v_get(v + i, n);
        v_put(grad + i, n, adam_step(&c, v_get(grad + i, n), &first, &second));
        v_put(m + i, n, first);
        v_put(v + i, n, second);
    }
}

KERNEL(void, apply_delta)(float *params, float *delta, uint32_t start, uint32_t count) {
#ifdef FLOAT_HARDWARE
    float *params_at = params + start;
    float *delta_at = delta + start;
    for (uint32_t end = start + FOURS(count); start != end; start += 4) {
        float step[4];
        const float *from = delta_at;
        LOAD_FOUR(step, from, s20, s21, s22, s23);
        subtract_four(&params_at, step, &delta_at);
    }
    count %= 4;
#endif
    FOR_LANES(i, n, start, start + count) {
        v_put(params + i, n, v_flush(v_get(params + i, n) - v_get(delta + i, n)));
        v_put(delta + i, n, v_set(0));
    }
}

KERNEL(void, polyak)(float *target, const float *source, const float *tau, uint32_t start, uint32_t count) {
    vf rate = v_set(tau[0]);
#ifdef FLOAT_HARDWARE
    float *to = target + start;
    const float *source_at = source + start;
    for (uint32_t end = start + FOURS(count); start != end; start += 4) {
        float x[4];
        float towards[4];
        const float *from = to;
        LOAD_FOUR(x, from, s16, s17, s18, s19);
        LOAD_FOUR(towards, source_at, s20, s21, s22, s23);
        UNROLL for (uint32_t i = 0; i < 4; i++) {
            x[i] = v_fma(rate, towards[i] - x[i], x[i]);
        }
        flush_four(x);
        STORE_FOUR(to, x, s16, s17, s18, s19);
    }
    count %= 4;
#endif
    FOR_LANES(i, n, start, start + count) {
        vf old = v_get(target + i, n);
        v_put(target + i, n, v_flush(v_fma(rate, v_get(source + i, n) - old, old)));
    }
}
