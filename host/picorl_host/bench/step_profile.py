"""Where the time of a training step goes on the desktop: to which kernels, and to the Python around them."""

import statistics
import time
import types
from collections import defaultdict

import picorl
from picorl import kernels
from picorl.envs import Pendulum

from .report import table

PAIRS = 600  # of steps: TD3's actor learns in every second
AFTER = 1500  # steps, so that the replay has some variety and weights have settled


class Stopwatch:
    """Stands in for a backend: its kernels, each call timed. Calls of a kernel with the same integers are of one kind."""

    def __init__(self, backend):
        self.seconds = defaultdict(list)  # by (kernel, integers)
        for name in dir(backend):
            member = getattr(backend, name)
            setattr(self, name, self._timed(name, member) if isinstance(member, types.BuiltinFunctionType) else member)

    def _timed(self, name, kernel):
        seconds, clock = self.seconds, time.perf_counter

        def call(*arguments):
            start = clock()
            result = kernel(*arguments)
            took = clock() - start
            first = arguments[1]
            size = len(first) if hasattr(first, "__len__") else 0
            kind = (name, size) + tuple(one for one in arguments if isinstance(one, int))
            seconds[kind].append(took)
            return result

        return call

    def per_step(self):
        """{kernel: (calls, µs) a step}: medians, because whatever else runs on this core hits some calls only."""
        reading = statistics.median(_clock_reading() for _ in range(1000))
        found = defaultdict(lambda: (0.0, 0.0))
        for (name, *_), seconds in self.seconds.items():
            calls, us = found[name]
            each = len(seconds) / (2 * PAIRS)
            found[name] = calls + each, us + each * (statistics.median(seconds) - reading) * 1e6
        return dict(sorted(found.items(), key=lambda item: -item[1][1]))


def _clock_reading():
    start = time.perf_counter()
    return time.perf_counter() - start


def trainer(algorithm, backend):
    """A function that trains for some steps on Pendulum with the kernels of a backend, beyond its beginning."""
    usual = kernels.backend
    kernels.backend = backend
    try:
        env = Pendulum(seed=0)
        agent = algorithm(env, seed=0)

        def steps(count):
            for _ in picorl.train(agent, env, count, evaluate_every=10**6, evaluate_episodes=0):
                pass

        steps(AFTER)
        return steps
    finally:
        kernels.backend = usual


def profiled(algorithm):
    """(µs of a step, {kernel: (calls, µs) a step}). Steps with and without a stopwatch take turns: a core's speed wanders."""
    watch = Stopwatch(kernels.backend)
    plain, watched = trainer(algorithm, kernels.backend), trainer(algorithm, watch)
    watch.seconds.clear()
    pairs = []
    for _ in range(PAIRS):
        start = time.perf_counter()
        plain(2)
        pairs.append(time.perf_counter() - start)
        watched(2)
    return statistics.median(pairs) / 2 * 1e6, watch.per_step()


def measure(report, console):
    report.data["profile"] = {}
    for algorithm in (picorl.TD3, picorl.SAC):
        total, by_kernel = profiled(algorithm)
        name = algorithm.__name__
        title = f"A step of {name} on Pendulum, hidden 64, batch 100: {total:.1f} µs"
        shown = table(title, "kernel", "calls", "µs", "share")
        for kernel, (calls, us) in by_kernel.items():
            if us > total / 200:
                shown.add_row(kernel, f"{calls:.1f}", f"{us:.2f}", f"{us / total:.1%}")
        python = total - sum(us for _, us in by_kernel.values())
        shown.add_row("Python around them", "", f"{python:.2f}", f"{python / total:.1%}")
        report.data["profile"][name] = {"us": total, "kernels": by_kernel, "python_us": python}
        console.print(shown)
    console.print("[dim]Kernels: from call to return; those below half a percent are left out.[/]")
