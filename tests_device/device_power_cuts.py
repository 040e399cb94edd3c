"""Runs on a target: saves checkpoints on a disk that dies, at every write in turn, and looks what is there when it is mounted again.

The host puts `CASE = {...}` before this text: the file system, the algorithm and its options.
"""

import os

import picorl
from picorl.envs import Pendulum

try:
    import vfs
except ImportError:
    import os as vfs

FileSystem = getattr(vfs, CASE["file_system"])  # noqa: F821
# A flash page may be half written when the power goes, a sector of an SD card is not.
TORN = CASE["file_system"] != "VfsFat"  # noqa: F821
PATH = "/disk/run.safetensors"


class Disk:
    """In memory; after so many writes and erasures it refuses all others."""

    SIZE = 512
    BLOCKS = 200

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
        if TORN:
            half = len(buf) // 2
            self.data[start : start + half] = memoryview(buf)[:half]
        raise self.gone

    def ioctl(self, op, arg):
        if op == 4:
            return self.BLOCKS
        if op == 5:
            return self.SIZE
        if op == 6 and TORN:  # erase; FAT has no use for it
            self._change(arg * self.SIZE, b"\xff" * self.SIZE)
        return 0


def trained(steps, agent=None, env=None):
    if agent is None:
        env = Pendulum(seed=0)
        agent = getattr(picorl, CASE["algorithm"])(env, **CASE["options"])  # noqa: F821
    if steps:
        for _ in picorl.train(agent, env, steps, evaluate_every=steps, evaluate_episodes=0):
            pass
    return agent, env


def mounted(disk):
    vfs.mount(FileSystem(disk), "/disk")


def unmounted():
    try:
        vfs.umount("/disk")
    except OSError:
        pass


def saved(image, writes):
    """What is on the disk when the power fails after so many writes of a save, and whether it had ended."""
    disk = Disk(image, writes)
    mounted(disk)
    ended = False
    try:
        agent.save(PATH, full=True, env=env)
        ended = True
    except OSError:
        pass
    unmounted()
    return disk.data, ended


def look(image):
    """Load what is there; whether it is under its own name."""
    mounted(Disk(image))
    try:
        os.stat(PATH)
        alone = False
    except OSError:
        alone = True
    again, its_env = trained(0)
    again.load(PATH, env=its_env)
    crc = again.crc()
    found[crc] = found.get(crc, 0) + 1
    # The next save gets along with whatever the last one left.
    agent.save(PATH, full=True, env=env)
    again.load(PATH, env=its_env)
    if again.crc() != new:
        found["not repaired"] = 1
    unmounted()
    return alone


disk = Disk()
FileSystem.mkfs(disk)
mounted(disk)
agent, env = trained(12)
old = agent.crc()
agent.save(PATH, full=True, env=env)
unmounted()
trained(3, agent, env)
new = agent.crc()

found = {old: 0, new: 0}
writes = twice = 0
ended = False
while not ended:
    image, ended = saved(disk.data, writes)
    writes += 1
    if look(image):
        # Under another name only: the save after this one must not lose it either.
        ended_again = False
        while not ended_again:
            image_again, ended_again = saved(image, twice)
            twice += 1
            look(image_again)
print("\nwrites", writes, "twice", twice, "old", found.pop(old), "new", found.pop(new), "others", len(found))
