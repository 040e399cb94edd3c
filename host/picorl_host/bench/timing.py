"""Times on a desktop: one core, one thread, and the best of some rounds, because whatever disturbs only ever slows."""

import functools
import os
import subprocess
import sys
import time
import timeit
from pathlib import Path

from .. import runner

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
WIDTHS = {"avx512": ("-DWIDTH=16", "-mavx512f", "-mprefer-vector-width=512"), "avx2": ("-DWIDTH=8", "-mavx2", "-mfma")}


def on_one_core():
    """Stay on one core, with one thread. Starts this program anew: BLAS reads how many threads it may have when it is loaded."""
    if any(os.environ.get(name) != "1" for name in THREADS):
        os.environ.update({name: "1" for name in THREADS})
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def best(function, *arguments, rounds=5, least=0.005):
    """Seconds of function(*arguments): the best of some rounds, each of as many calls as take `least` seconds."""
    call = functools.partial(function, *arguments)
    timer = timeit.Timer(call, timer=time.perf_counter)
    calls = 1
    while (took := timer.timeit(calls)) < least:
        calls = max(2 * calls, int(calls * least / max(took, 1e-9)))
    return min(took, *(timer.timeit(calls) for _ in range(rounds - 1))) / calls


def peak(variant, folder: Path):
    """GFLOP/s of multiply-adds in registers with the vectors of a variant of the kernels; None without a C compiler."""
    flags = WIDTHS.get(variant.removesuffix("-unfused"), ("-DWIDTH=4",))
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / f"peak{''.join(flags)}"
    words = [os.environ.get("CC", "cc"), "-O3", "-ffp-contract=fast", *flags]
    words += [str(Path(__file__).with_name("peak.c")), "-o", str(program)]
    try:
        done = subprocess.run(words, capture_output=True, text=True)
        if done.returncode:
            raise runner.Problem(f"the C compiler refused peak.c:\n{done.stderr}")
    except FileNotFoundError:
        return None
    return float(subprocess.run([program], capture_output=True, text=True, check=True).stdout)
