"""The command `picorl`."""

import contextlib
import enum
import json
import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from . import board_plan, board_run, boards, compare, plots, receiving, runner, serial_port
from . import deploy as deployment
from . import train as training

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_show_locals=False)
console = Console()


class Algo(str, enum.Enum):
    sac = "sac"
    td3 = "td3"
    stream_ac = "stream_ac"


class Planned(str, enum.Enum):
    sac = "sac"
    td3 = "td3"
    ppo = "ppo"
    dqn = "dqn"
    stream_ac = "stream_ac"
    stream_q = "stream_q"
    recurrent_sac = "recurrent_sac"


class Runtime(str, enum.Enum):
    micropython = "micropython"
    cpython = "cpython"


@app.callback()
def picorl():
    """Deep reinforcement learning that trains on a microcontroller, in MicroPython; the desktop side."""


Port = Annotated[str, typer.Option(metavar="PORT", help="/dev/ttyACM0, COM3, socket://host:port, ...")]


@app.command()
def train(
    algo: Annotated[Algo | None, typer.Option(help="The algorithm.  [default: sac, or the board's]")] = None,
    steps: Annotated[
        int | None, typer.Option(min=200, help="Environment steps.  [default: 10000, or the board's]")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**30 - 1, help="Of all random numbers.")] = 0,
    runtime: Annotated[Runtime, typer.Option(help="Where to train.")] = Runtime.micropython,
    compare_runtimes: Annotated[
        bool, typer.Option("--compare", help="Train under MicroPython and CPython, exit with 1 if their bits differ.")
    ] = False,
    micropython: Annotated[str | None, typer.Option(metavar="PATH", help="Another MicroPython.")] = None,
    board: Annotated[
        str | None, typer.Option(help="Train on this board (emulated, or real with --port), then compare with CPython.")
    ] = None,
    port: Annotated[str | None, typer.Option(metavar="PORT", help="Of a real board, which has picorl.")] = None,
    out: Annotated[Path, typer.Option(file_okay=False, help="Folder for policy, records and picture.")] = Path(
        "build/train"
    ),
):
    """Train on Pendulum, watch the return rise, and keep the policy."""
    if port and not board:
        raise typer.BadParameter("--port needs --board NAME, whose training set-up is used")
    with contextlib.ExitStack() as opened:
        config = {"algo": "sac", "steps": steps or 10_000} | ({"algo": algo.value} if algo else {})
        if board:
            found = boards.load(board)
            config = training.board_config(found, algo and algo.value, steps)
            variants = {"CPython": training.desktop_variant(found.data["fused"])}
            chosen = [opened.enter_context(training.board_runtime(found, port)), runner.cpython()]
        else:
            variants = {}
            chosen = [runner.micropython(micropython)] if compare_runtimes or runtime is Runtime.micropython else []
            chosen += [runner.cpython()] if compare_runtimes or runtime is Runtime.cpython else []
        out.mkdir(parents=True, exist_ok=True)
        config |= {"seed": seed, "evaluate_every": max(100, config["steps"] // 20)}
        configs = [
            config
            | {"save": str(out / f"pendulum-{each.name.lower()}.safetensors"), "variant": variants.get(each.name)}
            for each in chosen
        ]
        title = f"{board_plan.ALGORITHMS[config['algo']].__name__} on Pendulum"
        console.print(f"{title}, {config['steps']} steps, seed {seed}")
        runs, curves = training.watch(chosen, configs, console)
    plots.picture(curves, out / "pendulum.png", f"{title}, seed {seed}")
    compare.write(runs, config, out)
    console.print(compare.table(runs))
    console.print(f"policy, records and picture: {out}/")
    if len(runs) > 1:
        console.print(compare.verdict(runs))
        if not compare.identical(runs):
            raise typer.Exit(1)


@app.command()
def deploy(
    programs: Annotated[
        list[Path] | None, typer.Argument(help="Programs to send, such as main.py, or code.py for CircuitPython.")
    ] = None,
    port: Annotated[
        str | None, typer.Option(metavar="PORT", help="/dev/ttyACM0, COM3, socket://host:port, ...")
    ] = None,
    drive: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="CircuitPython: where the board's drive is mounted; not needed when there is one."
        ),
    ] = None,
    target: Annotated[str | None, typer.Option(metavar="DIR", help="The board's folder for the library.")] = None,
    firmware_free: Annotated[
        bool, typer.Option("--firmware-free", help="Send the library though the firmware holds it, to where it wins.")
    ] = False,
):
    """Bring picorl, its best kernels and your programs onto a board; what is there already is not sent again.

    MicroPython takes files over its serial port (--port).

    CircuitPython takes them onto its drive, CIRCUITPY, or over the serial port where code may write files.

    Modules go as .mpy files where there is an mpy-cross, for CircuitPython its own of the same major version,
    in PATH or named by PICORL_CIRCUITPYTHON_MPY_CROSS; as sources otherwise.
    """
    deployment.deploy(port, programs or (), target, firmware_free, console, drive)


Log = Annotated[
    Path | None, typer.Option(dir_okay=False, help="Append its records to this file, with the time (Unix, s).")
]
Into = Annotated[Path, typer.Option("--into", file_okay=False, help="Folder for checkpoints that it sends.")]


