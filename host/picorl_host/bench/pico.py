"""Time on a Raspberry Pi Pico, emulated: the C kernels beside plain Python, in the firmware that goes onto a real one.

    python -m picorl_host.bench.pico

Microseconds of the emulator's clock, which counts the cycles of a Cortex-M0+ at 125 MHz. A real Pico also waits for its flash
where code is not in the cache. The emulator itself is slower than the chip: this takes some two minutes.
"""

from pathlib import Path
from typing import Annotated

import typer

import picorl
from picorl.envs import Pendulum

from .. import boards
from ..cli import main_of
from . import emulated
from .report import Report, table, times, wide_console

PROGRAM = Path(__file__).with_name("device_pico.py")
# Rows, inputs, outputs; the difference between two is nothing but multiply-adds.
LAYERS = {"_picorl": ((8, 8, 8), (8, 24, 24)), "python": ((1, 4, 8), (1, 16, 8))}
SMALL = (("SAC", 4, 4), ("TD3", 4, 4))
AGENTS = {
    "_picorl": (*SMALL, ("SAC", 8, 8), ("TD3", 8, 8), ("SAC", 16, 16), ("TD3", 16, 16), ("SAC", 32, 32)),
    "python": SMALL,
}
NAMES = {"_picorl": "C kernels", "python": "plain Python"}


def measured(kernels, console):
    config = {"kernels": kernels, "layers": LAYERS[kernels], "agents": AGENTS[kernels]}
    with console.status(f"{NAMES[kernels]} on the emulated Pico"):
        return emulated.run(boards.load("RPI_PICO"), PROGRAM, config)


def per_multiply_add(layers):
    """Microseconds that a multiply-add adds, from two layers of different sizes."""
    ((few, little), (many, much)) = sorted((rows * inputs * outputs, us) for (rows, inputs, outputs), us in layers)
    return (much - little) / (many - few)


def macs(algo, hidden, batch):
    options = dict(hidden=(hidden, hidden), batch_size=batch, replay_capacity=2 * batch + 2)
    return picorl.plan(getattr(picorl, algo), Pendulum(), **options).update_macs


def main(
    out: Annotated[Path, typer.Option(dir_okay=False, help="The results as JSON.")] = Path("build/bench/pico.json"),
):
    """Measure time on the emulated Pico."""
    console = wide_console()
    report = Report()
    found = {kernels: measured(kernels, console) for kernels in NAMES}
    each = {kernels: per_multiply_add(one["layers"]) for kernels, one in found.items()}
    report.data |= found | {"us_per_multiply_add": each}
    shown = table("On the emulated Pico, milliseconds", "algorithm, hidden, batch", "kernels", "predict", "act", "update", "", "us a multiply-add")  # fmt: skip
    slow = {(one["algo"], one["hidden"], one["batch"]): one for one in found["python"]["agents"]}
    for kernels, one in found.items():
        for agent in one["agents"]:
            key = agent["algo"], agent["hidden"], agent["batch"]
            ratio = times(slow[key]["update"], agent["update"]) if kernels == "_picorl" and key in slow else ""
            cells = (f"{agent[name] / 1000:,.2f}" for name in ("predict", "act", "update"))
            label = f"{key[0]}, {key[1]} x {key[1]}, {key[2]}"
            shown.add_row(label, NAMES[kernels], *cells, ratio, f"{agent['update'] / macs(*key):.1f}")
    console.print(shown)
    console.print(
        "[dim]The last column: an update divided by the multiply-adds of its networks, everything else in it included."
        f"\nA multiply-add of a layer by itself: C {each['_picorl']:.2f} us, plain Python {each['python']:.0f} us,"
        f" {times(each['python'], each['_picorl'])}.[/]",
        highlight=False,
    )
    report.finish(console, out)


if __name__ == "__main__":
    main_of(main)
