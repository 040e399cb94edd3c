"""Whether a board learns Pendulum as well as the desktop: one training on the board, several seeds under MicroPython here, the same settings.

    python -m picorl_host.bench.spread --board QEMU_CORTEX_M7_REPR_C [--kernels python --options '{"hidden": [16, 16]}']

The board trains with seed 0 what its board.toml says (`[training]`), or other options. The final policy is scored over 100 episodes. Exits with 1
when the board's return is not between the worst and the best of the seeds. With kernels of one class the parameters of seed 0 are the same bits.
"""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from .. import boards, runner, train
from ..cli import main_of
from .report import Report


def within(value, others):
    """Whether value is no worse than the worst of the others, and no better than the best."""
    return min(others) <= value <= max(others)


def report(board, kernels, on_board, here):
    """(a table, a Report) of the records "end" of the board and of the seeds here."""
    found = Report()
    table = Table("where", "seed", "return", "CRC-32 of the parameters")
    table.add_row(f"{board}, {kernels}", "0", f"{on_board['return']:.1f}", on_board["crc"])
    for seed, end in enumerate(here):
        table.add_row("MicroPython, _picorl", str(seed), f"{end['return']:.1f}", end["crc"])
    returns = [end["return"] for end in here]
    if not within(on_board["return"], returns):
        spread = f"{min(returns):.1f} to {max(returns):.1f}"
        found.missed.append(f"return on {board}: {on_board['return']:.1f}, must be within {spread}")
    found.data = {"board": board, "kernels": kernels, "on_board": on_board, "here": here}
    return table, found


def main(
    board: Annotated[str, typer.Option(help="A folder of boards/.")] = "QEMU_CORTEX_M7_REPR_C",
    port: Annotated[str | None, typer.Option(metavar="PORT", help="Of a real one, which has picorl.")] = None,
    kernels: Annotated[str, typer.Option(help="Those of the board.")] = "_picorl",
    seeds: Annotated[int, typer.Option(min=2, help="How many here, counted from 0.")] = 5,
    steps: Annotated[int | None, typer.Option(min=200, help="Environment steps, instead of the board's.")] = None,
    options: Annotated[str, typer.Option(metavar="JSON", help="Arguments of the agents beside the board's.")] = "{}",
    episodes: Annotated[int, typer.Option(min=1, help="That the policy is scored over.")] = 100,
    micropython: Annotated[str | None, typer.Option(metavar="PATH", help="Another MicroPython.")] = None,
    out: Annotated[Path, typer.Option(dir_okay=False, help="The results as JSON.")] = Path("build/bench/spread.json"),
):
    """Train once on a board and several times here; compare the returns."""
    console = Console()
    chosen = boards.load(board)
    config = train.board_config(chosen, None, steps)
    config["agent"] |= json.loads(options)
    config |= {"evaluate_every": config["steps"], "final_episodes": episodes}
    here = runner.micropython(micropython)

    def one(runtime, **more):
        said = runtime.run(
            train.PROGRAM, config | more, lambda record: None, lambda line: console.print(line, markup=False)
        )
        console.print(f"{runtime.name}, seed {more['seed']}: {said.last('end')['return']:.1f}", highlight=False)
        return said.last("end")

    console.print(f"{config['algo']} on Pendulum, {config['steps']:,} steps, {config['agent']}", highlight=False)
    with train.board_runtime(chosen, port) as on_board, ThreadPoolExecutor(os.cpu_count()) as pool:
        there = pool.submit(one, on_board, seed=0, kernels=kernels)
        each = [pool.submit(one, here, seed=seed) for seed in range(seeds)]
        table, found = report(board, kernels, there.result(), [future.result() for future in each])
    console.print(table)
    found.data |= {"config": config}
    found.finish(console, out)
    if found.missed:
        raise typer.Exit(1)


if __name__ == "__main__":
    main_of(main)
