"""Run a program on a board and hand on what it prints, as it comes."""

import codecs
import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import serial_port
from .receiving import Receiver
from .runner import Problem, Run
from .serial_port import Device, DeviceError
from .telemetry import damaged, parse


class Lines:
    """Cuts what arrives into lines: records go to on_record(record, line), all else to on_text at once, even half a line.

    A line that begins like a record waits until it is complete. `damaged` counts those whose checksum was wrong, which are text.
    """

    def __init__(self, on_record, on_text):
        self._on_record = on_record
        self._on_text = on_text
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._waiting = ""
        self._in_line = False  # a part of this line has been handed on
        self.damaged = 0

    def feed(self, received, final=False):
        text = self._waiting + self._decoder.decode(received, final)
        *lines, self._waiting = text.replace("\r\n", "\n").split("\n")
        for line in lines:
            record = None if self._in_line else parse(line)
            self._in_line = False
            if record is None:
                self.damaged += damaged(line)
                self._on_text(line + "\n")
            else:
                self._on_record(record, line)
        # A \r may be half of a line's end.
        if self._waiting and (final or self._in_line or self._waiting[0] != "{") and not self._waiting.endswith("\r"):
            self._on_text(self._waiting)
            self._waiting = ""
            self._in_line = True


def run(
    port: str,
    program: Path,
    arguments: tuple[str, ...] = (),
    on_record: Callable[[dict, str], None] = lambda record, line: None,
    on_text: Callable[[str], None] = lambda text: print(text, end="", flush=True),
    receiver: Receiver | None = None,
):
    """Run program on the board at port, after a soft reset, with arguments as its sys.argv[1:]. Returns how many records arrived damaged.

    Checkpoints that it sends go to receiver; without one they are records like others.
    Raises Problem when the connection is lost, and DeviceError, after all output has been handed on, when the program ends with an
    exception. Ctrl-C stops it there, then goes on as KeyboardInterrupt here.
    """
    if not program.is_file():
        raise Problem(f"there is no file {program}")
    source = program.read_bytes()
    lines = Lines(_sorted_out(on_record, receiver), on_text)
    with _closing(receiver), Device(port, reset=True) as device:
        if arguments:
            try:
                device.ask(f"import sys\nsys.argv[:] = {[program.name, *arguments]!r}")
            except DeviceError:
                raise Problem(f"the board at {port} has no sys.argv: it takes no arguments") from None
        try:
            device.exec(source, on_output=lines.feed)
        finally:
            lines.feed(b"", final=True)
    return lines.damaged


def listen(
    port: str,
    on_record: Callable[[dict, str], None] = lambda record, line: None,
    on_text: Callable[[str], None] = lambda text: print(text, end="", flush=True),
    receiver: Receiver | None = None,
    restart: bool = False,
):
    """Hand on what the program that the board at port runs by itself (main.py, code.py) prints, until Ctrl-C; it goes on running then.

    restart begins with a soft reset, so that nothing is missed. Raises PortError when the connection is lost.
    """
    lines = Lines(_sorted_out(on_record, receiver), on_text)
    with _closing(receiver):
        try:
            serial_port.listen(port, lines.feed, restart)
        finally:
            lines.feed(b"", final=True)


def _sorted_out(on_record, receiver):
    """on_record for all records but those of a checkpoint that receiver takes."""

    def consider(record, line):
        if receiver is None or not receiver.take(record):
            on_record(record, line)

    return consider


@contextlib.contextmanager
def _closing(receiver):
    """Nothing more arrives behind this, however it ends."""
    try:
        yield
    finally:
        if receiver:
            receiver.close()


@dataclass(frozen=True)
class OnBoard:
    """A board as a runtime, beside runner.Runtime."""

    name: str
    port: str

    def run(self, program, config, on_record, on_line):
        """As runner.run. The file that config["save"] names is written there, then fetched to where it names here, unless the board sends it."""
        here = config.get("save")
        there = here and Path(here).name
        receiver = Receiver(Path(here).parent, on_line) if here else None
        records, half = [], []

        def on_text(text):
            *lines, rest = ("".join(half) + text).split("\n")
            half[:] = [rest]
            for line in lines:
                on_line(line)

        def keep(record, line):
            records.append(record)
            on_record(record)

        start = time.monotonic()
        try:
            lost = run(self.port, program, (json.dumps(config | {"save": there}),), keep, on_text, receiver)
        except DeviceError as error:
            for line in error.traceback.splitlines():
                on_line(line)
            raise Problem(f"{program.name} stopped on {self.name}, see above") from None
        finally:
            if any(half):
                on_line("".join(half))
        wall = time.monotonic() - start
        if lost:
            on_line(f"{lost} records arrived damaged")
        if here and there in receiver.lost:
            raise Problem(f"{there} did not arrive from {self.name}, see above")
        if here and Path(here) not in receiver.received:
            with Device(self.port, reset=True) as device:  # the agent is still in the heap
                Path(here).write_bytes(device.get(there))
        return Run(self, records, wall, None)
