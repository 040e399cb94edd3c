"""What is at the other end of a port, or of a drive: asked before anything is decided."""

import ast
from dataclasses import dataclass

from .. import mpy
from ..runner import Problem

# A firmware's place for frozen modules in sys.path.
FROZEN = ".frozen"

# The oldest CircuitPython that picorl is written for.
OLDEST_CIRCUITPYTHON = 9

NAMES = {"micropython": "MicroPython", "circuitpython": "CircuitPython"}

_WHO = """
import sys
_i = sys.implementation
print((_i.name, _i.version[:3], getattr(_i, "_machine", sys.platform), getattr(_i, "_mpy", None)))
"""

# `copies` are places in sys.path that hold a picorl or a _picorl, in order. A module in C is found whatever the path, so with an
# empty path only that one is.
_WHAT = """
import gc, os, sys
gc.collect()
_heap = gc.mem_free()
def _import(name, path):
    before = sys.path[:]
    sys.path[:] = path
    try:
        module = __import__(name)
        return True, getattr(module, "ABI", None), getattr(module, "__version__", None)
    except Exception as error:
        missing = str(error) in ("no module named '" + name + "'", "module not found")
        return not missing, None, None
    finally:
        sys.path[:] = before
_here = os.getcwd()
_copies = []
for _place in sys.path:
    try:
        _names = os.listdir(_place or _here)
    except OSError:
        continue
    for _name in ("picorl", "picorl.py", "picorl.mpy", "_picorl.py", "_picorl.mpy"):
        if _name in _names:
            _copies.append((_place or _here, _name))
_firmware = _import("_picorl", []), _import("picorl", [".frozen"]), _import("ulab", [])
print((_heap, sys.path, _here, _copies, _firmware))
"""

# What only CircuitPython tells: its chip's number, which is in boot_out.txt too, and whether code may write files.
_CIRCUITPYTHON = """
try:
    from microcontroller import cpu as _cpu
    _uid = "".join("%02X" % _byte for _byte in _cpu.uid)
except (ImportError, AttributeError):
    _uid = None
try:
    import storage as _storage
    _read_only = bool(_storage.getmount("/").readonly)
except (ImportError, AttributeError, OSError):
    _read_only = False
print((_uid, _read_only))
"""


@dataclass(frozen=True)
class Board:
    """A board. native: kernel ABI of the firmware's own _picorl; frozen, ulab: versions of the firmware's; None when there is none.

    asked: False when only its drive was read, which tells neither of these three nor the heap.
    """

    implementation: str
    version: str
    machine: str
    mpy: mpy.Mpy | None  # that it loads
    heap: int = 0
    path: tuple[str, ...] = ()
    folder: str = "/"  # where programs go: the working directory after a reset
    copies: tuple[tuple[str, str], ...] = ()  # (folder, name) of picorl and _picorl files that imports would find
    native: int | str | None = None
    frozen: str | None = None
    ulab: str | None = None
    uid: str | None = None  # of a CircuitPython's chip, hexadecimal
    read_only: bool = False  # for its own code: a computer has its drive
    asked: bool = True

    @property
    def architecture(self):
        return self.mpy and self.mpy.architecture

    @property
    def circuitpython(self):
        return self.implementation == "circuitpython"

    @property
    def major(self):
        return int(self.version.partition(".")[0])

    @property
    def places(self):
        """sys.path, with the working directory by its name."""
        return [place or self.folder for place in self.path]

    @property
    def library_place(self):
        """The folder for libraries: the first /lib of sys.path, or the first that can be written."""
        return self._writable(self.places)

    @property
    def place_ahead_of_frozen(self):
        """As library_place, where an upload wins over the firmware's."""
        places = self.places
        return self._writable(places[: places.index(FROZEN)] if FROZEN in places else places)

    @staticmethod
    def _writable(places):
        places = [place for place in places if place != FROZEN and not place.startswith("/rom")]
        if not places:
            raise Problem("the board's sys.path has no folder for an upload: sys.path.insert(0, '/lib') in its boot.py")
        return next((place for place in places if place.endswith("/lib")), places[0])


def look(device):
    """The Board behind a port. Raises Problem when picorl cannot be brought there."""
    name, version, machine, number = ast.literal_eval(device.ask(_WHO).strip())
    version = ".".join(map(str, version))
    if name not in NAMES:
        raise Problem(f"{device.port} runs {name} {version}, must be MicroPython or CircuitPython")
    uid, read_only = None, False
    if name == "circuitpython":
        refuse_old(version, device.port)
        uid, read_only = ast.literal_eval(device.ask(_CIRCUITPYTHON).strip())
    heap, path, folder, copies, firmware = ast.literal_eval(device.ask(_WHAT).strip())
    (has_native, abi, _), (has_frozen, _, frozen), (has_ulab, _, ulab) = firmware
    return Board(
        name,
        version,
        machine,
        None if number is None else mpy.of_firmware(number),
        heap,
        tuple(path),
        folder,
        tuple(copies),
        (abi if abi is not None else "unknown") if has_native else None,
        (frozen or "that does not import") if has_frozen else None,
        (ulab or "of unknown version") if has_ulab else None,
        uid,
        read_only,
    )


def refuse_old(version, where):
    """Problem for a CircuitPython that picorl does not run on."""
    if int(version.partition(".")[0]) < OLDEST_CIRCUITPYTHON:
        raise Problem(
            f"{where} has CircuitPython {version}, picorl needs {OLDEST_CIRCUITPYTHON} or newer: circuitpython.org has it for "
            "the board. Nothing was changed."
        )


def describe(board):
    what = f"{NAMES[board.implementation]} {board.version} on {board.machine}"
    if not board.asked:
        return what
    native = f"_picorl (kernel ABI {board.native})" if board.native is not None else "no _picorl"
    ulab = f"ulab {board.ulab}" if board.ulab else "no ulab"
    frozen = f"picorl {board.frozen}" if board.frozen else "no picorl"
    if not board.circuitpython:
        what += f", {board.architecture or 'no native code'}"
    return f"{what}, {kilobytes(board.heap)} of heap free; its firmware holds {native}, {ulab} and {frozen}"


def kilobytes(count):
    return f"{count / 1024:,.0f} KB"
