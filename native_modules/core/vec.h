// Vectors of PICORL_W float32 lanes (16, 8, 4 or 1), the only place that knows an instruction set.
//
// PICORL_FUSED tells the class: with 0, v_fma rounds the product too. A vector of one lane is a plain float, so the
// kernels are also the scalar code of a microcontroller. Lane k of a result depends on lane k of the arguments only
// and is the same at every width.
#ifndef PICORL_VEC_H
#define PICORL_VEC_H

#include <stdint.h>

#if PICORL_W > 1 && (defined(__x86_64__) || defined(__i386__))
#include <immintrin.h>
#elif PICORL_W > 1 && defined(__aarch64__)
#include <arm_neon.h>
#endif

#define INLINE static inline __attribute__((always_inline, unused))
#define NOINLINE static __attribute__((noinline, unused))

#define FLOAT_MIN 0x1p-126f
#define SIGN_BIT 0x80000000u
#define EXPONENT_BITS 0x7f800000u

#if PICORL_W == 1
typedef float vf;
typedef int32_t vi;
typedef uint32_t vu;
typedef int32_t vm;
#else
typedef float vf __attribute__((vector_size(4 * PICORL_W), may_alias));
typedef int32_t vi __attribute__((vector_size(4 * PICORL_W), may_alias));
typedef uint32_t vu __attribute__((vector_size(4 * PICORL_W), may_alias));
typedef float vf_unaligned __attribute__((vector_size(4 * PICORL_W), may_alias, aligned(4)));
#if PICORL_W == 16
typedef __mmask16 vm;
#else
typedef vi vm; // -1 or 0 in each lane
#endif
#endif

INLINE float float_of_bits(uint32_t bits) {
    union {
        uint32_t u;
        float f;
    } both = {bits};
    return both.f;
}

INLINE uint32_t bits_of_float(float x) {
    union {
        float f;
        uint32_t u;
    } both = {x};
    return both.u;
}

// --- moving -------------------------------------------------------------------------------------------------------

INLINE vf v_set(float x) {
#if PICORL_W == 1
    return x;
#else
    return x - (vf){0}; // as GCC likes it: a broadcast
#endif
}

INLINE vu v_set_bits(uint32_t x) {
#if PICORL_W == 1
    return x;
#else
    return x - (vu){0};
#endif
}

