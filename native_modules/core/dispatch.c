// Desktops: which of the compiled variants the kernels' callers get. Best first; the first that the CPU runs is chosen.

#include "picorl.h"

extern const picorl_table picorl_variant_avx512, picorl_variant_avx512_unfused, picorl_variant_avx2,
    picorl_variant_avx2_unfused, picorl_variant_baseline, picorl_variant_baseline_unfused, picorl_variant_neon,
    picorl_variant_neon_unfused;

typedef enum cpu { CPU_ANY, CPU_AVX2, CPU_AVX512 } cpu;

static const struct {
    const char *name;
    const picorl_table *table;
    cpu needs;
    int fused;
} variants[] = {
#if defined(__x86_64__)
    {"avx512", &picorl_variant_avx512, CPU_AVX512, 1},
    {"avx2", &picorl_variant_avx2, CPU_AVX2, 1},
    {"avx512-unfused", &picorl_variant_avx512_unfused, CPU_AVX512, 0},
    {"avx2-unfused", &picorl_variant_avx2_unfused, CPU_AVX2, 0},
    {"baseline-unfused", &picorl_variant_baseline_unfused, CPU_ANY, 0},
    {"baseline", &picorl_variant_baseline, CPU_ANY, 1},
#elif defined(__aarch64__)
    {"neon", &picorl_variant_neon, CPU_ANY, 1},
    {"neon-unfused", &picorl_variant_neon_unfused, CPU_ANY, 0},
#else
#error "no variants for this architecture: compile single.c instead"
#endif
};

#define VARIANTS ((int)(sizeof(variants) / sizeof(variants[0])))

static int cpu_runs(cpu needs) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    switch (needs) {
        case CPU_AVX512:
            return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                   __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") && cpu_runs(CPU_AVX2);
        case CPU_AVX2:
            return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
        default:
            return 1;
    }
#else
    return needs == CPU_ANY;
#endif
}

const picorl_table *picorl_active;
static int active;

__attribute__((constructor)) static void choose_best(void) {
    while (!cpu_runs(variants[active].needs)) {
        active++;
    }
    picorl_active = variants[active].table;
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
    return variants[active].name;
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
            active = i;
            picorl_active = variants[i].table;
            return 0;
        }
    }
    return -1;
}

int picorl_fused(void) {
    return variants[active].fused;
}
