# Code for an M0+ on a Cortex-M3, which QEMU gives more memory.
QEMU_MACHINE = mps2-an385
PICORL_PSRAM = 0x21000000
CFLAGS += -mcpu=cortex-m0plus -mfloat-abi=soft -DMICROPY_HW_MCU_NAME='"Cortex-M0+"'
SRC_BOARD_O += shared/runtime/gchelper_thumb1.o
MPY_CROSS_FLAGS += -march=armv6m
include $(BOARD_DIR)/../qemu/mps2.mk
