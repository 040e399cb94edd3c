// Any x86-64, in the class without fused multiply-add.

#ifdef __x86_64__
#define PICORL_VARIANT baseline_unfused
#define PICORL_W 4
#define PICORL_FUSED 0
#include "../core.inc.h"
#endif
