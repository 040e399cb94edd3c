// A quadrotor of a Crazyflie's size that is to hover, a vector of environments at once. Lanes are environments.

#define QUADROTOR_STATE 17
#define QUADROTOR_BODY 13 // of them: position, velocity, attitude (w, x, y, z), angular velocity; then four rotors
#define QUADROTOR_STEP 0x1.47ae14p-7f
#define QUADROTOR_HALF_STEP 0x1.47ae14p-8f
#define QUADROTOR_SIXTH_STEP 0x1.b4e81cp-10f
#define QUADROTOR_GRAVITY 0x1.39eb86p3f
#define QUADROTOR_LIFT 0x1.56db6ep2f         // m/s^2 by one rotor at full thrust: 0.15 N / 0.028 kg
#define QUADROTOR_TURN 0x1.25acbap8f         // rad/s^2 about x or y: 0.15 N * 0.0325 m / 1.66e-5 kg m^2
#define QUADROTOR_YAW 0x1.eb77b4p4f          // about z: 0.15 N * 0.006 m / 2.93e-5 kg m^2
#define QUADROTOR_GYRATION (-0x1.87b5fap-1f) // 1 - 2.93e-5 / 1.66e-5
#define QUADROTOR_HOVER 0x1.d4c986p-2f       // thrust that carries the weight: 9.81 m/s^2 / 4 / lift
#define QUADROTOR_SPIN_UP 0x1.733d4ap-3f     // 1 - exp(-0.01 s / 0.05 s)
#define QUADROTOR_MAX_POSITION 1.0f
#define QUADROTOR_MAX_TURN 35.0f

// Rates of the body's 13 numbers; lift along its axis (m/s^2) and the rotors' angular acceleration are given.
ELEMENTARY void quadrotor_rates(const vf *at, vf lift, const vf *turn, vf *rate) {
    const vf *velocity = at + 3, *omega = at + 10;
    vf w = at[6], x = at[7], y = at[8], z = at[9];
    vf twice = lift + lift;
    for (uint32_t i = 0; i < 3; i++) {
        rate[i] = velocity[i];
    }
    rate[3] = twice * v_fma(x, z, w * y);
    rate[4] = twice * v_fma(y, z, -(w * x));
    rate[5] = v_fma(-twice, v_fma(x, x, y * y), lift) - v_set(QUADROTOR_GRAVITY);
    vf a = v_set(0.5f) * omega[0], b = v_set(0.5f) * omega[1], c = v_set(0.5f) * omega[2];
    rate[6] = -v_fma(x, a, v_fma(y, b, z * c));
    rate[7] = v_fma(w, a, v_fma(y, c, -(z * b)));
    rate[8] = v_fma(w, b, v_fma(z, a, -(x * c)));
    rate[9] = v_fma(w, c, v_fma(x, b, -(y * a)));
    vf gyration = v_set(QUADROTOR_GYRATION) * omega[2];
    rate[10] = v_fma(gyration, omega[1], turn[0]);
    rate[11] = v_fma(-gyration, omega[0], turn[1]);
    rate[12] = turn[2];
}

INLINE void quadrotor_moved(const vf *from, vf by, const vf *rate, vf *to) {
    for (uint32_t i = 0; i < QUADROTOR_BODY; i++) {
        to[i] = v_fma(by, rate[i], from[i]);
    }
}

// Four rounds of Runge and Kutta; lift and turn stay the same meanwhile.
ELEMENTARY void quadrotor_advance(vf *at, vf lift, const vf *turn) {
    vf rate[QUADROTOR_BODY], sum[QUADROTOR_BODY], moved[QUADROTOR_BODY];
    quadrotor_rates(at, lift, turn, sum);
    quadrotor_moved(at, v_set(QUADROTOR_HALF_STEP), sum, moved);
    quadrotor_rates(moved, lift, turn, rate);
    quadrotor_moved(sum, v_set(2), rate, sum);
    quadrotor_moved(at, v_set(QUADROTOR_HALF_STEP), rate, moved);
    quadrotor_rates(moved, lift, turn, rate);
    quadrotor_moved(sum, v_set(2), rate, sum);
    quadrotor_moved(at, v_set(QUADROTOR_STEP), rate, moved);
    quadrotor_rates(moved, lift, turn, rate);
    quadrotor_moved(sum, v_set(1), rate, sum);
    quadrotor_moved(at, v_set(QUADROTOR_SIXTH_STEP), sum, at);
}

// x[0]^2 + ... of count numbers, in order.
INLINE vf quadrotor_squares(const vf *x, uint32_t count) {
    vf sum = x[0] * x[0];
    for (uint32_t i = 1; i < count; i++) {
        sum = v_fma(x[i], x[i], sum);
    }
    return sum;
}

