// One lane: a tile of 6 x 4 sums fills the 32 registers of a Cortex-M's FPU. A row by itself, and everything where
// floats are software, skips the steps where a is zero, as it often is behind a ReLU: such a term changes no sum
// (weights being finite).

#if (defined(__ARM_FP) && __ARM_FP & 4) || defined(__riscv_flen) || defined(__x86_64__) || defined(__aarch64__)
#define TILE_ROWS 6
#define FLOAT_HARDWARE
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
#if defined(__arm__) && defined(FLOAT_HARDWARE)
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
    // Behind a ReLU that is zero, so is its derivative.
    int masked = p->start == START_ZERO && p->activation == PICORL_RELU;
    if (masked && is_zero(p->c[(size_t)row * p->c_row + column * p->c_column])) {
        return;
    }
    row_of_sums(p, row, column, 1, p->b_column);
}

#ifdef FLOAT_HARDWARE
#include "words.inc.h"

// --- blocks: the tiles of layers whose inputs are seldom zero ---

typedef struct tile {
    const float *a[TILE_ROWS], *b;
    float sum[TILE_ROWS][TILE_COLUMNS];
} tile;

// The next step of the sums: each `*pointer++` becomes one load with post-increment.
INLINE void tile_step(const product *p, tile *t) {
    float weights[TILE_COLUMNS];
    UNROLL for (uint32_t v = 0; v < TILE_COLUMNS; v++) {
        weights[v] = t->b[v];
    }
    UNROLL for (uint32_t r = 0; r < TILE_ROWS; r++) {
        float x = *t->a[r]++;
        OWN_REGISTER(t->a[r]);
        UNROLL for (uint32_t v = 0; v < TILE_COLUMNS; v++) {
            t->sum[r][v] = v_fma(x, weights[v], t->sum[r][v]);
        }
    }
    t->b += p->b_step;
}

INLINE void tile_finish(const product *p, const tile *t, float *c) {
    if (p->activation == PICORL_RELU) {
        constants k = constants_in_registers();
        UNROLL for (uint32_t r = 0; r < TILE_ROWS; r++, c += p->c_row) {
            UNROLL for (uint32_t v = 0; v < TILE_COLUMNS; v++) {
                c[v] = relu_with(k, t->sum[r][v]);
            }
        }
        return;
    }
    UNROLL for (uint32_t r = 0; r < TILE_ROWS; r++, c += p->c_row) {
        UNROLL for (uint32_t v = 0; v < TILE_COLUMNS; v++) {
            c[v] = t->sum[r][v];
        }
    }
}

// Returns how many rows are done, but for the last columns % TILE_COLUMNS.
NOINLINE uint32_t forward_tiles(const product *p) {
    uint32_t row = 0;
    for (; row + TILE_ROWS <= p->rows; row += TILE_ROWS) {
        float *c = p->c + (size_t)row * p->c_row;
        uint32_t column = 0;
        for (; column + TILE_COLUMNS <= p->columns; column += TILE_COLUMNS) {
            tile t;
            UNROLL for (uint32_t r = 0; r < TILE_ROWS; r++) {
                t.a[r] = p->a + (size_t)(row + r) * p->a_row;
                UNROLL for (uint32_t v = 0; v < TILE_COLUMNS; v++) {
                    t.sum[r][v] = p->bias[column + v];
                }
            }
            t.b = p->b + column;
            for (uint32_t k = p->steps; k; k--) {
                tile_step(p, &t);
            }
            tile_finish(p, &t, c + column);
        }
        int others = p->finish == FINISH_ACTIVATION && p->activation != PICORL_RELU;
        for (uint32_t r = 0; others && r < TILE_ROWS; r++, c += p->c_row) {
            activate_all(c, column, p->activation);
        }
    }
    return row;
}

// --- a row by itself: sums over the steps that are not zero ---

#define ROW_STEPS 64 // at most in one go

// The steps that are not zero.
INLINE live_step *find_live_steps(
    const float *a, size_t a_step, const float *b, size_t b_step, uint32_t steps, live_step *live) {
    live_step *end = live;
    for (uint32_t k = steps / 4; k; k--) {
        UNROLL for (uint32_t v = 0; v < 4; v++) {
            end = append_live_step(end, b, bits_of_float(*a));
            a += a_step;
            b += b_step;
            OWN_REGISTER(a);
            OWN_REGISTER(b);
        }
    }
    _Pragma("GCC unroll 1") for (uint32_t k = steps % 4; k; k--) {
        end = append_live_step(end, b, bits_of_float(*a));
        a += a_step;
        b += b_step;
    }
    return end;
}

