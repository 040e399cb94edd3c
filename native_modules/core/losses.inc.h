// What the critics learn from, and the gradients that start backpropagation.

KERNEL(void, td_target)(const float *reward, const float *not_terminated, const float *q1, const float *q2,
    const float *log_prob, const float *coeffs, float *target, uint32_t row, uint32_t rows) {
    vf gamma = v_set(coeffs[0]);
    FOR_LANES(r, n, row, row + rows) {
        vf q = v_get(q1 + r, n);
        if (q2) {
            q = v_min(q, v_get(q2 + r, n));
        }
        if (log_prob) {
            q = v_fma(v_set(-coeffs[1]), v_get(log_prob + r, n), q);
        }
        v_put(target + r, n, v_fma(gamma * v_get(not_terminated + r, n), q, v_get(reward + r, n)));
    }
}

KERNEL(void, mse_delta)(
    const float *q, const float *target, float *d_q, float *loss, uint32_t row, uint32_t rows, uint32_t batch) {
    vf scale = v_set(2 / (float)batch);
    float sum = row ? loss[0] : 0;
    FOR_LANES(r, n, row, row + rows) {
        vf error = v_get(q + r, n) - v_get(target + r, n);
        v_put(d_q + r, n, error * scale);
        sum = add_in_order(sum, error * error, n);
    }
    loss[0] = sum;
}

KERNEL(void, policy_delta)(const float *q1, const float *q2, float *d_q1, float *d_q2, float *loss, uint32_t row,
    uint32_t rows, uint32_t batch) {
    vf gradient = v_set(-1 / (float)batch);
    float sum = row ? loss[0] : 0;
    FOR_LANES(r, n, row, row + rows) {
        vf q = v_get(q1 + r, n);
        vf first = gradient;
        if (q2) {
            vf other = v_get(q2 + r, n);
            vm second = v_lt(other, q);
            first = v_select(second, v_set(0), gradient);
            v_put(d_q2 + r, n, v_select(second, gradient, v_set(0)));
            q = v_select(second, other, q);
        }
        v_put(d_q1 + r, n, first);
        sum = add_in_order(sum, -q, n);
    }
    loss[0] = sum;
}

KERNEL(void, temperature_grad)(
    const float *log_alpha, const float *log_prob, const float *target_entropy, float *grad, uint32_t batch) {
    float sum = 0;
    for (uint32_t r = 0; r < batch; r++) {
        sum += log_prob[r];
    }
    grad[0] -= scalar_exp(log_alpha[0]) * (sum / (float)batch + target_entropy[0]);
}

KERNEL(void, temperature)(const float *log_alpha, float *coeffs) {
    coeffs[1] = scalar_exp(log_alpha[0]);
}

KERNEL(void, log_temperature)(const float *coeffs, float *log_alpha) {
    log_alpha[0] = scalar_log(coeffs[1]);
}
