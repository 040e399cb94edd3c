// x86-64 with AVX2, in the class without fused multiply-add.

#ifdef __x86_64__
#pragma GCC target("avx2,fma,bmi,bmi2,popcnt")
#define PICORL_VARIANT avx2_unfused
#define PICORL_W 8
#define PICORL_FUSED 0
#include "../core.inc.h"
#endif
