"""Training in MicroPython on the emulated Cortex-M7: instructions of a step, of the pieces of an update and of its functions; heap."""

import collections
from pathlib import Path

import picorl
from picorl.envs import Pendulum

from .. import estimate
from . import counting, emulated, loops, reference
from .report import table, thousands, times

PROGRAM = Path(__file__).with_name("device_m7.py")
STEP_BARS = {(64, 100, 10_000): {"SAC": 15_000_000, "TD3": 11_000_000}, (32, 32, 1_000): {"SAC": 1_400_000}}
HEAP_BARS = {(64, 100, 10_000): 500_000, (32, 32, 1_000): 100_000}
SETTING = (64, 100, 10_000)  # hidden, batch, replay of pieces and profile
PIECE_BAR = 120_000
CHUNKED_BAR = 0.10
DIVISION = 14  # what a division or a square root counts
STEPS = 10
MOST_PIECES = 600  # of one update
CHUNKS = (8, 12)  # and the one that plan() recommends
SMALL_CHUNK = 8  # of the steps whose memory is counted
RECURRENT = (
    (8, 8, 12, 8),
    (8, 4, 12, 1),
    (16, 16, 12, 16),
    (16, 16, 12, 4),
    (16, 8, 24, 8),
    (32, 32, 12, 32),
    (64, 16, 12, 8),
)


def options(setting, chunk):
    hidden, batch, replay = setting
    chunk = None if chunk is None else min(chunk, batch)
    # Without the copy of the best policy: RLtools keeps none.
    return dict(hidden=(hidden, hidden), batch_size=batch, replay_capacity=replay, chunk=chunk, keep_best=False)


def recommended_chunk(algo):
    return picorl.plan(getattr(picorl, algo), Pendulum(), **options(SETTING, None)).chunk(PIECE_BAR)


def counted_step(board, algo, chosen, awake=False):
    """Instructions of the parts of a training step, and bytes. awake: no hidden unit rests, so that nothing can be left out."""
    config = {"algo": algo, "options": chosen, "steps": STEPS, "pieces": 0, "awake": awake}
    found = emulated.run(board, PROGRAM, config, counting.ICOUNT)
    looking = found["spent"].pop()
    parts = [(ticks - looking) * counting.PER_TICK / STEPS for ticks in found["spent"]]
    names = ("act", "environment", "observe", "update")
    result = {name: round(count) for name, count in zip(names, parts, strict=True)}
    plan = picorl.plan(getattr(picorl, algo), Pendulum(), **chosen)
    return result | {"step": round(sum(parts)), "resting": found["resting"], "heap": found["heap"], "plan": plan.total}


def steps(report, console, board):
    work = table(
        f"One training step on Pendulum in MicroPython, thousands of instructions (mean of {STEPS})",
        "hidden, batch, replay", "", "act", "environment", "observe", "update", "step", "RLtools", "", f"in chunks of {SMALL_CHUNK}", "step without zeros", "",
    )  # fmt: skip
    memory = table(
        f"Heap of an agent, bytes, in chunks of {SMALL_CHUNK}, no copy of the best policy",
        "hidden, batch, replay", "", "measured", "picorl.plan()", "RLtools, static", "",
    )  # fmt: skip
    report.data["steps"] = []
    for setting, rltools in reference.RLTOOLS_STEP.items():
        for algo in ("SAC", "TD3"):
            whole, chunked = (counted_step(board, algo, options(setting, chunk)) for chunk in (None, SMALL_CHUNK))
            awake = counted_step(board, algo, options(setting, None), awake=True)
            label = ", ".join(map(str, setting))
            bar = STEP_BARS.get(setting, {}).get(algo)
            step = report.at_most(f"{algo} step {label}", whole["step"], bar, thousands)
            small = report.at_most(f"{algo} step {label}, chunks", chunked["step"], bar, thousands)
            parts = (thousands(whole[part]) for part in ("act", "environment", "observe", "update"))
            theirs = rltools[algo]
            work.add_row(
                label, algo, *parts, step, thousands(theirs), times(theirs, whole["step"]),
                small, thousands(awake["step"]), times(theirs, awake["step"]),
            )  # fmt: skip
            heap = report.at_most(f"{algo} heap {label}", chunked["heap"], HEAP_BARS.get(setting))
            theirs = rltools["bytes"]
            memory.add_row(label, algo, heap, f"{chunked['plan']:,}", f"{theirs:,}", times(theirs, chunked["heap"]))
            report.data["steps"].append(
                {
                    "algo": algo,
                    "setting": setting,
                    "whole": whole,
                    "awake": awake,
                    "chunked": chunked,
                    "chunk": SMALL_CHUNK,
                }
            )
    console.print(work, memory)
    console.print(
        "[dim]Networks as they are when training begins, half of the hidden units resting. Without zeros: biases that keep every"
        " unit awake, so that the kernels can leave nothing out.[/]"
    )


