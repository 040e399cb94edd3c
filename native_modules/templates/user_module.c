// MicroPython user C module: built into the firmware.
#include "py/runtime.h"
#include "py/binary.h"
#include "py/objarray.h"
#include "py/objstr.h"

#include "kernels.h"
#include "core/picorl.h"
#include "signatures.h"

// @MICROPYTHON

#if PICORL_ARENA
#include "arena.h"
#endif

static const mp_rom_map_elem_t globals_table[] = {
    {MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR__picorl)},
#if PICORL_ARENA
    {MP_ROM_QSTR(MP_QSTR_ARENA), MP_ROM_INT(PICORL_ARENA_SIZE)},
    {MP_ROM_QSTR(MP_QSTR_Lease), MP_ROM_PTR(&picorl_lease_type)},
#endif
    // @GLOBALS
};
static MP_DEFINE_CONST_DICT(globals, globals_table);

const mp_obj_module_t picorl_user_module = {
    .base = {&mp_type_module},
    .globals = (mp_obj_dict_t *)&globals,
};

MP_REGISTER_MODULE(MP_QSTR__picorl, picorl_user_module);
