// exp, log, tanh, sin and cos in float32: at most 2 ulp off (tests_host/test_elementary.py), the same bits at every
// width. The polynomials are those of Cephes (Moshier 1989), evaluated with v_fma.
#ifndef PICORL_ELEMENTARY_H
#define PICORL_ELEMENTARY_H

#include "vec.h"

#if PICORL_W == 1
#define ELEMENTARY NOINLINE // a microcontroller's code memory is short
#else
#define ELEMENTARY INLINE
#endif

// Added and subtracted, it rounds to an integer, which then stands in the low bits.
#define ROUNDER 0x1.8p23f

// exp(x) for |x| < 88 or so: 2^n * exp(x - n log 2).
INLINE vf exp_core(vf x, vu *n) {
    vf shifted = v_fma(x, v_set(0x1.715476p0f), v_set(ROUNDER));
    vf whole = shifted - v_set(ROUNDER);
    *n = v_bits(shifted) - v_set_bits(0x4b400000);
    vf r = v_fma(whole, v_set(-0x1.63p-1f), x);
    r = v_fma(whole, v_set(0x1.bd0106p-13f), r);
    vf p = v_fma(v_set(1.9875691500e-4f), r, v_set(1.3981999507e-3f));
    p = v_fma(p, r, v_set(8.3334519073e-3f));
    p = v_fma(p, r, v_set(4.1665795894e-2f));
    p = v_fma(p, r, v_set(1.6666665459e-1f));
    p = v_fma(p, r, v_set(5.0000001201e-1f));
    p = v_fma(p, r * r, r);
    return p + v_set(1);
}

ELEMENTARY vf v_exp(vf x) {
    vu n;
    vf y = exp_core(v_clip(x, v_set(-88), v_set(89)), &n);
    // In two steps, because 2^128 is no float. The first results below FLT_MIN are cut off by the argument.
    vu half = (vu)((vi)n >> 1);
    y = y * v_of_bits((half + 127) << 23) * v_of_bits((n - half + 127) << 23);
    y = v_select(v_lt(x, v_set(-0x1.5d589ep6f)), v_set(0), y);
    return v_select(v_lt(v_set(0x1.62e42ep6f), x), v_of_bits(v_set_bits(EXPONENT_BITS)), y);
}

ELEMENTARY vf v_log(vf x) {
    vm tiny = v_lt(x, v_set(FLOAT_MIN));
    vf scaled = v_select(tiny, x * v_set(0x1p24f), x);
    // The mantissa in [sqrt(1/2), sqrt(2)): the bits of sqrt(1/2) become those of 1.
    vu bits = v_bits(scaled) - v_set_bits(0x3f3504f3);
    vf exponent = v_of_ints((vu)((vi)bits >> 23)) - v_select(tiny, v_set(24), v_set(0));
    vf f = v_of_bits((bits & 0x7fffff) + 0x3f3504f3) - v_set(1);
    vf p = v_fma(v_set(7.0376836292e-2f), f, v_set(-1.1514610310e-1f));
    p = v_fma(p, f, v_set(1.1676998740e-1f));
    p = v_fma(p, f, v_set(-1.2420140846e-1f));
    p = v_fma(p, f, v_set(1.4249322787e-1f));
    p = v_fma(p, f, v_set(-1.6668057665e-1f));
    p = v_fma(p, f, v_set(2.0000714765e-1f));
    p = v_fma(p, f, v_set(-2.4999993993e-1f));
    p = v_fma(p, f, v_set(3.3333331174e-1f));
    vf square = f * f;
    vf y = (p * f) * square;
    y = v_fma(exponent, v_set(-2.12194440e-4f), y);
    y = v_fma(v_set(-0.5f), square, y);
    y = v_fma(exponent, v_set(0.693359375f), f + y);
    y = v_select(v_lt(v_set(0x1.fffffep127f), x), x, y);
    vf zero_or_negative =
        v_select(v_lt(x, v_set(0)), v_of_bits(v_set_bits(0x7fc00000)), v_of_bits(v_set_bits(0xff800000)));
    return v_select(v_lt(v_set(0), x), y, v_select(v_ge(v_set(0), x), zero_or_negative, x));
}

