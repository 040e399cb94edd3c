// Gymnasium's Acrobot-v1, a vector of environments at once. Lanes are environments.

#define ACROBOT_STEP 0x1.99999ap-3f
#define ACROBOT_HALF_STEP 0x1.99999ap-4f
#define ACROBOT_SIXTH_STEP 0x1.111112p-5f
#define ACROBOT_MAX_VELOCITY_1 0x1.921fb6p3f // 4 pi
#define ACROBOT_MAX_VELOCITY_2 0x1.c463acp4f // 9 pi

// Angles of the first link (from hanging) and of the second (from the first), and their velocities.
typedef struct acrobot {
    vf angle1, angle2, velocity1, velocity2;
} acrobot;

// Gravity 9.8 m/s^2, links of 1 m, 1 kg and 1 kg m^2 about their middles.
ELEMENTARY void acrobot_rates(const acrobot *at, vf torque, acrobot *rate) {
    vf sine1, cosine1, sine2, cosine2;
    v_sin_cos(at->angle1, &sine1, &cosine1);
    v_sin_cos(at->angle2, &sine2, &cosine2);
    vf d1 = v_set(3.5f) + cosine2;
    vf d2 = v_fma(v_set(0.5f), cosine2, v_set(1.25f));
    vf phi2 = v_set(0x1.39999ap2f) * v_fma(sine1, cosine2, cosine1 * sine2);
    vf swirl = v_fma(v_set(0.5f), at->velocity2, at->velocity1) * at->velocity2;
    vf phi1 = v_fma(-swirl, sine2, v_fma(v_set(0x1.d66666p3f), sine1, phi2));
    vf share = d2 / d1;
    vf push = v_fma(share, phi1, torque) - phi2;
    push = v_fma((v_set(-0.5f) * at->velocity1) * at->velocity1, sine2, push);
    vf turn2 = push / v_fma(-share, d2, v_set(1.25f));
    rate->angle1 = at->velocity1;
    rate->angle2 = at->velocity2;
    rate->velocity1 = -(v_fma(d2, turn2, phi1) / d1);
    rate->velocity2 = turn2;
}

// from + by * rate
INLINE acrobot acrobot_moved(const acrobot *from, vf by, const acrobot *rate) {
    return (acrobot){
        v_fma(by, rate->angle1, from->angle1),
        v_fma(by, rate->angle2, from->angle2),
        v_fma(by, rate->velocity1, from->velocity1),
        v_fma(by, rate->velocity2, from->velocity2),
    };
}

// Angles may have gone round more than once.
INLINE vf acrobot_wrap(vf angle) {
    vf turns = v_fma(angle, v_set(0x1.45f306p-3f), v_set(ROUNDER)) - v_set(ROUNDER);
    return v_fma(turns, v_set(-2 * PI), angle);
}

ELEMENTARY void acrobot_advance(acrobot *at, vf torque) {
    acrobot rate, sum, moved;
    acrobot_rates(at, torque, &sum);
    moved = acrobot_moved(at, v_set(ACROBOT_HALF_STEP), &sum);
    acrobot_rates(&moved, torque, &rate);
    sum = acrobot_moved(&sum, v_set(2), &rate);
    moved = acrobot_moved(at, v_set(ACROBOT_HALF_STEP), &rate);
    acrobot_rates(&moved, torque, &rate);
    sum = acrobot_moved(&sum, v_set(2), &rate);
    moved = acrobot_moved(at, v_set(ACROBOT_STEP), &rate);
    acrobot_rates(&moved, torque, &rate);
    sum = acrobot_moved(&sum, v_set(1), &rate);
    *at = acrobot_moved(at, v_set(ACROBOT_SIXTH_STEP), &sum);
    at->angle1 = acrobot_wrap(at->angle1);
    at->angle2 = acrobot_wrap(at->angle2);
    at->velocity1 = v_clip(at->velocity1, v_set(-ACROBOT_MAX_VELOCITY_1), v_set(ACROBOT_MAX_VELOCITY_1));
    at->velocity2 = v_clip(at->velocity2, v_set(-ACROBOT_MAX_VELOCITY_2), v_set(ACROBOT_MAX_VELOCITY_2));
}

