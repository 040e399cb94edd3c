"""What SAC and TD3 learn on Pendulum: 10 seeds each, final policies scored on one committed set of 200 starts.

    python -m picorl_host.bench.learning [--algo sac,td3] [--seeds 10] [--runtime micropython|cpython]

The setting is picorl's default: hidden 64 x 64, batch 100, 10 000 steps. The score of a near-optimal policy on the
same starts stands beside. Exits with 1 when a bar is missed.
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

WORKER = Path(__file__).with_name("worker.py")
STARTS = Path(__file__).parents[1] / "data/pendulum_starts.csv"

# Mean return on the starts that the median and the worst of 10 seeds must reach.
BARS = {"sac": (-160.0, -200.0), "td3": (-165.0, -230.0)}


def summary(algo, scores):
    """Median, worst, and whether both reach the bars."""
    median, worst = statistics.median(scores), min(scores)
    bar_median, bar_worst = BARS[algo]
    return {"median": median, "worst": worst, "passed": median >= bar_median and worst >= bar_worst}


def learn(runtime, algos, seeds, steps, console):
    """Scores by algorithm and seed, as many trainings at a time as there are cores."""

    def one(algo, seed):
        config = {"algo": algo, "seed": seed, "steps": steps, "starts": str(STARTS)}
        run = runner.run(runtime, WORKER, config, on_line=lambda line: console.print(line, markup=False))
        progress.advance(task)
        return run.last("scored")["score"]

    with Progress(console=console, transient=True) as progress, ThreadPoolExecutor(os.cpu_count()) as pool:
        task = progress.add_task("training", total=len(algos) * len(seeds))
        scores = {algo: [pool.submit(one, algo, seed) for seed in seeds] for algo in algos}
        return {algo: [future.result() for future in futures] for algo, futures in scores.items()}


def report(scores, seeds, optimum):
    table = Table()
    table.add_column("seed")
    for algo in scores:
        table.add_column(algo.upper(), justify="right")
    for row, seed in enumerate(seeds):
        table.add_row(str(seed), *(f"{values[row]:.1f}" for values in scores.values()))
    table.add_section()
    results = {algo: summary(algo, values) for algo, values in scores.items()}
    table.add_row("median (bar)", *(f"{r['median']:.1f} ({BARS[algo][0]:.0f})" for algo, r in results.items()))
    table.add_row("worst (bar)", *(f"{r['worst']:.1f} ({BARS[algo][1]:.0f})" for algo, r in results.items()))
    table.add_row("near-optimal policy", *(f"{optimum:.1f}" for _ in results))
    table.add_row("", *("[green]passed[/]" if r["passed"] else "[red]failed[/]" for r in results.values()))
    return table, results


def main(
    algo: Annotated[str, typer.Option(help="Algorithms, separated by commas.")] = "sac,td3",
    seeds: Annotated[int, typer.Option(min=1, help="How many, counted from 0.")] = 10,
    steps: Annotated[int, typer.Option(min=200, help="Environment steps of a training.")] = 10_000,
    runtime: Annotated[Runtime, typer.Option(help="Where to train.")] = Runtime.micropython,
    micropython: Annotated[str | None, typer.Option(metavar="PATH", help="Another MicroPython.")] = None,
    out: Annotated[Path, typer.Option(dir_okay=False, help="The results as JSON.")] = Path("build/bench/learning.json"),
):
    """Train SAC and TD3 on Pendulum with several seeds and score the final policies."""
    console = Console()
    algos = algo.split(",")
    for name in algos:
        if name not in BARS:
            raise typer.BadParameter(f"--algo is {name}, must be of {', '.join(BARS)}")
    interpreter = runner.cpython() if runtime is Runtime.cpython else runner.micropython(micropython)
    optimum = optimal_pendulum.score()
    scores = learn(interpreter, algos, range(seeds), steps, console)
    title = f"Return on {len(optimal_pendulum.starts())} starts after {steps} steps under {interpreter.name}"
    table, results = report(scores, range(seeds), optimum)
    console.print(title, table, sep="\n")
    out.parent.mkdir(parents=True, exist_ok=True)
    whole = {"runtime": interpreter.name, "steps": steps, "optimum": optimum, "scores": scores, "results": results}
    out.write_text(json.dumps(whole, indent=2) + "\n")
    if not all(result["passed"] for result in results.values()):
        raise typer.Exit(1)


if __name__ == "__main__":
    main_of(main)
