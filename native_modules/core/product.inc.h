// The matrix product behind dense layers, accumulating in order: c[r][o] = fma(a[r][k], b[k][o], c[r][o]), k ascending.
//
// A tile of TILE_ROWS x TILE_VECTORS accumulators stays in registers. What happens to a tile before and after belongs to
// it: biases, activations and their derivatives cost no pass of their own.

#if PICORL_W == 16 // 32 registers
#define TILE_ROWS 6
#define TILE_VECTORS 4
#elif PICORL_W == 8 // 16 registers
#define TILE_ROWS 6
#define TILE_VECTORS 2
#elif defined(__aarch64__)
#define TILE_ROWS 6
#define TILE_VECTORS 4
#elif PICORL_W == 4
#define TILE_ROWS 4
#define TILE_VECTORS 2
#else
#define TILE_ROWS 4
#define TILE_VECTORS 4
#endif

typedef enum product_start { START_BIAS, START_STORED, START_ZERO } product_start;
typedef enum product_finish { FINISH_STORE, FINISH_ACTIVATION, FINISH_DERIVATIVE } product_finish;

typedef struct product {
    const float *a, *b;
    float *c;
    uint32_t a_row, a_step; // distances: from row to row of the result, and from step to step of the sum
    uint32_t b_step, c_row;
    uint32_t b_column; // 1 but for one lane: several lanes want the columns side by side
    uint32_t rows, columns, steps;
    const float *bias; // START_BIAS
    product_start start;
    product_finish finish;
    int32_t activation; // FINISH_ACTIVATION, or FINISH_DERIVATIVE at the outputs that c holds
} product;

INLINE vf activate(vf x, int32_t activation) {
    switch (activation) {
        case PICORL_RELU:
            return v_select(v_ge(x, v_set(FLOAT_MIN)), x, v_set(0));
        case PICORL_TANH:
            return v_flush(v_tanh(x));
        default:
            return v_flush(x);
    }
}

// delta * f'(out)
INLINE vf derive(vf delta, vf out, int32_t activation) {
    switch (activation) {
        case PICORL_RELU:
            return v_select(v_lt(v_set(0), out), delta, v_set(0));
        case PICORL_TANH:
            return delta * v_fma(-out, out, v_set(1));
        default:
            return delta;
    }
}

#define UNROLL _Pragma("GCC unroll 8")

typedef vf tile[TILE_ROWS][TILE_VECTORS];

// Below, R (rows), C (vectors) and `whole` (the last vector has all its lanes) are constants where they are inlined.
#define LANES(v) (whole || (v) < C - 1 ? PICORL_W : n)

INLINE void tile_start(const product *p, tile sum, const float *c, const float *bias, const uint32_t R,
    const uint32_t C, const int whole, uint32_t n) {
    switch (p->start) {
        case START_BIAS:
            UNROLL for (uint32_t v = 0; v < C; v++) {
                vf start = v_get(bias + v * PICORL_W, LANES(v));
                UNROLL for (uint32_t r = 0; r < R; r++) {
                    sum[r][v] = start;
                }
            }
            break;
        case START_STORED:
            UNROLL for (uint32_t r = 0; r < R; r++) {
                UNROLL for (uint32_t v = 0; v < C; v++) {
                    sum[r][v] = v_get(c + (size_t)r * p->c_row + v * PICORL_W, LANES(v));
                }
            }
            break;
        default:
            UNROLL for (uint32_t r = 0; r < R; r++) {
                UNROLL for (uint32_t v = 0; v < C; v++) {
                    sum[r][v] = v_set(0);
                }
            }
    }
}

