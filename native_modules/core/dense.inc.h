// Dense layers: forward and backward through a network.

// Layers with so few outputs sum in LANES lanes.
#define NARROW 4
#define LANES 16

// Rows that go through all layers together, so that a layer finds its inputs in a near cache.
#define BLOCK_ROWS (PICORL_W == 1 ? 0xffffffff : 128)

typedef struct layer_shape {
    uint32_t inputs, outputs;
    int32_t activation;
} layer_shape;

INLINE layer_shape shape_of(const int32_t *layer) {
    layer_shape s = {(uint32_t)layer[PICORL_INPUTS], (uint32_t)layer[PICORL_OUTPUTS], layer[PICORL_ACTIVATION]};
    return s;
}

INLINE uint32_t layer_params(const int32_t *layer) {
    layer_shape s = shape_of(layer);
    return s.inputs * s.outputs + s.outputs;
}

// --- forward ------------------------------------------------------------------------------------------------------

#if PICORL_W == 1
#ifdef FLOAT_HARDWARE
// Rows before their activation. `inputs` is a multiple of LANES, `outputs` 1, 2 or 4. Sums lie like weights: number
// k * outputs + o is lane k of output o. Eight are made at a time, with the eight that will be added to them first.
INLINE void narrow_rows_of(const float *x, const float *w, const float *bias, float *out, uint32_t inputs,
    uint32_t rows, const uint32_t outputs) {
    for (; rows; rows--, x += inputs, out += outputs) {
        float total[LANES / 2 * NARROW];
        _Pragma("GCC unroll 1") for (uint32_t first = 0; first < 8 * outputs; first += 8) {
            float sum[16];
            UNROLL for (uint32_t k = 0; k < 16; k++) {
                sum[k] = 0;
            }
            const float *from = x + first / outputs;
            const float *weights = w + first;
            for (uint32_t n = inputs; n; n -= LANES) {
                UNROLL for (uint32_t half = 0; half < 16; half += 8) {
                    add_eight(sum + half, &from, &weights, outputs);
                    from += 8 - 8 / outputs;
                    weights += 8 * outputs - 8;
                }
            }
            UNROLL for (uint32_t k = 0; k < 8; k++) {
                total[first + k] = sum[k] + sum[k + 8];
            }
        }
        UNROLL for (uint32_t half = LANES / 4; half; half /= 2) {
            UNROLL for (uint32_t k = 0; k < half * outputs; k++) {
                total[k] += total[k + half * outputs];
            }
        }
        UNROLL for (uint32_t o = 0; o < outputs; o++) {
            out[o] = bias[o] + total[o];
        }
    }
}
#endif

// The same for any number of inputs.
NOINLINE void narrow_rows_of_any(
    const float *x, const float *w, const float *bias, float *out, uint32_t inputs, uint32_t rows, uint32_t outputs) {
    for (; rows; rows--, x += inputs) {
        for (uint32_t o = 0; o < outputs; o++) {
            float lane[LANES];
            for (uint32_t k = 0; k < LANES; k++) {
                lane[k] = 0;
            }
            for (uint32_t i = 0; i < inputs; i++) {
                lane[i % LANES] = v_fma(x[i], w[(size_t)i * outputs + o], lane[i % LANES]);
            }
            for (uint32_t half = LANES / 2; half; half /= 2) {
                for (uint32_t k = 0; k < half; k++) {
                    lane[k] += lane[k + half];
                }
            }
            *out++ = bias[o] + lane[0];
        }
    }
}

