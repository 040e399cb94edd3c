"""One observation through a network on a bare Cortex-M7: instructions of picorl and of CMSIS-DSP, compiled with the same flags."""

import collections
import struct
from pathlib import Path

import picorl
from picorl.envs import Pendulum

from .. import boards, runner
from . import cmsis, counting, reference
from .report import table, times

BUILD = runner.REPOSITORY / "build/bench/m7"
KERNELS = runner.REPOSITORY / "native_modules"

CPU = ("-mthumb", "-mcpu=cortex-m7", "-mfpu=fpv5-sp-d16", "-mfloat-abi=hard")
COMMON = ("-std=gnu99", "-fno-math-errno", "-fno-strict-aliasing", "-ffunction-sections")
FLAGS = (("-O3",), ("-O2",), ("-O3", "-funroll-loops"))  # the first is judged
SEEDS = 8
TOLERANCE = 1e-5  # of the largest output
BARS = {"13-64-64-4": 11_500, "3-64-64-1": 9_800, "16-32-32-4": 4_000}


def trained_header(path):
    """Write what a policy that learned Pendulum consists of, and observations from its episodes, as C."""
    env = Pendulum(seed=0)
    agent = picorl.TD3(env, seed=0)
    for _ in picorl.train(agent, env, 10_000, evaluate_every=10_000, evaluate_episodes=0):
        pass
    seen, action = [], picorl.memory.zeros("f", 1)
    for _ in range(4):
        env.reset()
        for step in range(160):
            agent.predict(env.obs, action)
            env.step(action)
            if step % 20 == 0:
                seen += env.obs

    def array(name, values):
        return f"static const float {name}[] = {{{', '.join(float(one).hex() + 'f' for one in values)}}};\n"

    path.write_text(array("trained_params", agent.actor) + array("trained_obs", seen))


def compiled(flags, tree):
    """The bare program, everything in it compiled with these flags."""
    elf = BUILD / f"forward{''.join(flags)}.elf"
    include = (BUILD, KERNELS, KERNELS / "core", *(tree / one for one in cmsis.INCLUDES))
    words = ["arm-none-eabi-gcc", *CPU, *flags, *COMMON, *cmsis.DEFINES, f"-DSEEDS={SEEDS}"]
    words += [f"-I{one}" for one in include]
    words += ["-nostartfiles", "-Wl,--defsym=picorl_psram=0x60000000", f"-Wl,-T,{boards.FOLDER / 'qemu/mps2.ld'}"]
    words += [Path(__file__).with_name("forward_m7.c"), KERNELS / "core/single.c", tree / cmsis.PRODUCT, "-o", elf]
    done = counting.tool(words, "gcc-arm-none-eabi")
    if done.returncode:
        raise runner.Problem(f"arm-none-eabi-gcc failed:\n{done.stderr}")
    return elf


def read_forward(text):
    """[{net, weights, ours, cmsis, difference, zeros}] of what the bare program printed, means of equal lines."""

    def number(bits):
        return struct.unpack("f", struct.pack("I", int(bits)))[0]

    found = collections.defaultdict(list)
    for line in text.splitlines():
        net, weights, ours, theirs, difference, largest, zeros, hidden = line.split()
        counts = int(ours), int(theirs), number(difference) / number(largest), int(zeros) / int(hidden)
        found[net, weights].append(counts)
    rows = []
    for (net, weights), counts in found.items():
        ours, theirs, difference, zeros = zip(*counts, strict=True)
        mean = [round(sum(one) / len(one)) for one in (ours, theirs)]
        rows.append(
            {"net": net, "weights": weights, "ours": mean[0], "cmsis": mean[1]}
            | {"difference": max(difference), "zeros": sum(zeros) / len(zeros)}
        )
    return rows


def forward(report, console, board):
    BUILD.mkdir(parents=True, exist_ok=True)
    if not (BUILD / "trained.h").exists():
        trained_header(BUILD / "trained.h")
    tree = cmsis.sources(runner.REPOSITORY / "build/bench/cmsis")
    report.data["forward"] = {}
    for flags in FLAGS:
        rows = read_forward(counting.run_bare(compiled(flags, tree)))
        report.data["forward"][" ".join(flags)] = rows
    shown = table(
        f"Forward pass of one observation, instructions; {' '.join(FLAGS[0])} for all",
        "network", "weights", "zero behind ReLU", "picorl", "CMSIS-DSP", "", "RLtools", "",
    )  # fmt: skip
    for row in report.data["forward"][" ".join(FLAGS[0])]:
        if row["difference"] > TOLERANCE:
            report.missed.append(f"{row['net']}: outputs differ from CMSIS-DSP's by {row['difference']:.1e}")
        rltools = reference.RLTOOLS_FORWARD[row["net"]]
        bar = BARS[row["net"]] if row["weights"] == "initialised" else None
        ours = report.at_most(f"forward {row['net']}", row["ours"], bar)
        cells = f"{row['cmsis']:,}", times(row["cmsis"], row["ours"]), f"{rltools:,}", times(rltools, row["ours"])
        shown.add_row(row["net"], row["weights"], f"{row['zeros']:.0%}", ours, *cells)
    best = {}
    for rows in report.data["forward"].values():
        for row in rows:
            best[row["net"]] = min(row["cmsis"], best.get(row["net"], row["cmsis"]))
    console.print(shown)
    worst = max(row["difference"] for rows in report.data["forward"].values() for row in rows)
    others = "; ".join(" ".join(flags) for flags in FLAGS[1:])
    console.print(
        f"[dim]initialised: mean of {SEEDS} networks x 32 observations; no-zeros: biases that keep every unit awake, nothing to"
        f" leave out; trained: a policy for Pendulum.\nOutputs differ by {worst:.0e} of the largest at most."
        f" Best of CMSIS-DSP with {others} too: {', '.join(f'{net} {count:,}' for net, count in best.items())}."
        f"\n{reference.SOURCE}.[/]"
    )
