"""The raw REPL of a board, for a MicroPython on this machine: real interpreter, real file system in a disk image, no other board needed.

    micropython board_program.py IMAGE BLOCKS CHANGES [reset]

The image, BLOCKS blocks of 4096 bytes, keeps its files from one run to the next; an IMAGE that is a folder is the file system itself.
CHANGES is a dict of attributes that sys is to have instead of its own, "implementation" a dict of that object's, and of

    read_only           code may not write files
    tells_read_only     False: and nobody says so
    running             code.py runs at first
    reboot              what a soft reset is called
    uid                 bytes, of the chip

A CircuitPython, or what is called so, lacks what a board with it lacks. A soft reset ends the program with exit code 7: whoever started
it starts it again, with "reset". tests_host/serial_board.py does, and connects it to a pty.
"""

import os
import sys

try:
    import vfs
except ImportError:  # CircuitPython's unix port
    import os as vfs


class Disk:
    def __init__(self, path, blocks, size):
        self.block = size
        try:
            self.file = open(path, "r+b")
            self.fresh = False
        except OSError:
            self.fresh = True
            self.file = open(path, "w+b")
            for _ in range(blocks):
                self.file.write(b"\xff" * 4096)
        self.blocks = blocks * 4096 // size

    def readblocks(self, n, buf, offset=0):
        self.file.seek(n * self.block + offset)
        self.file.readinto(buf)

    def writeblocks(self, n, buf, offset=0):
        self.file.seek(n * self.block + offset)
        self.file.write(buf)
        self.file.flush()

    def ioctl(self, op, arg):
        return {4: self.blocks, 5: self.block}.get(op, 0)


class Changed:
    """An object with some attributes of its own, and those of another."""

    def __init__(self, other, attributes):
        self._other = other
        for name, value in attributes.items():
            setattr(self, name, value)

    def __getattr__(self, name):
        return getattr(self._other, name)


class Module:
    """Stands for a module with these names and no others."""

    def __init__(self, **names):
        for name, value in names.items():
            setattr(self, name, value)


# All that CircuitPython's os has on a board.
CIRCUITPYTHONS_OS = "getcwd chdir listdir mkdir remove rename rmdir stat statvfs unlink urandom sep"


def change(changes, circuitpython):
    attributes = dict(changes)
    uid = attributes.pop("uid", b"")
    for name in ("running", "reboot"):
        attributes.pop(name, None)
    read_only = attributes.pop("read_only", False) and attributes.pop("tells_read_only", True)
    if "implementation" in attributes:
        attributes["implementation"] = Changed(sys.implementation, attributes["implementation"])
    attributes["modules"] = sys.modules
    sys.modules["sys"] = Changed(sys, attributes)
    if circuitpython:
        as_circuitpython(uid, read_only)


def as_circuitpython(uid, read_only):
    """The modules by which a board with CircuitPython differs from its unix port, as far as picorl asks them."""
    sys.modules["os"] = Module(**{name: getattr(os, name) for name in CIRCUITPYTHONS_OS.split() if hasattr(os, name)})
    sys.modules["storage"] = Module(getmount=lambda path: Module(readonly=read_only))
    sys.modules["microcontroller"] = Module(cpu=Module(uid=uid))


def file_system(image, blocks, fat):
    try:
        if os.stat(image)[0] & 0x4000:
            return vfs.VfsPosix(image)  # cannot rename
    except OSError:
        pass
    kind = vfs.VfsFat if fat else vfs.VfsLfs2
    disk = Disk(image, blocks, 512 if fat else 4096)
    if disk.fresh:
        kind.mkfs(disk)
    return kind(disk)


def mount(image, blocks, read_only, circuitpython):
    found = file_system(image, blocks, circuitpython)
    vfs.umount("/")
    vfs.mount(found, "/", readonly=read_only)
    os.chdir("/")
    sys.path[:] = ["", "/", ".frozen", "/lib"] if circuitpython else ["", ".frozen", "/lib"]


WINDOW = 4096  # bytes that the other side may send unasked


def pasted():
    """Source in raw paste mode; its header is read up to the \x05."""
    sys.stdin.buffer.read(2)
    sys.stdout.write("R\x01" + chr(WINDOW & 0x7F) + chr(WINDOW >> 8))
    source = bytearray()
    while True:
        key = sys.stdin.buffer.read(1)
        if key == b"\x04":
            sys.stdout.write("\x04")
            return bytes(source)
        source += key
        if len(source) % WINDOW == 0:
            sys.stdout.write("\x01")


def show(trouble):
    """As the interpreter does. CircuitPython 10 has no print_exception() in sys, and its unix port none elsewhere."""
    if hasattr(sys, "print_exception"):
        sys.print_exception(trouble, sys.stdout)
    else:
        sys.stdout.write("Traceback (most recent call last):\n%s: %s\n" % (type(trouble).__name__, trouble))


def run(source, names):
    try:
        exec(compile(source, "<stdin>", "exec"), names)
        trouble = None
    except (Exception, KeyboardInterrupt) as error:
        trouble = error
    sys.stdout.write("\x04")
    if trouble:
        show(trouble)
    sys.stdout.write("\x04>")


def run_code_py():
    """CircuitPython's own program runs, Ctrl-C stops it, and what was typed with that is lost."""
    while sys.stdin.buffer.read(1) != b"\x01":
        pass
    sys.stdout.write("\r\nCode done running.\r\n\r\nPress any key to enter the REPL. Use CTRL-D to reload.\r\n")
    sys.stdin.buffer.read(1)


def serve(raw):
    """Until a soft reset, or until the port is gone; True for the first."""
    names = {"__name__": "__main__"}
    line = b""
    while True:
        try:
            key = sys.stdin.buffer.read(1)
            if not key:
                return False
            if key == b"\x01":
                raw, line = True, b""
                sys.stdout.write("raw REPL; CTRL-B to exit\r\n>")
            elif key == b"\x02":
                raw, line = False, b""
                sys.stdout.write("MicroPython\r\n>>> ")
            elif key == b"\x03":
                line = b""
            elif key == b"\x05" and raw:
                run(pasted(), names)
            elif key == b"\x04" and raw:
                sys.stdout.write("OK")
                if not line:
                    sys.stdout.write("\r\n%s\r\n" % changes.get("reboot", "MPY: soft reboot"))
                    return True
                run(line, names)
                line = b""
            else:
                line += key
        except KeyboardInterrupt:
            line = b""


blocks, changes = int(sys.argv[2]), eval(sys.argv[3])
circuitpython = changes.get("implementation", {}).get("name", sys.implementation.name) == "circuitpython"
mount(sys.argv[1], blocks, changes.get("read_only", False), circuitpython)
change(changes, circuitpython)
was_reset = len(sys.argv) > 4
sys.stdout.write("raw REPL; CTRL-B to exit\r\n>" if was_reset else "MicroPython\r\n>>> ")
if changes.get("running") and not was_reset:
    run_code_py()
sys.exit(7 if serve(was_reset) else 0)
