"""What an agent takes of a board: memory, exactly, and time, as an estimate; as text for the terminal."""

import math
from array import array
from dataclasses import dataclass

from rich.table import Table

import picorl
from picorl.envs import Pendulum, PendulumWithoutVelocity
from picorl.planning import largest_replay

from . import boards
from .estimate import estimate
from .runner import Problem

ALGORITHMS = {
    "sac": picorl.SAC,
    "td3": picorl.TD3,
    "ppo": picorl.PPO,
    "dqn": picorl.DQN,
    "recurrent_sac": picorl.RecurrentSAC,
    "stream_ac": picorl.StreamAC,
    "stream_q": picorl.StreamQ,
}
STREAMING = ("stream_ac", "stream_q")
DISCRETE = ("dqn", "stream_q")

# What a board without a training section in its board.toml is planned for.
DEFAULTS = {"algorithm": "sac", "hidden": [64, 64], "batch_size": 100, "replay_capacity": 10_000, "steps": 10_000}

# Steps of a rollout, for PPO.
ROLLOUT = 1024

# Transitions of a sequence, sequences of a batch and units at most, for a recurrent SAC.
LENGTH = 12
SEQUENCES = 32
UNITS = 32

# Steps before learning starts, as TD3 and SAC have it.
WARMUP = 100

# Parts of less than this share of the memory are told as one.
SMALL = 0.01


class Sizes:
    """Stands for an environment of which only the sizes are known; discrete: act_size choices instead of as many numbers."""

    def __init__(self, obs_size, act_size, discrete=False):
        self.obs = array("f", [0] * obs_size)
        if discrete:
            self.n_actions = act_size
            return
        self.action_low = array("f", [-1] * act_size)
        self.action_high = array("f", [1] * act_size)


@dataclass(frozen=True)
class Setup:
    """An agent and the task it is planned for."""

    algorithm: str
    env: object
    steps: int
    options: dict
    arena: int = 0  # bytes, of the firmware

    def plan(self):
        try:
            return picorl.plan(ALGORITHMS[self.algorithm], self.env, self.arena, **self.options)
        except ValueError as refused:
            raise Problem(str(refused)) from None

    def largest_replay(self, heap):
        """Rows, 0 when not even a batch fits, None for an algorithm without a replay."""
        if "replay_capacity" not in self.options:
            return None
        options = {name: value for name, value in self.options.items() if name != "replay_capacity"}
        return largest_replay(ALGORITHMS[self.algorithm], self.env, heap, self.arena, **options)

    def __str__(self):
        name = f"{ALGORITHMS[self.algorithm].__name__}, hidden {self.hidden()}"
        if self.algorithm in STREAMING:
            return f"{name}, one transition at a time"
        chunk = self.options["chunk"]
        memory = f", {self.options['units']} units" if "units" in self.options else ""
        sequences = f" sequences of {self.options['length']}" if "length" in self.options else ""
        chunks = f" in chunks of {chunk}" if chunk else ""
        return f"{name}{memory}, batch {self.options['batch_size']}{sequences}{chunks}, {self.experience()}"

    def experience(self):
        """Where it learns from."""
        replay = self.options.get("replay_capacity")
        return f"replay {replay}" if replay else f"rollouts of {self.options['rollout_steps']}"

    def hidden(self):
        return " ".join(map(str, self.options["hidden"]))


