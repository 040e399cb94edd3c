// Any 64-bit ARM.

#ifdef __aarch64__
#define PICORL_VARIANT neon
#define PICORL_W 4
#define PICORL_FUSED 1
#include "../core.inc.h"
#endif
