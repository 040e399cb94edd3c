// Sums and transpositions that mix lanes.

// In these sums number i goes to lane i % LANES.
#define LANES 16

// halves added to halves: l[k] += l[k + 8], then 4, 2, 1
INLINE float tree_of_lanes(float lane[LANES]) {
    for (uint32_t half = LANES / 2; half; half /= 2) {
        for (uint32_t k = 0; k < half; k++) {
            lane[k] += lane[k + half];
        }
    }
    return lane[0];
}

#if PICORL_W > 1

// The blocks of `distance` lanes off the diagonal change places, in vectors a and b that are `distance` rows apart.
INLINE void exchange(vf *a, vf *b, int distance) {
    vi lane = (vi)v_iota();
    vi upper = (lane & distance) != 0;
    vi low = (lane & ~upper) | ((lane - distance + PICORL_W) & upper);
    vi high = ((lane + distance) & ~upper) | ((lane + PICORL_W) & upper);
    vf x = *a;
    *a = v_shuffle(x, *b, low);
    *b = v_shuffle(x, *b, high);
}

// Rows become columns: v[i] lane j <-> v[j] lane i.
INLINE void transpose(vf v[PICORL_W]) {
    UNROLL for (int distance = PICORL_W / 2; distance; distance /= 2) {
        UNROLL for (int r = 0; r < PICORL_W; r++) {
            if (!(r & distance)) {
                exchange(v + r, v + r + distance, distance);
            }
        }
    }
}

// The same for groups of four lanes: v[i] group j <-> v[j] group i.
INLINE void transpose_groups(vf v[PICORL_W / 4]) {
    UNROLL for (int distance = PICORL_W / 2; distance >= 4; distance /= 2) {
        UNROLL for (int r = 0; r < PICORL_W / 4; r++) {
            if (!(r & (distance / 4))) {
                exchange(v + r, v + r + distance / 4, distance);
            }
        }
    }
}

// Lane k of each group of four, in all four lanes of the group.
INLINE vf v_spread(vf x, int k) {
    return v_shuffle(x, x, ((vi)v_iota() & ~3) | k);
}

// Four numbers, in each group of four lanes.
INLINE vf v_load_group(const float *p) {
#if PICORL_W == 16
    return (vf)_mm512_broadcast_f32x4(_mm_loadu_ps(p));
#elif PICORL_W == 8
    return (vf)_mm256_broadcast_ps((const __m128 *)p);
#else
    return v_load(p);
#endif
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
