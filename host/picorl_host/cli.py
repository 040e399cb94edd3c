"""The command `picorl`."""

import enum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from . import compare, plots, runner
from .train import watch

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_show_locals=False)
console = Console()


class Algo(str, enum.Enum):
    sac = "sac"
    td3 = "td3"


class Runtime(str, enum.Enum):
    micropython = "micropython"
    cpython = "cpython"


@app.callback()
def picorl():
    """Deep reinforcement learning that trains on a microcontroller, in MicroPython; the desktop side."""


@app.command()
def train(
    algo: Annotated[Algo, typer.Option(help="The algorithm.")] = Algo.sac,
    steps: Annotated[int, typer.Option(min=200, help="Environment steps.")] = 10_000,
    seed: Annotated[int, typer.Option(min=0, max=2**30 - 1, help="Of all random numbers.")] = 0,
    runtime: Annotated[Runtime, typer.Option(help="Where to train.")] = Runtime.micropython,
    compare_runtimes: Annotated[
        bool, typer.Option("--compare", help="Train under MicroPython and CPython, exit with 1 if their bits differ.")
    ] = False,
    micropython: Annotated[str | None, typer.Option(metavar="PATH", help="Another MicroPython.")] = None,
    out: Annotated[Path, typer.Option(file_okay=False, help="Folder for policy, records and picture.")] = Path(
        "build/train"
    ),
):
    """Train on Pendulum, watch the return rise, and keep the policy."""
    chosen = [runner.micropython(micropython)] if compare_runtimes or runtime is Runtime.micropython else []
    chosen += [runner.cpython()] if compare_runtimes or runtime is Runtime.cpython else []
    out.mkdir(parents=True, exist_ok=True)
    config = {"algo": algo.value, "seed": seed, "steps": steps, "evaluate_every": max(100, steps // 20)}
    configs = [config | {"save": str(out / f"pendulum-{each.name.lower()}.safetensors")} for each in chosen]
    console.print(f"{algo.value.upper()} on Pendulum, {steps} steps, seed {seed}")
    runs, curves = watch(chosen, configs, console)
    plots.picture(curves, out / "pendulum.png", f"{algo.value.upper()} on Pendulum, seed {seed}")
    compare.write(runs, config, out)
    console.print(compare.table(runs))
    console.print(f"policy, records and picture: {out}/")
    if compare_runtimes:
        console.print(compare.verdict(runs))
        if not compare.identical(runs):
            raise typer.Exit(1)


def main_of(command):
    """Run a typer app, or a function as if it were one; a Problem ends it with its message alone."""
    try:
        command() if isinstance(command, typer.Typer) else typer.run(command)
    except runner.Problem as problem:
        Console(stderr=True).print(f"picorl: {problem}", markup=False, highlight=False, style="red")
        raise SystemExit(1) from None


def main():
    main_of(app)


if __name__ == "__main__":
    main()
