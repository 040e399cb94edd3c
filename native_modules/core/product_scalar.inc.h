// One lane: a tile of 6 x 4 sums fills the 32 registers of a Cortex-M's FPU. Rows and columns that are left over, and all
// of them where floats are software, go through a row of four sums at a time that skips zeros.

#if defined(__ARM_FP) || !defined(__arm__)
#define TILE_ROWS 6
#else
#define TILE_ROWS 1
#endif
#define TILE_COLUMNS 4
#define DENSE_COLUMNS TILE_COLUMNS

typedef enum product_kind { FORWARD, WEIGHTS, INPUTS } product_kind;

NOINLINE float activate_other(float x, int32_t activation) {
    return activate(x, activation);
}

NOINLINE float derive_other(float delta, float out, int32_t activation) {
    return derive(delta, out, activation);
}

INLINE float finish_sum(const product *p, float sum, float before, const product_finish finish) {
    if (finish == FINISH_STORE) {
        return sum;
    }
    if (finish == FINISH_ACTIVATION) {
        return p->activation == PICORL_RELU ? activate(sum, PICORL_RELU) : activate_other(sum, p->activation);
    }
    sum = v_flush(sum);
    return p->activation == PICORL_RELU ? derive(sum, before, PICORL_RELU) : derive_other(sum, before, p->activation);
}

// `columns` sums of a row, 1 to 4, whatever the distances.
NOINLINE void row_of_sums(const product *p, uint32_t row, uint32_t column, uint32_t columns) {
    float sum[TILE_COLUMNS];
    float *c = p->c + (size_t)row * p->c_row + column;
    for (uint32_t v = 0; v < columns; v++) {
        sum[v] = p->start == START_BIAS ? p->bias[column + v] : p->start == START_STORED ? c[v] : 0;
    }
    const float *a = p->a + (size_t)row * p->a_row;
    const float *b = p->b + (size_t)column * p->b_column;
    for (uint32_t k = p->steps; k; k--) {
        float x = *a;
        if (bits_of_float(x) << 1) {
            const float *from = b;
            for (uint32_t v = 0; v < columns; v++) {
                sum[v] = v_fma(x, *from, sum[v]);
                from += p->b_column;
            }
        }
        a += p->a_step;
        b += p->b_step;
    }
    for (uint32_t v = 0; v < columns; v++) {
        c[v] = finish_sum(p, sum[v], c[v], p->finish);
    }
}

#if TILE_ROWS > 1
typedef struct tile {
    const float *a[TILE_ROWS], *b[TILE_COLUMNS];
    float sum[TILE_ROWS][TILE_COLUMNS];
} tile;

// One step of the sums, `ahead` steps from where the tile's pointers are.
INLINE void tile_step(tile *t, const uint32_t ahead, const product_kind kind) {
    float weights[TILE_COLUMNS];
    UNROLL for (uint32_t v = 0; v < TILE_COLUMNS; v++) {
        weights[v] = kind == INPUTS ? t->b[v][ahead] : t->b[0][v];
    }
    UNROLL for (uint32_t r = 0; r < TILE_ROWS; r++) {
        float x = kind == WEIGHTS ? t->a[0][r] : t->a[r][ahead];
        UNROLL for (uint32_t v = 0; v < TILE_COLUMNS; v++) {
            t->sum[r][v] = v_fma(x, weights[v], t->sum[r][v]);
        }
    }
}

INLINE void tile_advance(const product *p, tile *t, const uint32_t steps, const product_kind kind) {
    if (kind == WEIGHTS) {
        t->a[0] += p->a_step;
    } else {
        UNROLL for (uint32_t r = 0; r < TILE_ROWS; r++) {
            t->a[r] += steps;
        }
    }
    if (kind == INPUTS) {
        UNROLL for (uint32_t v = 0; v < TILE_COLUMNS; v++) {
            t->b[v] += steps;
        }
    } else {
        t->b[0] += p->b_step;
    }
}

INLINE void product_tile(const product *p, uint32_t row, uint32_t column, const product_kind kind) {
    tile t;
    float *c = p->c + (size_t)row * p->c_row + column;
    UNROLL for (uint32_t r = 0; r < TILE_ROWS; r++) {
        t.a[r] = p->a + (size_t)(row + r) * p->a_row;
        UNROLL for (uint32_t v = 0; v < TILE_COLUMNS; v++) {
            t.sum[r][v] = kind == FORWARD ? p->bias[column + v] : kind == WEIGHTS ? c[r * p->c_row + v] : 0;
        }
    }
    UNROLL for (uint32_t v = 0; v < TILE_COLUMNS; v++) {
        t.b[v] = p->b + (size_t)(column + v) * p->b_column;
    }
    uint32_t steps = p->steps;
    if (kind != WEIGHTS) {
        for (; steps >= 4; steps -= 4) {
            UNROLL for (uint32_t ahead = 0; ahead < 4; ahead++) {
                tile_step(&t, ahead, kind);
                if (kind == FORWARD) {
                    t.b[0] += p->b_step;
                }
            }
            UNROLL for (uint32_t r = 0; r < TILE_ROWS; r++) {
                t.a[r] += 4;
            }
            if (kind == INPUTS) {
                UNROLL for (uint32_t v = 0; v < TILE_COLUMNS; v++) {
                    t.b[v] += 4;
                }
            }
        }
    }
    for (; steps; steps--) {
        tile_step(&t, 0, kind);
        tile_advance(p, &t, 1, kind);
    }
    const product_finish finish = kind == FORWARD ? FINISH_ACTIVATION : kind == WEIGHTS ? FINISH_STORE : FINISH_DERIVATIVE;
    UNROLL for (uint32_t r = 0; r < TILE_ROWS; r++) {
        UNROLL for (uint32_t v = 0; v < TILE_COLUMNS; v++) {
            float *to = c + r * p->c_row + v;
            *to = finish_sum(p, t.sum[r][v], *to, finish);
        }
    }
}

INLINE void product_tiles(const product *p, const product_kind kind) {
    for (uint32_t row = 0; row + TILE_ROWS <= p->rows; row += TILE_ROWS) {
        for (uint32_t column = 0; column + TILE_COLUMNS <= p->columns; column += TILE_COLUMNS) {
            product_tile(p, row, column, kind);
        }
    }
}

NOINLINE void forward_tiles(const product *p) {
    product_tiles(p, FORWARD);
}

NOINLINE void weights_tiles(const product *p) {
    product_tiles(p, WEIGHTS);
}

NOINLINE void inputs_tiles(const product *p) {
    product_tiles(p, INPUTS);
}
#endif

NOINLINE void product_run(const product *p) {
    uint32_t tiled_rows = 0;
    uint32_t tiled_columns = 0;
#if TILE_ROWS > 1
    tiled_rows = p->rows - p->rows % TILE_ROWS;
    tiled_columns = p->columns - p->columns % TILE_COLUMNS;
    switch (p->start) {
        case START_BIAS:
            forward_tiles(p);
            break;
        case START_STORED:
            weights_tiles(p);
            break;
        default:
            inputs_tiles(p);
    }
#endif
    for (uint32_t row = 0; row < p->rows; row++) {
        uint32_t column = row < tiled_rows ? tiled_columns : 0;
        for (; column < p->columns; column += TILE_COLUMNS) {
            row_of_sums(p, row, column, least(p->columns - column, TILE_COLUMNS));
        }
    }
}
