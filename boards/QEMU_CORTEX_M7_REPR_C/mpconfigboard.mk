# Floats live in the object word itself, without their last two bits, as on CircuitPython.
include $(BOARD_DIR)/../QEMU_CORTEX_M7/mpconfigboard.mk
CFLAGS += -DMICROPY_OBJ_REPR=MICROPY_OBJ_REPR_C
