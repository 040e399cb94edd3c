"""CIRCUITPY: the drive as which a CircuitPython board shows its files to a computer. boot_out.txt on it says which board it is.

CircuitPython reloads a while after the last change of a file, by itself.
"""

import glob
import os
import re
from contextlib import suppress
from pathlib import Path

from serial.tools import list_ports

from ..runner import Problem
from .board import Board, refuse_old

# Where drives are found, on Linux and macOS. The letters are Windows'.
PLACES = (
    "/media/*",
    "/media/*/*",
    "/run/media/*/*",
    "/mnt/*",
    "/Volumes/*",
    *(f"{letter}:/" for letter in "DEFGHIJKLMNOP"),
)

_HEAD = re.compile(r".*CircuitPython (\d+\.\S+) on \S+; (.+)")


class Drive:
    """The drive in a folder, with the methods that a serial_port.Device has for files: paths are the board's, "/lib/x.py".

    Raises Problem when the folder is none, OSError from its methods.
    """

    READ_ONLY = (
        "the drive is read-only for this computer. Either the board's boot.py gives it to the board's own code "
        "(storage.remount): then deploy with --port; or the computer has found it damaged: eject it and plug the board in again"
    )

    def __init__(self, folder):
        self.folder = Path(folder)
        try:
            lines = (self.folder / "boot_out.txt").read_text(errors="replace").splitlines()
        except OSError:
            lines = []
        head = _HEAD.match(lines[0]) if lines else None
        if head is None:
            raise Problem(
                f"{folder} is no drive of a CircuitPython board: there is no boot_out.txt in it that CircuitPython wrote. "
                "Nothing was changed."
            )
        self.version, self.machine = head.groups()
        facts = dict(line.split(":", 1) for line in lines[1:] if ":" in line)
        self.board_id = facts.get("Board ID", "").strip()
        self.uid = facts.get("UID", "").strip() or None
        refuse_old(self.version, f"the board of {folder}")

    def __str__(self):
        return str(self.folder)

    def board(self):
        """The Board, as far as its drive tells."""
        names = [(place, name) for place in ("/", "/lib") for name in self._names(place)]
        return Board(
            "circuitpython",
            self.version,
            f"{self.machine} ({self.board_id})" if self.board_id else self.machine,
            None,
            path=("", "/", ".frozen", "/lib"),
            copies=tuple((place, name) for place, name in names if re.fullmatch(r"_?picorl(\.m?py)?", name)),
            uid=self.uid,
            asked=False,
        )

    def port(self):
        """The serial port of the same board: the number of its chip is that of the USB device. None when there is none."""
        known = [one.device for one in list_ports.comports() if self.uid and one.serial_number == self.uid]
        return min(known, default=None)  # a second one is for programs, the first has the REPL

    def _names(self, place):
        with suppress(FileNotFoundError):
            return os.listdir(self._path(place))
        return []

    def _path(self, path):
        return self.folder / str(path).lstrip("/")

    def removal(self, path):
        return f"from {self.folder}" if path == "NAME" else str(self._path(path))

    def files(self, folder):
        """{path: bytes} of all files in a folder and below; nothing when there is no such folder."""
        return {
            "/" + path.relative_to(self.folder).as_posix(): path.stat().st_size
            for path in self._path(folder).rglob("*")
            if path.is_file()
        }

    def exists(self, path):
        return self._path(path).exists()

    def mkdir(self, path):
        self._path(path).mkdir(parents=True, exist_ok=True)

    def put(self, path, content, on_progress=None, chunk=None):
        with self._path(path).open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if on_progress:
            on_progress(len(content), len(content))

    def holds(self, path, content):
        try:
            return self._path(path).read_bytes() == content
        except FileNotFoundError:
            return False

    def remove(self, path):
        self._path(path).unlink(missing_ok=True)
        self._sync(self._path(path).parent)

    def rename(self, old, new):
        os.replace(self._path(old), self._path(new))
        self._sync(self._path(new).parent)

    @staticmethod
    def _sync(folder):
        """A FAT folder reaches the board when it is written, not when it changes. Windows has no such call, and needs none."""
        if os.name == "posix":
            opened = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(opened)
            finally:
                os.close(opened)

    def space(self, folder):
        """(bytes of a block, free blocks); None when the system does not tell."""
        if not hasattr(os, "statvfs"):
            return None
        told = os.statvfs(self._path(folder))
        return (told.f_frsize, told.f_bavail) if told.f_blocks else None

    def check_writable(self):
        """Raises Problem when the system has mounted it for reading only."""
        flags = os.statvfs(self.folder).f_flag if hasattr(os, "statvfs") else 0
        if flags & getattr(os, "ST_RDONLY", 1) or not os.access(self.folder, os.W_OK):
            raise Problem(f"{self.folder}: {self.READ_ONLY}. Nothing was changed.")


def mounted():
    """The drives of CircuitPython boards on this computer, in the usual places."""
    found = []
    for pattern in PLACES:
        for folder in sorted(glob.glob(pattern)):
            with suppress(Problem):
                found.append(Drive(folder))
    return found


def of_board(board):
    """The drive of a board behind a port, or None: the one with its number, or of its machine and version where it has none."""
    drives = mounted()
    if board.uid:
        drives = [one for one in drives if one.uid in (board.uid, None)]
    drives = [one for one in drives if one.uid or (one.machine, plain(one.version)) == (board.machine, board.version)]
    return drives[0] if len(drives) == 1 else None


def plain(version):
    """ "9.2.1" of "9.2.1-4-gabc": sys.implementation holds no more."""
    return re.match(r"[\d.]*\d", version)[0]


def only_one():
    """The one drive that is mounted. Raises Problem when there are none or several."""
    drives = mounted()
    if len(drives) == 1:
        return drives[0]
    if not drives:
        raise Problem(
            "which board? Give --port (`mpremote connect list` shows the ports), or --drive for one with CircuitPython: "
            "no CIRCUITPY drive is mounted in the usual places"
        )
    raise Problem(
        "several boards' drives are mounted, choose one with --drive:\n"
        + "\n".join(f"    {one} ({one.machine}, {one.version})" for one in drives)
    )