def recurrent(report, console, board):
    """What `picorl plan` estimates of RecurrentSAC, beside what is counted."""
    shown = table(
        f"One training step of RecurrentSAC, thousands of instructions (mean of {STEPS}), and what picorl plan estimates of it",
        "units and hidden, batch, length, chunk", "act", "estimated", "update", "estimated",
    )  # fmt: skip
    core = estimate.core(board.data["mcu"])
    report.data["recurrent"] = []
    for units, batch, length, chunk in RECURRENT:
        chosen = dict(units=units, hidden=(units,), batch_size=batch, length=length, chunk=chunk)
        chosen |= dict(replay_capacity=1000, keep_best=False)
        found = counted_step(board, "RecurrentSAC", chosen)
        act, _, update, _ = estimate.instructions(picorl.plan(picorl.RecurrentSAC, Pendulum(), **chosen), core)
        label = ", ".join(map(str, (units, batch, length, chunk)))
        shown.add_row(label, *(thousands(count) for count in (found["act"], act, found["update"], update)))
        report.data["recurrent"].append({"options": chosen, "counted": found, "act": act, "update": update})
    console.print(shown)


def between_marks(log, mark, count):
    """How many other addresses a log holds in each of `count` stretches: marks stand around them, and two follow the last."""
    marks = [at for at, pc in enumerate(log) if pc == mark]
    ends = marks[len(marks) - 2 - count - 1 : len(marks) - 2]
    return [after - before - 1 for before, after in zip(ends, ends[1:], strict=False)]


def counted_pieces(board, algo, setting, chunk, divisions, mark):
    """[(instructions, divisions among them), ...] of the second update (TD3's first with the actor), and what else was found."""
    config = {"algo": algo, "options": options(setting, chunk), "steps": 0, "pieces": MOST_PIECES}
    if chunk is None:
        found = emulated.run(board, PROGRAM, config, counting.ICOUNT)
        return [(ticks * counting.PER_TICK, 0) for ticks in found["pieces"]], found
    log = []
    with counting.Trace([(pc, 2) for pc in (*divisions, mark)], log.append) as trace:
        found = emulated.run(board, PROGRAM, config, trace.options, board.data["heap"])
    slow = between_marks(log, mark, len(found["pieces"]))
    return [(ticks * counting.PER_TICK, one) for ticks, one in zip(found["pieces"], slow, strict=True)], found


