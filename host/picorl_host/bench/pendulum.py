"""The CPU time of 10 000 steps of Pendulum: picorl beside Stable-Baselines3 and SBX, in one run, on one core.

    python -m picorl_host.bench.pendulum [--algo sac,td3] [--repeats 3] [--quick]

Everybody trains with the same setting (hidden 64 x 64, batch 100, an update a step, no evaluation), pinned to one core
with one thread, in turns, so that a machine that slows down slows all of them. The figures are CPU seconds of training,
without starting the interpreter and importing, and how many times faster than the peer in the same turn; medians.
"""

import os
import statistics
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress
from rich.table import Table

from .. import runner
from ..cli import main_of
from .report import Report, wide_console

FOLDER = Path(__file__).parent
PEERS = runner.REPOSITORY / "build/peers-venv/bin/python"
ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
PEER = "Stable-Baselines3"
OURS = "CPython + C"
ON_UNIX = "MicroPython + C"

# How many times faster than the peer, and which part of CPython's speed MicroPython must keep.
BARS = {"td3": 28, "sac": 35}
KEPT = 0.9


def contestants(micropython):
    """(name, runtime, program, part of the config) of each."""
    if not PEERS.exists():
        raise runner.Problem("there is no build/peers-venv with Stable-Baselines3: type `make bench-pendulum`")
    ours = FOLDER / "worker.py"
    cpython, unix = runner.cpython(), runner.micropython(micropython)
    peers = runner.Runtime("the peers' Python", (str(PEERS), "-u"))
    found = [
        (OURS, cpython, ours, {"kernels": "_picorl"}),
        (ON_UNIX, unix, ours, {"kernels": "_picorl"}),
        ("CPython + NumPy", cpython, ours, {"kernels": "picorl_numpy"}),
        (PEER, peers, FOLDER / "sb3_worker.py", {}),
    ]
    if any((PEERS.parents[1] / "lib").glob("python*/site-packages/sbx")):
        found.append(("SBX", peers, FOLDER / "sbx_worker.py", {}))
        found.append(("SBX, compiled before", peers, FOLDER / "sbx_worker.py", {"warm": True}))
    return found


def measure(competition, algos, steps, repeats, console):
    """CPU seconds: {algo: {name: [one a repeat]}}; all contestants take turns within a repeat."""
    os.environ.update(ONE_THREAD)
    core = str(max(os.sched_getaffinity(0)))
    seconds = {algo: {name: [] for name, *_ in competition} for algo in algos}
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("", total=repeats * len(algos) * len(competition))
        for seed in range(repeats):
            for algo in algos:
                for name, runtime, program, part in competition:
                    progress.update(task, description=f"{algo} {name}")
                    config = {"algo": algo, "seed": seed, "steps": steps, **part}
                    run = runner.run(
                        runtime,
                        program,
                        config,
                        on_line=lambda line: console.print(line, markup=False),
                        prefix=("taskset", "-c", core),
                    )
                    seconds[algo][name].append(run.last("trained")["cpu"])
                    progress.advance(task)
    return seconds


def report(seconds, judged=None):
    """The table and, as plain data, the medians of seconds and of the ratios within a turn. `judged`, a Report, notes missed bars."""
    judged = judged or Report()
    table = Table()
    table.add_column(no_wrap=True)
    results = {}
    for algo, by_name in seconds.items():
        table.add_column(f"{algo.upper()}, CPU s", justify="right")
        table.add_column("faster", justify="right", no_wrap=True)
        results[algo] = {
            name: {
                "cpu_s": statistics.median(values),
                "times_faster": statistics.median(peer / own for own, peer in zip(values, by_name[PEER], strict=True)),
            }
            for name, values in by_name.items()
        }
    for name in next(iter(results.values())):
        cells = []
        for algo, by_name in results.items():
            found = by_name[name]
            bar = BARS[algo] if name == OURS else None
            faster = judged.at_least(f"{algo.upper()}, {name}", found["times_faster"], bar, "{:.1f}x".format)
            cells += [f"{found['cpu_s']:.2f}", faster]
        table.add_row(name, *cells)
    if all(ON_UNIX in by_name for by_name in seconds.values()):
        kept = []
        for algo, by_name in seconds.items():
            part = statistics.median(one / other for one, other in zip(by_name[OURS], by_name[ON_UNIX], strict=True))
            results[algo][ON_UNIX]["speed_kept"] = part
            kept += [judged.at_least(f"{algo.upper()}, speed of MicroPython", part, KEPT, "{:.0%}".format), ""]
        table.add_section()
        table.add_row(f"{ON_UNIX}, speed kept", *kept)
    return table, results


def main(
    algo: Annotated[str, typer.Option(help="Algorithms, separated by commas.")] = "td3,sac",
    repeats: Annotated[int, typer.Option(min=1)] = 3,
    steps: Annotated[int, typer.Option(min=200, help="Environment steps.")] = 10_000,
    quick: Annotated[bool, typer.Option("--quick", help="One repeat of 1000 steps.")] = False,
    micropython: Annotated[str | None, typer.Option(metavar="PATH", help="Another MicroPython.")] = None,
    out: Annotated[Path, typer.Option(dir_okay=False, help="The results as JSON.")] = Path("build/bench/pendulum.json"),
):
    """Compare the CPU time of trainings on Pendulum with Stable-Baselines3's."""
    console = wide_console()
    if quick:
        repeats, steps = 1, 1_000
    judged = Report()
    seconds = measure(contestants(micropython), algo.split(","), steps, repeats, console)
    table, results = report(seconds, judged)
    console.print(f"{steps} steps of Pendulum on one core, median of {repeats}", table, sep="\n")
    judged.data |= {"steps": steps, "repeats": repeats, "cpu_seconds": seconds, "results": results}
    judged.finish(console, out)


if __name__ == "__main__":
    main_of(main)
