// One lane: a tile of 6 x 4 sums fills the 32 registers of a Cortex-M's FPU. A row by itself, and everything where floats
// are software, skips the steps where a is zero, as it often is behind a ReLU: such a term changes no sum (weights
// being finite).

#if (defined(__ARM_FP) && __ARM_FP & 4) || defined(__riscv_flen) || defined(__x86_64__) || defined(__aarch64__)
#define TILE_ROWS 6
#else
#define TILE_ROWS 1
#endif
#define TILE_COLUMNS 4

typedef enum product_kind { FORWARD, WEIGHTS, INPUTS } product_kind;

// Keeps GCC from deriving one pointer from another, which takes more registers than there are.
#define OWN_REGISTER(pointer) __asm__("" : "+r"(pointer))

INLINE int is_zero(float x) {
    return bits_of_float(x) << 1 == 0;
}

NOINLINE float finish_sum(const product *p, float sum, float before) {
    switch (p->finish) {
        case FINISH_ACTIVATION:
            return activate(sum, p->activation);
        case FINISH_DERIVATIVE:
            return derive(v_flush(sum), before, p->activation);
        default:
            return sum;
    }
}

// C sums of a row at any distances.
INLINE void row_of_sums(const product *p, uint32_t row, uint32_t column, const uint32_t C, size_t b_column) {
    float sum[TILE_COLUMNS];
    float *c = p->c + (size_t)row * p->c_row + column * p->c_column;
    UNROLL for (uint32_t v = 0; v < C; v++) {
        sum[v] = p->start == START_BIAS ? p->bias[column + v] : p->start == START_STORED ? c[v * p->c_column] : 0;
    }
    const float *a = p->a + (size_t)row * p->a_row;
    const float *b = p->b + column * b_column;
    size_t a_step = p->a_step;
    size_t b_step = p->b_step;
    for (uint32_t k = p->steps; k; k--) {
        float x = *a;
        a += a_step;
        if (!is_zero(x)) {
            UNROLL for (uint32_t v = 0; v < C; v++) {
                sum[v] = v_fma(x, b[v * b_column], sum[v]);
            }
        }
        b += b_step;
    }
    UNROLL for (uint32_t v = 0; v < C; v++) {
        *c = finish_sum(p, sum[v], *c);
        c += p->c_column;
    }
}

NOINLINE void four_sums(const product *p, uint32_t row, uint32_t column) {
    row_of_sums(p, row, column, 4, 1);
}

NOINLINE void one_sum(const product *p, uint32_t row, uint32_t column) {
    row_of_sums(p, row, column, 1, p->b_column);
}

#if TILE_ROWS > 1
typedef struct tile {
    const float *a[TILE_ROWS], *b[TILE_COLUMNS];
    float sum[TILE_ROWS][TILE_COLUMNS];
} tile;

// The next step of the sums: each `*pointer++` becomes one load with post-increment.
INLINE void tile_step(const product *p, tile *t, const uint32_t R, const product_kind kind) {
    float weights[TILE_COLUMNS];
    UNROLL for (uint32_t v = 0; v < TILE_COLUMNS; v++) {
        if (kind == INPUTS) {
            weights[v] = *t->b[v]++;
            OWN_REGISTER(t->b[v]);
        } else {
            weights[v] = t->b[0][v];
        }
    }
    UNROLL for (uint32_t r = 0; r < R; r++) {
        float x;
        if (kind == WEIGHTS) {
            x = t->a[0][r];
        } else {
            x = *t->a[r]++;
            OWN_REGISTER(t->a[r]);
        }
        UNROLL for (uint32_t v = 0; v < TILE_COLUMNS; v++) {
            t->sum[r][v] = v_fma(x, weights[v], t->sum[r][v]);
        }
    }
    t->a[0] += kind == WEIGHTS ? p->a_step : 0;
    t->b[0] += kind == INPUTS ? 0 : p->b_step;
}

NOINLINE void finish_others(const product *p, const float *sum, float *c, uint32_t rows) {
    for (uint32_t r = 0; r < rows; r++, c += p->c_row) {
        for (uint32_t v = 0; v < TILE_COLUMNS; v++) {
            c[v] = finish_sum(p, *sum++, c[v]);
        }
    }
}

INLINE void tile_finish(const product *p, const tile *t, float *c, const uint32_t R, const product_kind kind) {
    if (kind != WEIGHTS && p->activation != PICORL_RELU) {
        float sum[TILE_ROWS * TILE_COLUMNS];
        UNROLL for (uint32_t r = 0; r < R; r++) {
            UNROLL for (uint32_t v = 0; v < TILE_COLUMNS; v++) {
                sum[r * TILE_COLUMNS + v] = t->sum[r][v];
            }
        }
        finish_others(p, sum, c, R);
        return;
    }
    size_t c_row = p->c_row;
    UNROLL for (uint32_t r = 0; r < R; r++, c += c_row) {
        UNROLL for (uint32_t v = 0; v < TILE_COLUMNS; v++) {
            float y = t->sum[r][v];
            if (kind == FORWARD) {
                y = activate(y, PICORL_RELU);
            } else if (kind == INPUTS) {
                y = derive(v_flush(y), c[v], PICORL_RELU);
            }
            c[v] = y;
        }
    }
}

