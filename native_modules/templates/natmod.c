// Native .mpy module for stock firmware. mpy_ld looks for QSTRs in this text, so all stand here in full:
// MP_QSTR_ValueError is what py/dynruntime.h raises.
#include "py/dynruntime.h"

#include "kernels.h"
#include "core/picorl.h"
#include "signatures.h"

// There is no C library, but compilers call these for loops and structs.
void *memcpy(void *to, const void *from, size_t size) {
    return mp_fun_table.memmove_(to, from, size);
}

void *memmove(void *to, const void *from, size_t size) {
    return mp_fun_table.memmove_(to, from, size);
}

void *memset(void *to, int value, size_t size) {
    return mp_fun_table.memset_(to, value, size);
}

// @MICROPYTHON

mp_obj_t mpy_init(mp_obj_fun_bc_t *self, size_t n_args, size_t n_kw, mp_obj_t *args) {
    MP_DYNRUNTIME_INIT_ENTRY
#ifdef PICORL_DISPATCH
    picorl_choose_best();
#endif
    // @GLOBALS
    MP_DYNRUNTIME_INIT_EXIT
}
