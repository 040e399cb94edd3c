// Prints what networks of many shapes compute: run on an emulated Cortex-M by
// test_inline_assembly.py.

#include "core/picorl.h"

enum { SYS_WRITE0 = 4, SYS_EXIT = 0x18, APPLICATION_EXIT = 0x20026 };

static void semihosting(int operation, const void *argument) {
    register int r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

static void print_crc(const float *x, uint32_t count) {
    uint32_t crc[1] = {0};
    char line[10];
    picorl_crc32((const uint8_t *)x, count * 4, crc);
    for (int i = 0; i < 8; i++) {
        line[i] = "0123456789abcdef"[crc[0] >> (28 - 4 * i) & 15];
    }
    line[8] = '\n';
    line[9] = 0;
    semihosting(SYS_WRITE0, line);
}

static uint32_t seed;

static uint32_t draw(void) {
    seed = seed * 1664525 + 1013904223;
    return seed >> 8;
}

// In [-1, 1); with `odd`, also zeros, subnormal numbers and the smallest normal ones. No negative zeros: what the agents
// keep is flushed, and a term that is left out would have made them positive.
static void numbers(float *x, uint32_t count, int odd) {
    static const uint32_t smallest[] = {0, 1, 0x007fffff, 0x807fffff, 0x00800000, 0x80800001};
    for (uint32_t i = 0; i < count; i++) {
        union {
            uint32_t bits;
            float x;
        } number;
        number.x = (float)((int32_t)draw() - (1 << 23)) / (1 << 23);
        if (odd && draw() % 3 == 0) {
            number.bits = smallest[draw() % 6];
        }
        x[i] = number.x;
    }
}

static float params[9000], grad[9000], m[9000], v[9000], cache[4000], x[1000], out[1000], d_out[1000], d_x[1000];

static void network(const int32_t *sizes, int32_t activation, uint32_t rows, int odd) {
    int32_t layout[4 * PICORL_RECORD];
    uint32_t layers = 0, count = 0, hidden = 0;
    for (; sizes[layers + 1]; layers++) {
        int32_t *layer = layout + layers * PICORL_RECORD;
        layer[PICORL_KIND] = PICORL_DENSE;
        layer[PICORL_INPUTS] = sizes[layers];
        layer[PICORL_OUTPUTS] = sizes[layers + 1];
        layer[PICORL_ACTIVATION] = activation;
        count += (uint32_t)((sizes[layers] + 1) * sizes[layers + 1]);
        hidden += sizes[layers + 2] ? (uint32_t)sizes[layers + 1] : 0;
    }
    numbers(params, count, odd);
    numbers(grad, count, odd);
    numbers(x, rows * (uint32_t)sizes[0], odd);
    numbers(d_out, rows * (uint32_t)sizes[layers], odd);
    picorl_forward(layout, layers, params, x, out, cache, 0, rows);
    print_crc(out, rows * (uint32_t)sizes[layers]);
    print_crc(cache, rows * hidden);
    picorl_backward(layout, layers, params, x, out, cache, d_out, grad, d_x, 0, rows);
    print_crc(grad, count);
    print_crc(d_x, rows * (uint32_t)sizes[0]);

    static const float hyper[4] = {1e-3f, 0.9f, 0.999f, 1e-7f}, tau[1] = {0.005f};
    float state[4] = {1, 1};
    picorl_adam_advance(hyper, state);
    picorl_adam(params, grad, m, v, hyper, state, 0, count);
    print_crc(params, count);
    numbers(grad, count, odd);
    picorl_adam_delta(grad, m, v, hyper, state, 0, count);
    print_crc(grad, count);
    print_crc(m, count);
    print_crc(v, count);
    picorl_polyak(params, m, tau, 0, count);
    picorl_apply_delta(params, grad, 0, count);
    print_crc(params, count);
}

int main(void) {
    static const int32_t sizes[][6] = {{3, 64, 64, 1}, {13, 64, 64, 4}, {16, 32, 32, 2}, {4, 24, 40, 3}, {1, 17, 56, 5},
        {70, 80, 6}, {9, 100, 23, 16}};
    static const uint32_t rows[] = {1, 2, 7};
    for (uint32_t s = 0; s < sizeof(sizes) / sizeof(*sizes); s++) {
        for (uint32_t r = 0; r < 3; r++) {
            for (int32_t activation = PICORL_IDENTITY; activation <= PICORL_TANH; activation++) {
                network(sizes[s], activation, rows[r], 0);
                network(sizes[s], activation, rows[r], 1);
            }
        }
    }
    semihosting(SYS_WRITE0, "done\n");
    semihosting(SYS_EXIT, (const void *)APPLICATION_EXIT);
    return 0;
}

void reset(void) {
    *(volatile uint32_t *)0xe000ed88 |= 0xf << 20; // the FPU on
    __asm__ volatile("dsb\n\tisb");
    main();
}

__attribute__((section(".vectors"), used)) void *const vectors[] = {(void *)0x20400000, (void *)reset};
