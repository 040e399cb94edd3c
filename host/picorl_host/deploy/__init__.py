"""Bring picorl and programs onto a board, over its serial port or onto its CIRCUITPY drive, sending only what is not there yet.

board.py says what the board is, kernels.py and library.py what it is to get, transfer.py brings it there.
"""

import ast
import contextlib
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from rich.console import Console

import picorl

from ..runner import Problem
from ..serial_port import Device, DeviceError, PortError
from . import drive as drives
from . import kernels, library
from .board import FROZEN, Board, describe, kilobytes, look
from .drive import Drive
from .transfer import STARTED, check_space, compare, in_order, send

# Bytes sent at a time: larger pieces are quicker, but a board needs five times as much heap for one.
SMALL_CHUNK, LARGE_CHUNK, MUCH_HEAP = 1024, 4096, 100_000

# Bytes that a file with a long name takes in its folder on FAT, which CircuitPython has.
FAT_ENTRY = 160

_IMPORT = """
import picorl
print((picorl.__version__, picorl.__file__, picorl.kernels.name, picorl.kernels.info().get("why")))
"""


@dataclass
class Report:
    """What a deployment did: paths on the board, and the (version, file, kernels) that `import picorl` finds there now, if asked."""

    board: Board
    sent: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    imported: tuple[str, str, str] | None = None


def say(console, text, style=None):
    """Print text as it is: a board's name may look like markup."""
    console.print(text, style=style, highlight=False, markup=False, soft_wrap=True)


def deploy(
    port: str | None = None,
    programs: Iterable[Path] = (),
    target: str | None = None,
    firmware_free: bool = False,
    console: Console | None = None,
    drive: Path | None = None,
) -> Report:
    """Bring picorl, its native kernels and programs to a board.

    port: its serial port. drive: the folder where the drive of a CircuitPython board is mounted. Without either, the one such drive
    there is; with one of them, the other is found when it is needed and there. target: the folder for the library, instead of the board's
    own /lib. firmware_free: send the library even though the firmware holds it, to a place where imports find the upload first.

    Raises Problem for all that can go wrong; nothing is written before the checks have passed.
    """
    console = console or Console(quiet=True)
    programs = library.own_files(programs)
    found = Drive(drive) if drive else None if port else drives.only_one()
    wanted = (programs, target, firmware_free, console)
    with contextlib.ExitStack() as opened:
        device = None
        if port:
            opened.enter_context(told(port))
            device = opened.enter_context(Device(port, reset=True))
        elif beside := found.port():
            device = _opened_if_free(opened, beside, console)
        if device is None:
            return _onto(found.board(), found, None, *wanted)
        with interruption_told():
            board = look(device)
            found = _drive_for(board, found, device.port)
            return _onto(board, found, device, *wanted)


def _opened_if_free(opened, port, console):
    """The Device at a port that nobody asked for, or None: a terminal that has it is left alone."""
    try:
        device = opened.enter_context(Device(port, reset=True))
    except PortError as error:
        say(console, f"the board cannot be asked: {error}", style="yellow")
        return None
    opened.enter_context(told(port))
    return device


def _drive_for(board, given, port):
    """The Drive to write to, or None for the serial port. Raises Problem when there is no way."""
    if given is not None:
        if not board.circuitpython:
            raise Problem(
                f"the board at {port} has MicroPython, which shows no drive: leave out --drive. Nothing was changed."
            )
        if given.uid and board.uid and given.uid != board.uid:
            raise Problem(f"{given} is the drive of another board than that at {port}. Nothing was changed.")
        return given
    if not board.read_only:
        return None
    found = drives.of_board(board)
    if found is None:
        raise Problem(
            f"{port} is {board.machine} with CircuitPython {board.version}, which lets the computer write its files and not its own "
            "code, and its drive is not mounted in the usual places: say where it is with `picorl deploy --drive FOLDER`, or put "
            'import storage; storage.remount("/", readonly=False) into its boot.py and reset it. Nothing was changed.'
        )
    return found


