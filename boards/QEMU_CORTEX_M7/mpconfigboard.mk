QEMU_MACHINE = mps2-an500
PICORL_PSRAM = 0x60000000
# GCC does not tell that a single-precision FPU is an FPv5, which has vmaxnm.
CFLAGS += -mcpu=cortex-m7 -mfloat-abi=hard -mfpu=fpv5-sp-d16 -DPICORL_FPV5 -DMICROPY_HW_MCU_NAME='"Cortex-M7"'
SRC_BOARD_O += shared/runtime/gchelper_thumb2.o
MPY_CROSS_FLAGS += -march=armv7emsp
include $(BOARD_DIR)/../qemu/mps2.mk
