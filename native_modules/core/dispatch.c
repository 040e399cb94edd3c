// Desktops: which of the compiled variants the kernels' callers get. Best first; the first that the CPU runs is chosen.
// As in the kernels, no libc, no libgcc and no static data: a native .mpy module has none of them.

#include "picorl.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

extern const picorl_table picorl_variant_avx512, picorl_variant_avx512_unfused, picorl_variant_avx2,
    picorl_variant_avx2_unfused, picorl_variant_baseline, picorl_variant_baseline_unfused, picorl_variant_neon,
    picorl_variant_neon_unfused;

typedef enum cpu { CPU_ANY, CPU_AVX2, CPU_AVX512 } cpu;

typedef struct variant {
    const char *name;
    const picorl_table *table;
    cpu needs;
    int fused;
} variant;

static const variant variants[] = {
#if defined(__x86_64__)
    {"avx512", &picorl_variant_avx512, CPU_AVX512, 1},
    {"avx2", &picorl_variant_avx2, CPU_AVX2, 1},
#ifndef PICORL_FEW_VARIANTS // those that are chosen on their own
    {"avx512-unfused", &picorl_variant_avx512_unfused, CPU_AVX512, 0},
    {"avx2-unfused", &picorl_variant_avx2_unfused, CPU_AVX2, 0},
#endif
    {"baseline-unfused", &picorl_variant_baseline_unfused, CPU_ANY, 0},
#ifndef PICORL_FEW_VARIANTS
    {"baseline", &picorl_variant_baseline, CPU_ANY, 1},
#endif
#elif defined(__aarch64__)
    {"neon", &picorl_variant_neon, CPU_ANY, 1},
    {"neon-unfused", &picorl_variant_neon_unfused, CPU_ANY, 0},
#else
#error "no variants for this architecture: compile single.c instead"
#endif
};

#define VARIANTS ((int)(sizeof(variants) / sizeof(variants[0])))

#if defined(__x86_64__)
static inline int all_of(unsigned wanted, unsigned bits) {
    return (bits & wanted) == wanted;
}

// XCR0 tells which registers the system saves.
static unsigned saved_registers(void) {
    unsigned low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

static int cpu_runs(cpu needs) {
    unsigned a, b, c, d;
    if (needs == CPU_ANY) {
        return 1;
    }
    if (!__get_cpuid(1, &a, &b, &c, &d) || !all_of(bit_OSXSAVE | bit_AVX | bit_FMA, c)) {
        return 0;
    }
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !all_of(bit_AVX2, b) || !all_of(0x06, saved_registers())) {
        return 0;
    }
    return needs == CPU_AVX2 ||
           (all_of(bit_AVX512F | bit_AVX512VL | bit_AVX512DQ | bit_AVX512BW, b) && all_of(0xe6, saved_registers()));
}
#else
static int cpu_runs(cpu needs) {
    return needs == CPU_ANY;
}
#endif

const picorl_table *picorl_active;

static const variant *active(void) {
    const variant *v = variants;
    while (v->table != picorl_active) {
        v++;
    }
    return v;
}

// Whoever loads a program or a library runs this; who loads a native .mpy module does not.
__attribute__((constructor)) void picorl_choose_best(void) {
    const variant *v = variants;
    while (!cpu_runs(v->needs)) {
        v++;
    }
    picorl_active = v->table;
}

int picorl_variants(const char **names) {
    int count = 0;
    for (int i = 0; i < VARIANTS; i++) {
        if (cpu_runs(variants[i].needs)) {
            names[count++] = variants[i].name;
        }
    }
    return count;
}

const char *picorl_variant(void) {
    return active()->name;
}

static int same(const char *a, const char *b) {
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

int picorl_select(const char *name) {
    for (int i = 0; i < VARIANTS; i++) {
        if (same(name, variants[i].name) && cpu_runs(variants[i].needs)) {
            picorl_active = variants[i].table;
            return 0;
        }
    }
    return -1;
}

int picorl_fused(void) {
    return active()->fused;
}
