"""Watch a training: a progress bar and the learning curve, redrawn as the records arrive."""

import contextlib

from rich.console import Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from . import board_plan, emulator, plots, runner
from .board_run import OnBoard

PROGRAM = runner.EXAMPLES / "train_pendulum.py"


def watch(runtimes, configs, console):
    """Train under each runtime (runner.Runtime, board_run.OnBoard) with its config, one after the other. Returns the runs and their curves."""
    progress = Progress(
        TextColumn("{task.description:12}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("return {task.fields[reached]}"),
        TimeElapsedColumn(),
        console=console,
    )
    curves = []
    runs = []

    def picture():
        drawn = [curve for curve in curves if curve[1]]
        if not drawn:
            return progress
        plot = plots.terminal(drawn, configs[0]["steps"], min(console.width, 78))
        return Group(Text.from_ansi(plot), progress)

    with Live(picture(), console=console, refresh_per_second=8) as live:
        for runtime, config in zip(runtimes, configs, strict=True):
            task = progress.add_task(runtime.name, total=config["steps"], reached="")
            curves.append((runtime.name, [], []))

            def on_record(record, task=task, steps=curves[-1][1], returns=curves[-1][2]):
                if record["event"] == "progress":
                    steps.append(record["step"])
                    returns.append(record["return"])
                    progress.update(task, completed=record["step"], reached=f"{record['return']:.1f}")
                    live.update(picture())

            def on_line(line):
                console.print(line, markup=False, highlight=False)

            runs.append(runtime.run(PROGRAM, config, on_record, on_line))
            progress.stop_task(task)
    console.print()
    return runs, curves


def desktop_variant(fused):
    """The name of a variant of this machine's C kernels in the class with, or without, fused multiply-add."""
    try:
        import _picorl
    except ImportError:
        raise runner.Problem(
            "the desktop's half needs the C kernels: `make setup` says why they are not there"
        ) from None
    before = _picorl.variant()
    try:
        for name in _picorl.variants():
            _picorl.select(name)
            if _picorl.fused() == fused:
                return name
    finally:
        _picorl.select(before)
    raise runner.Problem(f"this machine's C kernels have no variant with fused={fused}")


@contextlib.contextmanager
def board_runtime(board, port):
    """An OnBoard: the board at port, or board (boards.Board) emulated, with the heap that a real one has."""
    if port:
        yield OnBoard(board.name, port)
        return
    if not board.get("emulate"):
        raise runner.Problem(f"{board.name} is not emulated: connect one, and say --port")
    heap = board.data["heap"] if board.get("emulate.heap") else None
    try:
        with emulator.Emulator(board, heap=heap) as emulated:
            yield OnBoard(board.name, emulated.port)
    except emulator.EmulatorError as error:
        raise runner.Problem(str(error)) from None


def board_config(board, algorithm, steps):
    """The program's config for a board, from its training section: algorithm and steps can be others."""
    if board.get("port") == "unix":
        raise runner.Problem(f"{board.name} is this machine: `picorl train` without --board")
    chosen = board_plan.setup(board, algorithm=algorithm, steps=steps)
    agent = chosen.options | {"hidden": list(chosen.options["hidden"])}
    return {"algo": chosen.algorithm, "steps": chosen.steps, "agent": agent}
