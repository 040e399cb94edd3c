"""Runs on a target: saves checkpoints on a disk that dies, at every write in turn, and looks what is there when it is mounted again.

The host puts `CASE = {...}`, the file system, the algorithm and its options, and device_disk.py before this text.
"""

# ruff: noqa: F821
import os

import picorl
from picorl.envs import Pendulum

PATH = "/disk/run.safetensors"
# A flash page may be half written when the power goes, a sector of an SD card is not.
Disk.TORN = CASE["file_system"] != "VfsFat"
FileSystem = getattr(vfs, CASE["file_system"], None)


def trained(steps, agent=None, env=None):
    if agent is None:
        env = Pendulum(seed=0)
        agent = getattr(picorl, CASE["algorithm"])(env, **CASE["options"])
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


if FileSystem is None:
    print("absent")
else:
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
