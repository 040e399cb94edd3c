"""How long acting and learning will take on a board: an estimate from its clock, its core and the number of multiply-adds.

Instructions were counted on emulators (SAC, TD3 and Stream AC, hidden 8 to 64, RecurrentSAC, 8 to 64 units): tests_host/test_board_plan.py has the
counts. How many clock cycles one takes comes from published times of such networks, and is the larger uncertainty.
"""

from dataclasses import dataclass

# Instructions of the Cortex-M7 beside the multiply-adds, most of them Python's: for one act, for observe() with a step of the
# environment, for one update.
ACT = 10_000
STEP = 10_000
UPDATE = 180_000

# The same for an act with a GRU; for a step of the sequences of a chunk, in all passes of an update.
ACT_WITH_GRU = 26_000
STEP_OF_CHUNK = 57_000

# What one pass through a GRU costs of the seven of an update: five of them forward, and two backward, which cost less.
FORWARD = 1 / 6


@dataclass(frozen=True)
class Gru:
    """Instructions of an update of networks on a GRU: RecurrentSAC's, without those of Core.param.

    mac   of a multiply-add
    unit  of a unit in a step of a sequence, in all passes: gru_cell and gru_cell_backward
    row   of a step of a sequence: gathering, noise, policy heads, losses, and what each layer takes beside its multiply-adds
    """

    mac: float
    unit: float
    row: float


@dataclass(frozen=True)
class Core:
    """A kind of core, with the C kernels.

    names    words of a board.toml's mcu
    cycles   clock cycles of an instruction
    act      instructions of a multiply-add where one observation goes through a network
    update   instructions of a multiply-add in an update
    param    instructions of all else an update does to a parameter (Adam, the target's average) or for its sake
    gru      see Gru
    beside   what ACT, STEP, UPDATE and the like are multiplied with: floats cost more without FPU
    """

    names: tuple[str, ...]
    cycles: float
    act: float
    update: float
    param: float
    gru: Gru
    beside: float = 1


# Cycles: RLtools runs 22 022 instructions in 41 µs on an M7 of 600 MHz. M33 and M4 take two cycles for a load and up to three for a
# vfma. M0+ as 24 000 multiply-adds a second on an emulator 20 times slower than the chip, code in flash. Xtensa was not counted: its
# numbers make ESP-DSP's 279 µs at 240 MHz for 5184 multiply-adds; its Gru is an M7's, as much larger as the others are.
_GRU = Gru(1.2, 2150, 8400)
CORES = (
    Core(("Cortex-M7",), 1.15, 2.2, 2.1, 80, _GRU),
    Core(("Cortex-M33",), 1.5, 2.2, 2.1, 80, _GRU),
    Core(("Cortex-M4",), 1.8, 2.2, 2.1, 80, _GRU),
    Core(("Cortex-M0+",), 2.5, 110, 95, 1800, Gru(125, 52_000, 30_000), 4),
    Core(("RISC-V", "RV32"), 1.6, 106, 90, 1700, Gru(118, 49_000, 28_000), 4),
    Core(("Xtensa",), 1.6, 8, 8, 200, Gru(5, 6000, 24_000), 1.5),
)


@dataclass(frozen=True)
class Estimate:
    """Seconds for one act, one step of control (act, environment, observe), one update and one garbage collection.

    update_every: environment steps from one update to the next.
    """

    act: float
    step: float
    update: float
    gc: float
    update_every: int = 1

    def training(self, steps, warmup):
        """Seconds for a training with updates after the warm-up; evaluations come on top."""
        return steps * self.step + max(0, steps - warmup) / self.update_every * self.update


def core(mcu):
    """The Core that the mcu of a board.toml names, or None."""
    return next((one for one in CORES if any(name in mcu for name in one.names)), None)


def instructions(plan, core):
    """(of one act, of one step of control without the update, of one update, of one garbage collection)"""
    act = core.act * plan.act_macs
    beside = core.param * plan.params * plan.param_work + core.beside * UPDATE * plan.other_work
    if plan.units:
        gru, rows = core.gru, plan.batch_size * plan.sequence
        act += core.beside * ACT_WITH_GRU + FORWARD * gru.unit * plan.units
        update = gru.mac * plan.update_macs + rows * (gru.unit * plan.units + gru.row)
        update += core.beside * STEP_OF_CHUNK * plan.chunks * plan.sequence
    else:
        act += core.beside * ACT
        update = core.update * plan.update_macs
    update += plan.optimiser_steps * beside
    return act, act + core.beside * STEP, update, plan.gc_instructions


def estimate(plan, mcu, clock_mhz):
    """The Estimate of a picorl.plan for a board; None when its core or its clock is not known."""
    found = core(mcu)
    if found is None or not clock_mhz:
        return None
    seconds = (found.cycles * count / (clock_mhz * 1e6) for count in instructions(plan, found))
    return Estimate(*seconds, plan.update_every)
