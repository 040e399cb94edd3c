"""Start an emulated board and find out behind which port it is.

build/venv/bin/python -m picorl_host.emulator QEMU_CORTEX_M7
"""

import argparse
import collections
import ctypes
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from . import boards


class EmulatorError(Exception):
    """The emulator did not start; the message says why and what to do."""


def _end_with_parent():
    """In the child: ask Linux to end it when we die, in whatever way."""
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Emulator:
    """A running emulator of `board` (boards.Board): `port` is what mpremote connects to. Ends with the `with` block.

    firmware: another file than the board's own; stock=True: the board's firmware without picorl. heap: bytes, None for all
    there is (QEMU only). flash: a file that keeps the file system from one run to the next (RPI_PICO only).
    """

    def __init__(self, board, stock=False, firmware=None, heap=None, flash=None, timeout=60):
        how = board.get("emulate")
        if how is None:
            raise EmulatorError(f"{board.name} cannot be emulated, connect a real one")
        firmware = Path(firmware or board.firmware("stock" if stock else None))
        if not firmware.exists():
            wanted = f"make firmware BOARD={board.name}" + (" STOCK=1" if stock else "")
            raise EmulatorError(f"no {firmware}: {wanted}")
        words = list(how["command"])
        for key, value in (("heap", heap), ("flash", flash)):
            if value is not None:
                if key not in how:
                    raise EmulatorError(f"{board.name} takes no {key}")
                words += how[key]
        if flash is not None and Path(flash).exists():
            words += how["flash_again"]
        values = {"firmware": firmware, "heap": heap, "flash": flash}
        words = [word.format_map(values) for word in words]
        beside_python = Path(sys.executable).parent / words[0]
        words[0] = str(beside_python) if beside_python.exists() else words[0]
        if not shutil.which(words[0]):
            packages = " ".join(how.get("packages", []))
            raise EmulatorError(
                f"there is no {words[0]} here: " + (f"apt-get install {packages}" if packages else "make setup")
            )
        self.board = board
        self.process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            preexec_fn=_end_with_parent if sys.platform == "linux" else None,
        )
        deadline = time.monotonic() + timeout
        try:
            self.port = self._find_port(re.compile(how["port"].encode()), deadline)
            if "ready" in how:
                self._wait_for(re.compile(how["ready"].encode()), deadline)
        except BaseException:
            self.stop()
            raise

    def _find_port(self, pattern, deadline):
        said = b""
        while time.monotonic() < deadline:
            if not select.select([self.process.stdout], [], [], 1)[0]:
                continue
            more = self.process.stdout.read(4096)
            said += more
            match = pattern.search(said)
            if match:
                return match.expand(b"socket://\\1" if b":" in match[1] else b"\\1").decode()
            if not more:
                break
        raise EmulatorError(
            f"{self.board.name}: the emulator did not say its port but:\n{said.decode(errors='replace')}"
        )

    def _wait_for(self, pattern, deadline):
        """Read the port until the board has said that it is ready."""
        said = b""
        port = os.open(self.port, os.O_RDWR | os.O_NOCTTY)
        try:
            while not pattern.search(said):
                if time.monotonic() > deadline:
                    raise EmulatorError(
                        f"{self.board.name}: no prompt after booting but:\n{said.decode(errors='replace')}"
                    )
                if select.select([port], [], [], 1)[0]:
                    said += os.read(port, 4096)
        finally:
            os.close(port)

    def running(self):
        return self.process.poll() is None

    def stop(self):
        """End the emulator; what it had in memory is lost, as if the board had been unplugged."""
        if self.running():
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def size(text):
    """Bytes of "512K", "2M" or "524288"."""
    factor = {"K": 1024, "M": 1024 * 1024}.get(text[-1:].upper(), 1)
    return int(text if factor == 1 else text[:-1]) * factor


def main():
    parser = argparse.ArgumentParser(description="Start an emulated board until Ctrl-C.")
    parser.add_argument("board")
    parser.add_argument("--stock", action="store_true", help="the firmware without picorl")
    parser.add_argument("--firmware", type=Path, help="another firmware file")
    parser.add_argument("--heap", type=size, help="bytes of heap, such as 512K")
    parser.add_argument("--flash", type=Path, help="keep the file system in this file")
    arguments = vars(parser.parse_args())
    # Both end the emulator properly; a shell starts background jobs with SIGINT ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        board = boards.load(arguments.pop("board"))
        with Emulator(board, **arguments) as emulator:
            print(f"{board.name} is at {emulator.port}")
            print(f"    mpremote connect {emulator.port} resume\nCtrl-C ends it.", flush=True)
            # Read on, or an emulator that talks would stop when the pipe is full.
            collections.deque(iter(lambda: emulator.process.stdout.read(4096), b""), maxlen=0)
    except (EmulatorError, boards.UnknownBoard) as problem:
        sys.exit(f"picorl: {problem}")
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