// 0, 1, 2, ...
INLINE vu v_iota(void) {
#if PICORL_W == 1
    return 0;
#elif PICORL_W == 4
    return (vu){0, 1, 2, 3};
#elif PICORL_W == 8
    return (vu){0, 1, 2, 3, 4, 5, 6, 7};
#else
    return (vu){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
#endif
}

INLINE vf v_load(const float *p) {
#if PICORL_W == 1
    return *p;
#else
    return *(const vf_unaligned *)p;
#endif
}

INLINE void v_store(float *p, vf x) {
#if PICORL_W == 1
    *p = x;
#else
    *(vf_unaligned *)p = x;
#endif
}

#if PICORL_W == 8
// n leading lanes on.
INLINE vi v_leading(uint32_t n) {
    return (vi)v_iota() < (vi)v_set_bits(n);
}
#endif

// The first n (1 to PICORL_W) lanes from memory, the others 0; nothing beyond is touched.
INLINE vf v_load_n(const float *p, uint32_t n) {
#if PICORL_W == 1
    (void)n;
    return *p;
#elif PICORL_W == 16
    return (vf)_mm512_maskz_loadu_ps((__mmask16)(0xffffu >> (16 - n)), p);
#elif PICORL_W == 8
    return (vf)_mm256_maskload_ps(p, (__m256i)v_leading(n));
#else
    vf x = {0};
    for (uint32_t k = 0; k < PICORL_W; k++) {
        if (k < n) {
            x[k] = p[k];
        }
    }
    return x;
#endif
}

INLINE void v_store_n(float *p, uint32_t n, vf x) {
#if PICORL_W == 1
    (void)n;
    *p = x;
#elif PICORL_W == 16
    _mm512_mask_storeu_ps(p, (__mmask16)(0xffffu >> (16 - n)), (__m512)x);
#elif PICORL_W == 8
    _mm256_maskstore_ps(p, (__m256i)v_leading(n), (__m256)x);
#else
    for (uint32_t k = 0; k < PICORL_W; k++) {
        if (k < n) {
            p[k] = x[k];
        }
    }
#endif
}

INLINE vu v_bits(vf x) {
#if PICORL_W == 1
    return bits_of_float(x);
#else
    return (vu)x;
#endif
}

INLINE vf v_of_bits(vu x) {
#if PICORL_W == 1
    return float_of_bits(x);
#else
    return (vf)x;
#endif
}

// Integers below 2^24, exactly.
INLINE vf v_of_ints(vu x) {
#if PICORL_W == 1
    return (float)(int32_t)x;
#else
    return __builtin_convertvector((vi)x, vf);
#endif
}

INLINE vu v_load_bits(const uint32_t *p) {
#if PICORL_W == 1
    return *p;
#else
    return v_bits(v_load((const float *)p));
#endif
}

INLINE void v_store_bits(uint32_t *p, vu x) {
#if PICORL_W == 1
    *p = x;
#else
    v_store((float *)p, v_of_bits(x));
#endif
}

// --- arithmetic ---------------------------------------------------------------------------------------------------

#if PICORL_FUSED && !defined(__FP_FAST_FMAF)
// A fused multiply-add where there is no instruction: the product is exact in double; the sum is rounded to odd there,
// which makes the second rounding the only one that counts (Boldo and Melquiond 2008).
INLINE float exact_fma(float a, float b, float c) {
    double product = (double)a * (double)b;
    double sum = product + (double)c;
    double rest = sum - product;
    double error = (product - (sum - rest)) + ((double)c - rest);
    union {
        double d;
        uint64_t u;
    } odd = {sum};
    if ((error > 0 || error < 0) && !(odd.u & 1)) {
        odd.u += (error > 0) == (sum > 0) ? 1 : -1;
    }
    return (float)odd.d;
}
#endif

INLINE vf v_fma(vf a, vf b, vf c) {
#if !PICORL_FUSED
    return a * b + c;
#elif PICORL_W == 16
    return (vf)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif PICORL_W == 8
    return (vf)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#elif PICORL_W == 4 && defined(__aarch64__)
    return (vf)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
#elif PICORL_W == 4
    return (vf){exact_fma(a[0], b[0], c[0]), exact_fma(a[1], b[1], c[1]), exact_fma(a[2], b[2], c[2]),
        exact_fma(a[3], b[3], c[3])};
#elif defined(__FP_FAST_FMAF)
    return __builtin_fmaf(a, b, c);
#else
    return exact_fma(a, b, c);
#endif
}

#if PICORL_W == 1 && \
    !(defined(__x86_64__) || defined(__aarch64__) || defined(__riscv_flen) || (defined(__ARM_FP) && (__ARM_FP & 4)))
// Correctly rounded, digit by digit, for targets without the instruction.
NOINLINE float exact_sqrt(float x) {
    uint32_t bits = bits_of_float(x);
    if (bits == 0 || bits == SIGN_BIT || bits == EXPONENT_BITS || (bits & ~SIGN_BIT) > EXPONENT_BITS) {
        return x;
    }
    if (bits & SIGN_BIT) {
        return float_of_bits(0x7fc00000);
    }
    int32_t exponent = (int32_t)(bits >> 23);
    uint32_t rest = bits & 0x7fffff;
    if (exponent == 0) {
        for (exponent = 1; !(rest & 0x800000); exponent--) {
            rest <<= 1;
        }
    }
    rest |= 0x800000;
    exponent -= 127;
    if (exponent & 1) {
        rest <<= 1;
        exponent--;
    }
    uint32_t root = 0;
    uint32_t sum = 0;
    rest <<= 1;
    for (uint32_t digit = 0x1000000; digit; digit >>= 1) {
        if (sum + digit <= rest) {
            rest -= sum + digit;
            sum += 2 * digit;
            root += digit;
        }
        rest <<= 1;
    }
    root += rest ? root & 1 : 0; // a tie cannot happen
    return float_of_bits((root >> 1) + ((uint32_t)((exponent >> 1) + 126) << 23));
}
#else
#define PICORL_HAS_SQRT 1
#endif

INLINE vf v_sqrt(vf x) {
#if PICORL_W == 16
    return (vf)_mm512_sqrt_ps((__m512)x);
#elif PICORL_W == 8
    return (vf)_mm256_sqrt_ps((__m256)x);
#elif PICORL_W == 4 && defined(__aarch64__)
    return (vf)vsqrtq_f32((float32x4_t)x);
#elif PICORL_W == 4
    return (vf)_mm_sqrt_ps((__m128)x);
#elif defined(PICORL_HAS_SQRT)
    return __builtin_sqrtf(x);
#else
    return exact_sqrt(x);
#endif
}

INLINE vf v_abs(vf x) {
#if PICORL_W == 1
    return __builtin_fabsf(x);
#else
    return v_of_bits(v_bits(x) & ~SIGN_BIT);
#endif
}

// --- choosing -----------------------------------------------------------------------------------------------------

INLINE vm v_lt(vf a, vf b) {
#if PICORL_W == 16
    return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_LT_OQ);
#else
    return a < b;
#endif
}

