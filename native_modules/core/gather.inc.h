// Minibatches: rows in random order.

KERNEL(void, permutation)(uint32_t *rng, int32_t *indices, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        indices[i] = (int32_t)i;
    }
    uint32_t words[2][PICORL_W];
    for (uint32_t draw = 0, left = count; left > 1; left--, draw++) {
        uint32_t at = draw % (2 * PICORL_W);
        if (at == 0) {
            rng_words(rng, draw / 2, words);
        }
        uint32_t j = (uint32_t)(((uint64_t)words[at & 1][at >> 1] * left) >> 32);
        int32_t last = indices[left - 1];
        indices[left - 1] = indices[j];
        indices[j] = last;
    }
    rng[RNG_STEP]++;
}

KERNEL(void, gather_rows)(const float *src, const int32_t *indices, float *dst, uint32_t limit, uint32_t width,
    uint32_t start, uint32_t count) {
    (void)limit;
    for (uint32_t k = 0; k < count; k++, dst += width) {
        const float *from = src + (size_t)(uint32_t)indices[start + k] * width;
        if (width == 1) {
            dst[0] = from[0];
        } else {
            copy_floats(dst, from, width);
        }
    }
}

KERNEL(void, gather_ints)(
    const int32_t *src, const int32_t *indices, int32_t *dst, uint32_t limit, uint32_t start, uint32_t count) {
    (void)limit;
    for (uint32_t k = 0; k < count; k++) {
        dst[k] = src[indices[start + k]];
    }
}
