"""What the algorithms learn: 10 seeds each, on Pendulum, CartPole and MountainCar (bench/tasks.py).

    python -m picorl_host.bench.learning [--task sac,td3] [--seeds 10] [--runtime micropython|cpython]
    python -m picorl_host.bench.learning --task sac-small --micropython $PICORL_MICROPYTHON_ULAB --kernels ulab

On Pendulum final policies are scored on one committed set of 200 starts; the score of a near-optimal policy on the same starts stands
beside. Exits with 1 when a bar is missed.
"""

import json
import os
import statistics
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from .. import optimal_pendulum, runner
from ..cli import Runtime, main_of
from .tasks import TASKS

WORKER = Path(__file__).with_name("worker.py")
STARTS = Path(__file__).parents[1] / "data/pendulum_starts.csv"


def summary(task, scores):
    """Every bar's statistic of the scores, and whether all reach them."""
    found = {name: statistic(scores) for name, statistic, _ in task.bars}
    return {**found, "passed": all(bar is None or found[name] >= bar for name, _, bar in task.bars)}


def learn(runtime, names, seeds, steps, options, console, kernels=None):
    """(score, CPU seconds of the training) by task and seed, as many trainings at a time as there are cores. steps: instead of the tasks' own;
    options: beside them; kernels: other than the best."""

    def one(task, seed):
        config = {
            "algo": task.algo,
            "env": task.env,
            "n_envs": task.n_envs,
            "options": task.options | options,
            "seed": seed,
        }
        every = task.evaluate_every and min(task.evaluate_every, steps or task.steps)
        config |= {"steps": steps or task.steps, "evaluate_every": every, "score": True}
        config |= {"starts": str(STARTS), "kernels": kernels}
        run = runner.run(runtime, WORKER, config, on_line=lambda line: console.print(line, markup=False))
        progress.advance(bar)
        return run.last("scored")["score"], run.last("trained")["cpu"]

    with Progress(console=console, transient=True) as progress, ThreadPoolExecutor(os.cpu_count()) as pool:
        bar = progress.add_task("training", total=len(names) * len(seeds))
        found = {name: [pool.submit(one, TASKS[name], seed) for seed in seeds] for name in names}
        return {name: [future.result() for future in futures] for name, futures in found.items()}


def _reached(task, found):
    """Every statistic and, behind it, what it must reach."""
    return "\n".join(
        f"{name} {found[name]:.1f}" + ("" if bar is None else f" ({bar:.0f})") for name, _, bar in task.bars
    )


def report(scores, seconds, optimum):
    """(a table with a row a task, {task: summary}); scores and CPU seconds by task and seed"""
    results = {name: summary(TASKS[name], values) for name, values in scores.items()}
    table = Table("task", "seeds", "reached (bar)", "optimum", "CPU s", "", show_lines=True)
    for column in (0, 2, 3, 4, 5):
        table.columns[column].no_wrap = True
    best = {"Pendulum": f"{optimum:.1f}", "PendulumWithoutVelocity": f"{optimum:.1f}", "CartPole": "500.0"}
    for name, values in scores.items():
        verdict = "[green]passed[/]" if results[name]["passed"] else "[red]failed[/]"
        seeds = " ".join(f"{value:.1f}" for value in values)
        cpu = f"{statistics.median(seconds[name]):.2f}"
        table.add_row(name, seeds, _reached(TASKS[name], results[name]), best.get(TASKS[name].env, ""), cpu, verdict)
    return table, results


def main(
    task: Annotated[str, typer.Option(help="Tasks, separated by commas.")] = ",".join(TASKS),
    seeds: Annotated[int, typer.Option(min=1, help="How many, counted from 0.")] = 10,
    steps: Annotated[int | None, typer.Option(min=200, help="Environment steps, instead of the task's.")] = None,
    options: Annotated[
        str, typer.Option(metavar="JSON", help="Arguments of the agents that replace the tasks'.")
    ] = "{}",
    runtime: Annotated[Runtime, typer.Option(help="Where to train.")] = Runtime.micropython,
    micropython: Annotated[str | None, typer.Option(metavar="PATH", help="Another MicroPython.")] = None,
    kernels: Annotated[str | None, typer.Option(help="_picorl, ulab or python, instead of the best.")] = None,
    out: Annotated[Path, typer.Option(dir_okay=False, help="The results as JSON.")] = Path("build/bench/learning.json"),
):
    """Train with several seeds, score the policies and compare with what they must reach."""
    console = Console()
    names = task.split(",")
    for name in names:
        if name not in TASKS:
            raise typer.BadParameter(f"--task is {name}, must be of {', '.join(TASKS)}")
    interpreter = runner.cpython() if runtime is Runtime.cpython else runner.micropython(micropython)
    optimum = optimal_pendulum.score()
    found = learn(interpreter, names, range(seeds), steps, json.loads(options), console, kernels)
    scores = {name: [score for score, _ in pairs] for name, pairs in found.items()}
    seconds = {name: [cpu for _, cpu in pairs] for name, pairs in found.items()}
    table, results = report(scores, seconds, optimum)
    for name in names:
        chosen = TASKS[name]
        console.print(f"{name}: {chosen.algo} on {chosen.env}, {steps or chosen.steps:,} steps", highlight=False)
    where = f"{interpreter.name}, {kernels} kernels" if kernels else interpreter.name
    console.print(f"Return under {where}", table, sep="\n")
    out.parent.mkdir(parents=True, exist_ok=True)
    whole = {
        "runtime": interpreter.name,
        "kernels": kernels,
        "steps": steps,
        "options": options,
        "optimum": optimum,
        "scores": scores,
        "cpu": seconds,
        "results": results,
    }
    out.write_text(json.dumps(whole, indent=2) + "\n")
    if not all(result["passed"] for result in results.values()):
        raise typer.Exit(1)


if __name__ == "__main__":
    main_of(main)