INLINE acrobot acrobot_read(const float *from, uint32_t n) {
    return (acrobot){
        v_get_column(from, 4, n),
        v_get_column(from + 1, 4, n),
        v_get_column(from + 2, 4, n),
        v_get_column(from + 3, 4, n),
    };
}

// Writes obs; how deep the tip hangs below the pivot: 2 hanging, -2 upright.
ELEMENTARY vf acrobot_write_obs(const acrobot *at, float *obs, uint32_t n) {
    vf sine1, cosine1, sine2, cosine2;
    v_sin_cos(at->angle1, &sine1, &cosine1);
    v_sin_cos(at->angle2, &sine2, &cosine2);
    v_put_column(obs, 6, n, cosine1);
    v_put_column(obs + 1, 6, n, sine1);
    v_put_column(obs + 2, 6, n, cosine2);
    v_put_column(obs + 3, 6, n, sine2);
    v_put_column(obs + 4, 6, n, at->velocity1);
    v_put_column(obs + 5, 6, n, at->velocity2);
    return cosine1 + v_fma(-sine1, sine2, cosine1 * cosine2);
}

// One step of n environments at `state`; the depth of their tips.
ELEMENTARY vf acrobot_step_lanes(float *state, vf torque, float *obs, uint32_t n) {
    acrobot at = acrobot_read(state, n);
    acrobot_advance(&at, torque);
    v_put_column(state, 4, n, at.angle1);
    v_put_column(state + 1, 4, n, at.angle2);
    v_put_column(state + 2, 4, n, at.velocity1);
    v_put_column(state + 3, 4, n, at.velocity2);
    return acrobot_write_obs(&at, obs, n);
}

KERNEL(void, acrobot_observe)(const float *state, float *obs, uint32_t row, uint32_t rows) {
    FOR_LANES(r, n, row, row + rows) {
        acrobot at = acrobot_read(state + 4 * (size_t)r, n);
        acrobot_write_obs(&at, obs + 6 * (size_t)r, n);
    }
}

KERNEL(void, acrobot_reset)(uint32_t *rng, float *state, float *obs, uint32_t row, uint32_t rows) {
    FOR_LANES(r, n, row, row + rows) {
        float *to = state + 4 * (size_t)r;
        for (uint32_t half = 0; half < 2; half++) {
            vu word0, word1;
            rng_blocks(rng, (v_iota() + r) * 2 + half, &word0, &word1);
            v_put_column(to + 2 * half, 4, n, v_set(0x1.99999ap-4f) * uniform_of_word(word0));
            v_put_column(to + 2 * half + 1, 4, n, v_set(0x1.99999ap-4f) * uniform_of_word(word1));
        }
        acrobot at = acrobot_read(to, n);
        acrobot_write_obs(&at, obs + 6 * (size_t)r, n);
    }
    rng[RNG_STEP]++;
}

KERNEL(void, acrobot_step)(
    float *state, const int32_t *action, float *obs, float *reward, uint8_t *ended, uint32_t row, uint32_t rows) {
    FOR_LANES(r, n, row, row + rows) {
        float lanes[PICORL_W] = {0};
        for (uint32_t k = 0; k < n; k++) {
            lanes[k] = action[r + k] == 0 ? -1.0f : (action[r + k] == 2 ? 1.0f : 0.0f);
        }
        vf depth = acrobot_step_lanes(state + 4 * (size_t)r, v_load(lanes), obs + 6 * (size_t)r, n);
        vf cost = v_select(v_lt(depth, v_set(-1)), v_set(0), v_set(-1));
        v_put(reward + r, n, cost);
        v_store(lanes, cost);
        for (uint32_t k = 0; k < n; k++) {
            ended[r + k] = lanes[k] >= 0;
        }
    }
}

KERNEL(void, acrobot_swing_up_step)
(float *state, const float *action, float *obs, float *reward, uint32_t row, uint32_t rows) {
    FOR_LANES(r, n, row, row + rows) {
        vf torque = v_clip(v_get(action + r, n), v_set(-1), v_set(1));
        vf depth = acrobot_step_lanes(state + 4 * (size_t)r, torque, obs + 6 * (size_t)r, n);
        v_put(reward + r, n, v_fma(v_set(-0.25f), depth, v_set(-0.5f)));
    }
}
