// Any x86-64 in the class with fused multiply-add, which is computed in double: slow but right. One lane, because several of these
// side by side gain nothing and take the compiler ten times as long.

#ifdef __x86_64__
#define PICORL_VARIANT baseline
#define PICORL_W 1
#define PICORL_FUSED 1
#include "../core.inc.h"
#endif
