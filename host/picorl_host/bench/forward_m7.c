// One observation through a network on a bare Cortex-M7: picorl's forward kernel beside CMSIS-DSP's matrix-vector
// product, instructions of each. Run by m7_forward.py in QEMU with -icount shift=0, where an instruction takes a
// nanosecond.
//
// Prints a line for every measurement: network, weights, instructions of picorl and of CMSIS-DSP for a pass, largest
// difference of an output and largest output (both as bits), and how many of the hidden outputs were zero, out of how
// many.

#include <arm_math.h>
#include <picorl.h>
#include <stdint.h>

#include "trained.h" // trained_params, trained_obs: made by m7_forward.py, of a policy that learned Pendulum

#define PASSES 32 // of each measurement, with different observations
#define WIDEST 64
#define LAYERS 3
#define MOST_PARAMS 8192

#define TIMER (*(volatile uint32_t *)0x40000004) // counts down
#define TIMER_RELOAD (*(volatile uint32_t *)0x40000008)
#define TIMER_CONTROL (*(volatile uint32_t *)0x40000000)
#define INSTRUCTIONS_PER_TICK 40 // 25 MHz

typedef struct network {
    const char *name;
    int32_t layout[LAYERS * PICORL_RECORD];
} network;

#define DENSE(inputs, outputs, activation) PICORL_DENSE, inputs, outputs, activation
#define NETWORK(name, a, b, c, d) \
    { \
        name, { \
            DENSE(a, b, PICORL_RELU), DENSE(b, c, PICORL_RELU), DENSE(c, d, PICORL_IDENTITY) \
        } \
    }

static const network networks[] = {
    NETWORK("3-64-64-1", 3, 64, 64, 1),
    NETWORK("13-64-64-4", 13, 64, 64, 4),
    NETWORK("16-32-32-4", 16, 32, 32, 4),
};

static float params[MOST_PARAMS]; // as picorl has them: weights [in][out]
static float turned[MOST_PARAMS]; // as CMSIS-DSP wants them: weights [out][in]
static float obs[PASSES * WIDEST];
static float out[PASSES * WIDEST], other_out[PASSES * WIDEST];
static float cache[2 * WIDEST];

// --- semihosting -----------------------------------------------------------------------------------------------------

