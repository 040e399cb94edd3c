# picorl's kernels as a user C module: make -C ports/... USER_C_MODULES=<the folder that holds native_modules>
# The folder above is what USER_C_MODULES names, so that objects land in $(BUILD)/native_modules/.

PICORL_DIR := $(USERMOD_DIR)
# PICORL_ALGORITHMS="sac ppo": without the kernels that only others need.
PICORL_OUT := $(shell $(PYTHON) $(PICORL_DIR)/generate.py --out $(PICORL_DIR)/generated --algorithms "$(PICORL_ALGORITHMS)" >&2 || echo failed)
ifneq ($(PICORL_OUT),)
$(error picorl: native_modules/generate.py failed)
endif

# A desktop picks the variant for its CPU at run time; a microcontroller has one. There -O3 would add 2 KB and win 0.1 %:
# what pays is unrolled by hand.
# The port is asked first: not all have named their compiler yet.
PICORL_DESKTOP := $(and $(filter unix windows,$(notdir $(CURDIR))),$(filter x86_64-% aarch64-%,$(shell $(CC) -dumpmachine)))
PICORL_CORE := $(PICORL_DIR)/core/single.c
PICORL_COPT := -O2
ifneq ($(PICORL_DESKTOP),)
PICORL_CORE := $(PICORL_DIR)/core/dispatch.c $(wildcard $(PICORL_DIR)/core/variants/*.c)
PICORL_COPT := -O3
CFLAGS_USERMOD += -DPICORL_DISPATCH
endif

SRC_USERMOD_C += $(PICORL_DIR)/generated/user_module.c
# As a library: not scanned for QSTRs.
SRC_USERMOD_LIB_C += $(PICORL_CORE)
CFLAGS_USERMOD += -I$(PICORL_DIR)

# PICORL_ARENA=<bytes>: memory for agents' buffers that the garbage collector does not scan (arena.h). An agent refers to more
# objects than the collector's stack has room for, 64; that would make it look through the whole heap once more.
ifneq ($(PICORL_ARENA),)
CFLAGS_USERMOD += -DPICORL_ARENA=$(PICORL_ARENA) -DMICROPY_ALLOC_GC_STACK_SIZE=256
endif

# The kernels' own flags, whatever the port's COPT is; `private`, or the headers that make generates would get them too.
# No contraction: results must not depend on what a compiler likes to fuse. No debug information: it doubles the time.
$(BUILD)/native_modules/core/%.o: private CFLAGS += $(PICORL_COPT) -g0 -std=gnu99 -ffp-contract=off -fno-math-errno -fno-strict-aliasing -Wno-psabi
