// Gymnasium's MountainCarContinuous-v0, a vector of environments at once. Lanes are environments.

#define CAR_POWER 0x1.89374cp-10f
#define CAR_SLOPE 0x1.47ae14p-9f
#define CAR_MAX_SPEED 0x1.1eb852p-4f
#define CAR_LEFT_END (-0x1.333334p0f)
#define CAR_RIGHT_END 0x1.333334p-1f
#define CAR_GOAL 0x1.ccccccp-2f
#define CAR_REWARD 100.0f

KERNEL(void, mountain_car_reset)(uint32_t *rng, float *state, uint32_t row, uint32_t rows) {
    FOR_LANES(r, n, row, row + rows) {
        vu word0, word1;
        rng_blocks(rng, v_iota() + r, &word0, &word1);
        float *at = state + 2 * (size_t)r;
        v_put_column(at, 2, n, v_fma(v_set(0x1.99999ap-4f), uniform_of_word(word0), v_set(-0.5f)));
        v_put_column(at + 1, 2, n, v_set(0));
    }
    rng[RNG_STEP]++;
}

KERNEL(void, mountain_car_step)
(float *state, const float *action, float *reward, uint8_t *ended, uint32_t row, uint32_t rows) {
    FOR_LANES(r, n, row, row + rows) {
        float *at = state + 2 * (size_t)r;
        vf position = v_get_column(at, 2, n);
        vf velocity = v_get_column(at + 1, 2, n);
        vf asked = v_get(action + r, n);
        vf sine, cosine;
        v_sin_cos(v_set(3) * position, &sine, &cosine);
        vf push = v_set(CAR_POWER) * v_clip(asked, v_set(-1), v_set(1));
        velocity = velocity + v_fma(v_set(-CAR_SLOPE), cosine, push);
        velocity = v_clip(velocity, v_set(-CAR_MAX_SPEED), v_set(CAR_MAX_SPEED));
        position = v_clip(position + velocity, v_set(CAR_LEFT_END), v_set(CAR_RIGHT_END));
        vf stopped = v_select(v_lt(velocity, v_set(0)), v_set(0), velocity);
        velocity = v_select(v_ge(v_set(CAR_LEFT_END), position), stopped, velocity);
        v_put_column(at, 2, n, position);
        v_put_column(at + 1, 2, n, velocity);
        vf arrived = v_select(v_ge(position, v_set(CAR_GOAL)), v_set(CAR_REWARD), v_set(0));
        arrived = v_select(v_ge(velocity, v_set(0)), arrived, v_set(0));
        v_put(reward + r, n, v_fma(v_set(-0x1.99999ap-4f) * asked, asked, arrived));
        float lanes[PICORL_W];
        v_store(lanes, arrived);
        for (uint32_t k = 0; k < n; k++) {
            ended[r + k] = lanes[k] > 0;
        }
    }
}
