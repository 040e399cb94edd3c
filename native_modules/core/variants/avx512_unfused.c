// x86-64 with AVX-512, in the class without fused multiply-add.

#ifdef __x86_64__
#ifdef __clang__
#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma,bmi,bmi2,popcnt"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma,bmi,bmi2,popcnt,prefer-vector-width=512")
#endif
#define PICORL_VARIANT avx512_unfused
#define PICORL_W 16
#define PICORL_FUSED 0
#include "../core.inc.h"
#ifdef __clang__
#pragma clang attribute pop
#endif
#endif
