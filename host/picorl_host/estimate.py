"""How long acting and learning will take on a board: an estimate from its clock, its core and the number of multiply-adds."""

from dataclasses import dataclass

from picorl.planning import Plan


@dataclass(frozen=True)
class Core:
    """What a kind of core needs with the C kernels.

    act, update   clock cycles for a multiply-add of act (one row at a time) and of update (everything an update does included)
    call          clock cycles for what Python does in one act, observe and environment step
    measured      whether instructions were counted on an emulator (cycles are still a guess), not only derived
    """

    name: str
    act: float
    update: float
    call: float
    measured: bool


# With single-precision FPU the dot products take 2.2 (one row) and 1.75 (blocks) instructions a multiply-add, at about one cycle each
# on the dual-issue M7, and two where a load takes two cycles (M4, M33). Soft float: a multiplication and an addition in a library.
CORES = (
    Core("Cortex-M7", 2.2, 2.2, 12_000, True),
    Core("Cortex-M33", 4.0, 4.0, 15_000, False),
    Core("Cortex-M4", 5.0, 4.5, 18_000, False),
    Core("Cortex-M0+", 250, 250, 30_000, False),
    Core("Xtensa LX7", 5.0, 5.0, 20_000, False),
    Core("Xtensa LX6", 6.0, 6.0, 20_000, False),
    Core("RISC-V", 120, 120, 20_000, False),
)


@dataclass(frozen=True)
class Estimate:
    """Seconds; `training` for all steps, one update a step after the warm-up."""

    core: Core
    act: float
    update: float
    gc: float

    def training(self, steps, warmup):
        return steps * self.act + max(0, steps - warmup) * self.update


def core(board):
    """The Core of a boards.Board, or None when nothing is known about its mcu."""
    mcu = board.data["mcu"]
    return next((one for one in CORES if one.name in mcu), None)


def estimate(plan: Plan, board) -> Estimate | None:
    """The Estimate of a plan for a board; None when its core or its clock is not known."""
    found, clock = core(board), board.get("clock_mhz")
    if found is None or clock is None:
        return None
    hz = clock * 1e6
    return Estimate(
        found,
        (found.act * plan.act_macs + found.call) / hz,
        (found.update * plan.update_macs + 20 * found.call / 3) / hz,
        plan.gc_instructions * 1.2 / hz,
    )
