// The inner loops of a Cortex-M with FPU. Its instruction that loads several registers is one that compilers do not use
// for numbers that do not stay in memory; its FPU can flush subnormal numbers. Everywhere else, and with
// PICORL_PLAIN_C, the same in C: tests_host/test_inline_assembly.py compares them.

typedef struct live_step {
    const float *b;
    float x;
} live_step;

#if __ARM_ARCH_PROFILE == 'M' && defined(__GNUC__) && !defined(__clang__) && PICORL_FUSED && !defined(PICORL_PLAIN_C)
// clang-format off
#define FMA(sum, x, w) "vfma.f32 s" #sum ", s" #x ", s" #w "\n\t"
#define LOAD_STEP(x) \
    "ldr %[b], [%[at]], #8\n\t" \
    "vldr s" #x ", [%[at], #-4]\n\t" \
    "add %[b], %[b], %[column]\n\t"
#define EIGHT_OF_STEP(x, s0, s1, s2, s3, s4, s5, s6, s7) \
    "vldmia %[b]!, {s24-s31}\n\t" \
    FMA(s0, x, 24) FMA(s1, x, 25) FMA(s2, x, 26) FMA(s3, x, 27) \
    FMA(s4, x, 28) FMA(s5, x, 29) FMA(s6, x, 30) FMA(s7, x, 31)
#define STEP_OF_SIXTEEN(x) \
    LOAD_STEP(x) \
    EIGHT_OF_STEP(x, 0, 1, 2, 3, 4, 5, 6, 7) \
    EIGHT_OF_STEP(x, 8, 9, 10, 11, 12, 13, 14, 15)
#define SIX_OF_STEP(x, s0, s1, s2, s3, s4, s5) \
    "vldmia %[b]!, {s26-s31}\n\t" \
    FMA(s0, x, 26) FMA(s1, x, 27) FMA(s2, x, 28) FMA(s3, x, 29) FMA(s4, x, 30) FMA(s5, x, 31)
#define STEP_OF_TWENTYFOUR(x) \
    LOAD_STEP(x) \
    SIX_OF_STEP(x, 0, 1, 2, 3, 4, 5) \
    SIX_OF_STEP(x, 6, 7, 8, 9, 10, 11) \
    SIX_OF_STEP(x, 12, 13, 14, 15, 16, 17) \
    SIX_OF_STEP(x, 18, 19, 20, 21, 22, 23)

// FPv5 has a maximum. No macro of the compiler tells it from a single-precision FPv4.
#if __ARM_FP & 8 || __ARM_ARCH >= 8 || defined(PICORL_FPV5)
#define RELU_START \
    "vmrs %[b], fpscr\n\t" \
    "orr %[at], %[b], #0x1000000\n\t" \
    "vmsr fpscr, %[at]\n\t" \
    "mov %[at], #0\n\t" \
    "vmov s31, %[at]\n\t"
#define RELU(sum) "vmaxnm.f32 s" #sum ", s" #sum ", s31\n\t"
#define RELU_END "vmsr fpscr, %[b]\n\t"
#else
#define RELU_START \
    "mov %[at], #0x800000\n\t" \
    "vmov s30, %[at]\n\t" \
    "mov %[at], #0\n\t" \
    "vmov s31, %[at]\n\t"
#define RELU(sum) \
    "vcmp.f32 s" #sum ", s30\n\t" \
    "vmrs APSR_nzcv, fpscr\n\t" \
    "it lt\n\t" \
    "vmovlt.f32 s" #sum ", s31\n\t"
#define RELU_END
#endif
#define RELU_OF_SIXTEEN \
    RELU(0) RELU(1) RELU(2) RELU(3) RELU(4) RELU(5) RELU(6) RELU(7) \
    RELU(8) RELU(9) RELU(10) RELU(11) RELU(12) RELU(13) RELU(14) RELU(15)
#define RELU_OF_TWENTYFOUR \
    RELU_OF_SIXTEEN RELU(16) RELU(17) RELU(18) RELU(19) RELU(20) RELU(21) RELU(22) RELU(23)