INLINE vm v_ge(vf a, vf b) {
#if PICORL_W == 16
    return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_GE_OQ);
#else
    return a >= b;
#endif
}

INLINE vm v_eq(vf a, vf b) {
#if PICORL_W == 16
    return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_EQ_OQ);
#else
    return a == b;
#endif
}

// The same for integers.
INLINE vm v_equal(vu a, vu b) {
#if PICORL_W == 16
    return _mm512_cmpeq_epi32_mask((__m512i)a, (__m512i)b);
#else
    return (vm)(a == b);
#endif
}

INLINE vf v_select(vm condition, vf yes, vf no) {
#if PICORL_W == 16
    return (vf)_mm512_mask_blend_ps(condition, (__m512)no, (__m512)yes);
#elif PICORL_W == 1
    return condition ? yes : no;
#else
    return (vf)((condition & (vi)yes) | (~condition & (vi)no));
#endif
}

INLINE vu v_select_bits(vm condition, vu yes, vu no) {
    return v_bits(v_select(condition, v_of_bits(yes), v_of_bits(no)));
}

INLINE vf v_min(vf a, vf b) {
    return v_select(v_lt(b, a), b, a);
}

INLINE vf v_clip(vf x, vf low, vf high) {
    return v_select(v_lt(x, low), low, v_select(v_lt(high, x), high, x));
}

#if PICORL_W >= 8
// Bit k: lane k is not zero.
INLINE uint32_t v_nonzero_bits(vf x) {
#if PICORL_W == 16
    return 0xffff & ~(uint32_t)v_eq(x, v_set(0));
#else
    return 0xff & ~(uint32_t)_mm256_movemask_ps((__m256)v_eq(x, v_set(0)));
#endif
}
#endif

#if PICORL_W > 1
// Lane k is lane pick[k] of a followed by b; pick is constant.
INLINE vf v_shuffle(vf a, vf b, vi pick) {
#ifdef __clang__
    vf y;
    for (int k = 0; k < PICORL_W; k++) {
        y[k] = pick[k] < PICORL_W ? a[pick[k]] : b[pick[k] - PICORL_W];
    }
    return y;
#else
    return __builtin_shuffle(a, b, pick);
#endif
}
#endif

// Subnormal numbers become 0: targets differ in what they do with them.
INLINE vf v_flush(vf x) {
    return v_select(v_lt(v_abs(x), v_set(FLOAT_MIN)), v_set(0), x);
}

#endif
