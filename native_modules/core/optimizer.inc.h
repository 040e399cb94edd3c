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

KERNEL(void, adam)(float *params, float *grad, float *m, float *v, const float *hyper, const float *state,
    uint32_t start, uint32_t count) {
    adam_constants c = adam_prepare(hyper, state);
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
    FOR_LANES(i, n, start, start + count) {
        vf first = v_get(m + i, n);
        vf second = v_get(v + i, n);
        v_put(grad + i, n, adam_step(&c, v_get(grad + i, n), &first, &second));
        v_put(m + i, n, first);
        v_put(v + i, n, second);
    }
}

KERNEL(void, apply_delta)(float *params, float *delta, uint32_t start, uint32_t count) {
    FOR_LANES(i, n, start, start + count) {
        v_put(params + i, n, v_flush(v_get(params + i, n) - v_get(delta + i, n)));
        v_put(delta + i, n, v_set(0));
    }
}

KERNEL(void, polyak)(float *target, const float *source, const float *tau, uint32_t start, uint32_t count) {
    vf rate = v_set(tau[0]);
    FOR_LANES(i, n, start, start + count) {
        vf old = v_get(target + i, n);
        v_put(target + i, n, v_flush(v_fma(rate, v_get(source + i, n) - old, old)));
    }
}
