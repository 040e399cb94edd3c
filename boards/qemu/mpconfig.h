// MicroPython's QEMU port as it is, and what a real board has besides: a clock, and Ctrl-C while a program runs.
#include "mpconfigport.h"

#undef MICROPY_PY_TIME
#define MICROPY_PY_TIME (1)

void picorl_board_poll(void);
#define MICROPY_VM_HOOK_LOOP picorl_board_poll();
#define MICROPY_VM_HOOK_RETURN picorl_board_poll();