INLINE uint32_t live_columns(uint32_t left) {
    return left < 24 || left == 32 ? 16 : 24;
}

// The sums over these steps of all columns, but for the last of fewer than 16.
INLINE void live_row(
    const float *start, const live_step *live, const live_step *end, float *c, uint32_t columns, int relu) {
    size_t offset = 0;
    while (columns >= 16) {
        uint32_t n = live_columns(columns);
        if (n == 16) {
            sixteen_live_sums(&start, live, end, offset, &c, relu);
        } else {
            twentyfour_live_sums(&start, live, end, offset, &c, relu);
        }
        offset += n * sizeof(float);
        columns -= n;
    }
}

// Steps that are not zero are found once for all columns. Returns how many columns are done.
NOINLINE uint32_t live_rows(const product *p, uint32_t first_row) {
    const float *a_row = p->a + (size_t)first_row * p->a_row;
    float *c = p->c + (size_t)first_row * p->c_row;
    int relu = p->finish == FINISH_ACTIVATION && p->activation == PICORL_RELU;
    uint32_t done = 0;
    while (done + 16 <= p->columns) {
        done += live_columns(p->columns - done);
    }
    for (uint32_t row = first_row; row < p->rows; row++) {
        const float *a = a_row;
        const float *b = p->b;
        const float *start = p->start == START_BIAS ? p->bias : c;
        for (uint32_t left = p->steps;;) {
            live_step live[ROW_STEPS];
            uint32_t steps = least(left, ROW_STEPS);
            live_step *end = find_live_steps(a, p->a_step, b, p->b_step, steps, live);
            left -= steps;
            if (end != live || start != c || relu) {
                live_row(start, live, end, c, p->columns, relu & (left == 0));
            }
            if (left == 0) {
                break;
            }
            a += ROW_STEPS * (size_t)p->a_step;
            b += ROW_STEPS * (size_t)p->b_step;
            start = c;
        }
        if (p->finish == FINISH_ACTIVATION && !relu) {
            activate_all(c, done, p->activation);
        }
        a_row += p->a_row;
        c += p->c_row;
    }
    return done;
}

// --- gradients of inputs: a row's sums side by side, without those whose derivative is zero ---

#define DOT_COLUMNS 64 // at most in one go

typedef struct dots {
    const float *a, *b;
    uint32_t steps, b_column;
    int32_t activation;
} dots;

// The sums of columns[0] to columns[3].
INLINE void four_dots(const dots *d, const uint8_t *columns, float *c) {
    const float *a = d->a;
    const float *b[4];
    float sum[4];
    UNROLL for (uint32_t v = 0; v < 4; v++) {
        b[v] = d->b + (size_t)columns[v] * d->b_column;
        sum[v] = 0;
    }
    for (uint32_t k = d->steps / 8; k; k--) {
        add_four_by_four(sum, &a, b);
        add_four_by_four(sum, &a, b);
    }
    if (d->steps & 4) {
        add_four_by_four(sum, &a, b);
    }
    _Pragma("GCC unroll 1") for (uint32_t k = d->steps % 4; k; k--) {
        float x = *a++;
        UNROLL for (uint32_t v = 0; v < 4; v++) {
            sum[v] = v_fma(x, *b[v]++, sum[v]);
        }
    }
    flush_four(sum);
    if (d->activation == PICORL_TANH) {
        UNROLL for (uint32_t v = 0; v < 4; v++) {
            sum[v] = derive(sum[v], c[columns[v]], PICORL_TANH);
        }
    } else if (PICORL_WITH_ACTIVATIONS && d->activation == SLOPES) {
        UNROLL for (uint32_t v = 0; v < 4; v++) {
            sum[v] = derive(sum[v], c[columns[v]], SLOPES);
        }
    }
    UNROLL for (uint32_t v = 0; v < 4; v++) {
        c[columns[v]] = sum[v];
    }
}

// The sums of columns[0] to columns[7], whose derivatives are 1. The steps are a multiple of 8.
INLINE void eight_dots(const dots *d, const uint8_t *columns, float *c) {
    const float *b[8];
    float sum[8];
    UNROLL for (uint32_t v = 0; v < 8; v++) {
        b[v] = d->b + (size_t)columns[v] * d->b_column;
    }
    eight_by_eights(sum, d->a, b, d->steps / 8);
    flush_eight(sum);
    UNROLL for (uint32_t v = 0; v < 8; v++) {
        c[columns[v]] = sum[v];
    }
}