NOINLINE void narrow_forward(layer_shape s, const float *params, const float *x, float *out, uint32_t rows) {
    const float *bias = params + (size_t)s.inputs * s.outputs;
#ifdef FLOAT_HARDWARE
    if (s.inputs % LANES == 0 && s.outputs == 1) { // distances that the compiler knows are free
        narrow_rows_of(x, params, bias, out, s.inputs, rows, 1);
    } else if (s.inputs % LANES == 0 && s.outputs == 2) {
        narrow_rows_of(x, params, bias, out, s.inputs, rows, 2);
    } else if (s.inputs % LANES == 0 && s.outputs == 4) {
        narrow_rows_of(x, params, bias, out, s.inputs, rows, 4);
    } else
#endif
    {
        narrow_rows_of_any(x, params, bias, out, s.inputs, rows, s.outputs);
    }
    for (uint32_t k = rows * s.outputs; k; k--, out++) {
        *out = s.activation == PICORL_IDENTITY ? v_flush(*out) : activate_other(*out, s.activation);
    }
}
#else
// Up to PICORL_W rows at once; row r's sum is lane r. w steps by w_step.
INLINE vf narrow_sums(layer_shape s, const float *x, const float *w, uint32_t w_step, uint32_t rows) {
    vf sums[PICORL_W];
    UNROLL for (uint32_t r = 0; r < PICORL_W; r++) {
        sums[r] = v_set(0);
    }
    for (uint32_t r = 0; r < rows; r++) {
        const float *from = x + (size_t)r * s.inputs;
        vf lane[LANES / PICORL_W];
        UNROLL for (uint32_t k = 0; k < LANES / PICORL_W; k++) {
            lane[k] = v_set(0);
        }
        uint32_t i = 0;
        for (; i + LANES <= s.inputs; i += LANES) {
            UNROLL for (uint32_t k = 0; k < LANES / PICORL_W; k++) {
                uint32_t at = i + k * PICORL_W;
                vf weights = v_get_column(w + (size_t)at * w_step, w_step, PICORL_W);
                lane[k] = v_fma(v_load(from + at), weights, lane[k]);
            }
        }
        UNROLL for (uint32_t k = 0; k < LANES / PICORL_W; k++) {
            uint32_t at = i + k * PICORL_W;
            if (at < s.inputs) {
                uint32_t n = least(s.inputs - at, PICORL_W);
                lane[k] = v_fma(v_get(from + at, n), v_get_column(w + (size_t)at * w_step, w_step, n), lane[k]);
            }
        }
        UNROLL for (uint32_t half = LANES / PICORL_W / 2; half; half /= 2) {
            UNROLL for (uint32_t k = 0; k < half; k++) {
                lane[k] += lane[k + half];
            }
        }
        sums[r] = lane[0];
    }
    return sum_lanes_of_rows(sums);
}

#define NARROW_INPUTS 512

NOINLINE void narrow_forward(layer_shape s, const float *params, const float *x, float *out, uint32_t rows) {
    const float *bias = params + (size_t)s.inputs * s.outputs;
    float columns[NARROW][NARROW_INPUTS]; // the weights, turned so that inputs lie side by side
    int turned = s.outputs > 1 && s.inputs <= NARROW_INPUTS;
    for (uint32_t o = 0; turned && o < s.outputs; o++) {
        for (uint32_t i = 0; i < s.inputs; i++) {
            columns[o][i] = params[i * s.outputs + o];
        }
    }
    const float *w = turned ? columns[0] : params;
    uint32_t w_step = turned ? 1 : s.outputs;
    for (uint32_t r = 0; r < rows; r += PICORL_W, x += PICORL_W * s.inputs) {
        uint32_t n = least(rows - r, PICORL_W);
        for (uint32_t o = 0; o < s.outputs; o++) {
            const float *from = w + o * (turned ? NARROW_INPUTS : 1);
            vf sums = n == PICORL_W ? narrow_sums(s, x, from, w_step, PICORL_W) : narrow_sums(s, x, from, w_step, n);
            v_put_column(out + (size_t)r * s.outputs + o, s.outputs, n, activate(v_set(bias[o]) + sums, s.activation));
        }
    }
}
#endif

INLINE void wide_forward(
    layer_shape s, const float *params, const float *x, float *out, uint32_t rows, int many_zeros) {
    product p;
    product_of(&p, x, s.inputs, 1, params, s.outputs, 1);
    product_into(&p, out, s.outputs, 1, rows, s.outputs, s.inputs);
    product_ends(&p, START_BIAS, params + (size_t)s.inputs * s.outputs, FINISH_ACTIVATION, s.activation);
    p.many_zeros = many_zeros;
    product_run(&p);
}

KERNEL(void, forward)(const int32_t *layout, uint32_t layers, const float *params, const float *x, float *out,
    float *cache, uint32_t row, uint32_t rows) {
    out += (size_t)row * (uint32_t)layout[(layers - 1) * PICORL_RECORD + PICORL_OUTPUTS];
    x += (size_t)row * (uint32_t)layout[PICORL_INPUTS];
    for (uint32_t first = 0; first < rows; first += least(rows - first, BLOCK_ROWS)) {
        uint32_t n = least(rows - first, BLOCK_ROWS);
        const float *from = x + (size_t)first * (uint32_t)layout[PICORL_INPUTS];
        const float *at = params;
        float *hidden = cache;
        for (uint32_t l = 0; l < layers; l++) {
            layer_shape s = shape_of(layout + l * PICORL_RECORD);
            float *to = (l + 1 < layers ? hidden : out) + (size_t)first * s.outputs;
            if (s.outputs <= NARROW) {
                narrow_forward(s, at, from, to, n);
            } else {
                wide_forward(s, at, from, to, n, l > 0 && layout[l * PICORL_RECORD - 1] == PICORL_RELU);
            }
            at += layer_params(layout + l * PICORL_RECORD);
            hidden += (size_t)rows * s.outputs;
            from = to;
        }
    }
}

