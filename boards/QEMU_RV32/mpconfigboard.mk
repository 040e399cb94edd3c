QEMU_ARCH = riscv32
QEMU_MACHINE = virt
CFLAGS += -DQEMU_SOC_VIRT -DMICROPY_HW_MCU_NAME='"RV32IMAC"'
SRC_BOARD_O += shared/runtime/gchelper_native.o shared/runtime/gchelper_rv32i.o
MPY_CROSS_FLAGS += -march=rv32imc
LDSCRIPT := $(BOARD_DIR)/virt.ld
# gcc 12 finds its 32-bit libraries only when this comes last.
LIBS = -march=rv32imac
include $(BOARD_DIR)/../qemu/common.mk
