// The kernels for a microcontroller and for native modules: one lane, one variant, called directly.

#define PICORL_W 1
#ifndef PICORL_FUSED
#ifdef __FP_FAST_FMAF
#define PICORL_FUSED 1
#else
#define PICORL_FUSED 0
#endif
#endif

#if defined(__GNUC__) && !defined(__clang__) && (defined(__arm__) || defined(__riscv))
#pragma GCC optimize("O2") // as fast as O3, which the builds ask for, and a tenth smaller
#endif

#include "core.inc.h"

int picorl_variants(const char **names) {
    names[0] = "scalar";
    return 1;
}

const char *picorl_variant(void) {
    return "scalar";
}

int picorl_select(const char *name) {
    const char *own = "scalar";
    while (*name && *name == *own) {
        name++;
        own++;
    }
    return *name == *own ? 0 : -1;
}

int picorl_fused(void) {
    return PICORL_FUSED;
}
