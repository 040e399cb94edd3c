"""QEMU as a counter of instructions: with `-icount shift=0` one takes a nanosecond of the emulated clock, on any machine, every time.

What an emulated Cortex-M counts are instructions, not cycles. Its timer, at 25 MHz, ticks every 40 of them.
"""

import bisect
import os
import re
import subprocess
import tempfile
import threading
from pathlib import Path

from elftools.elf.elffile import ELFFile

from .. import runner

ICOUNT = ("-icount", "shift=0")
PER_TICK = 40
BARE = (
    "qemu-system-arm",
    "-machine",
    "mps2-an500",
    "-nographic",
    "-monitor",
    "none",
    "-serial",
    "null",
    "-semihosting",
)

# "Trace 0: 0x7f2c40 [00800400/0000c7a8/00000110/ff000000] mp_hal_ticks_cpu"
TRACED = re.compile(r"^Trace \d+: \S+ \[[0-9a-f]+/([0-9a-f]+)/")


def tool(words, package, stderr=subprocess.PIPE, **more):
    """Run a command that a Debian package brings, its output captured; Problem without it."""
    try:
        return subprocess.run(words, stdout=subprocess.PIPE, stderr=stderr, text=True, **more)
    except FileNotFoundError:
        raise runner.Problem(f"there is no {words[0]} here: apt-get install {package}") from None


def run_bare(elf, timeout=300):
    """What a program without an operating system prints by semihosting before it ends."""
    # QEMU's semihosting writes to standard error.
    done = tool([*BARE, *ICOUNT, "-kernel", elf], "qemu-system-arm", stderr=subprocess.STDOUT, timeout=timeout)
    if done.returncode or "fault" in done.stdout:
        raise runner.Problem(f"{elf.name} failed in QEMU:\n{done.stdout}")
    if not done.stdout:
        raise runner.Problem(f"{elf.name} said nothing in QEMU")
    return done.stdout


def one_at_a_time():
    """QEMU's option that makes a block of translated code of each instruction."""
    said = tool(["qemu-system-arm", "--version"], "qemu-system-arm").stdout
    major = int(re.search(r"version (\d+)", said)[1])
    return ("-singlestep",) if major < 8 else ("-accel", "tcg,one-insn-per-tb=on")


class Trace:
    """The instructions at some addresses, as QEMU executes them: options for it, and a callback for each.

    `with Trace(addresses, on_pc) as trace: ... trace.options ...`; addresses are (first, bytes) ranges.
    """

    def __init__(self, ranges, on_pc):
        self._folder = tempfile.TemporaryDirectory()
        self._pipe = Path(self._folder.name) / "log"
        os.mkfifo(self._pipe)
        ranges = ",".join(f"{first:#x}+{size:#x}" for first, size in ranges)
        self.options = (*ICOUNT, *one_at_a_time(), "-d", "exec,nochain", "-dfilter", ranges, "-D", str(self._pipe))
        self._on_pc = on_pc
        self._opened = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)

    def _read(self):
        with self._pipe.open() as log:
            self._opened.set()
            for line in log:
                found = TRACED.match(line)
                if found:
                    self._on_pc(int(found[1], 16))

    def __enter__(self):
        self._reader.start()
        return self

    def __exit__(self, *_):
        # Were the emulator never started, nobody would have opened the pipe to write, and the reader would wait for that.
        writer = os.open(self._pipe, os.O_RDWR | os.O_NONBLOCK)
        self._opened.wait()
        os.close(writer)
        self._reader.join(60)
        self._folder.cleanup()


class Symbols:
    """The functions of an ELF file."""

    def __init__(self, elf):
        with elf.open("rb") as file:
            found = ELFFile(file).get_section_by_name(".symtab").iter_symbols()
            self.functions = sorted(
                (one["st_value"] & ~1, one["st_size"], one.name)
                for one in found
                if one["st_info"]["type"] == "STT_FUNC"
            )

    def function(self, pc):
        """The name of the function at an address, or None."""
        at = bisect.bisect(self.functions, (pc + 1,)) - 1
        if at < 0:
            return None
        first, size, name = self.functions[at]
        return name if pc < first + size else None

    def address(self, name):
        for first, _, function in self.functions:
            if function == name:
                return first
        raise runner.Problem(f"the firmware has no function {name}")
