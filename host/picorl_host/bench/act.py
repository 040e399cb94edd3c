"""From an observation to an action, a network of 3-64-64-1: ours from Python in every way it runs, and others'."""

from pathlib import Path

from .. import runner
from .report import table, times

FOLDER = Path(__file__).parent
PEERS = runner.REPOSITORY / "build/peers-venv/bin/python"
BAR = 1.5  # µs, CPython + C


def latencies(console):
    """[(name, {"predict": µs, "act": µs})]; who is not installed is left out."""
    found = []
    for name, runtime, kernels, calls in (
        ("picorl, CPython + C", runner.cpython(), "_picorl", 5000),
        ("picorl, MicroPython + C", runner.micropython(), "_picorl", 5000),
        ("picorl, CPython + NumPy", runner.cpython(), "picorl_numpy", 1000),
        ("picorl, MicroPython alone", runner.micropython(), "python", 20),
    ):
        run = runner.run(runtime, FOLDER / "act_worker.py", {"kernels": kernels, "calls": calls})
        found.append((name, run.last("latency")["us"]))
    if PEERS.exists():
        said = []
        peers = runner.Runtime("the peers' Python", (str(PEERS), "-u"))
        run = runner.run(peers, FOLDER / "act_peers_worker.py", {}, on_line=said.append)
        found += [(record["name"], record["us"]) for record in run.events("latency")]
    else:
        console.print("no build/peers-venv: make bench-kernels brings the others to compare with")
    return found


def measure(report, console):
    found = latencies(console)
    shown = table("One action, 3-64-64-1, microseconds", "", "predict", "", "act (explores)")
    ours = found[0][1]["predict"]
    for name, us in found:
        bar = BAR if name == found[0][0] else None
        cells = [
            report.at_most(f"{name}, {what}", us[what], bar, "{:.2f}".format) if what in us else ""
            for what in ("predict", "act")
        ]
        shown.add_row(name, cells[0], times(us["predict"], ours), cells[1])
    report.data["act_us"] = dict(found)
    console.print(shown)
