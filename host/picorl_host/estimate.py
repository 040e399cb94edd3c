"""How long acting and learning will take on a board: an estimate from its clock, its core and the number of multiply-adds.

Instructions were counted on the emulated Cortex-M7 (SAC and TD3, hidden 8 to 64, within a fifth of what the formulas below say). How many
clock cycles they take, and all of the other cores, comes from published times of the same networks, or from the core's manual.
"""

from dataclasses import dataclass

# Instructions of the Cortex-M7 beside the multiply-adds: the Python around one act, around observe() and a step of the environment, and
# around one update.
ACT = 10_000
STEP = 10_000
UPDATE = 180_000


@dataclass(frozen=True)
class Core:
    """Clock cycles of a kind of core with the C kernels.

    cycles   of an ordinary instruction
    act      of a multiply-add where one observation goes through a network
    update   of a multiply-add in an update
    param    of everything an update does to one parameter (Adam, the target's average), and of its share of the losses
    """

    name: str
    cycles: float
    act: float
    update: float
    param: float


# M7: 2.2 and 2.0 instructions; cycles as RLtools' 22 022 instructions take 41 µs at 600 MHz. M33 and M4: loads and vfma take longer.
# LX6: ESP-DSP's 279 µs at 240 MHz for 5184 multiply-adds. No FPU: RISC-V from 6645 µs at 160 MHz for the same, M0+ from 24 000
# multiply-adds a second on an emulator 20 times slower than the chip.
CORES = (
    Core("Cortex-M7", 1.15, 2.5, 2.3, 170),
    Core("Cortex-M33", 1.5, 4.0, 3.5, 230),
    Core("Cortex-M4", 1.6, 5.0, 4.5, 250),
    Core("Xtensa LX7", 1.6, 12, 11, 400),
    Core("Xtensa LX6", 1.8, 13, 12, 450),
    Core("RISC-V", 1.5, 205, 205, 2_000),
    Core("Cortex-M0+", 2.0, 260, 260, 2_600),
)


@dataclass(frozen=True)
class Estimate:
    """Seconds for one act, one step of control (act, environment, observe), one update and one garbage collection."""

    act: float
    step: float
    update: float
    gc: float

    def training(self, steps, warmup):
        """Seconds for a training with one update a step after the warm-up; evaluations come on top."""
        return steps * self.step + max(0, steps - warmup) * self.update


def core(mcu):
    """The Core that the mcu of a board.toml names, or None."""
    return next((one for one in CORES if one.name in mcu), None)


def estimate(plan, mcu, clock_mhz):
    """The Estimate of a picorl.plan for a board; None when its core or its clock is not known."""
    found = core(mcu)
    if found is None or not clock_mhz:
        return None
    act = found.act * plan.act_macs + found.cycles * ACT
    update = found.update * plan.update_macs + found.param * plan.params + found.cycles * UPDATE
    cycles = (act, act + found.cycles * STEP, update, found.cycles * plan.gc_instructions)
    return Estimate(*(count / (clock_mhz * 1e6) for count in cycles))
