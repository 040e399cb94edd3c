# Everything is built and downloaded into build/. `make` alone lists what there is.

PYTHON ?= python3
VENV = build/venv
PEERS = build/peers-venv
TYPECHECK = build/typecheck
# Two tests at once on two cores; files stay together because their tests share what is slow to make.
PYTEST_ARGS ?= -q -n auto --dist loadgroup

C_FILES = $(shell find native_modules -name '*.[ch]' -not -path '*/generated/*')
BENCH_C_FILES = $(wildcard host/picorl_host/bench/*.c)

TORCH_TESTS = $(shell grep -l 'mark.torch' tests_host/*.py)

# Emulated boards: those that `make test` runs on, and all of them.
BOARDS = QEMU_CORTEX_M7 RPI_PICO
ALL_BOARDS = $(BOARDS) QEMU_CORTEX_M7_REPR_C QEMU_CORTEX_M4F QEMU_CORTEX_M0PLUS QEMU_RV32
ALL_TARGETS = unix stock stock-natmod qemu-m7 pico qemu-m7-repr-c qemu-m4f qemu-m0plus qemu-rv32 qemu-m7-natmod pico-natmod qemu-m7-arena

.PHONY: help setup micropython natmod firmware emulate sizes dist train test test-torch test-boards soak lint typecheck format bench-learning bench-streaming bench-pendulum bench-kernels bench-growth bench-m7 bench-pico bench-ulab bench-import bench-spread clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(VENV)/.installed ## the desktop side: a virtual environment in build/venv with picorl in it
	@:

# Python.h and gcc are wanted for the C kernels; without them pip installs picorl all the same.
$(VENV)/.environment:
	@$(PYTHON) boards/debian.py python3-venv
	@$(PYTHON) boards/debian.py --optional build-essential python3-dev
	@echo "virtual environment $(VENV) ..."
	@$(PYTHON) -m venv --clear $(VENV)
	@$(VENV)/bin/pip install -qq --disable-pip-version-check 'setuptools>=80'
	@touch $@

$(VENV)/.installed: $(VENV)/.environment pyproject.toml $(C_FILES) $(wildcard $(addprefix native_modules/,*.py kernels/*.py cpython/*.py templates/*))
	@echo "picorl, its C kernels and its tools into $(VENV) ..."
	@$(VENV)/bin/pip install -qq --disable-pip-version-check --no-build-isolation -e '.[dev]'
	@mkdir -p build/stock && ln -sf ../venv/bin/micropython build/stock/micropython
	@mkdir -p build/logs && $(VENV)/bin/python -c 'import _picorl' 2>build/logs/kernels.log && touch $@ || { \
	    echo 'picorl: no C kernels (they need a C compiler and Python.h), falling back to NumPy:'; \
	    tail -n 1 build/logs/kernels.log; \
	    echo "$(VENV)/bin/pip install -v --no-deps --no-build-isolation -e . shows why"; }

micropython: ## MicroPython's source, mpy-cross and the unix port with picorl inside (build/unix/micropython)
	@$(PYTHON) boards/micropython.py

natmod: setup ## native modules for stock firmware (build/natmod/): all that have a compiler, or ARCH="x64 ..." (ALGORITHMS="sac ppo")
	@$(VENV)/bin/python boards/natmod.py $(ARCH) --algorithms "$(ALGORITHMS)"

natmod-%: setup
	@$(VENV)/bin/python boards/natmod.py $* --algorithms "$(ALGORITHMS)"

firmware: setup ## firmware for a board with picorl inside, BOARD=RPI_PICO; STOCK=1 without, ARENA=256K (build/firmware/)
	@$(VENV)/bin/python boards/firmware.py $(BOARD) $(if $(STOCK),--stock) --algorithms "$(ALGORITHMS)" $(ARENA:%=--arena %)

emulate: setup ## start an emulated board and say its port, BOARD=QEMU_CORTEX_M7 (STOCK=1, HEAP=512K, FLASH=file)
	@$(VENV)/bin/python boards/firmware.py --quiet $(BOARD) $(if $(STOCK),--stock)
	@$(VENV)/bin/python -m picorl_host.emulator $(BOARD) $(if $(STOCK),--stock) $(HEAP:%=--heap %) $(FLASH:%=--flash %)

sizes: setup ## what picorl costs in the firmware of every emulated board: flash, RAM, heap
	@$(VENV)/bin/python boards/firmware.py --quiet $(or $(BOARD),$(ALL_BOARDS))
	@$(VENV)/bin/python boards/sizes.py $(BOARD)

dist: setup ## what makers download: firmware, .mpy files for mpremote's mip, a bundle for circup (build/dist/)
	@$(VENV)/bin/python boards/dist.py

train: setup micropython ## train SAC on Pendulum under MicroPython, or on BOARD=QEMU_CORTEX_M7, and CPython (TRAIN_ARGS=...)
ifdef BOARD
	@$(if $(findstring --port,$(TRAIN_ARGS)),:,$(VENV)/bin/python boards/firmware.py --quiet $(BOARD))
	@$(VENV)/bin/picorl train --board $(BOARD) $(TRAIN_ARGS)
else
	@$(VENV)/bin/picorl train --compare $(TRAIN_ARGS)
endif

test: setup micropython natmod-x64 lint ## all tests, on the desktop and on emulated boards (PYTEST_ARGS=...)
	@$(VENV)/bin/python boards/firmware.py --quiet $(BOARDS) QEMU_CORTEX_M7_REPR_C
	@$(MAKE) --no-print-directory $(PEERS)/.installed || \
	    echo 'picorl: Stable-Baselines3 and PyTorch did not install: the tests that need them are skipped'
	@$(VENV)/bin/pytest $(PYTEST_ARGS) tests_host tests_device
	@test ! -e $(PEERS)/.installed || $(MAKE) --no-print-directory test-torch

test-torch: setup $(PEERS)/.installed ## our losses and gradients beside PyTorch's
	@PYTHONPATH=device:host $(PEERS)/bin/python -m pytest -q -m torch -p no:cacheprovider $(TORCH_TESTS)

test-boards: setup micropython natmod ## the device tests on every target there is
	@$(VENV)/bin/python boards/firmware.py --quiet $(ALL_BOARDS)
	@$(VENV)/bin/python boards/firmware.py --quiet --stock $(BOARDS)
	@$(VENV)/bin/python boards/firmware.py --quiet --arena 640K QEMU_CORTEX_M7
	@$(VENV)/bin/pytest $(PYTEST_ARGS) tests_device $(ALL_TARGETS:%=--target %)

soak: setup micropython ## two hours of a robot's simulated life, with failing sensors and a reset, under MicroPython and on an emulated Cortex-M7
	@$(VENV)/bin/python boards/firmware.py --quiet QEMU_CORTEX_M7
	@$(VENV)/bin/pytest -q tests_device/test_robot_on_device.py -m soak --target unix --target qemu-m7

lint: setup typecheck ## ruff, clang-format and mypy, changing nothing
	@$(VENV)/bin/ruff check -q
	@$(VENV)/bin/ruff format -q --check
	@$(VENV)/bin/clang-format --style=file:native_modules/.clang-format --dry-run -Werror $(C_FILES) $(BENCH_C_FILES)

typecheck: $(TYPECHECK)/.installed ## device/ against the official stubs of CircuitPython and MicroPython: what they lack is found
	@$(TYPECHECK)/venv/bin/python tests_host/typecheck/check.py

# Stubs of different interpreters shadow each other, and CPython's: each has a folder of its own.
$(TYPECHECK)/.installed: $(wildcard tests_host/typecheck/*.txt)
	@echo "mypy and the stubs of CircuitPython and MicroPython into $(TYPECHECK) ..."
	@$(PYTHON) boards/debian.py python3-venv
	@rm -rf $(TYPECHECK) && $(PYTHON) -m venv $(TYPECHECK)/venv
	@$(TYPECHECK)/venv/bin/pip install -qq --disable-pip-version-check -r tests_host/typecheck/mypy.txt
	@for stubs in circuitpython9 circuitpython10 rp2 unix; do \
	    $(TYPECHECK)/venv/bin/pip install -qq --disable-pip-version-check --no-deps --target $(TYPECHECK)/$$stubs \
	        -r tests_host/typecheck/$$stubs.txt || exit 1; done
	@touch $@

format: setup ## ruff and clang-format, rewriting files
	@$(VENV)/bin/ruff check -q --fix
	@$(VENV)/bin/ruff format -q
	@$(VENV)/bin/clang-format --style=file:native_modules/.clang-format -i $(C_FILES) $(BENCH_C_FILES)

bench-learning: setup micropython ## what every algorithm learns, 10 seeds each, and what it must (BENCH_ARGS="--task sac")
	@$(VENV)/bin/python -m picorl_host.bench.learning $(BENCH_ARGS)

bench-streaming: setup micropython ## Stream AC and Stream Q beside SAC and DQN: what they learn, their memory and curves
	@$(VENV)/bin/python -m picorl_host.bench.streaming $(BENCH_ARGS)

bench-pendulum: setup micropython $(PEERS)/.more ## CPU time of trainings beside Stable-Baselines3 and SBX
	@$(VENV)/bin/python -m picorl_host.bench.pendulum $(BENCH_ARGS)

bench-kernels: setup micropython $(PEERS)/.more ## GFLOP/s of every kernel, time of an action, profile of a step, on this machine
	@$(VENV)/bin/python -m picorl_host.bench.kernels $(BENCH_ARGS)

bench-growth: setup micropython ## time per update for larger networks and batches, and of ten times the steps
	@$(VENV)/bin/python -m picorl_host.bench.kernels --only growth --out build/bench/growth.json $(BENCH_ARGS)

bench-m7: setup ## instructions on an emulated Cortex-M7 beside CMSIS-DSP and RLtools (BENCH_ARGS="--only forward,steps")
	@$(PYTHON) boards/debian.py gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm
	@$(VENV)/bin/python boards/firmware.py --quiet QEMU_CORTEX_M7
	@$(VENV)/bin/python boards/firmware.py --quiet --arena 640K QEMU_CORTEX_M7
	@$(VENV)/bin/python -m picorl_host.bench.m7 $(BENCH_ARGS)

bench-ulab: setup micropython ## an update with plain Python, ulab and C, in PICORL_MICROPYTHON_ULAB (and on an emulated Cortex-M7: ULAB=firmware.elf)
	@$(VENV)/bin/python boards/natmod.py x64 $(if $(ULAB),armv7emsp)
	@$(VENV)/bin/python -m picorl_host.bench.ulab $(if $(ULAB),--firmware $(ULAB)) $(BENCH_ARGS)

bench-pico: setup ## time on an emulated Raspberry Pi Pico, C kernels beside plain Python
	@$(VENV)/bin/python boards/firmware.py --quiet RPI_PICO
	@$(VENV)/bin/python -m picorl_host.bench.pico $(BENCH_ARGS)

# The version of torch is one whose CPU build may lie on disk; others bring gigabytes of CUDA.
$(PEERS)/.installed: | $(VENV)/.environment
	@echo "Stable-Baselines3 into $(PEERS) ..."
	@$(PYTHON) -m venv --clear $(PEERS)
	@$(PEERS)/bin/pip install -qq --disable-pip-version-check torch==2.13.0 stable-baselines3 'gymnasium[classic-control]' \
	    pytest pytest-timeout
	@touch $@

# Peers one can do without.
$(PEERS)/.more: | $(PEERS)/.installed
	@echo "SBX and onnxruntime into $(PEERS) ..."
	@$(PEERS)/bin/pip install -qq --disable-pip-version-check sbx-rl onnx onnxruntime && touch $@ || \
	    echo 'picorl: they did not install; the comparison goes on without them'

# ULAB: firmware with ulab for the same emulator.
bench-import: setup micropython ## heap that an import takes on an emulated Cortex-M7, by kernels, from source and from .mpy (ULAB=firmware.elf)
	@$(VENV)/bin/python boards/firmware.py --quiet QEMU_CORTEX_M7
	@$(VENV)/bin/python boards/firmware.py --quiet --stock QEMU_CORTEX_M7
	@$(VENV)/bin/python boards/natmod.py armv7emsp >build/logs/natmod.log
	@$(VENV)/bin/python boards/natmod.py armv7emsp --algorithms sac --suffix=-sac >build/logs/natmod.log
	@$(VENV)/bin/python -m picorl_host.bench.import_memory $(if $(ULAB),--ulab $(ULAB)) $(BENCH_ARGS)

bench-spread: setup micropython ## one training on a board beside 5 seeds here (BENCH_ARGS="--board QEMU_CORTEX_M7_REPR_C")
	@$(VENV)/bin/python boards/firmware.py --quiet QEMU_CORTEX_M7_REPR_C
	@$(VENV)/bin/python -m picorl_host.bench.spread $(BENCH_ARGS)

clean: ## remove everything that was built or downloaded
	rm -rf build native_modules/generated host/*.egg-info host/_picorl*.so
