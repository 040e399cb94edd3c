// The product where many a[r][k] are zero, as behind a ReLU: a term with a zero factor changes no sum (weights being
// finite), so the steps where all rows of a tile are zero are left out. Rows with similar zeros share a tile.

#define SPARSE_ROWS 128  // at most
#define SPARSE_STEPS 512 // at most
#define SPARSE_TILE_ROWS 2
#define SPARSE_TILE_VECTORS 4
#define SPARSE_COLUMNS (SPARSE_TILE_VECTORS * PICORL_W)
#define SPARSE_PANEL 8192    // floats
#define SPARSE_PANEL_ROWS 16 // fewer are not worth the copy

typedef struct zeros {
    uint32_t live[SPARSE_STEPS / 32 + 1][SPARSE_ROWS]; // bit k % 32 of [k / 32][r]: a[r][k] is not zero
    uint32_t words;
    uint8_t order[SPARSE_ROWS]; // rows, those with similar zeros together
} zeros;

// a's steps lie side by side (a_step is 1).
INLINE void find_zeros(const product *p, zeros *z) {
    for (uint32_t r = 0; r < p->rows; r++) {
        const float *a = p->a + (size_t)r * p->a_row;
        uint32_t word = 0;
        for (; word < p->steps / 32; word++, a += 32) {
            uint32_t bits = 0;
            UNROLL for (uint32_t k = 0; k < 32; k += PICORL_W) {
                bits |= v_nonzero_bits(v_load(a + k)) << k;
            }
            z->live[word][r] = bits;
        }
        if (word < z->words) {
            uint32_t bits = 0;
            uint32_t steps = p->steps % 32;
            for (uint32_t k = 0; k < steps; k += PICORL_W) {
                bits |= v_nonzero_bits(v_get(a + k, least(steps - k, PICORL_W))) << k;
            }
            z->live[word][r] = bits;
        }
    }
}

// Sort rows by their first six bits.
INLINE void group_rows(const product *p, zeros *z) {
    uint8_t place[65] = {0};
    for (uint32_t r = 0; r < p->rows; r++) {
        place[z->live[0][r] % 64 + 1]++;
    }
    for (uint32_t k = 1; k < 64; k++) {
        place[k] += place[k - 1];
    }
    for (uint32_t r = 0; r < p->rows; r++) {
        z->order[place[z->live[0][r] % 64]++] = (uint8_t)r;
    }
}

INLINE void sparse_tile(const product *p, const zeros *z, const uint8_t *order, const uint32_t R, const uint32_t C,
    const int whole, uint32_t n) {
    tile t;
    UNROLL for (uint32_t r = 0; r < R; r++) {
        t.a[r] = p->a + (size_t)order[r] * p->a_row;
        t.c[r] = p->c + (size_t)order[r] * p->c_row;
    }
    tile_start(p, &t, p->bias, R, C, whole, n);
    size_t a_step = p->a_step;
    size_t b_step = p->b_step;
    for (uint32_t word = 0; word < z->words; word += 2) {
        uint64_t live = 0;
        UNROLL for (uint32_t r = 0; r < R; r++) {
            live |= z->live[word][order[r]] | (uint64_t)z->live[word + 1][order[r]] << 32;
        }
        _Pragma("GCC unroll 1") for (; live; live &= live - 1) {
            size_t k = word * 32 + (uint32_t)__builtin_ctzll(live);
            tile_step(&t, k * a_step, p->b + k * b_step, R, C, whole, n);
        }
    }
    tile_finish(p, &t, R, C, whole, n);
}

INLINE void sparse_rows(const product *p, const zeros *z, const uint32_t C, const int whole, uint32_t n) {
    uint32_t r = 0;
    for (; r + SPARSE_TILE_ROWS <= p->rows; r += SPARSE_TILE_ROWS) {
        sparse_tile(p, z, z->order + r, SPARSE_TILE_ROWS, C, whole, n);
    }
    for (; r < p->rows; r++) {
        sparse_tile(p, z, z->order + r, 1, C, whole, n);
    }
}

// The columns from `column` on. What counts here is how fast b is read, and a vector that lies across two lines of the
// cache takes twice the time, so for many rows b is first copied to where none does.
INLINE void sparse_columns(
    const product *p, const zeros *z, uint32_t column, const uint32_t C, const int whole, uint32_t n) {
    float panel[SPARSE_PANEL] __attribute__((aligned(64)));
    product part = *p;
    part.b += column;
    part.c += column;
    part.bias += p->start == START_BIAS ? column : 0;
    int aligned = (uintptr_t)part.b % sizeof(vf) == 0 && p->b_step % PICORL_W == 0;
    if (!aligned && p->rows >= SPARSE_PANEL_ROWS && p->steps * C * PICORL_W <= SPARSE_PANEL) {
        for (uint32_t k = 0; k < p->steps; k++, part.b += p->b_step) {
            UNROLL for (uint32_t v = 0; v < C; v++) {
                v_store(panel + (k * C + v) * PICORL_W, v_get(part.b + v * PICORL_W, LANES(v)));
            }
        }
        part.b = panel;
        part.b_step = C * PICORL_W;
    }
    sparse_rows(&part, z, C, whole, n);
}

// 0: not worth it, nothing done.
NOINLINE int sparse_product(const product *p) {
    if (p->steps > SPARSE_STEPS || p->columns < PICORL_W) {
        return 0;
    }
    zeros z;
    z.words = (p->steps + 31) / 32;
    find_zeros(p, &z);
    uint32_t live = 0;
    for (uint32_t word = 0; word < z.words; word++) {
        for (uint32_t r = 0; r < p->rows; r++) {
            live += (uint32_t)__builtin_popcount(z.live[word][r]);
        }
    }
    if (live > p->rows * p->steps / 4 * 3) {
        return 0;
    }
    if (z.words % 2) {
        for (uint32_t r = 0; r < p->rows; r++) {
            z.live[z.words][r] = 0;
        }
    }
    group_rows(p, &z);
    uint32_t column = 0;
    for (; column + SPARSE_COLUMNS <= p->columns; column += SPARSE_COLUMNS) {
        sparse_columns(p, &z, column, SPARSE_TILE_VECTORS, 1, PICORL_W);
    }
    uint32_t rest = p->columns - column;
    uint32_t last = (rest - 1) % PICORL_W + 1;
    switch ((rest + PICORL_W - 1) / PICORL_W) {
        case 1:
            sparse_columns(p, &z, column, 1, 0, last);
            break;
        case 2:
            sparse_columns(p, &z, column, 2, 0, last);
            break;
        case 3:
            sparse_columns(p, &z, column, 3, 0, last);
            break;
        case 4:
            sparse_columns(p, &z, column, 4, 0, last);
            break;
    }
    return 1;
}