// The columns behind a ReLU that is not zero, or all. Returns their end.
INLINE uint8_t *find_live_columns(const float *c, uint32_t count, int relu, uint8_t *columns) {
    uint8_t *end = columns;
    if (relu) {
        _Pragma("GCC unroll 4") for (uint32_t column = 0; column < count; column++) {
            end = append_live_column(end, column, c[column]);
        }
    } else {
        _Pragma("GCC unroll 1") for (uint32_t column = 0; column < count; column++) {
            *end++ = (uint8_t)column;
        }
    }
    return end;
}

NOINLINE void input_rows(const product *p) {
    dots d;
    d.a = p->a;
    d.steps = p->steps;
    d.b_column = p->b_column;
    d.activation = p->activation;
    int eights = p->steps % 8 == 0 && p->activation != PICORL_TANH && p->activation != SLOPES;
    float *c_row = p->c;
    for (uint32_t row = 0; row < p->rows; row++) {
        d.b = p->b;
        float *c = c_row;
        for (uint32_t left = p->columns; left;) {
            uint32_t count = least(left, DOT_COLUMNS);
            uint8_t columns[DOT_COLUMNS + 3];
            uint8_t *end = find_live_columns(c, count, d.activation == PICORL_RELU, columns);
            if (end != columns) {
                end[0] = end[1] = end[2] = end[-1]; // the last once more, to make fours and eights
            }
            const uint8_t *at = columns;
            for (; eights && end - at > 4; at += 8) {
                eight_dots(&d, at, c);
            }
            for (; at < end; at += 4) {
                four_dots(&d, at, c);
            }
            d.b += (size_t)count * d.b_column;
            c += count;
            left -= count;
        }
        d.a += p->a_row;
        c_row += p->c_row;
    }
}

// The same for few steps, columns a multiple of 8 and behind a ReLU: those whose derivative is zero are not stored.
INLINE void few_steps_rows(const product *p, const uint32_t steps) {
    for (uint32_t row = 0; row < p->rows; row++) {
        const float *a = p->a + (size_t)row * p->a_row;
        const float *b = p->b;
        float *c = p->c + (size_t)row * p->c_row;
        for (uint32_t left = p->columns; left; left -= 8, c += 8, b += 8 * steps) {
            float sum[8];
            UNROLL for (uint32_t v = 0; v < 8; v++) {
                sum[v] = a[0] * b[v * steps]; // the sign of a zero does not last
                UNROLL for (uint32_t k = 1; k < steps; k++) {
                    sum[v] = v_fma(a[k], b[v * steps + k], sum[v]);
                }
            }
            flush_eight(sum);
            UNROLL for (uint32_t v = 0; v < 8; v++) {
                if (bits_of_float(c[v])) {
                    c[v] = sum[v];
                }
            }
        }
    }
}

NOINLINE void run_inputs(const product *p) {
    int eights = p->activation == PICORL_RELU && p->columns % 8 == 0;
    if (eights && p->steps == 1) {
        few_steps_rows(p, 1);
    } else if (eights && p->steps == 2) {
        few_steps_rows(p, 2);
    } else {
        input_rows(p);
    }
}
#endif

NOINLINE void product_run(const product *p) {
    uint32_t tiled_rows = 0;
    uint32_t tiled_columns = 0;
    uint32_t columns = 0; // of the other rows that are done
#ifdef FLOAT_HARDWARE
    if (p->start == START_ZERO) {
        run_inputs(p);
        return;
    }
    if (p->start == START_BIAS && !p->many_zeros && p->steps >= 8 && p->rows >= TILE_ROWS) {
        tiled_rows = forward_tiles(p);
        tiled_columns = p->columns - p->columns % TILE_COLUMNS;
    }
    if (p->c_column == 1 && p->columns >= 16) {
        columns = live_rows(p, tiled_rows);
        if (tiled_rows == 0 && columns == p->columns) {
            return;
        }
    }
#endif
    for (uint32_t row = 0; row < p->rows; row++) {
        uint32_t column = row < tiled_rows ? tiled_columns : columns;
        for (; p->b_column == 1 && column + 4 <= p->columns; column += 4) {
            four_sums(p, row, column);
        }
        for (; column < p->columns; column++) {
            one_sum(p, row, column);
        }
    }
}