INLINE void product_tile(const product *p, uint32_t row, uint32_t column, const uint32_t R, const product_kind kind) {
    tile t;
    float *c = p->c + (size_t)row * p->c_row + column;
    UNROLL for (uint32_t r = 0; r < R; r++) {
        t.a[r] = p->a + (size_t)(row + r) * p->a_row;
        UNROLL for (uint32_t v = 0; v < TILE_COLUMNS; v++) {
            t.sum[r][v] = kind == FORWARD ? p->bias[column + v] : kind == WEIGHTS ? c[r * p->c_row + v] : 0;
        }
    }
    UNROLL for (uint32_t v = 0; v < TILE_COLUMNS; v++) {
        t.b[v] = p->b + (size_t)(column + v) * p->b_column;
    }
    for (uint32_t k = p->steps; k; k--) {
        tile_step(p, &t, R, kind);
    }
    tile_finish(p, &t, c, R, kind);
}

// Returns how many rows are done, but for the last columns % TILE_COLUMNS.
INLINE uint32_t product_tiles(const product *p, uint32_t row, const uint32_t R, const product_kind kind) {
    for (; row + R <= p->rows; row += R) {
        for (uint32_t column = 0; column + TILE_COLUMNS <= p->columns; column += TILE_COLUMNS) {
            product_tile(p, row, column, R, kind);
        }
    }
    return row;
}

NOINLINE uint32_t forward_tiles(const product *p) {
    return product_tiles(p, 0, TILE_ROWS, FORWARD);
}

NOINLINE uint32_t weights_tiles(const product *p) {
    uint32_t row = product_tiles(p, 0, TILE_ROWS, WEIGHTS);
    return product_tiles(p, row, 2, WEIGHTS);
}

NOINLINE uint32_t inputs_tiles(const product *p) {
    uint32_t row = product_tiles(p, 0, TILE_ROWS, INPUTS);
    return product_tiles(p, row, 2, INPUTS);
}

#define ROW_COLUMNS 16
#define ROW_STEPS 64 // a multiple of 2

typedef struct live_step {
    float x;
    const float *b;
} live_step;

INLINE void add_live_step(float *sum, const live_step *live, uint32_t column) {
    float x = live->x;
    const float *b = live->b + column;
    OWN_REGISTER(b);
    UNROLL for (uint32_t v = 0; v < ROW_COLUMNS; v++) {
        sum[v] = v_fma(x, b[v], sum[v]);
    }
}

// ROW_COLUMNS sums of a row over the steps in `live`, an even number.
NOINLINE void sums_of_live_steps(
    const float *start, const live_step *live, const live_step *end, uint32_t column, float *c, int relu) {
    float sum[ROW_COLUMNS];
    UNROLL for (uint32_t v = 0; v < ROW_COLUMNS; v++) {
        sum[v] = start[v];
    }
    while (live != end) {
        add_live_step(sum, live, column);
        add_live_step(sum, live + 1, column);
        live += 2;
        OWN_REGISTER(live);
    }
    if (relu) {
        UNROLL for (uint32_t v = 0; v < ROW_COLUMNS; v++) {
            sum[v] = activate(sum[v], PICORL_RELU);
        }
    }
    UNROLL for (uint32_t v = 0; v < ROW_COLUMNS; v++) {
        c[v] = sum[v];
    }
}

// A row by itself, as when acting: the steps that are not zero are found once for all columns.
// Returns how many columns are done.
NOINLINE uint32_t forward_row(const product *p, uint32_t row) {
    uint32_t columns = p->columns - p->columns % ROW_COLUMNS;
    const float *a = p->a + (size_t)row * p->a_row;
    const float *b = p->b;
    size_t b_step = p->b_step;
    float *c = p->c + (size_t)row * p->c_row;
    for (uint32_t first = 0; first < p->steps; first += ROW_STEPS) {
        live_step live[ROW_STEPS];
        live_step *end = live;
        uint32_t steps = least(p->steps - first, ROW_STEPS);
        for (uint32_t k = steps; k; k--) {
            float x = *a++;
            end->x = x;
            end->b = b;
            if (!is_zero(x)) {
                end++;
            }
            b += b_step;
        }
        if ((end - live) % 2) {
            end->x = 0;
            end->b = p->b;
            end++;
        }
        int relu = first + steps == p->steps && p->activation == PICORL_RELU;
        for (uint32_t column = 0; column < columns; column += ROW_COLUMNS) {
            const float *start = first ? c + column : p->bias + column;
            sums_of_live_steps(start, live, end, column, c + column, relu);
        }
    }
    for (uint32_t column = 0; p->activation != PICORL_RELU && column < columns; column++) {
        c[column] = activate(c[column], p->activation);
    }
    return columns;
}
#endif

NOINLINE void product_run(const product *p) {
    uint32_t tiled_rows = 0;
#if TILE_ROWS > 1
    if (p->start == START_BIAS) {
        tiled_rows = forward_tiles(p);
    } else if (p->start == START_ZERO) {
        tiled_rows = inputs_tiles(p);
    } else if (p->a_row == 1 && p->c_column == 1) {
        tiled_rows = weights_tiles(p);
    }
#endif
    for (uint32_t row = 0; row < p->rows; row++) {
        uint32_t column = row < tiled_rows ? p->columns - p->columns % TILE_COLUMNS : 0;
#if TILE_ROWS > 1
        if (row >= tiled_rows && p->start == START_BIAS) {
            column = forward_row(p, row);
        }
#endif
        for (; p->b_column == 1 && column + 4 <= p->columns; column += 4) {
            four_sums(p, row, column);
        }
        for (; column < p->columns; column++) {
            one_sum(p, row, column);
        }
    }
}
