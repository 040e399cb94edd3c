"""Streaming beside algorithms with a replay: 10 seeds each, what they learn, their memory, and the curves in one picture.

    python -m picorl_host.bench.streaming [--seeds 10] [--steps 300000]

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


def memory(task, **options):
    """Bytes of an agent on a 32-bit board."""
    env = Pendulum() if task.env == "Pendulum" else CartPole()
    return picorl.plan(getattr(picorl, task.algo), env, 0, **{**task.options, "keep_best": False, **options}).total


def train(runtime, name, seed, steps):
    """(the final policy's score, CPU seconds, the curve's steps, its returns)"""
    task = TASKS[name]
    steps = min(task.steps, steps)
    config = {"algo": task.algo, "env": task.env, "options": task.options, "seed": seed, "steps": steps, "score": True}
    config |= {"evaluate_every": steps // EVALUATIONS, "curve": True, "starts": str(STARTS)}
    run = runner.run(runtime, WORKER, config)
    # Timed again without the evaluations.
    timed = runner.run(runtime, WORKER, config | {"evaluate_every": None, "curve": None, "score": None})
    curve = run.events("progress")
    cpu = timed.last("trained")["cpu"]
    return run.last("scored")["score"], cpu, [one["step"] for one in curve], [one["return"] for one in curve]


def picture(found, path):
    """Medians, and between which the seeds lie; steps in powers of ten, as replays learn from fewer."""
    figure = Figure(figsize=(10, 3.8), layout="constrained", dpi=150)
    for axes, env in zip(figure.subplots(1, 2), ("Pendulum", "CartPole"), strict=True):
        for name, runs in found.items():
            task = TASKS[name]
            if task.env != env:
                continue
            steps = runs[0][2]
            returns = list(zip(*(run[3] for run in runs), strict=True))
            kilobytes = memory(task) / 1000
            label = f"{task.algo}, {kilobytes:,.0f} KB"
            axes.plot(steps, [statistics.median(one) for one in returns], color=COLOURS[name], label=label)
            axes.fill_between(
                steps, *zip(*((min(one), max(one)) for one in returns), strict=True), color=COLOURS[name], alpha=0.2
            )
        axes.set(
            xscale="log", xlabel="environment steps", ylabel="return of an episode", title=f"{env}, hidden 64 × 64"
        )
        axes.grid(alpha=0.3)
        axes.legend(loc="lower right")
    figure.savefig(path)


def main(
    seeds: Annotated[int, typer.Option(min=1, help="How many, counted from 0.")] = 10,
    steps: Annotated[int, typer.Option(min=400, help="At most so many environment steps.")] = 300_000,
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
            name: [pool.submit(train, interpreter, name, seed, steps) for seed in range(seeds)] for name in COLOURS
        }
        found = {name: [one.result() for one in many] for name, many in begun.items()}
    made = table(
        f"Final policies under {interpreter.name}", "", "steps", "median", "worst", "CPU s", "KB", "KB, hidden 32 × 32"
    )
    for name, runs in found.items():
        task = TASKS[name]
        scores, seconds = [run[0] for run in runs], [run[1] for run in runs]
        cells = (min(task.steps, steps), statistics.median(scores), min(scores), statistics.median(seconds))
        small = memory(task, hidden=(32, 32)) / 1000
        texts = (f"{cells[0]:,}", *(f"{cell:.1f}" for cell in cells[1:]), f"{memory(task) / 1000:.0f}", f"{small:.0f}")
        made.add_row(f"{task.algo}, {task.env}", *texts)
        report.data[name] = {
            "scores": scores,
            "cpu": seconds,
            "bytes": memory(task),
            "curves": [run[2:] for run in runs],
        }
        if name in BARS:
            result = summary(task, scores)
            for label, _, bar in task.bars:
                if result[label] < bar:
                    report.missed.append(f"{name}, {label}: {result[label]:.1f}, must be at least {bar:.1f}")
    console.print(made)
    seeds_table = table("Seed by seed", "seed", *found)
    for seed in range(seeds):
        seeds_table.add_row(str(seed), *(f"{runs[seed][0]:.1f}" for runs in found.values()))
    console.print(seeds_table)
    out.parent.mkdir(parents=True, exist_ok=True)
    drawn = out.with_suffix(".png")
    picture(found, drawn)
    report.finish(console, out)
    console.print(f"curves: {drawn}", highlight=False)
    if report.missed:
        raise typer.Exit(1)


if __name__ == "__main__":
    main_of(main)
