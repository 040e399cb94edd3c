"""How time grows with the work: updates of larger networks and batches, trainings of more steps."""

import statistics
from pathlib import Path

import picorl
from picorl.envs import Pendulum

from .. import runner
from . import timing
from .report import table

HIDDEN = (16, 32, 64, 128, 256)
BATCHES = (16, 32, 64, 128, 256, 512)
SWEEPS = 5
CLIFF = 0.7  # of the speed that is left, at least, when the work doubles
STEPS = 10_000
RATIO = 11.0  # at most: a training ten times as long, in times of the shorter one
WORKER = Path(__file__).with_name("worker.py")


def update_seconds(hidden, batch):
    """(seconds of one update of SAC, its multiply-adds)."""
    options = dict(hidden=(hidden, hidden), batch_size=batch, replay_capacity=2 * batch + 2, warmup_steps=0, seed=0)
    env = Pendulum(seed=0)
    agent = picorl.SAC(env, **options)
    action = picorl.memory.zeros("f", 1)
    env.reset()
    agent.begin(env.obs)
    while not agent.ready():
        agent.act(env.obs, action)
        env.step(action)
        agent.observe(action, env.reward, env.obs, False, False)
    return timing.best(agent.update), picorl.plan(picorl.SAC, env, **options).update_macs


def updates(report, console):
    # The core's speed wanders for seconds at a time: all cells several times, rather than each of them long.
    cells = [(hidden, batch) for hidden in HIDDEN for batch in BATCHES]
    sweeps = [[update_seconds(*cell) for cell in cells] for _ in range(SWEEPS)]
    found = {cell: min(rounds) for cell, *rounds in zip(cells, *sweeps, strict=True)}
    speed = speeds(found)
    shown = table("One update of SAC, GFLOP/s (microseconds)", "hidden", *(f"batch {batch}" for batch in BATCHES))
    for hidden in HIDDEN:
        cells = (f"{speed[hidden, batch]:.1f} ({found[hidden, batch][0] * 1e6:,.0f})" for batch in BATCHES)
        shown.add_row(f"{hidden}, {hidden}", *cells)
    console.print(shown)
    console.print(
        "[dim]Multiply-adds of all terms count, those too that the kernels leave out because a ReLU made them zero.[/]"
    )
    for (hidden, batch), what, kept in doublings(speed):
        report.at_least(f"hidden {hidden}, batch {batch}: speed kept when {what} doubled", kept, CLIFF, "{:.0%}".format)
    report.data["updates"] = [
        {"hidden": hidden, "batch": batch, "seconds": seconds, "macs": macs}
        for (hidden, batch), (seconds, macs) in found.items()
    ]


def speeds(found):
    """GFLOP/s of {cell: (seconds, multiply-adds)}."""
    return {cell: 2e-9 * macs / seconds for cell, (seconds, macs) in found.items()}


def doublings(speed):
    """(cell, what doubled, which part of the speed is left) of every (hidden, batch) whose half was measured too."""
    for (hidden, batch), now in speed.items():
        for what, before in (("hidden", (hidden // 2, batch)), ("the batch", (hidden, batch // 2))):
            if before in speed:
                yield (hidden, batch), what, now / speed[before]


def trainings(report, console):
    """Short, long, short: what slows the machine down meanwhile slows both."""
    shown = table("Trainings of TD3 on Pendulum, CPU seconds", "", f"{STEPS:,} steps", f"{10 * STEPS:,} steps", "ratio")
    report.data["trainings"] = {}
    for runtime in (runner.cpython(), runner.micropython()):
        cpu = []
        for steps in (STEPS, 10 * STEPS, STEPS):
            config = {"algo": "td3", "seed": 0, "steps": steps, "kernels": "_picorl"}
            cpu.append(runner.run(runtime, WORKER, config).last("trained")["cpu"])
        short, long = statistics.mean((cpu[0], cpu[2])), cpu[1]
        ratio = report.at_most(f"{runtime.name}, ten times the steps", long / short, RATIO, "{:.2f}".format)
        shown.add_row(f"{runtime.name} + C", f"{short:.2f}", f"{long:.2f}", ratio)
        report.data["trainings"][runtime.name] = {"short": short, "long": long}
    console.print(shown)


def measure(report, console):
    updates(report, console)
    trainings(report, console)