def _onto(board, drive, device, programs, target, firmware_free, console):
    """The deployment itself. Files go to the drive, otherwise through the device; either may be None."""
    storage = drive or device
    say(console, f"{device.port if device else drive}: {describe(board)}")
    if drive:
        if device:
            say(console, f"its files are on {drive}")
        with _drive_told(drive):
            drive.check_writable()
    files, place, choice = choose(board, storage, target, firmware_free, console)
    files |= {str(PurePosixPath(board.folder, name)): content for name, content in programs.items()}
    files = in_order(files)
    report = Report(board)
    with _drive_told(drive):
        package = str(PurePosixPath(place, "picorl")) if place else None
        with console.status("comparing with what is there"):
            report.sent, report.unchanged, old = compare(storage, files, package)
        new = {path: files[path] for path in report.sent}
        check_space(storage, new, old, FAT_ENTRY if board.circuitpython else 0)
        start = time.monotonic()
        # What starts by itself goes last, when nothing is in the way of the new library any more.
        started = {path: content for path, content in new.items() if PurePosixPath(path).name in STARTED}
        chunk = LARGE_CHUNK if board.heap > MUCH_HEAP else SMALL_CHUNK
        send(storage, {path: content for path, content in new.items() if path not in started}, chunk, console)
        for path in old:
            if path not in files and path.endswith((".py", ".mpy", ".new")):
                storage.remove(path)  # a left-over picorl/sac.py would win over picorl/sac.mpy
                report.removed.append(path)
        send(storage, started, chunk, console)
    summary(report, files, time.monotonic() - start, place, console)
    if device:
        check_import(device, report, files, place, choice, console)
    else:
        say(
            console,
            "not proven: that the board imports it. Connect its serial port (--port) to have that tried",
            style="yellow",
        )
    program = next((name for name in STARTED[::-1] if str(PurePosixPath(board.folder, name)) in files), None)
    if board.circuitpython and device:
        device.restart()  # CircuitPython would have done it by itself, had it not been asked
    if program:
        when = (
            ("is running again" if device else "starts by itself")
            if board.circuitpython
            else "starts when the board is reset"
        )
        say(console, f"{program} {when}")
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


@contextlib.contextmanager
def _drive_told(drive):
    """The same for a drive that is pulled out, or fails."""
    try:
        yield
    except OSError as error:
        if drive is None:
            raise
        raise Problem(
            f"lost the drive {drive} ({error.strerror})\nevery file on the board is the old one or the new one: deploy again to go on"
        ) from None


def choose(board, storage, target, firmware_free, console):
    """({path: content}, place, kernels.Choice) of library and kernels to be on the board; place is None when the firmware's library is used."""
    place, kernels_place = library.place_of(board, target, firmware_free)
    library.refuse_shadows(board, place, kernels_place, storage.removal)
    choice = kernels.choose(board)
    say(console, f"kernels: {choice.why}", style="yellow" if choice.slow else None)
    files = {}
    if choice.module is not None:
        files[str(PurePosixPath(kernels_place, "_picorl.mpy"))] = choice.module
    if place == FROZEN:
        say(console, f"picorl {board.frozen} is in the firmware: not uploaded (--firmware-free does it all the same)")
        return files, None, choice
    for name, content in library.content(board, lambda text: say(console, text, style="yellow")).items():
        files[str(PurePosixPath(place, name))] = content
    return files, place, choice


def summary(report, files, seconds, place, console):
    package = f"{PurePosixPath(place, 'picorl')}/" if place else ""
    parts = [path for path in report.sent if package and path.startswith(package)]
    names = [f"{package} ({len(parts)} files)"] * bool(parts) + [path for path in report.sent if path not in parts]
    if names:
        count = sum(len(files[path]) for path in report.sent)
        say(console, f"sent {kilobytes(count)} in {seconds:.1f} s: {', '.join(names)}")
    if report.unchanged:
        say(console, f"unchanged: {len(report.unchanged)} files that were there already")
    for path in report.removed:
        say(console, f"removed {path}, which is not part of picorl {picorl.__version__}")


def check_import(device, report, files, place, choice, console):
    """Import the library as the user's program will; Problem when that fails or finds another copy."""
    device.soft_reset()
    try:
        version, file, active, why = ast.literal_eval(device.ask(_IMPORT).strip())
    except DeviceError as error:
        raise Problem(f"all files arrived, but the board cannot import picorl:\n{error.traceback.strip()}") from None
    device.soft_reset()
    report.imported = version, file, active
    # Found through "" in sys.path, a file has no leading slash.
    if place is not None and str(PurePosixPath("/", file)) not in files:
        raise Problem(f"the board imports {file} instead of {PurePosixPath(place, 'picorl')}: remove that copy")
    expected = choice.name in (None, active)
    say(
        console,
        f"the board imports picorl {version}, kernels {active}"
        + (f" ({why})" if why else "")
        + f", not {choice.name}" * (not expected),
        style=None if expected else "yellow",
    )
