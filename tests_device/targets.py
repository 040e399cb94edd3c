"""Where the device tests run: interpreters on this machine, emulated boards, a real board behind a serial port. One class a kind."""

import functools
import os
import subprocess
import tempfile
import time
from pathlib import Path

from picorl_host import boards, emulator, mpy, serial_port

ROOT = Path(__file__).resolve().parent.parent


class TargetError(Exception):
    """A script failed on a target; the text holds its output and its traceback."""


class UnixTarget:
    """The unix port of MicroPython with _picorl and picorl inside: build/unix/micropython."""

    name = "unix"
    program = ROOT / "build/unix/micropython"
    path = ".frozen"
    native = True  # the C kernels are there
    backend = "_picorl"  # the kernels that picorl picks
    arena = boards.load("UNIX").get("firmware.arena")  # bytes of its firmware's arena
    size = "large"  # of the networks it can train while a test waits: large, medium or small
    remedy = "make micropython"

    def __init__(self):
        if not self.program.exists():
            raise TargetError(f"{self.name}: no {self.program.relative_to(ROOT)}: {self.remedy}")
        self._folder = tempfile.TemporaryDirectory()
        self.folder = Path(self._folder.name)

    def close(self):
        self._folder.cleanup()

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

    def run_to_reset(self, source, files=(), timeout=300):
        """Run source, which prints "reset" and resets what it runs on: here its process ends. What it printed before."""
        return self.run(source, files, timeout=timeout).partition("reset\n")[0]

    def fetch(self, name):
        """The bytes of a file that a script left on the target."""
        return (self.folder / name).read_bytes()


class StockTarget(UnixTarget):
    """A MicroPython from PyPI with nothing of ours compiled in: picorl from device/, plain Python kernels."""

    name = "stock"
    program = ROOT / "build/stock/micropython"
    path = str(ROOT / "device")
    native = False
    backend = "python"
    arena = 0
    remedy = "make setup"


class StockNativeTarget(StockTarget):
    """The same with our native module beside it."""

    name = "stock-natmod"
    path = f"{ROOT / 'device'}:{ROOT / 'build/natmod/x64_6.3'}"
    native = True
    backend = "_picorl"

    def __init__(self):
        super().__init__()
        if not (ROOT / "build/natmod/x64_6.3/_picorl.mpy").exists():
            raise TargetError(f"{self.name}: no build/natmod/x64_6.3/_picorl.mpy: make natmod")


class GivenTarget(StockTarget):
    """An interpreter of the user's, named by an environment variable: picorl from device/, the kernels it picks there."""

    backend = "ulab"
    variable = None
    what = None

    def __init__(self):
        given = os.environ.get(self.variable, "")
        self.program = Path(given).expanduser().absolute()
        if not self.program.is_file():
            raise TargetError(f"{self.name}: {self.variable}={given} is no file, must be {self.what}")
        super().__init__()


class UlabTarget(GivenTarget):
    name = "ulab"
    variable = "PICORL_MICROPYTHON_ULAB"
    what = "a MicroPython of this machine with ulab compiled in"


class CircuitPythonTarget(GivenTarget):
    name = "circuitpython"
    variable = "PICORL_CIRCUITPYTHON"
    what = "a CircuitPython of this machine (its unix port)"


class PortTarget:
    """A board behind a serial port that has picorl, in its firmware or deployed. Its heap is what it is."""

    native = True
    backend = "_picorl"
    arena = 0
    size = "small"
    timeout = 600

    def __init__(self, port):
        self.name = port
        self._device = serial_port.Device(port, reset=True)

    def close(self):
        self._device.close()

    def run(self, source, files=(), heap=None, timeout=None):
        """As UnixTarget's, after a soft reset. The files stay for later programs."""
        try:
            self._device.soft_reset()
            for name, content in files:
                self._device.put(name, content)
            return self._device.exec(source, timeout=timeout or self.timeout).replace("\r\n", "\n")
        except (serial_port.DeviceError, serial_port.PortError, TimeoutError) as error:
            raise TargetError(f"{self.name}: {error}") from error

    def fetch(self, name):
        return self._device.get(name)


