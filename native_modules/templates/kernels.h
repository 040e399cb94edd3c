// The kernels' prototypes.
#ifndef PICORL_KERNELS_H
#define PICORL_KERNELS_H

#include <stdint.h>

#define PICORL_ABI @ABI@
#define PICORL_MAX_INT @MAX_INT@ // of an integer argument

@PROTOTYPES@

// A variant of the core.
typedef struct picorl_table {
@MEMBERS@
} picorl_table;

// X(name) for each kernel.
#define PICORL_EACH_KERNEL(X) \
@EACH@

#endif