// Attitude, from whatever length, as a unit quaternion with w >= 0.
INLINE void quadrotor_normalise(vf *attitude) {
    vf scale = v_set(1) / v_sqrt(quadrotor_squares(attitude, 4));
    scale = v_select(v_lt(attitude[0], v_set(0)), -scale, scale);
    for (uint32_t i = 0; i < 4; i++) {
        attitude[i] = attitude[i] * scale;
    }
}

KERNEL(void, quadrotor_reset)(uint32_t *rng, float *state, uint32_t row, uint32_t rows) {
    FOR_LANES(r, n, row, row + rows) {
        vf at[QUADROTOR_STATE];
        vf drawn[12];
        for (uint32_t k = 0; k < 6; k++) {
            vu word0, word1;
            rng_blocks(rng, (v_iota() + r) * 6 + k, &word0, &word1);
            drawn[2 * k] = uniform_of_word(word0);
            drawn[2 * k + 1] = uniform_of_word(word1);
        }
        for (uint32_t i = 0; i < 12; i++) {
            at[i < 6 ? i : i + 1] = v_set(i < 6 ? 0x1.99999ap-3f : (i < 9 ? 0x1.99999ap-4f : 0.5f)) * drawn[i];
        }
        at[6] = v_set(1);
        quadrotor_normalise(at + 6);
        for (uint32_t i = QUADROTOR_BODY; i < QUADROTOR_STATE; i++) {
            at[i] = v_set(QUADROTOR_HOVER);
        }
        for (uint32_t i = 0; i < QUADROTOR_STATE; i++) {
            v_put_column(state + QUADROTOR_STATE * (size_t)r + i, QUADROTOR_STATE, n, at[i]);
        }
    }
    rng[RNG_STEP]++;
}

KERNEL(void, quadrotor_step)
(float *state, const float *action, float *reward, uint8_t *ended, uint32_t row, uint32_t rows) {
    FOR_LANES(r, n, row, row + rows) {
        float *from = state + QUADROTOR_STATE * (size_t)r;
        vf at[QUADROTOR_STATE];
        for (uint32_t i = 0; i < QUADROTOR_STATE; i++) {
            at[i] = v_get_column(from + i, QUADROTOR_STATE, n);
        }
        vf *rotor = at + QUADROTOR_BODY;
        vf excess[4];
        for (uint32_t i = 0; i < 4; i++) {
            vf asked = v_clip(v_get_column(action + 4 * (size_t)r + i, 4, n), v_set(-1), v_set(1));
            asked = v_fma(v_set(0.5f), asked, v_set(0.5f));
            excess[i] = asked - v_set(QUADROTOR_HOVER);
            rotor[i] = v_fma(v_set(QUADROTOR_SPIN_UP), asked - rotor[i], rotor[i]);
        }
        vf right = rotor[0] + rotor[1], left = rotor[2] + rotor[3];
        vf front = rotor[0] + rotor[3], back = rotor[1] + rotor[2];
        vf turn[3] = {
            v_set(QUADROTOR_TURN) * (left - right),
            v_set(QUADROTOR_TURN) * (back - front),
            v_set(QUADROTOR_YAW) * ((rotor[1] + rotor[3]) - (rotor[0] + rotor[2])),
        };
        quadrotor_advance(at, v_set(QUADROTOR_LIFT) * (left + right), turn);
        quadrotor_normalise(at + 6);
        for (uint32_t i = 0; i < QUADROTOR_STATE; i++) {
            v_put_column(from + i, QUADROTOR_STATE, n, at[i]);
        }
        vf cost = v_set(10) * quadrotor_squares(at, 3) + quadrotor_squares(at + 3, 3);
        cost = v_fma(v_set(4), quadrotor_squares(at + 7, 3), cost);
        cost = v_fma(v_set(0x1.47ae14p-6f), quadrotor_squares(at + 10, 3), cost);
        cost = v_fma(v_set(0x1.99999ap-4f), quadrotor_squares(excess, 4), cost);
        v_put(reward + r, n, v_set(1) / (v_set(1) + cost));

        // Half of the body axis' height: 0 where it lies.
        vf out = v_select(v_lt(v_fma(at[7], at[7], at[8] * at[8]), v_set(0.5f)), v_set(0), v_set(1));
        for (uint32_t i = 0; i < 3; i++) {
            out = v_select(v_lt(v_set(QUADROTOR_MAX_POSITION), v_abs(at[i])), v_set(1), out);
            out = v_select(v_lt(v_set(QUADROTOR_MAX_TURN), v_abs(at[10 + i])), v_set(1), out);
        }
        float lanes[PICORL_W];
        v_store(lanes, out);
        for (uint32_t k = 0; k < n; k++) {
            ended[r + k] = lanes[k] > 0;
        }
    }
}
