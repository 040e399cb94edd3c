// Gated recurrent units between two dense layers. Lanes are units.

ELEMENTARY vf v_sigmoid(vf x) {
    return v_flush(v_set(1) / (v_set(1) + v_exp(-x)));
}

KERNEL(void, gru_cell)(const float *keep, float *gates, const float *hidden, float *state, float *previous,
    float *candidate, float *out, uint32_t units, uint32_t width, uint32_t steps, uint32_t step, uint32_t row,
    uint32_t rows) {
    for (uint32_t b = 0; b < rows; b++) {
        size_t here = (size_t)b * steps + step;
        size_t there = (size_t)(row + b) * steps + step;
        float *r_at = gates + here * 3 * units, *z_at = r_at + units, *n_at = z_at + units;
        const float *r_of = hidden + (size_t)b * 3 * units, *z_of = r_of + units, *n_of = z_of + units;
        float *h_at = state + (size_t)b * units;
        int clears = step + 1 < steps && keep[there + 1] == 0;
        FOR_LANES(j, lanes, 0, units) {
            vf h = v_get(h_at + j, lanes);
            vf c = v_get(n_of + j, lanes);
            vf r = v_sigmoid(v_get(r_at + j, lanes) + v_get(r_of + j, lanes));
            vf z = v_sigmoid(v_get(z_at + j, lanes) + v_get(z_of + j, lanes));
            vf n = v_flush(v_tanh(v_fma(r, c, v_get(n_at + j, lanes))));
            v_put(previous + here * units + j, lanes, h);
            v_put(candidate + here * units + j, lanes, c);
            v_put(r_at + j, lanes, r);
            v_put(z_at + j, lanes, z);
            v_put(n_at + j, lanes, n);
            h = v_flush(v_fma(z, h - n, n));
            v_put(out + there * width + j, lanes, h);
            v_put(h_at + j, lanes, clears ? v_set(0) : h);
        }
    }
}

KERNEL(void, gru_cell_backward)(const float *keep, float *gates, const float *previous, const float *candidate,
    const float *d_out1, const float *d_out2, float *d_state, const float *d_through, float *d_hidden,
    float *all_d_hidden, uint32_t units, uint32_t width, uint32_t steps, uint32_t step, uint32_t row, uint32_t rows) {
    vf one = v_set(1);
    for (uint32_t b = 0; b < rows; b++) {
        size_t here = (size_t)b * steps + step;
        float *r_at = gates + here * 3 * units, *z_at = r_at + units, *n_at = z_at + units;
        float *d_at = d_hidden + (size_t)b * 3 * units, *all_at = all_d_hidden + here * 3 * units;
        int goes = step + 1 < steps && keep[(size_t)(row + b) * steps + step + 1] != 0;
        FOR_LANES(j, lanes, 0, units) {
            size_t at = (size_t)b * units + j;
            vf r = v_get(r_at + j, lanes);
            vf z = v_get(z_at + j, lanes);
            vf n = v_get(n_at + j, lanes);
            vf g = v_get(d_out1 + here * width + j, lanes);
            if (d_out2) {
                g += v_get(d_out2 + here * width + j, lanes);
            }
            if (goes) {
                g += v_get(d_state + at, lanes) + v_get(d_through + at, lanes);
            }
            vf dn = (g * (one - z)) * v_fma(-n, n, one);
            vf dz = (g * (v_get(previous + here * units + j, lanes) - n)) * (z * (one - z));
            vf dr = (dn * v_get(candidate + here * units + j, lanes)) * (r * (one - r));
            vf dc = v_flush(dn * r);
            dn = v_flush(dn);
            dz = v_flush(dz);
            dr = v_flush(dr);
            v_put(r_at + j, lanes, dr);
            v_put(z_at + j, lanes, dz);
            v_put(n_at + j, lanes, dn);
            v_put(d_at + j, lanes, dr);
            v_put(d_at + units + j, lanes, dz);
            v_put(d_at + 2 * units + j, lanes, dc);
            v_put(all_at + j, lanes, dr);
            v_put(all_at + units + j, lanes, dz);
            v_put(all_at + 2 * units + j, lanes, dc);
            v_put(d_state + at, lanes, v_flush(g * z));
        }
    }
}
