// The kernels of kernels/ for C: one prototype each (generated), and on desktops the choice of a variant.
#ifndef PICORL_H
#define PICORL_H

#include <stddef.h>
#include <stdint.h>

#include "generated/kernels.h"

enum { PICORL_DENSE = 1, PICORL_LAYER_NORM = 2, PICORL_NORMALIZE = 3, PICORL_ELEMENTWISE = 4 };
enum { PICORL_IDENTITY = 0, PICORL_RELU = 1, PICORL_TANH = 2, PICORL_LEAKY_RELU = 3, PICORL_SIGMOID = 4 };
enum { PICORL_FAST_TANH = 5, PICORL_GELU = 6, PICORL_SOFTMAX = 7 }; // of elementwise layers

// A record of a network's layout: kind, inputs, outputs, activation.
enum { PICORL_KIND, PICORL_INPUTS, PICORL_OUTPUTS, PICORL_ACTIVATION, PICORL_RECORD };

// Indices of a replay's state.
enum { PICORL_HEAD, PICORL_SIZE, PICORL_PENDING, PICORL_VALID, PICORL_REFUSED };

// Desktops compile the core once for each instruction set (variants/) and choose at run time (dispatch.c);
// microcontrollers compile it once (single.c).
#ifdef PICORL_DISPATCH
extern const picorl_table *picorl_active;
#define PICORL_CALL(name) (picorl_active->name)
// Runs when a program or a library is loaded; a native .mpy module must call it first.
void picorl_choose_best(void);
#else
#define PICORL_CALL(name) picorl_##name
#endif

// Names of the variants that this CPU runs, best first; `names` has room for 8. Returns how many there are.
int picorl_variants(const char **names);
const char *picorl_variant(void);
// 0, or -1 for a name that picorl_variants() does not list.
int picorl_select(const char *name);
// 1 in the class with fused multiply-add.
int picorl_fused(void);

#endif