def pieces(report, console, board):
    functions = loops.disassemble(board.firmware())
    divisions = [one.address for body in functions.values() for one in body if loops.DIVISION.match(one.name)]
    mark = counting.Symbols(board.firmware()).address("mp_hal_ticks_cpu")
    report.data["pieces"] = []
    for algo in ("SAC", "TD3"):
        recommended = recommended_chunk(algo)
        shown = table(
            f"An update of {algo} in pieces of work(), hidden 64, batch 100, replay 10 000; thousands of instructions",
            "chunk", "pieces", "longest", "the update", "more", "act to work()", "gc.collect()", "worst tick",
        )  # fmt: skip
        found, _ = counted_pieces(board, algo, SETTING, None, divisions, mark)
        whole = sum(count for count, _ in found)
        shown.add_row("whole", str(len(found)), "", thousands(whole), "", "", "", "")
        for chunk in sorted({*CHUNKS, recommended}, reverse=True):
            found, other = counted_pieces(board, algo, SETTING, chunk, divisions, mark)
            longest = max(count + (DIVISION - 1) * slow for count, slow in found)
            update = sum(count for count, _ in found)
            control = other["spent"][0] * counting.PER_TICK
            collect = other["gc"] * counting.PER_TICK
            mine = chunk == recommended
            name = f"{algo} in chunks of {chunk}"
            shown.add_row(
                f"{chunk}{', recommended' if mine else ''}", str(len(found)),
                report.at_most(f"{name}, longest piece", longest, PIECE_BAR if mine else None, thousands),
                thousands(update),
                report.at_most(f"{name}, overhead", update / whole - 1, CHUNKED_BAR if mine else None, "{:.1%}".format),
                thousands(control), thousands(collect), thousands(control + longest + collect),
            )  # fmt: skip
            report.data["pieces"].append(
                {"algo": algo, "chunk": chunk, "recommended": mine, "pieces": found, "longest": longest}
                | {"update": update, "whole": whole, "control": control, "gc": collect, "heap_free": other["free"]}
            )
        console.print(shown)
    with_arena(report, console, board)
    console.print(
        f"[dim]longest and worst tick: a division or a square root counts {DIVISION}. act to work(): act, environment and observe"
        f" of the same tick. TD3: an update with actor. gc.collect() with a heap of {board.data['heap']:,} bytes.[/]"
    )


def with_arena(report, console, board):
    """A collection in firmware that keeps an agent's buffers outside the collector's heap, if there is such firmware."""
    firmware = board.firmware("arena")
    if not firmware.exists():
        console.print(f"no {firmware.parent.name} to measure a collection with an arena: make bench-m7 builds it")
        return
    for one in [one for one in report.data["pieces"] if one["recommended"]]:
        chunk = one["chunk"]
        config = {"algo": one["algo"], "options": options(SETTING, chunk), "steps": 0, "pieces": MOST_PIECES}
        found = emulated.run(board, PROGRAM, config, counting.ICOUNT, board.data["heap"], firmware)
        collect = found["gc"] * counting.PER_TICK
        tick = one["control"] + one["longest"] + collect
        one["arena"] = {"gc": collect, "heap": found["heap"]}
        console.print(
            f"{one['algo']}, chunk {chunk}, with the buffers in an arena that is not scanned (make firmware ARENA=640K):"
            f" gc.collect() {thousands(collect)}, worst tick {thousands(tick)}, heap of the agent {found['heap']:,} bytes",
            highlight=False,
        )


def profile(report, console, board):
    """Of the last update: instructions by function of the kernels; the rest is MicroPython's."""
    symbols = counting.Symbols(board.firmware())
    objects = board.firmware().parent / "native_modules/core/single.o"
    ours = {name for _, _, name in counting.Symbols(objects).functions}
    kernels = [one for one in symbols.functions if one[2] in ours]
    mark = symbols.address("mp_hal_ticks_cpu")
    config = {"algo": "SAC", "options": options(SETTING, None), "steps": 0, "pieces": MOST_PIECES}
    stretches = collections.deque([collections.Counter()], maxlen=MOST_PIECES)
    counts = stretches[0]

    def on_pc(pc):
        nonlocal counts
        if pc == mark:
            counts = collections.Counter()
            stretches.append(counts)
        else:
            counts[pc] += 1

    first, last = kernels[0], kernels[-1]
    around = (first[0], last[0] + last[1] - first[0])
    with counting.Trace([around, (mark, 2)], on_pc) as trace:
        ticks = emulated.run(board, PROGRAM, config, trace.options)["pieces"]
    total = sum(ticks) * counting.PER_TICK
    update = list(stretches)[-2 - len(ticks) : -2]  # two marks follow the last piece
    shares = collections.Counter()
    for counted in update:
        for pc, count in counted.items():
            shares[symbols.function(pc)] += count
    shares["MicroPython and the binding"] = total - sum(shares[name] for name in ours)
    report.data["profile"] = {name: count for name, count in shares.most_common()}
    shown = table("One SAC update, hidden 64, batch 100: whose instructions", "function", "thousands", "")
    for name, count in shares.most_common(18):
        shown.add_row(name, thousands(count), f"{count / total:.1%}")
    console.print(shown)
