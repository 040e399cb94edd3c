"""An update of SAC and of PPO with plain Python, ulab and C kernels: time, instructions of a Cortex-M7, and what the ulab kernels take from the heap.

    PICORL_MICROPYTHON_ULAB=... python -m picorl_host.bench.ulab [--firmware FILE] [--profile]

All kernels run in the same interpreter: the MicroPython with ulab that PICORL_MICROPYTHON_ULAB names, C as native module (`make natmod ARCH=x64`).
--firmware is a file with ulab for the emulated Cortex-M7 (QEMU's mps2-an500); its C kernels are those of `make natmod ARCH=armv7emsp`. Its
instructions are counted, the collector's among them, with a heap of 1 MB.
"""

import os
from pathlib import Path
from typing import Annotated

import typer

from .. import boards, mpy, runner
from ..cli import main_of
from . import counting, emulated
from .report import Report, table, thousands, times, wide_console

VARIABLE = "PICORL_MICROPYTHON_ULAB"
PROGRAM = Path(__file__).with_name("device_ulab.py")
NATIVE = runner.REPOSITORY / "build/natmod"
BOARD = "QEMU_CORTEX_M7"
HEAP = 1024 * 1024
KERNELS = {"python": "plain Python", "ulab": "ulab", "_picorl": "C"}
# Small enough for plain Python. PPO's update is two epochs of a rollout.
SETTINGS = {
    "SAC": {"hidden": (32, 32), "batch_size": 32, "replay_capacity": 1000, "warmup_steps": 32, "keep_best": False},
    "PPO": {"hidden": (32, 32), "batch_size": 32, "rollout_steps": 128, "epochs": 2, "keep_best": False},
}
UPDATES = {"python": 2, "ulab": 20, "_picorl": 20}
COUNTED = {"python": 1, "ulab": 4, "_picorl": 4}


def native_module(arch):
    return NATIVE / f"{arch}_6.3/_picorl.mpy"


def config(algo, kernels, updates, memory=False, profile=False):
    options = SETTINGS[algo]
    return {
        "algo": algo, "kernels": kernels, "options": options, "updates": updates, "bytes": memory, "profile": profile,
    }  # fmt: skip


def interpreter(path):
    """The runtime with ulab; its native module beside it if there is one."""
    if not Path(path).is_file():
        raise runner.Problem(f"{VARIABLE}={path} is no file, must be a MicroPython of this machine with ulab")
    found = runner.micropython(path)
    environment = {"MICROPYPATH": f"{found.environment['MICROPYPATH']}:{native_module('x64').parent}"}
    return runner.Runtime("MicroPython with ulab", (path, "-X", "heapsize=16m"), environment)


def timed(runtime, algo, kernels):
    """What device_ulab.py found out on this machine: microseconds."""
    return runner.run(runtime, PROGRAM, config(algo, kernels, UPDATES[kernels], kernels == "ulab")).last("measured")


def on_board(firmware, given, heap=None):
    """What device_ulab.py finds out on the emulated board, with a heap of so many bytes (None: 16 MB)."""
    board = boards.load(BOARD)
    files = mpy.compiled(
        runner.REPOSITORY / "build/mpy-cross/mpy-cross", mpy.modules(runner.REPOSITORY / "device/picorl")
    )
    if given["kernels"] == "_picorl":
        files["_picorl.mpy"] = native_module(board.data["mpy_arch"]).read_bytes()
    return emulated.run(board, PROGRAM, given, counting.ICOUNT, heap, firmware, files)


def counted(firmware, algo, kernels):
    """Instructions, with the heap of a large board; plain Python has 16 MB."""
    found = on_board(firmware, config(algo, kernels, COUNTED[kernels]), None if kernels == "python" else HEAP)
    for name in ("act", "update"):
        found[name] *= counting.PER_TICK
    if kernels == "ulab":
        taken = on_board(firmware, config(algo, kernels, 1, memory=True))
        found.update({name: taken[name] for name in ("bytes", "act_bytes")})
    return found


def row(shown, label, found, name, show):
    figures = {kernels: one[name] for kernels, one in found.items()}
    cells = [show(figures[one]) if one in figures else "-" for one in KERNELS]
    ulab = figures["ulab"]
    ratios = [
        times(figures["python"], ulab) if "python" in figures else "-",
        times(ulab, figures["_picorl"]) if "_picorl" in figures else "-",
    ]
    shown.add_row(label, *cells, *ratios)


def compare(shown, report, where, measure, have, show):
    """Rows of the table: every algorithm with every kind of kernels that is there."""
    data = report.data[where] = {}
    for algo in SETTINGS:
        found = {kernels: measure(algo, kernels) for kernels in KERNELS if kernels in have}
        data[algo] = found
        for name in ("act", "update"):
            row(shown, f"{where}: {algo}, {name}", found, name, show)


def profiled(console, firmware):
    for algo in SETTINGS:
        found = on_board(firmware, config(algo, "ulab", COUNTED["ulab"], profile=True), HEAP)
        updates = COUNTED["ulab"]
        shown = table(
            f"{algo} on the Cortex-M7, with ulab: calls of an update and its steps",
            "kernel",
            "calls",
            "thousands of instructions",
        )
        spent = {name: (calls, ticks * counting.PER_TICK) for name, (calls, ticks) in found["profile"].items()}
        for name, (calls, count) in sorted(spent.items(), key=lambda item: -item[1][1]):
            if calls:
                shown.add_row(name, f"{calls / updates:.1f}", thousands(count / updates))
        console.print(shown)


def main(
    firmware: Annotated[Path | None, typer.Option(help="A Cortex-M7's with ulab, to count instructions.")] = None,
    profile: Annotated[bool, typer.Option(help="Which kernels the instructions belong to.")] = False,
    out: Annotated[Path, typer.Option(dir_okay=False, help="The results as JSON.")] = Path("build/bench/ulab.json"),
):
    """Compare the kernels where there is ulab."""
    console = wide_console()
    given = os.environ.get(VARIABLE)
    if not (given or firmware):
        raise runner.Problem(
            f"there is no ulab to measure: {VARIABLE} must name a MicroPython with it, or --firmware a board's"
        )
    report = Report()
    shown = table(
        "SAC and PPO on Pendulum, hidden 32 x 32, batch 32 (PPO: rollouts of 128, 2 epochs)",
        "", *KERNELS.values(), "Python / ulab", "ulab / C",
    )  # fmt: skip
    variants = {}
    if given:
        runtime = interpreter(given)
        have = [one for one in KERNELS if one != "_picorl" or native_module("x64").exists()]
        compare(shown, report, "this machine, µs", lambda *which: timed(runtime, *which), have, lambda us: f"{us:,.0f}")
        variants.update(report.data["this machine, µs"])
    if firmware:
        native = native_module(boards.load(BOARD).data["mpy_arch"])
        have = [one for one in KERNELS if one != "_picorl" or native.exists()]
        where = "Cortex-M7, thousands of instructions"
        compare(shown, report, where, lambda *which: counted(firmware, *which), have, thousands)
        variants = report.data[where]
    console.print(shown)
    for algo, found in variants.items():
        one = found["ulab"]
        console.print(
            f"{algo} with ulab ({one['variant']}): {one['bytes']:,} bytes of heap an update, {one['act_bytes']:,} an action",
            highlight=False,
        )
    if profile and firmware:
        profiled(console, firmware)
    report.finish(console, out)


if __name__ == "__main__":
    main_of(main)
