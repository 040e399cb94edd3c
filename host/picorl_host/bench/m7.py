"""Instructions of picorl on a Cortex-M7, emulated by QEMU, beside CMSIS-DSP and RLtools.

    python -m picorl_host.bench.m7 [--only forward,loops,size,steps,recurrent,pieces,profile]

forward   one observation through a network: ours and CMSIS-DSP's matrix-vector product, compiled with the same flags
loops     instructions of a multiply-add in the innermost loops, from the firmware's machine code
size      code and memory of the C kernels in the firmware
steps     one training step in MicroPython, interpreter included, and the heap an agent takes
recurrent a training step of RecurrentSAC, and what picorl plan estimates of it
pieces    the longest piece of work() for several chunks, divisions and square roots counted 14 each
profile   which functions an update's instructions belong to (half a minute)
"""

from pathlib import Path
from typing import Annotated

import typer

from .. import boards
from ..cli import main_of
from . import m7_code, m7_forward, m7_training
from .report import Report, wide_console

BOARD = "QEMU_CORTEX_M7"

PARTS = {
    "forward": m7_forward.forward,
    "loops": m7_code.inner_loops,
    "size": m7_code.size,
    "steps": m7_training.steps,
    "recurrent": m7_training.recurrent,
    "pieces": m7_training.pieces,
    "profile": m7_training.profile,
}


def main(
    only: Annotated[str, typer.Option(help="Parts, separated by commas.")] = ",".join(PARTS),
    out: Annotated[Path, typer.Option(dir_okay=False, help="The results as JSON.")] = Path("build/bench/m7.json"),
):
    """Count instructions on an emulated Cortex-M7."""
    console = wide_console()
    board = boards.load(BOARD)
    report = Report()
    for part in only.split(","):
        if part not in PARTS:
            raise typer.BadParameter(f"--only is {part}, must be of {', '.join(PARTS)}")
        PARTS[part](report, console, board)
    report.finish(console, out)


if __name__ == "__main__":
    main_of(main)
