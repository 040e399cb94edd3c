// Any 64-bit ARM, in the class without fused multiply-add.

#ifdef __aarch64__
#define PICORL_VARIANT neon_unfused
#define PICORL_W 4
#define PICORL_FUSED 0
#include "../core.inc.h"
#endif
