// Gymnasium's Pendulum-v1, a vector of environments at once. Lanes are environments.

#define PI 0x1.921fb6p1f
#define MAX_TORQUE 2.0f
#define MAX_VELOCITY 8.0f
#define TIME_STEP 0x1.99999ap-5f

INLINE void pendulum_write_obs(vf angle, vf velocity, float *obs, uint32_t n) {
    vf sine, cosine;
    v_sin_cos(angle, &sine, &cosine);
    v_put_column(obs, 3, n, cosine);
    v_put_column(obs + 1, 3, n, sine);
    v_put_column(obs + 2, 3, n, velocity);
}

KERNEL(void, pendulum_reset)(uint32_t *rng, float *state, float *obs, uint32_t row, uint32_t rows) {
    FOR_LANES(r, n, row, row + rows) {
        vu word0, word1;
        rng_blocks(rng, v_iota() + r, &word0, &word1);
        vf angle = v_set(PI) * uniform_of_word(word0);
        vf velocity = uniform_of_word(word1);
        v_put_column(state + 2 * (size_t)r, 2, n, angle);
        v_put_column(state + 2 * (size_t)r + 1, 2, n, velocity);
        pendulum_write_obs(angle, velocity, obs + 3 * (size_t)r, n);
    }
    rng[RNG_STEP]++;
}

KERNEL(void, pendulum_observe)(const float *state, float *obs, uint32_t row, uint32_t rows) {
    FOR_LANES(r, n, row, row + rows) {
        const float *from = state + 2 * (size_t)r;
        pendulum_write_obs(v_get_column(from, 2, n), v_get_column(from + 1, 2, n), obs + 3 * (size_t)r, n);
    }
}

INLINE vf wrap_angle(vf angle) {
    vf below = v_select(v_lt(angle, v_set(-PI)), angle + v_set(2 * PI), angle);
    return v_select(v_ge(angle, v_set(PI)), angle - v_set(2 * PI), below);
}

KERNEL(void, pendulum_step)(float *state, const float *action, float *obs, float *reward, uint32_t row, uint32_t rows) {
    FOR_LANES(r, n, row, row + rows) {
        float *at = state + 2 * (size_t)r;
        vf angle = v_get_column(at, 2, n);
        vf velocity = v_get_column(at + 1, 2, n);
        vf torque = v_clip(v_get(action + r, n), v_set(-MAX_TORQUE), v_set(MAX_TORQUE));
        vf cost = v_fma(angle, angle, (v_set(0x1.99999ap-4f) * velocity) * velocity);
        cost = v_fma(v_set(0x1.0624dep-10f) * torque, torque, cost);
        v_put(reward + r, n, -cost);

        vf sine, cosine;
        v_sin_cos(angle, &sine, &cosine);
        vf acceleration = v_fma(v_set(15), sine, v_set(3) * torque);
        velocity = v_fma(acceleration, v_set(TIME_STEP), velocity);
        velocity = v_clip(velocity, v_set(-MAX_VELOCITY), v_set(MAX_VELOCITY));
        angle = wrap_angle(v_fma(velocity, v_set(TIME_STEP), angle));
        v_put_column(at, 2, n, angle);
        v_put_column(at + 1, 2, n, velocity);
        pendulum_write_obs(angle, velocity, obs + 3 * (size_t)r, n);
    }
}
