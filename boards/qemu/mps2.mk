# The MPS2 boards: a Cortex-M each, with 4 + 4 + 16 MB of memory. Before this file: PICORL_PSRAM, the address of the last.
QEMU_ARCH = arm
CFLAGS += -mthumb -DQEMU_SOC_MPS2
LDSCRIPT := $(dir $(lastword $(MAKEFILE_LIST)))mps2.ld
LDFLAGS += -Wl,--defsym=picorl_psram=$(PICORL_PSRAM)
SRC_BOARD_O += shared/runtime/gchelper_native.o
include $(dir $(lastword $(MAKEFILE_LIST)))common.mk
