// Networks: forward and backward through the records of a layout.

INLINE layer_shape shape_of(const int32_t *layer) {
    layer_shape s = {(uint32_t)layer[PICORL_INPUTS], (uint32_t)layer[PICORL_OUTPUTS], layer[PICORL_ACTIVATION]};
    return s;
}

INLINE int is_dense(const int32_t *layer) {
    return !(PICORL_WITH_NORM || PICORL_WITH_ACTIVATIONS) || layer[PICORL_KIND] == PICORL_DENSE;
}

INLINE int is_elementwise(const int32_t *layer) {
    return PICORL_WITH_ACTIVATIONS && layer[PICORL_KIND] == PICORL_ELEMENTWISE;
}

// Of a norm: NULL if it has none.
INLINE const float *norm_params(const int32_t *layer, const float *params) {
    return layer[PICORL_KIND] == PICORL_LAYER_NORM ? params : NULL;
}

INLINE uint32_t layer_params(const int32_t *layer) {
    layer_shape s = shape_of(layer);
    if (is_dense(layer)) {
        return s.inputs * s.outputs + s.outputs;
    }
    return layer[PICORL_KIND] == PICORL_LAYER_NORM ? 2 * s.inputs : 0;
}

// The activation before a layer.
INLINE int32_t activation_before(const int32_t *layout, const int32_t *layer) {
    return layer == layout ? PICORL_IDENTITY : layer[PICORL_ACTIVATION - PICORL_RECORD];
}

KERNEL(void, forward)(const int32_t *layout, uint32_t layers, const float *params, const float *x, float *out,
    float *cache, uint32_t row, uint32_t rows) {
    const int32_t *last = layout + (layers - 1) * PICORL_RECORD;
    out += (size_t)row * (uint32_t)last[PICORL_OUTPUTS];
    x += (size_t)row * (uint32_t)layout[PICORL_INPUTS];
    for (uint32_t first = 0; first < rows; first += least(rows - first, BLOCK_ROWS)) {
        uint32_t n = least(rows - first, BLOCK_ROWS);
        const float *from = x + (size_t)first * (uint32_t)layout[PICORL_INPUTS];
        const float *at = params;
        float *hidden = cache;
        for (const int32_t *layer = layout; layer <= last; layer += PICORL_RECORD) {
            layer_shape s = shape_of(layer);
            float *to = (layer < last ? hidden : out) + (size_t)first * s.outputs;
            if (is_dense(layer)) {
                dense_forward(s, at, from, to, n, activation_before(layout, layer) == PICORL_RELU);
            } else if (is_elementwise(layer)) {
                elementwise_forward(s, from, to, n);
            } else if (PICORL_WITH_NORM) {
                norm_forward(s, norm_params(layer, at), from, to, n);
            }
            at += layer_params(layer);
            hidden += (size_t)rows * s.outputs;
            from = to;
        }
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
    derive_outputs(delta, out + (size_t)row * s.outputs, rows * s.outputs, s.activation);
    for (;; layer -= PICORL_RECORD) {
        int first = layer == layout;
        s = shape_of(layer);
        if (!first) {
            cache -= (size_t)rows * s.inputs; // the layer's inputs, which become their gradient
        }
        const float *from = first ? x : cache;
        float *to = first ? d_x : cache;
        int32_t before = activation_before(layout, layer);
        if (is_dense(layer)) {
            dense_backward(s, params, from, delta, grad, to, rows, before, first);
        } else if (is_elementwise(layer)) {
            elementwise_backward(s, from, delta, to, rows, before);
        } else if (PICORL_WITH_NORM) {
            norm_backward(s, norm_params(layer, params), from, delta, grad, to, rows, before);
        }
        if (first) {
            return;
        }
        params -= layer_params(layer - PICORL_RECORD);
        grad -= grad ? layer_params(layer - PICORL_RECORD) : 0;
        delta = cache;
    }
}

KERNEL(void, init_params)(const int32_t *layout, uint32_t layers, float *params, uint32_t *rng) {
    uint32_t total = 0;
    for (uint32_t l = 0; l < layers; l++) {
        total += layer_params(layout + l * PICORL_RECORD);
    }
    rng_fill(rng, params, total, 0);
    for (uint32_t l = 0; l < layers; l++, layout += PICORL_RECORD) {
        uint32_t count = layer_params(layout);
        if (PICORL_WITH_NORM && !is_dense(layout)) {
            norm_init(params, count / 2);
            params += count;
            continue;
        }
        vf scale = v_set(1 / scalar_sqrt((float)layout[PICORL_INPUTS]));
        FOR_LANES(i, n, 0, count) {
            v_put(params + i, n, v_get(params + i, n) * scale);
        }
        params += count;
    }
}
