// The most multiply-adds a core of this machine does in a second: sums in registers, nothing from memory.
// Compiled by timing.py for each width (WIDTH floats to a vector); prints GFLOP/s, a multiply-add being two.

#include <stdio.h>
#include <time.h>

typedef float vector __attribute__((vector_size(4 * WIDTH)));

#define SUMS 12 // enough to hide an instruction's latency, few enough for 16 registers
#define ROUNDS 200000

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + 1e-9 * now.tv_nsec;
}

static double gflops(vector a, vector b) {
    vector sum[SUMS];
    for (int k = 0; k < SUMS; k++) {
        sum[k] = a + (float)k;
    }
    double start = seconds();
    for (int i = 0; i < ROUNDS; i++) {
        for (int k = 0; k < SUMS; k++) {
            sum[k] = sum[k] * a + b;
        }
    }
    double took = seconds() - start;
    vector all = sum[0];
    for (int k = 1; k < SUMS; k++) {
        all += sum[k];
    }
    volatile float keep = all[0];
    (void)keep;
    return 2.0 * WIDTH * SUMS * ROUNDS / took * 1e-9;
}

int main(int argc, char **argv) {
    (void)argv;
    vector a = (vector){0} + 0.9f * (float)argc, b = (vector){0} + 0.1f; // not known when this is compiled
    double best = 0;
    for (int i = 0; i < 50; i++) {
        double now = gflops(a, b);
        best = now > best ? now : best;
    }
    printf("%.1f\n", best);
    return 0;
}