def _recorder(log):
    """Shows a record, and keeps it in the file log."""

    def on_record(record, line):
        if log:
            with log.open("a") as file:
                print(json.dumps({"time": round(time.time(), 3)} | record), file=file)
        if not console.is_terminal:
            return print(line, flush=True)
        rest = "  ".join(f"{key} {value}" for key, value in record.items() if key != "event")
        console.print(Text.assemble((f"{record['event']:10}", "bold"), rest), soft_wrap=True)

    return on_record


def _receiver(folder):
    return receiving.Receiver(folder, lambda line: console.print(line, markup=False, highlight=False, soft_wrap=True))


@app.command(context_settings={"ignore_unknown_options": True})
def run(
    port: Port,
    program: Annotated[Path, typer.Argument(help="A file of this machine.")],
    arguments: Annotated[list[str] | None, typer.Argument(help="Its sys.argv[1:].")] = None,
    log: Log = None,
    into: Into = Path("."),
):
    """Run a program on a board and show what it prints. Ctrl-C stops it there."""
    receiver = _receiver(into)
    try:
        damaged = board_run.run(port, program, tuple(arguments or ()), _recorder(log), receiver=receiver)
    except serial_port.DeviceError as error:
        print(error.traceback.replace("\r\n", "\n"), end="", file=sys.stderr)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        console.print(f"stopped {program.name} on the board", highlight=False)
        raise typer.Exit(130) from None
    if damaged:
        console.print(f"{damaged} records arrived damaged", highlight=False)
    if receiver.lost:
        raise typer.Exit(1)


@app.command()
def listen(
    port: Port,
    log: Log = None,
    into: Into = Path("."),
    restart: Annotated[
        bool, typer.Option("--restart", help="Reset the board first, so that its program begins anew.")
    ] = False,
):
    """Show what a board prints that runs main.py or code.py by itself, and receive its checkpoints. Ctrl-C ends this, not the program there."""
    receiver = _receiver(into)
    try:
        board_run.listen(port, _recorder(log), receiver=receiver, restart=restart)
    except KeyboardInterrupt:
        pass
    if receiver.lost:
        raise typer.Exit(1)


@app.command()
def plan(
    board: Annotated[str | None, typer.Option(help="A folder of boards/; all of them when left out.")] = None,
    algo: Annotated[Planned | None, typer.Option(help="The algorithm.")] = None,
    hidden: Annotated[int | None, typer.Option(min=1, metavar="N...", help="Units of the hidden layers.")] = None,
    # An option of click takes a fixed number of values: those after the first arrive as arguments.
    more_hidden: Annotated[list[int] | None, typer.Argument(hidden=True, metavar="", min=1)] = None,
    units: Annotated[int | None, typer.Option(min=1, help="Units of the GRUs (recurrent SAC).")] = None,
    length: Annotated[int | None, typer.Option(min=1, help="Transitions of a sequence (recurrent SAC).")] = None,
    batch: Annotated[
        int | None, typer.Option(min=1, help="Transitions an update learns from; sequences of a recurrent SAC.")
    ] = None,
    replay: Annotated[int | None, typer.Option(min=1, help="Rows of the replay.")] = None,
    rollout: Annotated[int | None, typer.Option(min=1, help="Steps of a rollout (PPO).")] = None,
    chunk: Annotated[int | None, typer.Option(min=1, help="Rows of a batch in one piece of work().")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Environment steps of the training.")] = None,
    obs: Annotated[int | None, typer.Option(min=1, help="Numbers in an observation; default: Pendulum's.")] = None,
    actions: Annotated[
        int | None, typer.Option(min=1, help="Numbers in an action; of choices for DQN and Stream Q.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every buffer, the small ones too.")] = False,
):
    """Memory and time that an agent will take on a board, before anything is on it. Defaults are the board's own."""
    if more_hidden and hidden is None:
        raise typer.BadParameter(f"what is {more_hidden[0]}?")
    choices = dict(
        algorithm=algo and algo.value,
        hidden=hidden and (hidden, *(more_hidden or ())),
        batch=batch,
        replay=replay,
        rollout=rollout,
        chunk=chunk,
        steps=steps,
        obs=obs,
        actions=actions,
        units=units,
        length=length,
    )
    if board is None:
        console.print(board_plan.all_boards(**choices))
        return
    found = boards.load(board)
    setup = board_plan.setup(found, **choices)
    planned = setup.plan()
    console.print(f"{setup}, on {board}: {found.data['mcu']}", highlight=False)
    console.print(board_plan.memory_table(planned, everything))
    for line in board_plan.verdict(planned, setup, found):
        console.print(line, highlight=False)


def main_of(command):
    """Run a typer app, or a function as if it were one; a Problem ends it with its message alone."""
    try:
        command() if isinstance(command, typer.Typer) else typer.run(command)
    except (runner.Problem, serial_port.PortError, boards.UnknownBoard) as problem:
        Console(stderr=True).print(f"picorl: {problem}", markup=False, highlight=False, style="red")
        raise SystemExit(1) from None


def main():
    main_of(app)


if __name__ == "__main__":
    main()