def setup(
    board,
    algorithm=None,
    hidden=None,
    batch=None,
    replay=None,
    rollout=None,
    chunk=None,
    steps=None,
    obs=None,
    actions=None,
    units=None,
    length=None,
):
    """The Setup of these choices; what is None comes from the board's own training section. board may be None.

    Problem names a choice that the algorithm has no use for.
    """
    given = DEFAULTS | (board.get("training", {}) if board else {})
    algorithm = algorithm or given["algorithm"]
    useless = {"units": units, "length": length} if algorithm != "recurrent_sac" else {}
    if algorithm != "ppo":
        useless["rollout"] = rollout
    if algorithm == "ppo" or algorithm in STREAMING:
        useless["replay"] = replay
    if algorithm in STREAMING:
        useless["batch"] = batch
    for name, value in useless.items():
        if value is not None:
            raise Problem(f"{ALGORITHMS[algorithm].__name__} has no use for --{name}, which is {value}")
    rollout = rollout or ROLLOUT
    if algorithm in DISCRETE:
        env = Sizes(obs or 4, actions or 2, discrete=True)
    elif obs is None and actions is None:
        env = PendulumWithoutVelocity() if algorithm == "recurrent_sac" else Pendulum()
    else:
        env = Sizes(obs or 3, actions or 1)
    options = {"hidden": tuple(hidden or given["hidden"]), "chunk": chunk or given.get("chunk")}
    if algorithm == "ppo":
        # A batch of the same size, or as near as divides the rollout.
        options["rollout_steps"] = rollout
        options["batch_size"] = batch or 2 ** round(math.log2(min(given["batch_size"], rollout)))
    elif algorithm not in STREAMING:
        options["batch_size"] = batch or given["batch_size"]
    if algorithm == "recurrent_sac":
        # The algorithm's own default rather than the size of networks without a memory.
        if not hidden:
            options["hidden"] = (min(options["hidden"][0], UNITS),)
        options["units"] = units or options["hidden"][0]
        options["length"] = length or LENGTH
        options["batch_size"] = batch or min(given["batch_size"], SEQUENCES)
        if not chunk and options["chunk"]:  # a board's own is about single transitions
            options["chunk"] = max(1, options["chunk"] // (options["length"] + 1))
    if algorithm != "ppo" and algorithm not in STREAMING:
        options["replay_capacity"] = replay or given["replay_capacity"]
    arena = board.get("firmware.arena", 0) if board else 0
    return Setup(algorithm, env, steps or given["steps"], options, arena)


def memory_table(plan, everything=False):
    """Bytes part by part, those that matter little together."""
    table = Table(title="memory", title_justify="left", show_header=False)
    table.add_column(justify="right")
    table.add_column()
    small = [] if everything else [nbytes for _, nbytes in plan.parts if nbytes < SMALL * plan.buffers]
    for name, nbytes in plan.parts[: len(plan.parts) - len(small)]:
        table.add_row(f"{nbytes:,}", name)
    if small:
        table.add_row(f"{sum(small):,}", f"{len(small)} smaller buffers")
    table.add_section()
    table.add_row(f"{plan.buffers:,}", "bytes of buffers")
    table.add_row(f"{plan.objects:,}", "Python objects around them, about")
    table.add_row(f"{plan.total:,}", f"together; the largest block is {plan.largest:,}")
    if plan.arena:
        table.add_row(f"{plan.arena:,}", "of it in the firmware's arena, the rest in the heap")
    return table


def verdict(plan, setup, board):
    """Lines on whether it fits, the largest replay that would, and the times."""
    heap = board.data["heap"]
    rows = setup.largest_replay(heap)
    if plan.heap <= heap:
        lines = [f"fits: {plan.heap:,} of {heap:,} bytes of heap, {heap - plan.heap:,} are left for your program"]
    else:
        lines = [f"does not fit: needs {plan.heap:,} bytes, the heap has {heap:,}"]
    if rows is not None:
        lines.append(f"the largest replay that fits: {rows:,} rows" if rows else "not even a replay of one batch fits")
    best = plan.chunk()
    if best < plan.batch_size:
        lines.append(f"chunk {best} keeps every piece of work() below 120,000 instructions, as counted on a Cortex-M7")
    times = estimate(plan, board.data["mcu"], board.get("clock_mhz"))
    if times is None:
        return [*lines, "no estimate of time: neither its speed nor its clock is known"]
    training = times.training(setup.steps, WARMUP)
    return [
        *lines,
        f"estimates at {board.get('clock_mhz')} MHz with C kernels, which can be wrong by a factor of two:",
        f"  {duration(times.act)} an act, {duration(times.update)} an update, {duration(times.gc)} a garbage collection",
        f"  {duration(training)} to train {setup.steps:,} steps",
    ]


def all_boards(**choices):
    """A row a board: the part of its heap, the largest replay that would fit, and the times; default: its own training."""
    table = Table(
        title="estimates, C kernels; in red: does not fit",
        title_justify="left",
        box=None,
        padding=(0, 1, 0, 0),
    )
    table.add_column("board", no_wrap=True)
    for name in ("hidden", "batch", "rows", "heap", "largest", "act", "update", "training"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in boards.names():
        board = boards.load(name)
        chosen = setup(board, **choices)
        plan = chosen.plan()
        heap = board.data["heap"]
        times = estimate(plan, board.data["mcu"], board.get("clock_mhz"))
        told = (times.act, times.update, times.training(chosen.steps, WARMUP)) if times else ()
        rows = chosen.options.get("replay_capacity", chosen.options.get("rollout_steps", 1))
        numbers = (chosen.hidden(), str(chosen.options.get("batch_size", 1)), str(rows))
        largest = chosen.largest_replay(heap)
        fit = (f"{plan.heap / heap:.0%}", "" if largest is None else str(largest))
        table.add_row(name, *numbers, *fit, *map(duration, told), style=None if plan.heap <= heap else "red")
    return table


def duration(seconds):
    """In the unit that suits it, to two digits or so."""
    for unit, size, least in (("h", 3600, 7200), ("min", 60, 120), ("s", 1, 1), ("ms", 1e-3, 1e-3), ("µs", 1e-6, 0)):
        if seconds >= least:
            value = seconds / size
            return f"{value:.0f} {unit}" if value >= 10 else f"{value:.1f} {unit}"
