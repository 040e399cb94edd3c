// One lane: a tile of 6 x 4 sums fills the 32 registers of a Cortex-M's FPU. A row by itself, and everything where
// floats are software, skips the steps where a is zero, as it often is behind a ReLU: such a term changes no sum
// (weights being finite).

#if (defined(__ARM_FP) && __ARM_FP & 4) || defined(__riscv_flen) || defined(__x86_64__) || defined(__aarch64__)
#define TILE_ROWS 6
#else
#define TILE_ROWS 1
#endif
#define TILE_COLUMNS 4

typedef enum product_kind { FORWARD, WEIGHTS, INPUTS } product_kind;

// Keeps GCC from deriving one pointer from another, which takes more registers than there are.
#define OWN_REGISTER(pointer) __asm__("" : "+r"(pointer))

// The constants of relu_with and derive_with, in registers: GCC would load them again for each use.
typedef struct constants {
    float least, zero;
} constants;

INLINE constants constants_in_registers(void) {
    constants k = {FLOAT_MIN, 0};
#if defined(__arm__) && TILE_ROWS > 1
    __asm__("" : "+t"(k.least), "+t"(k.zero));
#endif
    return k;
}

INLINE float relu_with(constants k, float x) {
    return x >= k.least ? x : k.zero;
}

INLINE float relu_derivative_with(constants k, float delta, float out) {
    delta = v_abs(delta) < k.least ? k.zero : delta;
    return out > k.zero ? delta : k.zero;
}

INLINE int is_zero(float x) {
    return bits_of_float(x) << 1 == 0;
}

NOINLINE float activate_other(float x, int32_t activation) {
    return activate(x, activation);
}

NOINLINE float finish_sum(const product *p, float sum, float before) {
    switch (p->finish) {
        case FINISH_ACTIVATION:
            return activate_other(sum, p->activation);
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
        _Pragma("GCC unroll 1") for (uint32_t v = 0; v < TILE_COLUMNS; v++) {
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
    constants k = constants_in_registers();
    size_t c_row = p->c_row;
    UNROLL for (uint32_t r = 0; r < R; r++, c += c_row) {
        UNROLL for (uint32_t v = 0; v < TILE_COLUMNS; v++) {
            float y = t->sum[r][v];
            if (kind == FORWARD) {
                y = relu_with(k, y);
            } else if (kind == INPUTS) {
                y = relu_derivative_with(k, y, c[v]);
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

// --- a row by itself, as when acting ---

#define ROW_COLUMNS 24 // at most in one go
#define ROW_STEPS 64   // a multiple of 2

typedef struct live_step {
    float x;
    const float *b;
} live_step;

INLINE void row_start(float *sum, const float *start, const uint32_t C) {
    UNROLL for (uint32_t v = 0; v < C; v++) {
        sum[v] = start[v];
    }
}

INLINE void row_step(float *sum, float x, const float *b, const uint32_t C) {
    UNROLL for (uint32_t v = 0; v < C; v++) {
        sum[v] = v_fma(x, b[v], sum[v]);
    }
}

INLINE void row_finish(float *sum, float *c, int relu, const uint32_t C) {
    if (relu) {
        constants k = constants_in_registers();
        UNROLL for (uint32_t v = 0; v < C; v++) {
            sum[v] = relu_with(k, sum[v]);
        }
    }
    UNROLL for (uint32_t v = 0; v < C; v++) {
        c[v] = sum[v];
    }
}

NOINLINE void sixteen_sums(const product *p, const float *a, uint32_t column, float *c, int relu) {
    float sum[16];
    row_start(sum, p->bias + column, 16);
    const float *b = p->b + column;
    size_t b_step = p->b_step;
    for (const float *end = a + p->steps; a != end; b += b_step) {
        OWN_REGISTER(b);
        row_step(sum, *a++, b, 16);
    }
    row_finish(sum, c, relu, 16);
}

// C sums over the steps in `live`, an even number.
INLINE void sums_of_live_steps(const float *start, const live_step *live, const live_step *end, uint32_t column,
    float *c, int relu, const uint32_t C) {
    float sum[ROW_COLUMNS];
    row_start(sum, start, C);
    while (live != end) {
        const float *b = live[0].b + column;
        const float *next_b = live[1].b + column;
        OWN_REGISTER(b);
        OWN_REGISTER(next_b);
        row_step(sum, live[0].x, b, C);
        row_step(sum, live[1].x, next_b, C);
        live += 2;
    }
    row_finish(sum, c, relu, C);
}

NOINLINE void sixteen_live_sums(
    const float *start, const live_step *live, const live_step *end, uint32_t column, float *c, int relu) {
    sums_of_live_steps(start, live, end, column, c, relu, 16);
}

NOINLINE void twentyfour_live_sums(
    const float *start, const live_step *live, const live_step *end, uint32_t column, float *c, int relu) {
    sums_of_live_steps(start, live, end, column, c, relu, 24);
}

// The steps of a row that are not zero, and perhaps one more that is.
INLINE live_step *find_live_steps(const float *a, const float *b, size_t b_step, uint32_t steps, live_step *live) {
    live_step *end = live;
    const float *first = b;
    _Pragma("GCC unroll 2") for (const float *last = a + steps; a != last; b += b_step) {
        float x = *a++;
        end->x = x;
        end->b = b;
        if (!is_zero(x)) {
            end++;
        }
    }
    if ((end - live) % 2) {
        end->x = 0;
        end->b = first;
        end++;
    }
    return end;
}

// Steps that are not zero are found once for all columns. Returns how many columns are done.
NOINLINE uint32_t forward_live_row(const product *p, const float *a, float *c, int relu) {
    uint32_t column = 0;
    for (uint32_t first = 0; first < p->steps; first += ROW_STEPS) {
        live_step live[ROW_STEPS];
        uint32_t steps = least(p->steps - first, ROW_STEPS);
        live_step *end = find_live_steps(a + first, p->b + (size_t)first * p->b_step, p->b_step, steps, live);
        int last = relu && first + steps == p->steps;
        uint32_t left = p->columns;
        for (column = 0; left >= 16;) {
            const float *start = first ? c + column : p->bias + column;
            uint32_t width = left < 24 || left == 32 ? 16 : 24;
            (width == 16 ? sixteen_live_sums : twentyfour_live_sums)(start, live, end, column, c + column, last);
            column += width;
            left -= width;
        }
    }
    return column;
}

INLINE uint32_t forward_row(const product *p, uint32_t row) {
    const float *a = p->a + (size_t)row * p->a_row;
    float *c = p->c + (size_t)row * p->c_row;
    int relu = p->activation == PICORL_RELU;
    uint32_t column = 0;
    if (p->many_zeros) {
        column = forward_live_row(p, a, c, relu);
    } else {
        for (; column + 16 <= p->columns; column += 16) {
            sixteen_sums(p, a, column, c + column, relu);
        }
    }
    for (uint32_t o = 0; !relu && o < column; o++) {
        c[o] = activate_other(c[o], p->activation);
    }
    return column;
}
#endif

NOINLINE void product_run(const product *p) {
    uint32_t tiled_rows = 0;
#if TILE_ROWS > 1
    if (p->start == START_BIAS) {
        tiled_rows = p->rows < TILE_ROWS ? 0 : forward_tiles(p);
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
