"""Run a program under MicroPython or CPython on this machine and read the records it prints."""

import contextlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from .telemetry import parse

REPOSITORY = Path(__file__).resolve().parents[2]
EXAMPLES = REPOSITORY / "device/examples"
LONGEST = 255  # bytes of an argument
MICROPYTHON = REPOSITORY / "build/unix/micropython"


class Problem(Exception):
    """Something the user can put right; the message says how."""


@dataclass(frozen=True)
class Runtime:
    """An interpreter, and what its environment needs so that it imports picorl."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, program, config, on_record, on_line):
        return run(self, program, config, on_record, on_line)


@dataclass(frozen=True)
class Run:
    """What a program printed and what it cost in seconds; cpu is the user time of the whole process, None on a board."""

    runtime: Runtime
    records: list[dict]
    wall: float
    cpu: float | None

    def events(self, event):
        return [record for record in self.records if record["event"] == event]

    def last(self, event):
        found = self.events(event)
        if not found:
            raise Problem(f"{self.runtime.name} ended without a record {event!r}")
        return found[-1]


def cpython():
    return Runtime("CPython", (sys.executable, "-u"))


def micropython(path=None):
    """The unix port that `make micropython` builds, or any other: one without picorl inside imports the library's source."""
    program = shutil.which(path or MICROPYTHON)
    if program is None:
        wanted = path or MICROPYTHON.relative_to(REPOSITORY)
        raise Problem(
            f"there is no MicroPython at {wanted}: type `make micropython` to build one, "
            "or name another with --micropython PATH"
        )
    library = Path(importlib.util.find_spec("picorl").origin).parents[1]
    # Frozen modules first, as on a board; heapsize is that of boards/UNIX.
    return Runtime("MicroPython", (program, "-X", "heapsize=4m"), {"MICROPYPATH": f".frozen:{library}"})


def run(
    runtime: Runtime,
    program: Path,
    config: dict,
    on_record: Callable[[dict], None] = lambda record: None,
    on_line: Callable[[str], None] = print,
    prefix: tuple[str, ...] = (),
) -> Run:
    """Run program with config as its JSON argument, or "@" and the name of a file that holds it. Records go to on_record, all other
    lines (stderr too) to on_line.

    prefix is put before the command (`taskset -c 0`). Raises Problem when the program does not exit with 0.
    """
    if not program.exists():
        raise Problem(f"there is no {program}: `picorl` runs programs of the repository it was installed from")
    with _argument(config) as argument:
        return _run(runtime, program, argument, on_record, on_line, prefix)


@contextlib.contextmanager
def _argument(config):
    """A config as a command line may hold it: MicroPython's takes no more than 255 bytes."""
    text = json.dumps(config)
    if len(text) <= LONGEST:
        yield text
        return
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        file.write(text)
        file.flush()
        yield "@" + file.name


def _run(runtime, program, argument, on_record, on_line, prefix):
    records = []
    start = time.monotonic()
    process = subprocess.Popen(
        [*prefix, *runtime.command, str(program), argument],
        env={**os.environ, **runtime.environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    try:
        for line in process.stdout:
            record = parse(line)
            if record is None:
                on_line(line.rstrip("\n"))
            else:
                records.append(record)
                on_record(record)
    except BaseException:
        process.kill()
        raise
    finally:
        # Instead of process.wait(): this one child's CPU time.
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        process.stdout.close()
    wall = time.monotonic() - start
    if process.returncode < 0:
        raise Problem(f"{runtime.name} was ended by signal {-process.returncode} while it ran {program.name}")
    if process.returncode > 0:
        raise Problem(f"{program.name} stopped under {runtime.name} with exit code {process.returncode}, see above")
    return Run(runtime, records, wall, usage.ru_utime)