class EmulatedTarget(PortTarget):
    """An emulated board: started here, started again when it hangs. heap and flash are emulator.Emulator's."""

    stock = False  # firmware without picorl

    def __init__(self, name, board, size, heap=None, flash=None):
        self.name = name
        self.board = boards.load(board)
        self.size = size
        self._memories = {"heap": heap, "flash": flash}
        self._emulator = self._device = None
        self._start()

    def _start(self):
        self._boot()

    def _boot(self):
        try:
            firmware = self.board.firmware("arena") if self.arena else None
            self._emulator = emulator.Emulator(self.board, self.stock, firmware, **self._memories)
            self._device = serial_port.Device(self._emulator.port)
        except (emulator.EmulatorError, serial_port.PortError) as error:
            raise TargetError(f"{self.name}: {error}") from error

    def close(self):
        # The board goes first: it may be busy with a program, and nobody has pressed Ctrl-C.
        if self._emulator:
            self._emulator.stop()
        if self._device:
            self._device.close()

    def cut_power(self):
        """Stop the board wherever it is and boot it again. Its flash keeps what had been written to it, if it has any."""
        self.close()
        self._boot()

    def run_to_reset(self, source, files=(), timeout=None):
        """As UnixTarget's; source resets the CPU. The disk keeps its files, one in memory too."""
        printed = ""

        def on_output(received):
            nonlocal printed
            printed += received.decode().replace("\r\n", "\n")
            if printed.endswith(">>> "):
                raise _Cut

        try:
            self._device.soft_reset()
            for name, content in files:
                self._device.put(name, content)
            self._device.exec(source, on_output, timeout=timeout or self.timeout)
        except _Cut:
            return printed.partition("reset\n")[0]
        except (serial_port.DeviceError, serial_port.PortError, TimeoutError) as error:
            raise TargetError(f"{self.name}: {error}") from error
        raise TargetError(f"{self.name}: no reset, but:\n{printed}")

    def run_until(self, source, condition):
        """Run source and cut the power: what it had printed, and whether it had ended.

        condition(printed) says in how many seconds, or None to go on.
        """
        printed = ""

        def on_output(received):
            nonlocal printed
            printed += received.decode().replace("\r\n", "\n")
            seconds = condition(printed)
            if seconds is not None:
                time.sleep(seconds)
                raise _Cut

        self._device.soft_reset()
        try:
            self._device.exec(source, on_output, timeout=self.timeout)
            ended = True
        except _Cut:
            ended = False
        except (serial_port.DeviceError, serial_port.PortError, TimeoutError) as error:
            raise TargetError(f"{self.name}: {error}") from error
        self.cut_power()
        return printed, ended

    def run(self, source, files=(), heap=None, timeout=None):
        try:
            return super().run(source, files, heap, timeout)
        except TargetError as error:
            if not isinstance(error.__cause__, serial_port.DeviceError):
                self.close()
                self._start()
            raise


class _Cut(Exception):
    """Ends the reading of a board whose power is about to be cut."""


class EmulatedNativeModuleTarget(EmulatedTarget):
    """The same with firmware that knows nothing of picorl: the library as .mpy files and our native module in /lib."""

    stock = True

    def _start(self):
        arch = self.board.data["mpy_arch"]
        module = ROOT / f"build/natmod/{arch}_6.3/_picorl.mpy"
        if not module.exists():
            raise TargetError(f"{self.name}: no {module.relative_to(ROOT)}: make natmod ARCH={arch}")
        self._boot()
        try:
            device = self._device
            compiled = library()
            folders = {"/lib"} | {f"/lib/{Path(name).parent}" for name in compiled}
            device.exec("import os\nfor f in %r:\n try: os.mkdir(f)\n except OSError: pass" % sorted(folders))
            for name, content in compiled.items():
                device.put(f"/lib/{name}", content)
            device.put("/lib/_picorl.mpy", module.read_bytes())
        except (serial_port.DeviceError, serial_port.PortError) as error:
            raise TargetError(f"{self.name}: {error}") from error


class EmulatedArenaTarget(EmulatedTarget):
    """Firmware with an arena: `make firmware BOARD=QEMU_CORTEX_M7 ARENA=640K`."""

    name = "qemu-m7-arena"
    arena = 640 * 1024
    size = "medium"

    def __init__(self):
        super().__init__(self.name, "QEMU_CORTEX_M7", self.size)


@functools.cache
def library():
    """{path: content} of device/picorl, compiled as a user would."""
    cross = ROOT / "build/mpy-cross/mpy-cross"
    if not cross.exists():
        raise TargetError("no build/mpy-cross/mpy-cross: make micropython")
    return mpy.compiled(cross, mpy.modules(ROOT / "device/picorl"))


def emulated(name, board, size="medium", kind=EmulatedTarget):
    return name, functools.partial(kind, name, board, size)


KINDS = {
    kind.name: kind
    for kind in (UnixTarget, StockTarget, StockNativeTarget, UlabTarget, CircuitPythonTarget, EmulatedArenaTarget)
} | dict(
    (
        emulated("qemu-m7", "QEMU_CORTEX_M7"),
        emulated("qemu-m7-repr-c", "QEMU_CORTEX_M7_REPR_C"),
        emulated("qemu-m4f", "QEMU_CORTEX_M4F"),
        emulated("qemu-m0plus", "QEMU_CORTEX_M0PLUS"),
        emulated("qemu-rv32", "QEMU_RV32"),
        emulated("pico", "RPI_PICO", "small"),
        emulated("qemu-m7-natmod", "QEMU_CORTEX_M7", kind=EmulatedNativeModuleTarget),
        emulated("pico-natmod", "RPI_PICO", "small", EmulatedNativeModuleTarget),
    )
)
# Interpreters that only a user can bring.
GIVEN = tuple(kind for kind in KINDS.values() if isinstance(kind, type) and issubclass(kind, GivenTarget))
# What `make test` runs, besides those that were given.
DEFAULT = ("unix", "stock", "stock-natmod", "qemu-m7", "pico")
SIZES = {name: getattr(kind, "size", None) or kind.args[2] for name, kind in KINDS.items()}
EMULATED = {name: kind for name, kind in KINDS.items() if isinstance(kind, functools.partial)}


def wanted(config):
    """The names of the targets to test."""
    return config.getoption("--target") or DEFAULT + tuple(kind.name for kind in GIVEN if os.environ.get(kind.variable))


def can_have(memory):
    """The names of the emulated boards of which this memory, "heap" or "flash", can be chosen."""
    return [name for name, kind in EMULATED.items() if boards.load(kind.args[1]).get(f"emulate.{memory}")]


def open_target(name, **memories):
    """The target of this name; any other name is the port of a board on the desk. memories: heap and flash of an emulated one."""
    return KINDS[name](**memories) if name in KINDS else PortTarget(name)