static void ask_host(uint32_t what, uintptr_t with) {
    register uint32_t r0 __asm__("r0") = what;
    register uintptr_t r1 __asm__("r1") = with;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

static void print(const char *text) {
    ask_host(0x04, (uintptr_t)text); // SYS_WRITE0
}

static void print_number(uint32_t n) {
    char text[12], *p = text + 11;
    *p = 0;
    do {
        *--p = (char)('0' + n % 10);
        n /= 10;
    } while (n);
    *--p = ' ';
    print(p);
}

// --- the rival -------------------------------------------------------------------------------------------------------

static void cmsis_forward(const network *net, const float *x, float *y) {
    const float *at = turned;
    const float *from = x;
    float hidden[2][WIDEST];
    for (uint32_t l = 0; l < LAYERS; l++) {
        const int32_t *layer = net->layout + l * PICORL_RECORD;
        uint16_t inputs = (uint16_t)layer[PICORL_INPUTS], outputs = (uint16_t)layer[PICORL_OUTPUTS];
        float *to = l + 1 < LAYERS ? hidden[l % 2] : y;
        arm_matrix_instance_f32 weights = {outputs, inputs, (float *)at};
        arm_mat_vec_mult_f32(&weights, from, to);
        const float *bias = at + inputs * outputs;
        if (layer[PICORL_ACTIVATION] == PICORL_RELU) {
            for (uint32_t o = 0; o < outputs; o++) {
                float sum = to[o] + bias[o];
                to[o] = sum > 0 ? sum : 0;
            }
        } else {
            for (uint32_t o = 0; o < outputs; o++) {
                to[o] += bias[o];
            }
        }
        at = bias + outputs;
        from = to;
    }
}

static void turn(const network *net) {
    float *to = turned;
    const float *from = params;
    for (uint32_t l = 0; l < LAYERS; l++) {
        uint32_t inputs = (uint32_t)net->layout[l * PICORL_RECORD + PICORL_INPUTS];
        uint32_t outputs = (uint32_t)net->layout[l * PICORL_RECORD + PICORL_OUTPUTS];
        for (uint32_t i = 0; i <= inputs; i++) { // the biases, behind the weights, stay as they are
            for (uint32_t o = 0; o < outputs; o++) {
                to[i < inputs ? o * inputs + i : inputs * outputs + o] = from[i * outputs + o];
            }
        }
        to += (inputs + 1) * outputs;
        from += (inputs + 1) * outputs;
    }
}

// --- measuring -------------------------------------------------------------------------------------------------------

static void measure(const network *net, const char *weights) {
    uint32_t n_in = (uint32_t)net->layout[PICORL_INPUTS];
    uint32_t n_out = (uint32_t)net->layout[(LAYERS - 1) * PICORL_RECORD + PICORL_OUTPUTS];
    uint32_t n_hidden = (uint32_t)net->layout[PICORL_OUTPUTS] * 2;
    turn(net);
    uint32_t start = TIMER;
    for (uint32_t i = 0; i < PASSES; i++) {
        picorl_forward(net->layout, LAYERS, params, obs + i * n_in, out + i * n_out, cache, 0, 1);
    }
    uint32_t ours = start - TIMER;
    start = TIMER;
    for (uint32_t i = 0; i < PASSES; i++) {
        cmsis_forward(net, obs + i * n_in, other_out + i * n_out);
    }
    uint32_t theirs = start - TIMER;

    union {
        float f;
        uint32_t bits;
    } difference = {0}, largest = {0};
    uint32_t zeros = 0;
    for (uint32_t i = 0; i < PASSES * n_out; i++) {
        float d = __builtin_fabsf(out[i] - other_out[i]);
        float size = __builtin_fabsf(other_out[i]);
        difference.f = d > difference.f ? d : difference.f;
        largest.f = size > largest.f ? size : largest.f;
    }
    for (uint32_t i = 0; i < PASSES; i++) {
        picorl_forward(net->layout, LAYERS, params, obs + i * n_in, out, cache, 0, 1);
        for (uint32_t k = 0; k < n_hidden; k++) {
            zeros += cache[k] == 0;
        }
    }
    print(net->name);
    print(" ");
    print(weights);
    print_number((uint32_t)((uint64_t)ours * INSTRUCTIONS_PER_TICK / PASSES));
    print_number((uint32_t)((uint64_t)theirs * INSTRUCTIONS_PER_TICK / PASSES));
    print_number(difference.bits);
    print_number(largest.bits);
    print_number(zeros);
    print_number(n_hidden * PASSES);
    print("\n");
}

// Biases so large that no hidden unit rests: then nothing can be left out.
static void wake_all(const network *net) {
    float *at = params;
    for (uint32_t l = 0; l + 1 < LAYERS; l++) {
        uint32_t inputs = (uint32_t)net->layout[l * PICORL_RECORD + PICORL_INPUTS];
        uint32_t outputs = (uint32_t)net->layout[l * PICORL_RECORD + PICORL_OUTPUTS];
        float *bias = at + inputs * outputs;
        for (uint32_t o = 0; o < outputs; o++) {
            bias[o] = l == 0 ? 8 : 128;
        }
        at = bias + outputs;
    }
}

// Not in line: reset() switches the FPU on first.
__attribute__((noinline)) int main(void) {
    TIMER_RELOAD = TIMER = 0xffffffff;
    TIMER_CONTROL = 1;
    for (uint32_t n = 0; n < sizeof(networks) / sizeof(networks[0]); n++) {
        const network *net = &networks[n];
        for (uint32_t seed = 0; seed < SEEDS; seed++) {
            uint32_t rng[4] = {seed, 0, 0, 0};
            picorl_init_params(net->layout, LAYERS, params, rng);
            picorl_normal(rng, obs, PASSES * (uint32_t)net->layout[PICORL_INPUTS]);
            measure(net, "initialised");
            wake_all(net);
            measure(net, "no-zeros");
        }
    }
    for (uint32_t i = 0; i < sizeof(trained_params) / sizeof(trained_params[0]); i++) {
        params[i] = trained_params[i];
    }
    for (uint32_t i = 0; i < sizeof(trained_obs) / sizeof(trained_obs[0]); i++) {
        obs[i] = trained_obs[i];
    }
    measure(&networks[0], "trained");
    return 0;
}

// --- starting --------------------------------------------------------------------------------------------------------

extern uint32_t _estack, _sidata, _sdata, _edata, _sbss, _ebss;

static void reset(void) {
    *(volatile uint32_t *)0xe000ed88 |= 0xf << 20; // the FPU
    __asm__ volatile("dsb\n isb" ::: "memory");
    for (uint32_t *from = &_sidata, *to = &_sdata; to < &_edata;) {
        *to++ = *from++;
    }
    for (uint32_t *to = &_sbss; to < &_ebss;) {
        *to++ = 0;
    }
    main();
    ask_host(0x18, 0x20026); // SYS_EXIT, ADP_Stopped_ApplicationExit
}

static void fault(void) {
    print("fault\n");
    ask_host(0x18, 0x20024);
}

__attribute__((section(".isr_vector"), used)) static const uintptr_t vectors[] = {(uintptr_t)&_estack, (uintptr_t)reset,
    (uintptr_t)fault, (uintptr_t)fault, (uintptr_t)fault, (uintptr_t)fault, (uintptr_t)fault};