// --- backward -----------------------------------------------------------------------------------------------------

// grad[o] += delta[r][o] for o < outputs
INLINE void bias_gradient(layer_shape s, const float *delta, float *grad, uint32_t rows) {
    static const float one = 1; // fma(1, delta, sum) is sum + delta
    product p;
    product_of(&p, &one, 0, 0, delta, s.outputs, 1);
    product_into(&p, grad, 0, 1, 1, s.outputs, rows);
    product_ends(&p, START_STORED, 0, FINISH_STORE, PICORL_IDENTITY);
    product_run(&p);
}

// grad[i][o] += x[r][i] delta[r][o]
INLINE void wide_weight_gradient(layer_shape s, const float *x, const float *delta, float *grad, uint32_t rows) {
    product p;
    product_of(&p, x, 1, s.inputs, delta, s.outputs, 1);
    product_into(&p, grad, s.outputs, 1, s.inputs, s.outputs, rows);
    product_ends(&p, START_STORED, 0, FINISH_STORE, PICORL_IDENTITY);
    product_run(&p);
}

// The same for few outputs, turned: rows of the product are outputs and its columns inputs.
NOINLINE void narrow_weight_gradient(layer_shape s, const float *x, const float *delta, float *grad, uint32_t rows) {
    product p;
    product_of(&p, delta, 1, s.outputs, x, s.inputs, 1);
    product_ends(&p, START_STORED, 0, FINISH_STORE, PICORL_IDENTITY);
#if PICORL_W == 1
    float part[64];
    uint32_t outputs = s.outputs > 1 && s.inputs >= 16 ? s.outputs : 0;
    if (outputs == 0) {
        product_into(&p, grad, 1, s.outputs, s.outputs, s.inputs, rows);
        product_run(&p);
    }
    // One output after the other, its gradient side by side meanwhile.
    for (uint32_t first = 0; outputs && first < s.inputs; first += 64) {
        uint32_t columns = least(s.inputs - first, 64);
        p.b = x + first;
        for (uint32_t o = 0; o < outputs; o++) {
            float *to = grad + (size_t)first * outputs + o;
            for (uint32_t i = 0; i < columns; i++) {
                part[i] = to[i * outputs];
            }
            p.a = delta + o;
            product_into(&p, part, 0, 1, 1, columns, rows);
            product_run(&p);
            for (uint32_t i = 0; i < columns; i++) {
                to[i * outputs] = part[i];
            }
        }
    }
#else
    float part[NARROW][DENSE_COLUMNS];
    for (uint32_t first = 0; first < s.inputs; first += DENSE_COLUMNS) {
        uint32_t columns = least(s.inputs - first, DENSE_COLUMNS);
        float *to = grad + (size_t)first * s.outputs;
        for (uint32_t i = 0; i < columns; i++) {
            for (uint32_t o = 0; o < s.outputs; o++) {
                part[o][i] = to[i * s.outputs + o];
            }
        }
        p.b = x + first;
        product_into(&p, part[0], DENSE_COLUMNS, 1, s.outputs, columns, rows);
        product_run(&p);
        for (uint32_t i = 0; i < columns; i++) {
            for (uint32_t o = 0; o < s.outputs; o++) {
                to[i * s.outputs + o] = part[o][i];
            }
        }
    }
#endif
}

NOINLINE void weight_gradient(layer_shape s, const float *x, const float *delta, float *grad, uint32_t rows) {
    for (uint32_t first = 0; first < rows; first += least(rows - first, BLOCK_ROWS)) {
        uint32_t n = least(rows - first, BLOCK_ROWS);
        if (s.outputs <= NARROW) {
            narrow_weight_gradient(s, x, delta, grad, n);
        } else {
            wide_weight_gradient(s, x, delta, grad, n);
        }
        bias_gradient(s, delta, grad + (size_t)s.inputs * s.outputs, n);
        x += (size_t)n * s.inputs;
        delta += (size_t)n * s.outputs;
    }
}

#if PICORL_W > 1
#define PANEL_FLOATS 16384
#define PANEL_ROWS 64

