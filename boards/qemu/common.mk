# What the emulated boards have in common: included by their mpconfigboard.mk.
comma := ,
PICORL_QEMU := $(dir $(lastword $(MAKEFILE_LIST)))

CFLAGS += -DMP_CONFIGFILE='"$(PICORL_QEMU)mpconfig.h"'
# All of the PSRAM but the word that says how much of it to use.
MICROPY_HEAP_SIZE = 16777200
MICROPY_VFS_LFS2 = 1

SRC_BOARD_O += picorl_board.o
LDFLAGS += $(addprefix -Wl$(comma)--wrap=,uart_init uart_rx_chr gc_init mp_init)

$(BUILD)/picorl_board.o: $(PICORL_QEMU)board.c
	$(call compile_c)
