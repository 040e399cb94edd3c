"""A board on this machine: a stock MicroPython behind a pty, with a file system in an image file or a folder."""

import contextlib
import os
import pty
import select
import signal
import subprocess
import sys
import threading
import tty
from pathlib import Path

PROGRAM = Path(__file__).with_name("board_program.py")
MICROPYTHON = PROGRAM.parents[1] / "build/stock/micropython"
SOFT_RESET, RESTART = 7, 8  # exit codes of board_program.py


class SerialBoard:
    """`port` is for mpremote. image keeps the files; changes are attributes of sys that differ, see board_program.py.

    unplug_after: bytes from the computer after which the port is gone. firmware: another MicroPython.
    """

    def __init__(self, image, blocks=512, changes=None, unplug_after=None, firmware=MICROPYTHON):
        self.arguments = [str(image), str(blocks), repr(changes or {})]
        self.firmware = firmware
        self.unplug_after = unplug_after
        self.master, slave = pty.openpty()
        tty.setraw(slave)
        self.port = os.ttyname(slave)
        # While we hold the other end the pty outlives each program that opens and closes it.
        self.slave = slave
        self.ending, self.end = os.pipe()
        self.received = 0
        self.busy = False  # a program runs: only then is Ctrl-C a signal
        self.restarts = 0  # into its own program
        self._start()
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _start(self, *more):
        self.process = subprocess.Popen(
            [self.firmware, "-X", "heapsize=8m", PROGRAM, *self.arguments, *more],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "MICROPYPATH": ".frozen"},
            bufsize=0,
        )

    def _serve(self):
        while True:
            out = self.process.stdout.fileno()
            ready = select.select([self.master, out, self.ending], [], [])[0]
            if self.ending in ready:
                break
            if out in ready:
                said = os.read(out, 4096)
                if said:
                    os.write(self.master, said)
                    self.busy = self.busy and not said.endswith(b">")
                elif (code := self.process.wait()) in (SOFT_RESET, RESTART):
                    self._close_pipes()
                    self.busy = False
                    self.restarts += code == RESTART
                    self._start(*["reset"] * (code == SOFT_RESET))
                else:
                    break
            if self.master in ready:
                typed = os.read(self.master, 4096)
                self.received += len(typed)
                if self.unplug_after is not None and self.received > self.unplug_after:
                    break
                if b"\x03" in typed and self.busy:
                    self.process.send_signal(signal.SIGINT)
                self.busy = self.busy or b"\x04" in typed
                with contextlib.suppress(BrokenPipeError):
                    self.process.stdin.write(typed)
        self.process.kill()
        self.process.wait()
        self._close_pipes()
        os.close(self.slave)
        os.close(self.master)

    def _close_pipes(self):
        self.process.stdin.close()
        self.process.stdout.close()

    def unplug(self):
        with contextlib.suppress(BrokenPipeError):
            os.write(self.end, b"x")
        self.thread.join()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.unplug()
        os.close(self.end)
        os.close(self.ending)


def started(*arguments):
    """The process of the command picorl with these arguments, for what must run beside a test."""
    command = [Path(sys.executable).with_name("picorl"), *map(str, arguments)]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell's background jobs ignore Ctrl-C, and so would what these tests start.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