// panel[o][i] = w[i][o] for some of the inputs and outputs, PICORL_W x PICORL_W numbers at a time
NOINLINE void turn_weights(
    const float *w, uint32_t stride, uint32_t inputs, uint32_t outputs, float *panel, uint32_t width) {
    for (uint32_t i = 0; i < inputs; i += PICORL_W) {
        for (uint32_t o = 0; o < outputs; o += PICORL_W) {
            uint32_t n = least(outputs - o, PICORL_W);
            vf block[PICORL_W];
            UNROLL for (uint32_t k = 0; k < PICORL_W; k++) {
                block[k] = v_get(w + (size_t)least(i + k, inputs - 1) * stride + o, n);
            }
            transpose(block);
            for (uint32_t k = 0; k < n; k++) {
                v_store(panel + (o + k) * width + i, block[k]);
            }
        }
    }
}

// The columns' weights fit the panel: turned once for all rows.
INLINE void input_gradient_by_columns(product *p, uint32_t width) {
    float panel[PANEL_FLOATS] __attribute__((aligned(64)));
    product part = *p;
    part.b = panel;
    part.b_step = width;
    for (uint32_t i = 0; i < p->columns; i += width) {
        part.columns = least(p->columns - i, width);
        part.c = p->c + i;
        turn_weights(p->b + (size_t)i * p->steps, p->steps, part.columns, p->steps, panel, width);
        product_run(&part);
    }
}

// They do not: the sums of some rows and PICORL_W columns go through the panel piece by piece.
NOINLINE void input_gradient_by_pieces(const product *p) {
    float panel[PANEL_FLOATS];
    float sums[PANEL_ROWS][PICORL_W];
    for (uint32_t i = 0; i < p->columns; i += PICORL_W) {
        uint32_t n = least(p->columns - i, PICORL_W);
        for (uint32_t r = 0; r < p->rows; r += PANEL_ROWS) {
            product part = *p;
            part.b = panel;
            part.b_step = PICORL_W;
            part.c = sums[0];
            part.c_row = PICORL_W;
            part.rows = least(p->rows - r, PANEL_ROWS);
            part.columns = PICORL_W;
            part.finish = FINISH_STORE;
            for (uint32_t o = 0; o < p->steps; o += part.steps) {
                part.a = p->a + (size_t)r * p->a_row + o;
                part.steps = least(p->steps - o, PANEL_FLOATS / PICORL_W);
                turn_weights(p->b + (size_t)i * p->steps + o, p->steps, n, part.steps, panel, PICORL_W);
                product_run(&part);
                part.start = START_STORED;
            }
            for (uint32_t k = 0; k < part.rows; k++) {
                float *to = p->c + (size_t)(r + k) * p->c_row + i;
                v_put(to, n, derive(v_flush(v_load(sums[k])), v_get(to, n), p->activation));
            }
        }
    }
}
#endif

#if PICORL_W > 1
#define FEW_INPUTS 4
#define FEW_OUTPUTS 512 // at most
#define FEW_ROWS (PICORL_W / FEW_INPUTS)
#define FEW_VECTORS 4

// Four steps of FEW_ROWS rows: lanes 4 g + k hold step k of row g.
INLINE void load_few(const float *delta, uint32_t stride, uint32_t rows, uint32_t outputs, vf part[FEW_ROWS]) {
    UNROLL for (uint32_t g = 0; g < FEW_ROWS; g++) {
        part[g] = v_get(delta + (size_t)least(g, rows - 1) * stride, outputs);
    }
    transpose_groups(part);
}

// The gradient at a network's few inputs (an observation and an action), as a critic's users want it: a vector holds
// all inputs of several rows. Rows beyond `rows` repeat the last.
NOINLINE void few_inputs_gradient(layer_shape s, const float *w, const float *delta, float *d_x, uint32_t rows) {
    float panel[FEW_OUTPUTS][FEW_INPUTS];
    for (uint32_t o = 0; o < s.outputs; o++) {
        for (uint32_t i = 0; i < FEW_INPUTS; i++) {
            panel[o][i] = w[(size_t)least(i, s.inputs - 1) * s.outputs + o];
        }
    }
    for (uint32_t row = 0; row < rows; row += FEW_VECTORS * FEW_ROWS) {
        vf sum[FEW_VECTORS];
        UNROLL for (uint32_t v = 0; v < FEW_VECTORS; v++) {
            sum[v] = v_set(0);
        }
        for (uint32_t o = 0; o < s.outputs; o += PICORL_W) {
            uint32_t n = least(s.outputs - o, PICORL_W);
            vf part[FEW_VECTORS][FEW_ROWS];
            UNROLL for (uint32_t v = 0; v < FEW_VECTORS; v++) {
                uint32_t first = least(row + v * FEW_ROWS, rows - 1);
                load_few(delta + (size_t)first * s.outputs + o, s.outputs, rows - first, n, part[v]);
            }
            UNROLL for (uint32_t k = 0; k < PICORL_W; k++) {
                if (k < n) {
                    vf weights = v_load_group(panel[o + k]);
                    UNROLL for (uint32_t v = 0; v < FEW_VECTORS; v++) {
                        sum[v] = v_fma(v_spread(part[v][k / 4], k % 4), weights, sum[v]);
                    }
                }
            }
        }
        UNROLL for (uint32_t v = 0; v < FEW_VECTORS; v++) {
            float result[PICORL_W];
            v_store(result, v_flush(sum[v]));
            for (uint32_t g = 0; g < FEW_ROWS && row + v * FEW_ROWS + g < rows; g++) {
                for (uint32_t i = 0; i < s.inputs; i++) {
                    d_x[(size_t)(row + v * FEW_ROWS + g) * s.inputs + i] = result[4 * g + i];
                }
            }
        }
    }
}
#endif

