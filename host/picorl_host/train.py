"""Watch a training: a progress bar and the learning curve, redrawn as the records arrive."""

from rich.console import Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from . import plots, runner

PROGRAM = runner.EXAMPLES / "train_pendulum.py"


def watch(runtimes, configs, console):
    """Train under each runtime with its config, one after the other. Returns the runs and their curves."""
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

            runs.append(runner.run(runtime, PROGRAM, config, on_record, on_line))
            progress.stop_task(task)
    console.print()
    return runs, curves
