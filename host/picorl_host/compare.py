"""The same training under two runtimes: what both reached, what it took, and whether the parameters are the same bits."""

import csv
import json
import platform

from rich.table import Table


def identical(runs):
    return len({run.last("end")["crc"] for run in runs}) == 1


def table(runs):
    """A rich Table with a column a run."""
    result = Table()
    result.add_column()
    for run in runs:
        result.add_column(run.runtime.name, justify="right")
    result.add_row("interpreter", *(run.last("start")["python"] for run in runs))
    result.add_row("kernels", *(run.last("start")["kernels"] for run in runs))
    result.add_row("final return", *(f"{run.last('end')['return']:.1f}" for run in runs))
    result.add_row("CPU time, user", *("" if run.cpu is None else f"{run.cpu:.2f} s" for run in runs))
    result.add_row("wall time", *(f"{run.wall:.2f} s" for run in runs))
    result.add_row("CRC of the parameters", *(run.last("end")["crc"] for run in runs))
    return result


def verdict(runs):
    """One sentence, in rich markup."""
    names = " and ".join(run.runtime.name for run in runs)
    if identical(runs):
        return f"[bold green]✓[/] {names} trained [bold]bit-identical[/] parameters."
    kernels = {run.last("start")["kernels"] for run in runs}
    why = ""
    if len(kernels) > 1:
        why = f" They ran different kernels ({', '.join(sorted(kernels))}): only the C kernels (_picorl) promise the same bits everywhere."
    return f"[bold red]✗[/] {names} trained [bold]different[/] parameters.{why}"


def write(runs, config, folder):
    """records.csv with every evaluation, runs.json with everything else."""
    with (folder / "records.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("runtime", "step", "updates", "return", "best"))
        for run in runs:
            for record in run.events("progress"):
                rows.writerow((run.runtime.name, *(record[key] for key in ("step", "updates", "return", "best"))))
    result = {
        "config": config,
        "machine": platform.machine(),
        "bit_identical": identical(runs),
        "runs": [
            {"runtime": run.runtime.name, "wall_s": run.wall, "cpu_user_s": run.cpu}
            | {key: run.last("start")[key] for key in ("python", "picorl", "kernels")}
            | {key: run.last("end")[key] for key in ("return", "crc")}
            for run in runs
        ],
    }
    (folder / "runs.json").write_text(json.dumps(result, indent=2) + "\n")
