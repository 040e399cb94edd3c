"""Where the device tests run: interpreters on this machine, later boards behind a serial port. One class a kind."""

import os
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class TargetError(Exception):
    """A script failed on a target; the text holds its output and its traceback."""


class UnixTarget:
    """The unix port of MicroPython with _picorl and picorl inside: build/unix/micropython."""

    name = "unix"
    program = ROOT / "build/unix/micropython"
    path = ".frozen"
    native = True  # the C kernels are there
    remedy = "make micropython"

    def __init__(self):
        if not self.program.exists():
            raise TargetError(f"{self.name}: no {self.program.relative_to(ROOT)}: {self.remedy}")
        self._folder = tempfile.TemporaryDirectory()
        self.folder = Path(self._folder.name)

    def run(self, source, files=(), heap="32M", timeout=300):
        """Run MicroPython source with files, (name, bytes) each, beside it; its standard output. TargetError when it fails."""
        for name, content in files:
            (self.folder / name).write_bytes(content)
        script = self.folder / "script.py"
        script.write_text(source)
        done = subprocess.run(
            [self.program, "-X", f"heapsize={heap}", script.name],
            cwd=self.folder,
            env={**os.environ, "MICROPYPATH": self.path},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        if done.returncode:
            raise TargetError(f"{self.name}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def fetch(self, name):
        """The bytes of a file that a script left on the target."""
        return (self.folder / name).read_bytes()


class StockTarget(UnixTarget):
    """A MicroPython from PyPI with nothing of ours compiled in: picorl from device/, plain Python kernels."""

    name = "stock"
    program = ROOT / "build/stock/micropython"
    path = str(ROOT / "device")
    native = False
    remedy = "make setup"


class StockNativeTarget(StockTarget):
    """The same with our native module beside it."""

    name = "stock-natmod"
    path = f"{ROOT / 'device'}:{ROOT / 'build/natmod/x64_6.3'}"
    native = True

    def __init__(self):
        super().__init__()
        if not (ROOT / "build/natmod/x64_6.3/_picorl.mpy").exists():
            raise TargetError(f"{self.name}: no build/natmod/x64_6.3/_picorl.mpy: make natmod")


KINDS = {kind.name: kind for kind in (UnixTarget, StockTarget, StockNativeTarget)}
