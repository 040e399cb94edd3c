// Choices among n numbers, such as logits or values of actions. Lanes are rows of the batch.

INLINE vu v_get_choices(const int32_t *choice, uint32_t n) {
    uint32_t lanes[PICORL_W] = {0};
    for (uint32_t k = 0; k < n; k++) {
        lanes[k] = (uint32_t)choice[k];
    }
    return v_load_bits(lanes);
}

INLINE void v_put_choices(int32_t *choice, uint32_t n, vu x) {
    uint32_t lanes[PICORL_W];
    v_store_bits(lanes, x);
    for (uint32_t k = 0; k < n; k++) {
        choice[k] = (int32_t)lanes[k];
    }
}

// The index of the largest of each of n_rows rows of n, the first of equals.
ELEMENTARY vu largest_of(const float *x, uint32_t n, uint32_t n_rows) {
    vf most = v_get_column(x, n, n_rows);
    vu index = v_set_bits(0);
    for (uint32_t k = 1; k < n; k++) {
        vf other = v_get_column(x + k, n, n_rows);
        vm more = v_lt(most, other);
        most = v_select(more, other, most);
        index = v_select_bits(more, v_set_bits(k), index);
    }
    return index;
}

// What the rows hold at the choice.
ELEMENTARY vf chosen_column(const float *x, vu choice, uint32_t n, uint32_t n_rows) {
    vf y = v_set(0);
    for (uint32_t k = 0; k < n; k++) {
        y = v_select(v_equal(choice, v_set_bits(k)), v_get_column(x + k, n, n_rows), y);
    }
    return y;
}

KERNEL(void, argmax)(const float *x, int32_t *choice, uint32_t n, uint32_t row, uint32_t rows) {
    FOR_LANES(r, count, row, row + rows) {
        v_put_choices(choice + r, count, largest_of(x + (size_t)r * n, n, count));
    }
}
