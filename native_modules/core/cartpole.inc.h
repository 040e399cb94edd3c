// Gymnasium's CartPole-v1, a vector of environments at once. Lanes are environments.

KERNEL(void, cartpole_reset)(uint32_t *rng, float *state, uint32_t row, uint32_t rows) {
    FOR_LANES(r, n, row, row + rows) {
        for (uint32_t half = 0; half < 2; half++) {
            float *at = state + 4 * (size_t)r + 2 * half;
            vu word0, word1;
            rng_blocks(rng, (v_iota() + r) * 2 + half, &word0, &word1);
            v_put_column(at, 4, n, v_set(0x1.99999ap-5f) * uniform_of_word(word0));
            v_put_column(at + 1, 4, n, v_set(0x1.99999ap-5f) * uniform_of_word(word1));
        }
    }
    rng[RNG_STEP]++;
}

#define GRAVITY 0x1.39999ap3f
#define TOTAL_MASS 0x1.19999ap0f
#define POLE_MASS 0x1.99999ap-4f
#define HALF_LENGTH 0.5f
#define POLE_MOMENT 0x1.99999ap-5f // pole mass times half its length
#define FORCE 10.0f
#define CARTPOLE_STEP 0x1.47ae14p-6f
#define MAX_POSITION 0x1.333334p1f
#define MAX_ANGLE 0x1.aceeap-3f

KERNEL(void, cartpole_step)(float *state, const int32_t *action, uint8_t *ended, uint32_t row, uint32_t rows) {
    FOR_LANES(r, n, row, row + rows) {
        float *at = state + 4 * (size_t)r;
        float lanes[PICORL_W] = {0};
        for (uint32_t k = 0; k < n; k++) {
            lanes[k] = action[r + k] == 1 ? FORCE : -FORCE;
        }
        vf force = v_load(lanes);
        vf position = v_get_column(at, 4, n);
        vf velocity = v_get_column(at + 1, 4, n);
        vf angle = v_get_column(at + 2, 4, n);
        vf omega = v_get_column(at + 3, 4, n);
        vf sine, cosine;
        v_sin_cos(angle, &sine, &cosine);
        vf mass = v_set(TOTAL_MASS);
        vf t = v_fma((v_set(POLE_MOMENT) * omega) * omega, sine, force) / mass;
        vf inertia = v_set(HALF_LENGTH) * (v_set(0x1.555556p0f) - ((v_set(POLE_MASS) * cosine) * cosine) / mass);
        vf turn = v_fma(-cosine, t, v_set(GRAVITY) * sine) / inertia;
        vf push = t - ((v_set(POLE_MOMENT) * turn) * cosine) / mass;
        vf step = v_set(CARTPOLE_STEP);
        position = v_fma(step, velocity, position);
        angle = v_fma(step, omega, angle);
        v_put_column(at, 4, n, position);
        v_put_column(at + 1, 4, n, v_fma(step, push, velocity));
        v_put_column(at + 2, 4, n, angle);
        v_put_column(at + 3, 4, n, v_fma(step, turn, omega));
        vf fallen = v_select(v_lt(v_set(MAX_ANGLE), v_abs(angle)), v_set(1), v_set(0));
        v_store(lanes, v_select(v_lt(v_set(MAX_POSITION), v_abs(position)), v_set(1), fallen));
        for (uint32_t k = 0; k < n; k++) {
            ended[r + k] = lanes[k] > 0;
        }
    }
}
