"""Heap that picorl takes on a 32-bit board, by its kernels and by how the library came there: as source, as .mpy or in the firmware.

    python -m picorl_host.bench.import_memory [--board QEMU_CORTEX_M7] [--ulab FIRMWARE]

On an emulated board, bytes after a collection, less those before the import: of `import picorl` with its kernels; with SAC and Pendulum
made, all modules that they bring, without the agent's buffers; and after a short training and an evaluation. Exits with 1 where a bar is missed.

Firmware with ulab is the user's: --ulab names a file for the same emulator that holds it, and nothing of picorl.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from .. import boards, emulator, mpy, runner, serial_port
from ..cli import main_of
from .report import Report, table

LIBRARY = boards.ROOT / "device/picorl"
NATIVE = boards.ROOT / "build/natmod"
PROGRAM = Path(__file__).with_name("device_import.py")
KB = 1000
# Bytes, of the import.
BARS = {"source": 60 * KB, ".mpy": 30 * KB}
FROZEN = "frozen"


@dataclass(frozen=True)
class Case:
    """Kernels on a firmware; native: the folder of their native module."""

    name: str
    backend: str
    firmware: Path
    native: Path | None = None


def cases(board, ulab):
    """Every Case that this board has."""
    stock, arch = board.firmware("stock"), board.data["mpy_arch"]
    found = [
        Case("C, in the firmware", "_picorl", board.firmware()),
        Case("C, native module, all", "_picorl", stock, NATIVE / f"{arch}_6.3"),
        Case("C, native module, sac", "_picorl", stock, NATIVE / f"{arch}_6.3-sac"),
        Case("plain Python", "python", stock),
    ]
    return found + ([Case("ulab", "ulab", ulab)] if ulab else [])


def library(form):
    """{path: content} of the library as source or as .mpy."""
    sources = mpy.modules(LIBRARY)
    if form == "source":
        return {name: path.read_bytes() for name, path in sources.items()}
    return mpy.compiled(boards.ROOT / "build/mpy-cross/mpy-cross", sources)


def send(device, files):
    folders = sorted({f"/lib/{Path(name).parent}" for name in files} | {"/lib"})
    device.exec(f"import os\nfor folder in {folders!r}:\n try: os.mkdir(folder)\n except OSError: pass")
    for name, content in files.items():
        device.put(f"/lib/{name}", content)


def measured(board, firmware, form, wanted):
    """{name of a case: what device_import.py found} of those on one firmware; the library is sent once."""
    found = {}
    with emulator.Emulator(board, firmware=firmware) as running, serial_port.Device(running.port) as device:
        if form != FROZEN:
            send(device, library(form))
        for case in sorted(wanted, key=lambda case: case.native is not None):
            if case.native:
                device.put("/lib/_picorl.mpy", (case.native / "_picorl.mpy").read_bytes())
            device.soft_reset()
            folders = [".frozen" if form == FROZEN else "/lib"]
            said = json.loads(device.exec(f"FOLDERS = {folders!r}\n{PROGRAM.read_text()}").splitlines()[-1])
            if said["kernels"] != case.backend or not said["updates"]:
                raise runner.Problem(f"{case.name}: the board took the kernels {said['kernels']}")
            found[case.name] = said
    return found


def forms(board, firmware):
    """How the library can come to a firmware."""
    return ("source", ".mpy", FROZEN) if firmware == board.firmware() else ("source", ".mpy")


def tabulate(found):
    """(a table, a Report) of {(name, form): what device_import.py found}."""
    report = Report()
    shown = table("Heap of picorl, bytes", "kernels", "library", "import picorl", "+ SAC, Pendulum", "+ a training")
    for (name, form), said in found.items():
        what, bar = f"import picorl, {name}, {form}", BARS.get(form)
        cells = [report.at_most(what, said["imported"], bar), f"{said['made']:,}", f"{said['trained']:,}"]
        shown.add_row(name, form, *cells)
    report.data = {f"{name}, {form}": said for (name, form), said in found.items()}
    return shown, report


def main(
    board: Annotated[str, typer.Option(help="An emulated one of boards/.")] = "QEMU_CORTEX_M7",
    ulab: Annotated[Path | None, typer.Option(help="Firmware with ulab.", exists=True, dir_okay=False)] = None,
    out: Annotated[Path, typer.Option(dir_okay=False, help="As JSON.")] = Path("build/bench/import.json"),
):
    """Measure what an import takes of the heap."""
    console = Console()
    chosen = boards.load(board)
    wanted = cases(chosen, ulab and ulab.absolute())
    found = {}
    try:
        for firmware in dict.fromkeys(case.firmware for case in wanted):
            for form in forms(chosen, firmware):
                these = [case for case in wanted if case.firmware == firmware]
                for name, said in measured(chosen, firmware, form, these).items():
                    found[name, form] = said
    except serial_port.DeviceError as error:
        raise runner.Problem(f"{PROGRAM.name} on {board}:\n{error.traceback.strip()}") from None
    except (emulator.EmulatorError, OSError) as error:
        raise runner.Problem(str(error)) from None
    shown, report = tabulate(found)
    console.print(shown)
    if not ulab:
        console.print("No ulab: --ulab FIRMWARE names one that holds it.", highlight=False)
    report.finish(console, out)
    if report.missed:
        raise typer.Exit(1)


if __name__ == "__main__":
    main_of(main)
