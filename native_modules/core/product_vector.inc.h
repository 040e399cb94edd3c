// A tile of TILE_ROWS x DENSE_VECTORS accumulators stays in registers.

#if PICORL_W == 16 // 32 registers
#define TILE_ROWS 6
#define DENSE_VECTORS 4
#elif PICORL_W == 8 // 16 registers
#define TILE_ROWS 6
#define DENSE_VECTORS 2
#elif defined(__aarch64__)
#define TILE_ROWS 6
#define DENSE_VECTORS 4
#else
#define TILE_ROWS 4
#define DENSE_VECTORS 2
#endif
#define TILE_VECTORS 4

// R (rows), C (vectors) and `whole` (the last vector has all its lanes, not n) are constants where these are inlined.
#define LANES(v) (whole || (v) < C - 1 ? PICORL_W : n)

typedef struct tile {
    const float *a[TILE_ROWS];
    float *c[TILE_ROWS];
    vf sum[TILE_ROWS][TILE_VECTORS];
} tile;

INLINE void tile_start(
    const product *p, tile *t, const float *bias, const uint32_t R, const uint32_t C, const int whole, uint32_t n) {
    if (p->start == START_STORED) {
        UNROLL for (uint32_t r = 0; r < R; r++) {
            UNROLL for (uint32_t v = 0; v < C; v++) {
                t->sum[r][v] = v_get(t->c[r] + v * PICORL_W, LANES(v));
            }
        }
        return;
    }
    UNROLL for (uint32_t v = 0; v < C; v++) {
        vf same = p->start == START_BIAS ? v_get(bias + v * PICORL_W, LANES(v)) : v_set(0);
        UNROLL for (uint32_t r = 0; r < R; r++) {
            t->sum[r][v] = same;
        }
    }
}

// One step of the sums: a[r][at] times a row of b. The fewer of the two wait in registers.
INLINE void tile_step(
    tile *t, size_t at, const float *b, const uint32_t R, const uint32_t C, const int whole, uint32_t n) {
    if (R < C) {
        vf x[TILE_ROWS];
        UNROLL for (uint32_t r = 0; r < R; r++) {
            x[r] = v_set(t->a[r][at]);
        }
        UNROLL for (uint32_t v = 0; v < C; v++) {
            vf weights = v_get(b + v * PICORL_W, LANES(v));
            UNROLL for (uint32_t r = 0; r < R; r++) {
                t->sum[r][v] = v_fma(x[r], weights, t->sum[r][v]);
            }
        }
    } else {
        vf weights[TILE_VECTORS];
        UNROLL for (uint32_t v = 0; v < C; v++) {
            weights[v] = v_get(b + v * PICORL_W, LANES(v));
        }
        UNROLL for (uint32_t r = 0; r < R; r++) {
            vf x = v_set(t->a[r][at]);
            UNROLL for (uint32_t v = 0; v < C; v++) {
                t->sum[r][v] = v_fma(x, weights[v], t->sum[r][v]);
            }
        }
    }
}

INLINE void tile_finish_with(tile *t, const uint32_t R, const uint32_t C, const int whole, uint32_t n,
    const product_finish finish, const int32_t activation) {
    UNROLL for (uint32_t r = 0; r < R; r++) {
        UNROLL for (uint32_t v = 0; v < C; v++) {
            float *to = t->c[r] + v * PICORL_W;
            vf y = t->sum[r][v];
            if (finish == FINISH_ACTIVATION) {
                y = activate(y, activation);
            } else if (finish == FINISH_DERIVATIVE) {
                y = derive(v_flush(y), v_get(to, LANES(v)), activation);
            }
            v_put(to, LANES(v), y);
        }
    }
}

INLINE void tile_finish(const product *p, tile *t, const uint32_t R, const uint32_t C, const int whole, uint32_t n) {
    if (p->finish == FINISH_STORE) {
        tile_finish_with(t, R, C, whole, n, FINISH_STORE, 0);
    } else if (p->finish == FINISH_ACTIVATION && p->activation == PICORL_RELU) {
        tile_finish_with(t, R, C, whole, n, FINISH_ACTIVATION, PICORL_RELU);
    } else if (p->finish == FINISH_ACTIVATION) {
        tile_finish_with(t, R, C, whole, n, FINISH_ACTIVATION, p->activation);
    } else if (p->activation == PICORL_RELU) {
        tile_finish_with(t, R, C, whole, n, FINISH_DERIVATIVE, PICORL_RELU);
    } else {
        tile_finish_with(t, R, C, whole, n, FINISH_DERIVATIVE, p->activation);
    }
}

INLINE void dense_tile(
    const product *p, uint32_t row, uint32_t column, const uint32_t R, const uint32_t C, const int whole, uint32_t n) {
    tile t;
    UNROLL for (uint32_t r = 0; r < R; r++) {
        t.a[r] = p->a + (size_t)(row + r) * p->a_row;
        t.c[r] = p->c + (size_t)(row + r) * p->c_row + column;
    }
    tile_start(p, &t, p->bias + column, R, C, whole, n);
    const float *b = p->b + column;
    size_t at = 0;
    _Pragma("GCC unroll 1") for (uint32_t k = p->steps; k; k--) {
        tile_step(&t, at, b, R, C, whole, n);
        at += p->a_step;
        b += p->b_step;
    }
    tile_finish(p, &t, R, C, whole, n);
}

INLINE void dense_rows(const product *p, uint32_t column, const uint32_t C, const int whole, uint32_t n) {
    uint32_t row = 0;
    for (; row + TILE_ROWS <= p->rows; row += TILE_ROWS) {
        dense_tile(p, row, column, TILE_ROWS, C, whole, n);
    }
    if (TILE_ROWS > 4 && row + 4 <= p->rows) {
        dense_tile(p, row, column, 4, C, whole, n);
        row += 4;
    }
    if (row + 2 <= p->rows) {
        dense_tile(p, row, column, 2, C, whole, n);
        row += 2;
    }
    if (row < p->rows) {
        dense_tile(p, row, column, 1, C, whole, n);
    }
}

#define DENSE_COLUMNS (DENSE_VECTORS * PICORL_W)

NOINLINE void dense_product(const product *p) {
    uint32_t column = 0;
    for (; column + DENSE_COLUMNS <= p->columns; column += DENSE_COLUMNS) {
        dense_rows(p, column, DENSE_VECTORS, 1, PICORL_W);
    }
    uint32_t rest = p->columns - column;
    uint32_t last = (rest - 1) % PICORL_W + 1;
    switch ((rest + PICORL_W - 1) / PICORL_W) {
        case 1:
            dense_rows(p, column, 1, 0, last);
            break;
        case 2:
            dense_rows(p, column, 2, 0, last);
            break;
#if DENSE_VECTORS == 4
        case 3:
            dense_rows(p, column, 3, 0, last);
            break;
        case 4:
            dense_rows(p, column, 4, 0, last);
            break;
#endif
    }
}

#if PICORL_W >= 8
#include "sparse.inc.h"
#endif

NOINLINE void product_run(const product *p) {
#if PICORL_W >= 8
    if (p->many_zeros) {
        product part = *p;
        for (uint32_t row = 0; row < p->rows; row += SPARSE_ROWS) {
            part.a = p->a + (size_t)row * p->a_row;
            part.c = p->c + (size_t)row * p->c_row;
            part.rows = least(p->rows - row, SPARSE_ROWS);
            if (!sparse_product(&part)) {
                dense_product(&part);
            }
        }
        return;
    }
#endif
    dense_product(p);
}
#undef LANES
