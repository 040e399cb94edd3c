// Sums and transpositions that mix lanes.

#if PICORL_W > 1

// Rows become columns: v[i] lane j <-> v[j] lane i.
INLINE void transpose(vf v[PICORL_W]) {
    vi lane = (vi)v_iota();
    UNROLL for (int distance = PICORL_W / 2; distance; distance /= 2) {
        vi upper = (lane & distance) != 0;
        vi low = (lane & ~upper) | ((lane - distance + PICORL_W) & upper);
        vi high = ((lane + distance) & ~upper) | ((lane + PICORL_W) & upper);
        UNROLL for (int r = 0; r < PICORL_W; r++) {
            if (!(r & distance)) {
                vf a = v[r];
                vf b = v[r + distance];
                v[r] = v_shuffle(a, b, low);
                v[r + distance] = v_shuffle(a, b, high);
            }
        }
    }
}

// Lane r of the result is the sum of v[r]'s lanes, halves added to halves: l[k] += l[k + W/2], then W/4, ... 1.
INLINE vf sum_lanes_of_rows(vf v[PICORL_W]) {
    vi lane = (vi)v_iota();
    // At each step vectors hold groups of 2 * half lanes, a row each; two of them become one.
    UNROLL for (int half = PICORL_W / 2; half; half /= 2) {
        vi low = lane / half * (2 * half) + lane % half;
        UNROLL for (int r = 0; r < half; r++) {
            vf a = v[2 * r];
            vf b = v[2 * r + 1];
            v[r] = v_shuffle(a, b, low) + v_shuffle(a, b, low + half);
        }
    }
    return v[0];
}

#endif
