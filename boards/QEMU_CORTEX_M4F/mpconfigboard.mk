QEMU_MACHINE = mps2-an386
PICORL_PSRAM = 0x21000000
CFLAGS += -mcpu=cortex-m4 -mfloat-abi=hard -mfpu=fpv4-sp-d16 -DMICROPY_HW_MCU_NAME='"Cortex-M4F"'
SRC_BOARD_O += shared/runtime/gchelper_thumb2.o
MPY_CROSS_FLAGS += -march=armv7emsp
include $(BOARD_DIR)/../qemu/mps2.mk