ELEMENTARY vf v_tanh(vf x) {
    vf size = v_abs(x);
    vf z = x * x;
    vf p = v_fma(v_set(-5.70498872745e-3f), z, v_set(2.06390887954e-2f));
    p = v_fma(p, z, v_set(-5.37397155531e-2f));
    p = v_fma(p, z, v_set(1.33314422036e-1f));
    p = v_fma(p, z, v_set(-3.33332819422e-1f));
    vf near = v_fma(p * z, x, x);
    vu n;
    vf e = exp_core(v_min(size + size, v_set(20)), &n);
    e = e * v_of_bits((n + 127) << 23);
    vf far = v_set(1) - v_set(2) / (e + v_set(1));
    far = v_of_bits(v_bits(far) | (v_bits(x) & SIGN_BIT));
    far = v_select(v_ge(size, v_set(0)), far, x); // not a number
    return v_select(v_lt(size, v_set(0.625f)), near, far);
}

// sin and cos of r in [-pi/4, pi/4] and of the quadrant before it; `rest` is what r lost in rounding.
INLINE void sin_cos_of_quadrant(vf r, vf rest, vu quadrant, vf *sine, vf *cosine) {
    vf z = r * r;
    vf s = v_fma(v_set(-1.9515295891e-4f), z, v_set(8.3321608736e-3f));
    s = v_fma(s, z, v_set(-1.6666654611e-1f));
    s = r + v_fma(s * z, r, rest);
    vf c = v_fma(v_set(2.443315711809948e-5f), z, v_set(-1.388731625493765e-3f));
    c = v_fma(c, z, v_set(4.166664568298827e-2f));
    c = v_fma(v_set(-0.5f), z, v_set(1)) + v_fma(c * z, z, -r * rest);
    // Quadrants 1 and 3 swap them; 2 and 3 negate the sine, 1 and 2 the cosine.
    vf odd = v_of_ints(quadrant & 1);
    vm swap = v_lt(v_set(0), odd);
    vf sine_size = v_select(swap, c, s);
    vf cosine_size = v_select(swap, s, c);
    *sine = v_of_bits(v_bits(sine_size) ^ ((quadrant & 2) << 30));
    *cosine = v_of_bits(v_bits(cosine_size) ^ (((quadrant + 1) & 2) << 30));
}

// For |x| <= 1000 or so (beyond, accuracy fades away).
ELEMENTARY void v_sin_cos(vf x, vf *sine, vf *cosine) {
    vf shifted = v_fma(x, v_set(0x1.45f306p-1f), v_set(ROUNDER));
    vf n = shifted - v_set(ROUNDER);
    // pi/2 in parts of 12, 13, 13 and 24 bits: the products of the first three with n are exact, whatever the class.
    vf r = v_fma(n, v_set(-0x1.922p0f), x);
    vf part = n * v_set(-0x1.2afp-18f);
    vf high = r - part;
    vf rest = (r - high) - part;
    rest = v_fma(n, v_set(-0x1.0b4p-34f), rest);
    rest = v_fma(n, v_set(-0x1.84698ap-48f), rest);
    sin_cos_of_quadrant(high, rest, v_bits(shifted) & 3, sine, cosine);
}

// sin and cos of 2 pi turn for turn = k * 2^-24 in [0, 1): the reduction is exact.
ELEMENTARY void v_sin_cos_turn(vf turn, vf *sine, vf *cosine) {
    vf quarters = turn * v_set(4);
    vf shifted = quarters + v_set(ROUNDER);
    vf f = quarters - (shifted - v_set(ROUNDER));
    vf r = f * v_set(0x1.921fb6p0f);
    vf rest = f * v_set(-0x1.777a5cp-25f);
    sin_cos_of_quadrant(r, rest, v_bits(shifted) & 3, sine, cosine);
}

#endif
