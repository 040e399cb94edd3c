"""Streaming beside algorithms with a replay: 10 seeds each, what they learn, their memory, and the curves in one picture.

    python -m picorl_host.bench.streaming [--seeds 10] [--steps 300000] [--hidden 64]

Bars are those of bench/tasks.py. Exits with 1 when one is missed.
"""

import os
import statistics
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

import typer
from matplotlib.figure import Figure
from rich.console import Console

import picorl
from picorl.envs import CartPole, Pendulum

from .. import runner
from ..cli import Runtime, main_of
from .learning import STARTS, WORKER, summary
from .report import Report, table
from .tasks import TASKS

COLOURS = {"stream-ac": "tab:green", "sac": "tab:gray", "stream-q-cartpole": "tab:green", "dqn-cartpole": "tab:gray"}
BARS = ("stream-ac", "stream-q-cartpole")
EVALUATIONS = 20


def memory(task, hidden):
    """Bytes of an agent on a 32-bit board."""
    env = Pendulum() if task.env == "Pendulum" else CartPole()
    options = {**task.options, "keep_best": False, "hidden": (hidden, hidden)}
    return picorl.plan(getattr(picorl, task.algo), env, 0, **options).total


def train(runtime, name, seed, steps, hidden):
    """(the final policy's score, CPU seconds, the curve's steps, its returns)"""
    task = TASKS[name]
    steps = min(task.steps, steps)
    config = {"algo": task.algo, "env": task.env, "options": task.options | {"hidden": [hidden, hidden]}, "seed": seed}
    config |= {
        "steps": steps,
        "score": True,
        "evaluate_every": steps // EVALUATIONS,
        "curve": True,
        "starts": str(STARTS),
    }
    run = runner.run(runtime, WORKER, config)
    # Timed again without the evaluations.
    timed = runner.run(runtime, WORKER, config | {"evaluate_every": None, "curve": None, "score": None})
    curve = run.events("progress")
    cpu = timed.last("trained")["cpu"]
    return run.last("scored")["score"], cpu, [one["step"] for one in curve], [one["return"] for one in curve]


def picture(found, hidden, path):
    """Medians, and between which the seeds lie; steps in powers of ten, as replays learn from fewer."""
    figure = Figure(figsize=(10, 3.8), layout="constrained", dpi=150)
    for axes, env in zip(figure.subplots(1, 2), ("Pendulum", "CartPole"), strict=True):
        for name, runs in found.items():
            task = TASKS[name]
            if task.env != env:
                continue
            steps = runs[0][2]
            returns = list(zip(*(run[3] for run in runs), strict=True))
            kilobytes = memory(task, hidden) / 1000
            label = f"{task.algo}, {kilobytes:,.0f} KB"
            axes.plot(steps, [statistics.median(one) for one in returns], color=COLOURS[name], label=label)
            axes.fill_between(
                steps, *zip(*((min(one), max(one)) for one in returns), strict=True), color=COLOURS[name], alpha=0.2
            )
        axes.set(
            xscale="log",
            xlabel="environment steps",
            ylabel="return of an episode",
            title=f"{env}, hidden {hidden} × {hidden}",
        )
        axes.grid(alpha=0.3)
        axes.legend(loc="lower right")
    figure.savefig(path)


def tables(report, found, hidden):
    """What the trainings came to, a row each, and their scores, a row a seed; they go into the report too."""
    rows = table("Final policies", f"hidden {hidden} × {hidden}", "steps", "median", "worst", "CPU s", "KB")
    for name, runs in found.items():
        task = TASKS[name]
        scores, seconds, nbytes = [run[0] for run in runs], [run[1] for run in runs], memory(task, hidden)
        figures = (statistics.median(scores), min(scores), statistics.median(seconds))
        texts = (f"{runs[0][2][-1]:,}", *(f"{one:.1f}" for one in figures), f"{nbytes / 1000:.0f}")
        rows.add_row(f"{task.algo}, {task.env}", *texts)
        curves = [run[2:] for run in runs]
        report.data[name] = {"scores": scores, "cpu": seconds, "bytes": nbytes, "curves": curves}
        reached = summary(task, scores)
        for label, _, bar in task.bars if name in BARS else ():
            if reached[label] < bar:
                report.missed.append(f"{name}, {label}: {reached[label]:.1f}, must be at least {bar:.1f}")
    by_seed = table("Seed by seed", "seed", *found)
    for seed, scores in enumerate(zip(*([run[0] for run in runs] for runs in found.values()), strict=True)):
        by_seed.add_row(str(seed), *(f"{score:.1f}" for score in scores))
    return rows, by_seed


def main(
    seeds: Annotated[int, typer.Option(min=1, help="How many, counted from 0.")] = 10,
    steps: Annotated[int, typer.Option(min=400, help="At most so many environment steps.")] = 300_000,
    hidden: Annotated[int, typer.Option(min=1, help="Units of each of the two hidden layers.")] = 64,
    runtime: Annotated[Runtime, typer.Option(help="Where to train.")] = Runtime.micropython,
    out: Annotated[Path, typer.Option(dir_okay=False, help="The results as JSON.")] = Path(
        "build/bench/streaming.json"
    ),
):
    """Train Stream AC and SAC on Pendulum, Stream Q and DQN on CartPole; compare what they reach and what they take."""
    console, report = Console(), Report()
    interpreter = runner.cpython() if runtime is Runtime.cpython else runner.micropython()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        begun = {
            name: [pool.submit(train, interpreter, name, seed, steps, hidden) for seed in range(seeds)]
            for name in COLOURS
        }
        found = {name: [one.result() for one in many] for name, many in begun.items()}
    console.print(*tables(report, found, hidden), f"under {interpreter.name}", sep="\n", highlight=False)
    out.parent.mkdir(parents=True, exist_ok=True)
    drawn = out.with_suffix(".png")
    picture(found, hidden, drawn)
    report.finish(console, out)
    console.print(f"curves: {drawn}", highlight=False)
    if report.missed:
        raise typer.Exit(1)


if __name__ == "__main__":
    main_of(main)
