// The kernels' prototypes.
#ifndef PICORL_KERNELS_H
#define PICORL_KERNELS_H

#include <stdint.h>

// @CONSTANTS

// @PROTOTYPES

// A variant of the core.
// @TABLE

// What stands before the definition of a kernel.
// @LINKAGE

// X(name) for each kernel.
// @EACH

#endif