INLINE void tile_finish(const product *p, tile sum, float *c, const uint32_t R, const uint32_t C, const int whole,
    uint32_t n) {
#define EACH(to, y, value)                                                                                            \
    UNROLL for (uint32_t r = 0; r < R; r++) {                                                                         \
        UNROLL for (uint32_t v = 0; v < C; v++) {                                                                     \
            float *to = c + (size_t)r * p->c_row + v * PICORL_W;                                                      \
            vf y = sum[r][v];                                                                                         \
            v_put(to, LANES(v), value);                                                                               \
        }                                                                                                             \
    }
    if (p->finish == FINISH_STORE) {
        EACH(to, y, y)
    } else if (p->finish == FINISH_ACTIVATION) {
        if (p->activation == PICORL_RELU) {
            EACH(to, y, activate(y, PICORL_RELU))
        } else {
            EACH(to, y, activate(y, p->activation))
        }
    } else if (p->activation == PICORL_RELU) {
        EACH(to, y, derive(v_flush(y), v_get(to, LANES(v)), PICORL_RELU))
    } else {
        EACH(to, y, derive(v_flush(y), v_get(to, LANES(v)), p->activation))
    }
#undef EACH
}

// One step of the sums: x is a[r][k], b the row b[k].
INLINE void tile_step(tile sum, const float *const *a, size_t a_at, const float *b, size_t b_column, const uint32_t R,
    const uint32_t C, const int whole, uint32_t n) {
    vf weights[TILE_VECTORS];
    UNROLL for (uint32_t v = 0; v < C; v++) {
        weights[v] = v_get(b + v * PICORL_W * b_column, LANES(v));
    }
    UNROLL for (uint32_t r = 0; r < R; r++) {
        vf x = v_set(a[r][a_at]);
        UNROLL for (uint32_t v = 0; v < C; v++) {
            sum[r][v] = v_fma(x, weights[v], sum[r][v]);
        }
    }
}
INLINE void product_tile(const product *p, uint32_t row, uint32_t column, const uint32_t R, const uint32_t C,
    const int whole, uint32_t n) {
    tile sum;
    float *c = p->c + (size_t)row * p->c_row + column;
    tile_start(p, sum, c, p->bias + column, R, C, whole, n);
    const float *a = p->a + (size_t)row * p->a_row;
    size_t a_row = p->a_row;
    size_t b_column = PICORL_W == 1 ? p->b_column : 1;
    const float *b = p->b + column * b_column;
    for (uint32_t k = p->steps; k; k--) {
        vf weights[TILE_VECTORS];
        UNROLL for (uint32_t v = 0; v < C; v++) {
            weights[v] = v_get(b + v * PICORL_W * b_column, LANES(v));
        }
        UNROLL for (uint32_t r = 0; r < R; r++) {
            vf x = v_set(a[r * a_row]);
            UNROLL for (uint32_t v = 0; v < C; v++) {
                sum[r][v] = v_fma(x, weights[v], sum[r][v]);
            }
        }
        a += p->a_step;
        b += p->b_step;
    }
    tile_finish(p, sum, c, R, C, whole, n);
}
#undef LANES

INLINE void product_rows(const product *p, uint32_t column, const uint32_t C, const int whole, uint32_t n) {
    uint32_t row = 0;
    for (; row + TILE_ROWS <= p->rows; row += TILE_ROWS) {
        product_tile(p, row, column, TILE_ROWS, C, whole, n);
    }
    if (TILE_ROWS > 4 && row + 4 <= p->rows) {
        product_tile(p, row, column, 4, C, whole, n);
        row += 4;
    }
    if (row + 2 <= p->rows) {
        product_tile(p, row, column, 2, C, whole, n);
        row += 2;
    }
    if (row < p->rows) {
        product_tile(p, row, column, 1, C, whole, n);
    }
}

NOINLINE void product_run(const product *p) {
    uint32_t column = 0;
    for (; column + TILE_VECTORS * PICORL_W <= p->columns; column += TILE_VECTORS * PICORL_W) {
        product_rows(p, column, TILE_VECTORS, 1, PICORL_W);
    }
    if (column == p->columns) {
        return;
    }
    uint32_t rest = p->columns - column;
    uint32_t last = (rest - 1) % PICORL_W + 1;
    switch ((rest - 1) / PICORL_W) {
        case 0:
            product_rows(p, column, 1, 0, last);
            break;
        case 1:
            product_rows(p, column, 2, 0, last);
            break;
#if TILE_VECTORS == 4
        case 2:
            product_rows(p, column, 3, 0, last);
            break;
        case 3:
            product_rows(p, column, 4, 0, last);
            break;
#endif
    }
}
