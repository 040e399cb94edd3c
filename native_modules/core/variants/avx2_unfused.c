// x86-64 with AVX2, in the class without fused multiply-add.

#ifdef __x86_64__
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma,bmi,bmi2,popcnt"))), apply_to = function)
#else
#pragma GCC target("avx2,fma,bmi,bmi2,popcnt")
#endif
#define PICORL_VARIANT avx2_unfused
#define PICORL_W 8
#define PICORL_FUSED 0
#include "../core.inc.h"
#ifdef __clang__
#pragma clang attribute pop
#endif
#endif
