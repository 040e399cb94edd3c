"""Machine code of a Cortex-M, read from objdump: innermost loops, what they cost for a multiply-add, divisions.

A load or store of k registers (`vldm`, `ldrd`, `push`) counts k: it takes the core as long as k of them.
"""

import re
import shutil
import subprocess
from dataclasses import dataclass

from .. import runner
from .counting import tool

FUNCTION = re.compile(r"^[0-9a-f]+ <(.+)>:$")
INSTRUCTION = re.compile(r"^\s*([0-9a-f]+):\t[0-9a-f ]+\t(\S+)\s*(.*)$")
MULTIPLY_ADD = re.compile(r"v(n?fm[as]|n?ml[as])\.f32$")
DIVISION = re.compile(r"(vdiv|vsqrt|[su]div)\b")
SEVERAL = re.compile(r"(v?ldm|v?stm|v?push|v?pop)")
BRANCH = re.compile(r"(b(eq|ne|cs|cc|hs|lo|mi|pl|vs|vc|hi|ls|ge|lt|gt|le)?(\.[nw])?|cbn?z)$")


@dataclass(frozen=True)
class Instruction:
    address: int
    name: str
    operands: str

    @property
    def count(self):
        """How many instructions it stands for."""
        if SEVERAL.match(self.name):
            return _registers(self.operands)
        double = (
            self.name.startswith(("ldrd", "strd")) or re.match(r"v(ldr|str)\s*$", self.name) and self.operands[0] == "d"
        )
        return 2 if double else 1

    @property
    def target(self):
        """Where a branch within the function goes, or None."""
        if not BRANCH.match(self.name):
            return None
        found = re.search(r"\b([0-9a-f]+) <", self.operands)
        return int(found[1], 16) if found else None


def _registers(operands):
    """How many words the registers of "{s0-s3, d5}" hold."""
    words = 0
    for one in re.search(r"\{(.*)\}", operands)[1].split(","):
        first, _, last = one.strip().partition("-")
        span = int(last[1:]) - int(first[1:]) + 1 if last else 1
        words += span * (2 if first.startswith("d") else 1)
    return words


@dataclass(frozen=True)
class Loop:
    """An innermost loop with multiply-adds."""

    function: str
    body: tuple[Instruction, ...]

    @property
    def multiply_adds(self):
        return sum(bool(MULTIPLY_ADD.match(one.name)) for one in self.body)

    @property
    def floats(self):
        """Words that it loads into the FPU."""
        return sum(one.count for one in self.body if re.match(r"v(ldr|ldm|pop)", one.name))

    @property
    def count(self):
        return sum(one.count for one in self.body)

    @property
    def per_multiply_add(self):
        return self.count / self.multiply_adds

    @property
    def blocked(self):
        """Whether what it loads is used more than once: a product of matrices, not of a matrix and a vector."""
        return self.floats < self.multiply_adds


def parse(text):
    """{function: [Instruction, ...]} of what `objdump -d` prints."""
    functions, body = {}, None
    for line in text.splitlines():
        if found := FUNCTION.match(line):
            body = functions.setdefault(found[1], [])
        elif body is not None and (found := INSTRUCTION.match(line)):
            body.append(Instruction(int(found[1], 16), found[2], found[3].split(";")[0].strip()))
    return functions


def disassemble(path):
    done = tool(["arm-none-eabi-objdump", "-d", path], "binutils-arm-none-eabi")
    if done.returncode:
        raise runner.Problem(f"objdump failed:\n{done.stderr}")
    return parse(done.stdout)


def innermost(functions, least=4):
    """The innermost loops with at least `least` multiply-adds."""
    for function, body in functions.items():
        spans = [(one.target, one.address) for one in body if one.target is not None and one.target <= one.address]
        for first, last in sorted(set(spans)):
            if any(first <= start and end < last for start, end in spans):
                continue
            loop = Loop(function, tuple(one for one in body if first <= one.address <= last))
            if loop.multiply_adds >= least:
                yield loop


def cycles(loop, cpu="cortex-m7"):
    """Cycles of a round of the loop by LLVM's model of the core, or None without llvm-mca (Debian package llvm)."""
    if not shutil.which("llvm-mca"):
        return None
    lines = [".syntax unified", ".thumb", "1:"]
    for one in loop.body:
        operands = "1b" if one is loop.body[-1] else one.operands
        lines.append(f"{one.name.removesuffix('.n').removesuffix('.w')} {operands}")
    words = ["llvm-mca", "-mtriple=thumbv7em-none-eabihf", f"-mcpu={cpu}", "-mattr=+fp-armv8d16sp", "-iterations=100"]
    done = subprocess.run(words, input="\n".join(lines) + "\n", capture_output=True, text=True)
    found = re.search(r"Total Cycles:\s+(\d+)", done.stdout)
    return int(found[1]) / 100 if found else None
