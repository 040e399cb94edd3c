// Threefry-2x32 with 20 rounds (Salmon et al. 2011): a block of two words for each (step, row).

enum { RNG_SEED, RNG_STREAM, RNG_STEP };

INLINE vu rotate(vu x, int by) {
    return (x << by) | (x >> (32 - by));
}

INLINE void threefry_rounds(vu *x, vu *y, int a, int b, int c, int d) {
    *x += *y;
    *y = rotate(*y, a) ^ *x;
    *x += *y;
    *y = rotate(*y, b) ^ *x;
    *x += *y;
    *y = rotate(*y, c) ^ *x;
    *x += *y;
    *y = rotate(*y, d) ^ *x;
}

// Words 0 and 1 of the blocks of `rows` in the current step.
ELEMENTARY void rng_blocks(const uint32_t *rng, vu rows, vu *word0, vu *word1) {
    uint32_t key[3] = {rng[RNG_SEED], rng[RNG_STREAM], rng[RNG_SEED] ^ rng[RNG_STREAM] ^ 0x1bd11bda};
    vu x = v_set_bits(rng[RNG_STEP] + key[0]);
    vu y = rows + key[1];
    threefry_rounds(&x, &y, 13, 15, 26, 6);
    x += key[1];
    y += key[2] + 1;
    threefry_rounds(&x, &y, 17, 29, 16, 24);
    x += key[2];
    y += key[0] + 2;
    threefry_rounds(&x, &y, 13, 15, 26, 6);
    x += key[0];
    y += key[1] + 3;
    threefry_rounds(&x, &y, 17, 29, 16, 24);
    x += key[1];
    y += key[2] + 4;
    threefry_rounds(&x, &y, 13, 15, 26, 6);
    *word0 = x + key[2];
    *word1 = y + (key[0] + 5);
}

// The same one by one: words 0 and 1 of PICORL_W blocks, from that of row `first`.
INLINE void rng_words(const uint32_t *rng, uint32_t first, uint32_t words[2][PICORL_W]) {
    vu word0, word1;
    rng_blocks(rng, v_iota() + first, &word0, &word1);
    v_store_bits(words[0], word0);
    v_store_bits(words[1], word1);
}

// A word as a number in [-1, 1).
INLINE vf uniform_of_word(vu word) {
    return v_of_ints(word >> 8) * v_set(0x1p-23f) - v_set(1);
}

// Without correlation x itself; with it what follows the last number, so that the variance stays 1.
INLINE void rng_put(float *out, uint32_t n, vf x, const float *correlation) {
    if (correlation) {
        vf rho = v_set(correlation[0]);
        x = v_flush(v_fma(rho, v_get(out, n), v_sqrt(v_fma(-rho, rho, v_set(1))) * x));
    }
    v_store_n(out, n, x);
}

ELEMENTARY void rng_fill(uint32_t *rng, float *out, uint32_t count, int normal, const float *correlation) {
    uint32_t half = (count + 1) / 2;
    for (uint32_t j = 0; j < half; j += PICORL_W) {
        vu word0, word1;
        rng_blocks(rng, v_iota() + j, &word0, &word1);
        vf first, second;
        if (normal) {
            vf radius = v_sqrt(v_set(-2) * v_log(v_of_ints((word0 >> 8) + 1) * v_set(0x1p-24f)));
            v_sin_cos_turn(v_of_ints(word1 >> 8) * v_set(0x1p-24f), &second, &first);
            first *= radius;
            second *= radius;
        } else {
            first = uniform_of_word(word0);
            second = uniform_of_word(word1);
        }
        rng_put(out + j, least(half - j, PICORL_W), first, correlation);
        if (half + j < count) {
            rng_put(out + half + j, least(count - half - j, PICORL_W), second, correlation);
        }
    }
    rng[RNG_STEP]++;
}

KERNEL(void, uniform)(uint32_t *rng, float *out, uint32_t count) {
    rng_fill(rng, out, count, 0, NULL);
}

KERNEL(void, normal)(uint32_t *rng, float *out, uint32_t count) {
    rng_fill(rng, out, count, 1, NULL);
}

KERNEL(void, coloured_normal)(uint32_t *rng, const float *correlation, float *noise, uint32_t count) {
    rng_fill(rng, noise, count, 1, correlation);
}