// d_x[r][i] = sum of delta[r][o] w[i][o], times the derivative at the outputs of the layer before, which d_x holds.
// For the gradient at the network's input that is the identity's.
NOINLINE void input_gradient(
    layer_shape s, const float *w, const float *delta, float *d_x, uint32_t rows, int32_t activation) {
    product p;
    product_of(&p, delta, s.outputs, 1, w, 1, s.outputs);
    product_into(&p, d_x, s.inputs, 1, rows, s.inputs, s.outputs);
    product_ends(&p, START_ZERO, 0, FINISH_DERIVATIVE, activation);
    p.many_zeros = s.activation == PICORL_RELU;
#if PICORL_W > 1
    uint32_t width = least(PANEL_FLOATS / s.outputs, TILE_VECTORS * PICORL_W) / PICORL_W * PICORL_W;
    if (width == 0) {
        input_gradient_by_pieces(&p);
    } else if (s.outputs > 1) {
        input_gradient_by_columns(&p, width);
    } else
#endif
    {
        product_run(&p);
    }
}

KERNEL(void, backward)(const int32_t *layout, uint32_t layers, const float *params, const float *x, const float *out,
    float *cache, float *d_out, float *grad, float *d_x, uint32_t row, uint32_t rows) {
    const int32_t *layer = layout;
    x += (size_t)row * (uint32_t)layout[PICORL_INPUTS];
    for (uint32_t l = 1; l < layers; l++, layer += PICORL_RECORD) {
        params += layer_params(layer);
        grad += grad ? layer_params(layer) : 0;
        cache += (size_t)rows * shape_of(layer).outputs;
    }
    layer_shape s = shape_of(layer);
    float *delta = d_out + (size_t)row * s.outputs;
    out += (size_t)row * s.outputs;
    FOR_LANES(i, n, 0, rows * s.outputs) {
        v_put(delta + i, n, derive(v_get(delta + i, n), v_get(out + i, n), s.activation));
    }
    for (; layer > layout; layer -= PICORL_RECORD) {
        s = shape_of(layer);
        cache -= (size_t)rows * s.inputs; // the layer's inputs, which become their gradient
        if (grad) {
            weight_gradient(s, cache, delta, grad, rows);
            grad -= layer_params(layer - PICORL_RECORD);
        }
        input_gradient(s, params, delta, cache, rows, layer[PICORL_ACTIVATION - PICORL_RECORD]);
        params -= layer_params(layer - PICORL_RECORD);
        delta = cache;
    }
    s = shape_of(layout);
    if (grad) {
        weight_gradient(s, x, delta, grad, rows);
    }
    if (d_x) {
#if PICORL_W > 1
        if (s.inputs <= FEW_INPUTS && s.outputs <= FEW_OUTPUTS) {
            few_inputs_gradient(s, params, delta, d_x, rows);
            return;
        }
#endif
        input_gradient(s, params, delta, d_x, rows, PICORL_IDENTITY);
    }
}

KERNEL(void, init_params)(const int32_t *layout, uint32_t layers, float *params, uint32_t *rng) {
    uint32_t total = 0;
    for (uint32_t l = 0; l < layers; l++) {
        total += layer_params(layout + l * PICORL_RECORD);
    }
    rng_fill(rng, params, total, 0);
    for (uint32_t l = 0; l < layers; l++, layout += PICORL_RECORD) {
        vf scale = v_set(1 / scalar_sqrt((float)layout[PICORL_INPUTS]));
        uint32_t count = layer_params(layout);
        FOR_LANES(i, n, 0, count) {
            v_put(params + i, n, v_get(params + i, n) * scale);
        }
        params += count;
    }
}
