// Losses of regression and classification, and gradient descent with momentum.

KERNEL(void, huber_delta)(const float *q, const float *target, const float *limit, float *d_q, float *loss,
    uint32_t row, uint32_t rows, uint32_t batch) {
    vf most = v_set(limit[0]);
    vf share = v_set(1 / (float)batch);
    float sum = row ? loss[0] : 0;
    FOR_LANES(r, n, row, row + rows) {
        vf error = v_get(q + r, n) - v_get(target + r, n);
        vf clipped = v_clip(error, -most, most);
        v_put(d_q + r, n, clipped * share);
        sum = add_in_order(sum, huber_loss(error, clipped, most), n);
    }
    loss[0] = sum;
}

KERNEL(void, cross_entropy_delta)(const float *logits, const int32_t *choice, float *d_logits, float *loss, uint32_t n,
    uint32_t row, uint32_t rows, uint32_t batch) {
    vf share = v_set(1 / (float)batch);
    float sum = row ? loss[0] : 0;
    FOR_LANES(r, count, row, row + rows) {
        const float *from = logits + (size_t)r * n;
        float *to = d_logits + (size_t)r * n;
        softmax s = softmax_of(from, n, count);
        vf log_sum = v_log(s.sum);
        vu chosen = v_get_choices(choice + r, count);
        sum = add_in_order(sum, -((chosen_column(from, chosen, n, count) - s.max) - log_sum), count);
        for (uint32_t k = 0; k < n; k++) {
            vf p = v_exp((v_get_column(from + k, n, count) - s.max) - log_sum);
            vf wanted = v_select(v_equal(chosen, v_set_bits(k)), v_set(1), v_set(0));
            v_put_column(to + k, n, count, (p - wanted) * share);
        }
    }
    loss[0] = sum;
}

KERNEL(void, sgd_delta)(float *grad, float *velocity, const float *hyper, uint32_t start, uint32_t count) {
    vf rate = v_set(hyper[0]);
    vf momentum = v_set(hyper[1]);
    FOR_LANES(i, n, start, start + count) {
        vf v = v_flush(v_get(grad + i, n));
        if (velocity) {
            v = v_flush(v_fma(momentum, v_get(velocity + i, n), v));
            v_put(velocity + i, n, v);
        }
        v_put(grad + i, n, rate * v);
    }
}
