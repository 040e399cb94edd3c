// x86-64 with AVX2 and FMA.

#ifdef __x86_64__
#pragma GCC target("avx2,fma,bmi,bmi2,popcnt")
#define PICORL_VARIANT avx2
#define PICORL_W 8
#define PICORL_FUSED 1
#include "../core.inc.h"
#endif