// An odd number of steps starts with the second of the loop's two.
#define LIVE_SUMS(last, x, next_x, STEP, RELUS) \
    const float *b; \
    __asm__ volatile( \
        "sub %[b], %[end], %[at]\n\t" \
        "lsls %[b], %[b], #28\n\t" \
        "vldmia %[start]!, {s0-s" #last "}\n\t" \
        "bpl 2f\n\t" \
        "b 4f\n" \
        "1:\n\t" STEP(x) \
        "4:\n\t" STEP(next_x) \
        "2:\n\t" \
        "cmp %[at], %[end]\n\t" \
        "bne 1b\n\t" \
        "cmp %[relu], #0\n\t" \
        "beq 3f\n\t" RELU_START RELUS RELU_END \
        "3:\n\t" \
        "vstmia %[c]!, {s0-s" #last "}" \
        : [at] "+&r"(live), [b] "=&r"(b), [start] "+&r"(*start), [c] "+&r"(*c) \
        : [end] "r"(end), [column] "r"(offset), [relu] "r"(relu) \
        : "memory", "cc", "vfpcc", "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "s12", \
        "s13", "s14", "s15", "s16", "s17", "s18", "s19", "s20", "s21", "s22", "s23", "s24", "s25", "s26", "s27", \
        "s28", "s29", "s30", "s31")

// sum[v] += x * b[v] for v < 16 over the steps in `live`, whose b is `offset` bytes further; start and c are the sums
// before and after, and move on.
INLINE void sixteen_live_sums(
    const float **start, const live_step *live, const live_step *end, size_t offset, float **c, int relu) {
    LIVE_SUMS(15, 16, 17, STEP_OF_SIXTEEN, RELU_OF_SIXTEEN);
}

INLINE void twentyfour_live_sums(
    const float **start, const live_step *live, const live_step *end, size_t offset, float **c, int relu) {
    LIVE_SUMS(23, 24, 25, STEP_OF_TWENTYFOUR, RELU_OF_TWENTYFOUR);
}

// Appends a step unless its number is zero. Branches that nobody can predict would take longer.
INLINE live_step *append_live_step(live_step *end, const float *b, uint32_t x) {
    __asm__("cmp %[x], #0\n\t"
            "it ne\n\t"
            "strdne %[b], %[x], [%[end]], #8"
        : [end] "+r"(end), "+m"(*end)
        : [b] "r"(b), [x] "r"(x)
        : "cc");
    return end;
}

INLINE uint8_t *append_live_column(uint8_t *end, uint32_t column, float output) {
    __asm__("cmp %[output], #0\n\t"
            "it ne\n\t"
            "strbne %[column], [%[end]], #1"
        : [end] "+r"(end), "+m"(*end)
        : [column] "r"(column), [output] "r"(output)
        : "cc");
    return end;
}

// sum[v] += a[k] * b[v][k] for k = 0, 1, 2, 3; the pointers move on.
INLINE void add_four_by_four(float *sum, const float **a, const float **b) {
    __asm__("vldmia %4!, {s12-s15}\n\t"
            "vldmia %5!, {s16-s19}\n\t"
            "vldmia %6!, {s20-s23}\n\t"
            "vldmia %7!, {s24-s27}\n\t"
            "vldmia %8!, {s28-s31}\n\t"
            "vfma.f32 %0, s12, s16\n\t"
            "vfma.f32 %1, s12, s20\n\t"
            "vfma.f32 %2, s12, s24\n\t"
            "vfma.f32 %3, s12, s28\n\t"
            "vfma.f32 %0, s13, s17\n\t"
            "vfma.f32 %1, s13, s21\n\t"
            "vfma.f32 %2, s13, s25\n\t"
            "vfma.f32 %3, s13, s29\n\t"
            "vfma.f32 %0, s14, s18\n\t"
            "vfma.f32 %1, s14, s22\n\t"
            "vfma.f32 %2, s14, s26\n\t"
            "vfma.f32 %3, s14, s30\n\t"
            "vfma.f32 %0, s15, s19\n\t"
            "vfma.f32 %1, s15, s23\n\t"
            "vfma.f32 %2, s15, s27\n\t"
            "vfma.f32 %3, s15, s31"
        : "+t"(sum[0]), "+t"(sum[1]), "+t"(sum[2]), "+t"(sum[3]), "+r"(*a), "+r"(b[0]), "+r"(b[1]), "+r"(b[2]),
        "+r"(b[3])
        : "m"(*(const float (*)[4]) * a), "m"(*(const float (*)[4])b[0]), "m"(*(const float (*)[4])b[1]),
        "m"(*(const float (*)[4])b[2]), "m"(*(const float (*)[4])b[3])
        : "s12", "s13", "s14", "s15", "s16", "s17", "s18", "s19", "s20", "s21", "s22", "s23", "s24", "s25", "s26",
        "s27", "s28", "s29", "s30", "s31");
}

#define FOUR_OF_EIGHT(s0, s1, s2, s3, b0, b1, b2, b3) \
    "vldmia " b0 "!, {s16-s19}\n\t" \
    "vldmia " b1 "!, {s20-s23}\n\t" \
    "vldmia " b2 "!, {s24-s27}\n\t" \
    "vldmia " b3 "!, {s28-s31}\n\t" \
    "vfma.f32 " s0 ", s12, s16\n\t" \
    "vfma.f32 " s1 ", s12, s20\n\t" \
    "vfma.f32 " s2 ", s12, s24\n\t" \
    "vfma.f32 " s3 ", s12, s28\n\t" \
    "vfma.f32 " s0 ", s13, s17\n\t" \
    "vfma.f32 " s1 ", s13, s21\n\t" \
    "vfma.f32 " s2 ", s13, s25\n\t" \
    "vfma.f32 " s3 ", s13, s29\n\t" \
    "vfma.f32 " s0 ", s14, s18\n\t" \
    "vfma.f32 " s1 ", s14, s22\n\t" \
    "vfma.f32 " s2 ", s14, s26\n\t" \
    "vfma.f32 " s3 ", s14, s30\n\t" \
    "vfma.f32 " s0 ", s15, s19\n\t" \
    "vfma.f32 " s1 ", s15, s23\n\t" \
    "vfma.f32 " s2 ", s15, s27\n\t" \
    "vfma.f32 " s3 ", s15, s31\n\t"
#define EIGHT_BY_FOUR \
    "vldmia %8!, {s12-s15}\n\t" \
    FOUR_OF_EIGHT("%0", "%1", "%2", "%3", "%9", "%10", "%11", "%12") \
    FOUR_OF_EIGHT("%4", "%5", "%6", "%7", "%13", "%14", "%15", "%16")

// sum[v] is the sum of a[k] * b[v][k] for k < 8 * eights; eights is not 0. An assembly statement has too few operands
// for sums that go in.
INLINE void eight_by_eights(float *sum, const float *a, const float *const *b, uint32_t eights) {
    const float *b0 = b[0];
    const float *b1 = b[1];
    const float *b2 = b[2];
    const float *b3 = b[3];
    const float *b4 = b[4];
    const float *b5 = b[5];
    const float *b6 = b[6];
    const float *b7 = b[7];
    __asm__ volatile("vmov.f32 %0, #1.0\n\t"
                     "vsub.f32 %0, %0, %0\n\t"
                     "vmov.f32 %1, %0\n\t"
                     "vmov.f32 %2, %0\n\t"
                     "vmov.f32 %3, %0\n\t"
                     "vmov.f32 %4, %0\n\t"
                     "vmov.f32 %5, %0\n\t"
                     "vmov.f32 %6, %0\n\t"
                     "vmov.f32 %7, %0\n"
                     "1:\n\t" EIGHT_BY_FOUR EIGHT_BY_FOUR "subs %17, %17, #1\n\t"
                     "bne 1b"
        : "=&t"(sum[0]), "=&t"(sum[1]), "=&t"(sum[2]), "=&t"(sum[3]), "=&t"(sum[4]), "=&t"(sum[5]), "=&t"(sum[6]),
        "=&t"(sum[7]), "+&r"(a), "+&r"(b0), "+&r"(b1), "+&r"(b2), "+&r"(b3), "+&r"(b4), "+&r"(b5), "+&r"(b6), "+&r"(b7),
        "+&r"(eights)
        :
        : "memory", "cc", "s12", "s13", "s14", "s15", "s16", "s17", "s18", "s19", "s20", "s21", "s22", "s23", "s24",
        "s25", "s26", "s27", "s28", "s29", "s30", "s31");
}

#define ADD_EIGHT(last, x0, x1, x2, x3, x4, x5, x6, x7) \
    __asm__("vldmia %8!, {s16-s" #last "}\n\t" \
            "vldmia %9!, {s24-s31}\n\t" \
            "vfma.f32 %0, s" #x0 ", s24\n\t" \
            "vfma.f32 %1, s" #x1 ", s25\n\t" \
            "vfma.f32 %2, s" #x2 ", s26\n\t" \
            "vfma.f32 %3, s" #x3 ", s27\n\t" \
            "vfma.f32 %4, s" #x4 ", s28\n\t" \
            "vfma.f32 %5, s" #x5 ", s29\n\t" \
            "vfma.f32 %6, s" #x6 ", s30\n\t" \
            "vfma.f32 %7, s" #x7 ", s31" \
        : "+t"(sum[0]), "+t"(sum[1]), "+t"(sum[2]), "+t"(sum[3]), "+t"(sum[4]), "+t"(sum[5]), "+t"(sum[6]), \
        "+t"(sum[7]), "+r"(*x), "+r"(*w) \
        : "m"(*(const float (*)[8 / outputs]) * x), "m"(*(const float (*)[8]) * w) \
        : "s16", "s17", "s18", "s19", "s20", "s21", "s22", "s23", "s24", "s25", "s26", "s27", "s28", "s29", "s30", \
        "s31")

// sum[v] += x[v / outputs] * w[v] for v < 8 and outputs 1, 2 or 4; the pointers move on.
INLINE void add_eight(float *sum, const float **x, const float **w, const uint32_t outputs) {
    if (outputs == 1) {
        ADD_EIGHT(23, 16, 17, 18, 19, 20, 21, 22, 23);
    } else if (outputs == 2) {
        ADD_EIGHT(19, 16, 16, 17, 17, 18, 18, 19, 19);
    } else {
        ADD_EIGHT(17, 16, 16, 16, 16, 17, 17, 17, 17);
    }
}

// Four numbers; the pointer moves on.
#define LOAD_FOUR(x, from, r0, r1, r2, r3) \
    do { \
        register float x0 __asm__(#r0); \
        register float x1 __asm__(#r1); \
        register float x2 __asm__(#r2); \
        register float x3 __asm__(#r3); \
        __asm__("vldmia %0!, {" #r0 "-" #r3 "}" \
            : "+r"(from), "=t"(x0), "=t"(x1), "=t"(x2), "=t"(x3) \
            : "m"(*(const float (*)[4])from)); \
        (x)[0] = x0; \
        (x)[1] = x1; \
        (x)[2] = x2; \
        (x)[3] = x3; \
    } while (0)
#define STORE_FOUR(to, x, r0, r1, r2, r3) \
    do { \
        register float x0 __asm__(#r0) = (x)[0]; \
        register float x1 __asm__(#r1) = (x)[1]; \
        register float x2 __asm__(#r2) = (x)[2]; \
        register float x3 __asm__(#r3) = (x)[3]; \
        __asm__("vstmia %0!, {" #r0 "-" #r3 "}" \
            : "+r"(to), "=m"(*(float (*)[4])to) \
            : "t"(x0), "t"(x1), "t"(x2), "t"(x3)); \
    } while (0)

#define CLEAR_FOUR(to) \
    __asm__("strd %2, %2, [%0], #8\n\t" \
            "strd %2, %2, [%0], #8" \
        : "+r"(to), "=m"(*(float (*)[4])to) \
        : "r"(0))

// The FPU's own flushing is on only in here: it would flush what the compiler's code must not.
#define WITH_FLUSHING(instructions) \
    "vmrs %[mode], fpscr\n\t" \
    "orr %[flushing], %[mode], #0x1000000\n\t" \
    "vmsr fpscr, %[flushing]\n\t" instructions "vmsr fpscr, %[mode]"
#define FLUSH(x) "vadd.f32 %" #x ", %" #x ", %[zero]\n\t"

INLINE void flush_four(float *x) {
    uint32_t mode, flushing;
    __asm__(WITH_FLUSHING(FLUSH(0) FLUSH(1) FLUSH(2) FLUSH(3))
        : "+t"(x[0]), "+t"(x[1]), "+t"(x[2]), "+t"(x[3]), [mode] "=&r"(mode), [flushing] "=&r"(flushing)
        : [zero] "t"(0.0f)
        : "vfpcc");
}

INLINE void flush_eight(float *x) {
    uint32_t mode, flushing;
    __asm__(WITH_FLUSHING(FLUSH(0) FLUSH(1) FLUSH(2) FLUSH(3) FLUSH(4) FLUSH(5) FLUSH(6) FLUSH(7))
        : "+t"(x[0]), "+t"(x[1]), "+t"(x[2]), "+t"(x[3]), "+t"(x[4]), "+t"(x[5]), "+t"(x[6]),
        "+t"(x[7]), [mode] "=&r"(mode), [flushing] "=&r"(flushing)
        : [zero] "t"(0.0f)
        : "vfpcc");
}
// clang-format on
#else
#define LOAD_FOUR(x, from, r0, r1, r2, r3) \
    do { \
        UNROLL for (uint32_t k = 0; k < 4; k++) { \
            (x)[k] = *(from)++; \
        } \
    } while (0)
#define STORE_FOUR(to, x, r0, r1, r2, r3) \
    do { \
        UNROLL for (uint32_t k = 0; k < 4; k++) { \
            *(to)++ = (x)[k]; \
        } \
    } while (0)
#define CLEAR_FOUR(to) \
    do { \
        UNROLL for (uint32_t k = 0; k < 4; k++) { \
            *(to)++ = 0; \
        } \
    } while (0)

INLINE void live_sums(const float **start, const live_step *live, const live_step *end, size_t offset, float **c,
    int relu, const uint32_t C) {
    float sum[24];
    UNROLL for (uint32_t v = 0; v < C; v++) {
        sum[v] = (*start)[v];
    }
    for (; live != end; live++) {
        const float *b = live->b + offset / sizeof(float);
        UNROLL for (uint32_t v = 0; v < C; v++) {
            sum[v] = v_fma(live->x, b[v], sum[v]);
        }
    }
    UNROLL for (uint32_t v = 0; v < C; v++) {
        (*c)[v] = relu ? activate(sum[v], PICORL_RELU) : sum[v];
    }
    *start += C;
    *c += C;
}

NOINLINE void sixteen_live_sums(
    const float **start, const live_step *live, const live_step *end, size_t offset, float **c, int relu) {
    live_sums(start, live, end, offset, c, relu, 16);
}

NOINLINE void twentyfour_live_sums(
    const float **start, const live_step *live, const live_step *end, size_t offset, float **c, int relu) {
    live_sums(start, live, end, offset, c, relu, 24);
}

INLINE live_step *append_live_step(live_step *end, const float *b, uint32_t x) {
    end->b = b;
    end->x = float_of_bits(x);
    return end + (x << 1 != 0);
}

INLINE uint8_t *append_live_column(uint8_t *end, uint32_t column, float output) {
    *end = (uint8_t)column;
    return end + (bits_of_float(output) << 1 != 0);
}

INLINE void flush_four(float *x) {
    UNROLL for (uint32_t v = 0; v < 4; v++) {
        x[v] = v_flush(x[v]);
    }
}

INLINE void flush_eight(float *x) {
    flush_four(x);
    flush_four(x + 4);
}

INLINE void add_eight(float *sum, const float **x, const float **w, const uint32_t outputs) {
    UNROLL for (uint32_t v = 0; v < 8; v++) {
        sum[v] = v_fma((*x)[v / outputs], (*w)[v], sum[v]);
    }
    *x += 8 / outputs;
    *w += 8;
}

INLINE void add_four_by_four(float *sum, const float **a, const float **b) {
    UNROLL for (uint32_t k = 0; k < 4; k++) {
        float x = *(*a)++;
        UNROLL for (uint32_t v = 0; v < 4; v++) {
            sum[v] = v_fma(x, *b[v]++, sum[v]);
        }
    }
}

INLINE void eight_by_eights(float *sum, const float *a, const float *const *b, uint32_t eights) {
    UNROLL for (uint32_t v = 0; v < 8; v++) {
        sum[v] = 0;
    }
    for (uint32_t k = 0; k < 8 * eights; k++) {
        UNROLL for (uint32_t v = 0; v < 8; v++) {
            sum[v] = v_fma(a[k], b[v][k], sum[v]);
        }
    }
}
#endif
