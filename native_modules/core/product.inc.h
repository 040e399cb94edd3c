// The matrix product behind dense layers, accumulating in order: c[r][o] = fma(a[r][k], b[k][o], c[r][o]), k ascending.
// What happens to a sum before and after belongs to it: biases, activations and their derivatives cost no pass of
// their own.

typedef enum product_start { START_BIAS, START_STORED, START_ZERO } product_start;
typedef enum product_finish { FINISH_STORE, FINISH_ACTIVATION, FINISH_DERIVATIVE } product_finish;

typedef struct product {
    const float *a, *b;
    float *c;
    uint32_t a_row, a_step; // distances: from row to row of the result, and from step to step of the sum
    uint32_t b_step, c_row;
    uint32_t b_column, c_column; // 1 but for one lane: several lanes want the columns side by side
    uint32_t rows, columns, steps;
    int many_zeros;    // a comes out of a ReLU
    const float *bias; // START_BIAS
    product_start start;
    product_finish finish;
    int32_t activation; // FINISH_ACTIVATION, or FINISH_DERIVATIVE at the outputs that c holds
} product;

// Field by field: initialisers of a whole structure become calls of memset and memcpy.
INLINE void product_of(
    product *p, const float *a, uint32_t a_row, uint32_t a_step, const float *b, uint32_t b_step, uint32_t b_column) {
    p->a = a;
    p->a_row = a_row;
    p->a_step = a_step;
    p->b = b;
    p->b_step = b_step;
    p->b_column = b_column;
    p->many_zeros = 0;
}

INLINE void product_into(
    product *p, float *c, uint32_t c_row, uint32_t c_column, uint32_t rows, uint32_t columns, uint32_t steps) {
    p->c = c;
    p->c_row = c_row;
    p->c_column = c_column;
    p->rows = rows;
    p->columns = columns;
    p->steps = steps;
}

INLINE void product_ends(
    product *p, product_start start, const float *bias, product_finish finish, int32_t activation) {
    p->start = start;
    p->bias = bias;
    p->finish = finish;
    p->activation = activation;
}

#define UNROLL _Pragma("GCC unroll 24")

#if PICORL_W == 1
#include "product_scalar.inc.h"
#else
#include "product_vector.inc.h"
#endif
