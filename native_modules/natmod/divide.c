// x / y in float32, correctly rounded, for a CPU that can neither divide nor calculate with floats (armv6m): libgcc's has
// a table of addresses, which mpy_ld.py links from MicroPython 1.26 on.

#include <stdint.h>

#define SIGN 0x80000000u
#define INFINITE 0x7f800000u
#define QUIET 0x00400000u // of a NaN
#define ONE 0x00800000u   // of a mantissa

typedef union number {
    float f;
    uint32_t bits;
} number;

// When one of them is zero, infinite or not a number.
static uint32_t special(uint32_t x, uint32_t y) {
    uint32_t sign = (x ^ y) & SIGN;
    uint32_t x_size = x & ~SIGN;
    uint32_t y_size = y & ~SIGN;
    if (x_size > INFINITE) {
        return x | QUIET;
    }
    if (y_size > INFINITE) {
        return y | QUIET;
    }
    if (x_size == y_size) { // 0 / 0 or infinity by infinity
        return INFINITE | QUIET;
    }
    return x_size == INFINITE || y_size == 0 ? sign | INFINITE : sign;
}

// The exponent and, in *mantissa, ONE and what follows it, of a subnormal number too.
static int32_t take_apart(uint32_t size, uint32_t *mantissa) {
    int32_t exponent = (int32_t)(size >> 23);
    *mantissa = size & (ONE - 1);
    if (exponent) {
        *mantissa |= ONE;
        return exponent;
    }
    for (exponent = 1; !(*mantissa & ONE); exponent--) {
        *mantissa <<= 1;
    }
    return exponent;
}

float __aeabi_fdiv(float x, float y);
float __aeabi_fdiv(float x, float y) {
    number a = {x};
    number b = {y};
    uint32_t a_size = a.bits & ~SIGN;
    uint32_t b_size = b.bits & ~SIGN;
    if (a_size - 1 >= INFINITE - 1 || b_size - 1 >= INFINITE - 1) {
        a.bits = special(a.bits, b.bits);
        return a.f;
    }
    uint32_t rest, divisor;
    int32_t exponent = take_apart(a_size, &rest);
    exponent += 127 - take_apart(b_size, &divisor);
    if (rest < divisor) {
        rest <<= 1;
        exponent--;
    }
    // The mantissa's 24 bits and one more to round by; `rest` says whether there would be others.
    uint32_t quotient = 0;
    for (int digit = 0; digit < 25; digit++) {
        quotient <<= 1;
        if (rest >= divisor) {
            rest -= divisor;
            quotient++;
        }
        rest <<= 1;
    }
    uint32_t sign = (a.bits ^ b.bits) & SIGN;
    if (exponent < 1) { // subnormal
        int32_t shift = exponent < -24 ? 26 : 1 - exponent;
        rest |= quotient & ((1u << shift) - 1);
        quotient >>= shift;
        exponent = 1;
    }
    uint32_t size = exponent > 254 ? INFINITE : ((uint32_t)(exponent - 1) << 23) + (quotient >> 1);
    if ((quotient & 1) && (rest || (size & 1)) && size < INFINITE) {
        size++;
    }
    a.bits = sign | size;
    return a.f;
}
