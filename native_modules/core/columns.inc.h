// Moving numbers.

INLINE void copy_floats(float *to, const float *from, uint32_t count) {
    FOR_LANES(i, n, 0, count) {
        v_put(to + i, n, v_get(from + i, n));
    }
}

KERNEL(void, copy_columns)(const float *src, uint32_t src_width, uint32_t src_column, uint32_t src_row, float *dst,
    uint32_t dst_width, uint32_t dst_column, uint32_t dst_row, uint32_t columns, uint32_t rows) {
    src += (size_t)src_row * src_width + src_column;
    dst += (size_t)dst_row * dst_width + dst_column;
    for (uint32_t r = 0; r < rows; r++) {
        for (uint32_t c = 0; c < columns; c++) {
            dst[c] = src[c];
        }
        src += src_width;
        dst += dst_width;
    }
}

KERNEL(void, copy)(const float *src, uint32_t src_start, float *dst, uint32_t dst_start, uint32_t count) {
    copy_floats(dst + dst_start, src + src_start, count);
}

KERNEL(void, fill)(float *x, const float *value, uint32_t start, uint32_t count) {
    vf all = v_set(value[0]);
    FOR_LANES(i, n, start, start + count) {
        v_put(x + i, n, all);
    }
}

KERNEL(void, accumulate)(float *total, uint32_t index, const float *x) {
    total[index] += x[0];
}

INLINE int32_t floats_are_finite(const float *x, uint32_t count) {
    uint32_t bad = 0;
    for (uint32_t i = 0; i < count; i++) {
        bad |= (bits_of_float(x[i]) & EXPONENT_BITS) == EXPONENT_BITS;
    }
    return !bad;
}

KERNEL(int32_t, all_finite)(const float *x, uint32_t start, uint32_t count) {
    return floats_are_finite(x + start, count);
}
