// All kernels, once for each instruction set. The including file defines PICORL_W (lanes), PICORL_FUSED (class) and,
// when it is one variant of several, PICORL_VARIANT (its name as a C identifier).
//
// Nothing here calls libc or libm or writes to static data: a native .mpy module has neither.

#include "picorl.h"

#if defined(__GNUC__) && !defined(__clang__)
// Bits must not depend on flags that a build forgets; nor may loops become calls of memset.
#pragma GCC optimize("fp-contract=off", "no-math-errno", "no-tree-loop-distribute-patterns")
#else
#pragma STDC FP_CONTRACT OFF
#endif

#ifdef PICORL_VARIANT
#define KERNEL(type, name) static __attribute__((unused)) type kernel_##name
#else
#define KERNEL(type, name) PICORL_LINKAGE_##name type picorl_##name
#endif

#include "vec.h"
#include "elementary.h"
#include "lanes.inc.h"
#include "columns.inc.h"
#include "rng.inc.h"
#include "activations.inc.h"
#include "product.inc.h"
#include "lanes_across.inc.h"
#include "dense.inc.h"
#include "norm.inc.h"
#include "elementwise.inc.h"
#include "network.inc.h"
#include "optimizer.inc.h"
#include "replay.inc.h"
#include "heads.inc.h"
#include "losses.inc.h"
#include "choices.inc.h"
#include "policy_gradient.inc.h"
#include "q_learning.inc.h"
#include "supervised.inc.h"
#include "statistics.inc.h"
#include "streaming.inc.h"
#include "gather.inc.h"
#include "pendulum.inc.h"
#include "cartpole.inc.h"
#include "crc32.inc.h"
#include "telemetry.inc.h"

#ifdef PICORL_VARIANT
#define ENTRY(name) .name = kernel_##name,
#define JOIN(a, b) a##b
#define TABLE(variant) JOIN(picorl_variant_, variant)

extern const picorl_table TABLE(PICORL_VARIANT);
const picorl_table TABLE(PICORL_VARIANT) = {PICORL_EACH_KERNEL(ENTRY)};
#endif
