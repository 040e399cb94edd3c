"""The raw REPL of a board, for a MicroPython on this machine: real interpreter, real file system in a disk image, no other board needed.

    micropython board_program.py IMAGE BLOCKS CHANGES [reset]

The image, BLOCKS blocks of 4096 bytes, keeps its files from one run to the next. CHANGES is a dict of attributes that sys is to have
instead of its own; "implementation" a dict of that object's. A soft reset ends the program with exit code 7: whoever started it
starts it again, with "reset". tests_host/serial_board.py does, and connects it to a pty.
"""

import os
import sys

import vfs


class Disk:
    def __init__(self, path, blocks):
        self.blocks = blocks
        try:
            self.file = open(path, "r+b")
        except OSError:
            self.file = open(path, "w+b")
            for _ in range(blocks):
                self.file.write(b"\xff" * 4096)

    def readblocks(self, n, buf, offset=0):
        self.file.seek(n * 4096 + offset)
        self.file.readinto(buf)

    def writeblocks(self, n, buf, offset=0):
        self.file.seek(n * 4096 + offset)
        self.file.write(buf)
        self.file.flush()

    def ioctl(self, op, arg):
        return {4: self.blocks, 5: 4096}.get(op, 0)


class Changed:
    """An object with some attributes of its own, and those of another."""

    def __init__(self, other, attributes):
        self._other = other
        for name, value in attributes.items():
            setattr(self, name, value)

    def __getattr__(self, name):
        return getattr(self._other, name)


def change(changes):
    attributes = dict(changes)
    if "implementation" in attributes:
        attributes["implementation"] = Changed(sys.implementation, attributes["implementation"])
    attributes["modules"] = sys.modules
    sys.modules["sys"] = Changed(sys, attributes)


def mount(image, blocks):
    disk = Disk(image, blocks)
    vfs.umount("/")
    try:
        found = vfs.VfsLfs2(disk)
    except OSError:
        vfs.VfsLfs2.mkfs(disk)
        found = vfs.VfsLfs2(disk)
    vfs.mount(found, "/")
    os.chdir("/")
    sys.path[:] = ["", ".frozen", "/lib"]


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


def run(source, names):
    try:
        exec(compile(source, "<stdin>", "exec"), names)
        trouble = None
    except (Exception, KeyboardInterrupt) as error:
        trouble = error
    sys.stdout.write("\x04")
    if trouble:
        sys.print_exception(trouble, sys.stdout)
    sys.stdout.write("\x04>")


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
                    sys.stdout.write("\r\nMPY: soft reboot\r\n")
                    return True
                run(line, names)
                line = b""
            else:
                line += key
        except KeyboardInterrupt:
            line = b""


blocks, changes = int(sys.argv[2]), eval(sys.argv[3])
mount(sys.argv[1], blocks)
change(changes)
was_reset = len(sys.argv) > 4
sys.stdout.write("raw REPL; CTRL-B to exit\r\n>" if was_reset else "MicroPython\r\n>>> ")
sys.exit(7 if serve(was_reset) else 0)
