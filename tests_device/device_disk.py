"""Runs on a target, before what needs it: `vfs`, the module that has the target's file systems, and a disk in memory for them."""


def _module():
    """MicroPython's vfs, storage on CircuitPython's boards, os in its unix port."""
    for name in ("vfs", "storage", "os"):
        try:
            return __import__(name)
        except ImportError:
            pass


vfs = _module()


class Disk:
    """In memory; after so many writes and erasures it refuses all others."""

    SIZE = 512
    BLOCKS = 200
    TORN = False  # what is being written when it dies is left half written

    def __init__(self, data=None, writes=1_000_000):
        self.data = bytearray(data or self.BLOCKS * self.SIZE)
        self.left = writes
        # Made before: files that are still open are closed by the collector, when nothing can be allocated.
        self.gone = OSError(5)

    def readblocks(self, n, buf, offset=0):
        start = n * self.SIZE + offset
        buf[:] = memoryview(self.data)[start : start + len(buf)]

    def writeblocks(self, n, buf, offset=0):
        self._change(n * self.SIZE + offset, buf)

    def _change(self, start, buf):
        if self.left < 0:
            raise self.gone
        self.left -= 1
        if self.left >= 0:
            self.data[start : start + len(buf)] = buf
            return
        if self.TORN:
            half = len(buf) // 2
            self.data[start : start + half] = memoryview(buf)[:half]
        raise self.gone

    def ioctl(self, op, arg):
        if op == 4:
            return self.BLOCKS
        if op == 5:
            return self.SIZE
        if op == 6 and self.TORN:  # erase; FAT has no use for it
            self._change(arg * self.SIZE, b"\xff" * self.SIZE)
        return 0
