"""The speed of the kernels on this machine: GFLOP/s beside NumPy's BLAS and what the core can do, the time of one action, and growth.

    python -m picorl_host.bench.kernels [--only products,others,act,profile,growth]

products  a dense layer's three products, every variant of the kernels that the CPU runs, beside NumPy with one thread
others    all other kernels, beside the same ones in NumPy (picorl_numpy)
act       from an observation to an action, from Python, beside Stable-Baselines3, PyTorch and onnxruntime
profile   which kernels a training step's time goes to
growth    time of an update for growing networks and batches, and of trainings ten times as long

Everything runs on one core with one thread. Times are the best of several rounds, crossing from Python included.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from picorl import kernels

from .. import runner
from ..cli import main_of
from . import act, growth, kernel_speed, step_profile, timing
from .report import Report, table, times, wide_console

BUILD = runner.REPOSITORY / "build/bench"


def variants():
    try:
        return kernels.select("_picorl").variants()
    except ImportError:
        raise runner.Problem("there are no C kernels to measure: make setup says why") from None


def blas():
    """Which BLAS NumPy multiplies with."""
    found = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return f"NumPy {np.__version__} with {found['name']} {found['version']}"


def by_variant(case):
    """{variant: seconds} of a call."""
    seconds = {}
    for variant in variants():
        seconds[variant] = timing.best(*case.of(kernels.select("_picorl", variant)))
    kernels.select("_picorl", variants()[0])
    return seconds


def products(report, console):
    names = variants()
    peaks = {name: timing.peak(name, BUILD) for name in names}
    report.data["peak_gflops"], report.data["blas"] = peaks, blas()
    shown = table(
        f"Products of a dense layer, GFLOP/s; NumPy: {blas()}",
        "", "rows x inputs x outputs", *names, "NumPy", "", "of the peak",
    )  # fmt: skip
    report.data["products"] = []
    for size in kernel_speed.PRODUCTS:
        for name, case, numpy_call, numpy_arguments in kernel_speed.products(*size):
            seconds = by_variant(case)
            numpy_seconds = timing.best(numpy_call, *numpy_arguments)
            speed = {variant: case.flops / took * 1e-9 for variant, took in seconds.items()}
            best = speed[names[0]]
            cells = (f"{one:.1f}" for one in speed.values())
            share = f"{best / peaks[names[0]]:.0%}" if peaks[names[0]] else "-"
            theirs = case.flops / numpy_seconds * 1e-9
            shown.add_row(name, case.size, *cells, f"{theirs:.1f}", times(best, theirs), share)
            report.data["products"].append({"product": name, "size": size, "gflops": speed, "numpy_gflops": theirs})
    shown.add_section()
    shown.add_row("peak, measured", "", *(f"{one:.1f}" if one else "-" for one in peaks.values()), "", "", "")
    console.print(shown)
    console.print(
        f"[dim]Ratio and share: {names[0]}. The peak: multiply-adds in registers, vectors of that width;"
        " the biases count as nothing, ours adds them, NumPy does not.[/]"
    )


def others(report, console):
    names = variants()
    numpy_kernels = kernels.select("picorl_numpy")
    kernels.select("_picorl", names[0])
    shown = table(
        "Kernels, microseconds of a call", "kernel", "elements", *names, "NumPy kernels", "", "ns an element", "GFLOP/s"
    )
    report.data["kernels"] = []
    for case in (*kernel_speed.networks(), *kernel_speed.others()):
        seconds = by_variant(case)
        numpy_seconds = timing.best(*case.of(numpy_kernels))
        best = seconds[names[0]]
        speed = f"{case.flops / best * 1e-9:.1f}" if case.flops else "-"
        cells = (f"{took * 1e6:.2f}" for took in (*seconds.values(), numpy_seconds))
        shown.add_row(
            case.name, case.size, *cells, times(numpy_seconds, best), f"{best / case.elements * 1e9:.2f}", speed
        )
        report.data["kernels"].append(
            {"kernel": case.name, "size": case.size, "seconds": seconds, "numpy_seconds": numpy_seconds}
            | {"elements": case.elements, "flops": case.flops}
        )
    console.print(shown)


PARTS = {
    "products": products,
    "others": others,
    "act": act.measure,
    "profile": step_profile.measure,
    "growth": growth.measure,
}


def main(
    only: Annotated[str, typer.Option(help="Parts, separated by commas.")] = ",".join(PARTS),
    out: Annotated[Path, typer.Option(dir_okay=False, help="The results as JSON.")] = Path("build/bench/kernels.json"),
):
    """Measure the kernels on this machine."""
    console = wide_console()
    report = Report()
    for part in only.split(","):
        if part not in PARTS:
            raise typer.BadParameter(f"--only is {part}, must be of {', '.join(PARTS)}")
        PARTS[part](report, console)
    report.finish(console, out)


if __name__ == "__main__":
    timing.on_one_core()
    main_of(main)
