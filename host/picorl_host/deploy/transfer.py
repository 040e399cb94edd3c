"""Move files to where a board keeps them, a serial_port.Device or a drive.Drive, each whole or not at all.

Every file goes to NAME.new, is compared, then renamed: whatever interrupts it, a file is the old one or the new one (on a board's FAT there
may be NAME.new alone for a moment), and the next deployment goes on where this one stopped.
"""

import contextlib
import errno
from pathlib import PurePosixPath

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from ..runner import Problem
from ..serial_port import DeviceError, PortError
from .board import kilobytes

# What goes on by itself when the board comes up, or when CircuitPython sees that its drive has changed: written last.
STARTED = ("main.py", "code.py")


def in_order(files):
    """The same dict, programs that start by themselves at its end."""
    return dict(sorted(files.items(), key=lambda item: PurePosixPath(item[0]).name in STARTED))


def compare(storage, files, package):
    """(paths to send, paths that are there already, {path: size} of what lies in the folder `package`, which may be None)."""
    old = storage.files(package) if package else {}
    send, unchanged = [], []
    for path, content in files.items():
        # The package was listed: no question about a file that is not in it, or of another size.
        listed = package and path.startswith(package + "/")
        same = (not listed or old.get(path) == len(content)) and storage.holds(path, content)
        (unchanged if same else send).append(path)
    return send, unchanged, old


def check_space(storage, files, old, entry=0):
    """Raises Problem when files would not fit. Each is written before the old one of its name goes; old has the sizes of known ones.

    entry: bytes that a new file takes in its folder.
    """
    folders = {str(parent) for path in files for parent in PurePosixPath(path).parents}
    new = {folder for folder in folders if not storage.exists(folder)}
    space = storage.space(max(folders - new, key=len, default="/"))
    if not files or space is None:
        return  # a file system that does not tell
    block, free = space
    kept = 2 * len(new) + 2  # a pair of blocks for a littlefs folder, and one to work with
    kept += _blocks(entry * len(set(files) - set(old)), block)
    most = kept
    for path, content in files.items():
        most = max(most, kept + _blocks(len(content), block))
        kept += _blocks(len(content), block) - _blocks(old.get(path, 0), block)
    if most > free:
        raise Problem(
            f"the board's flash is too full: {kilobytes(most * block)} are needed, {kilobytes(free * block)} are free. Remove files "
            f"({storage.removal('NAME')}), or flash firmware that holds picorl. Nothing was changed."
        )


def _blocks(count, block):
    return -(-count // block)


def send(storage, files, chunk, console):
    """Write files, with a progress bar."""
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
                    storage, path, content, chunk, lambda now, _, done=done: progress.update(task, completed=done + now)
                )
            except PortError as error:
                raise Problem(
                    f"{error}\n{path} did not arrive; the board keeps its old one: deploy again to go on"
                ) from None
            except (DeviceError, OSError) as error:
                raise _trouble(error, path, storage) from None
            done += len(content)
            progress.update(task, completed=done)


def _send_one(storage, path, content, chunk, on_progress):
    storage.mkdir(PurePosixPath(path).parent)
    try:
        storage.put(path + ".new", content, on_progress, chunk)
        arrived = storage.holds(path + ".new", content)
    except (DeviceError, OSError):
        with contextlib.suppress(DeviceError, PortError, OSError):
            storage.remove(path + ".new")
        raise
    if not arrived:
        storage.remove(path + ".new")
        raise Problem(f"{path} arrived damaged and was not kept: check the cable, then deploy again")
    storage.rename(path + ".new", path)


def _trouble(error, path, storage):
    if error.errno == errno.ENOSPC:
        return Problem(
            f"the board's flash is full at {path}; the board keeps its old one: remove files, then deploy again"
        )
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return Problem(f"the board does not let {path} be written: {storage.READ_ONLY}")
    if isinstance(error, OSError):
        return Problem(
            f"{path} could not be written ({error.strerror}); the drive keeps its old one: deploy again to go on"
        )
    return Problem(f"{path} could not be written:\n{error.traceback.strip()}")
