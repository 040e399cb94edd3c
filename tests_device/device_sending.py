"""Runs on a target: agents and a control loop whose drive may only be read.

The host puts `CASE = {...}`, the options of agents, and device_disk.py and device_clock.py before this text.
"""

# ruff: noqa: F821
import os
from array import array

import picorl
from picorl import control
from picorl.envs import Pendulum

OPTIONS = CASE["options"]


class ReadOnly:
    """What a CIRCUITPY drive is to programs, for an interpreter that does not heed readonly (CircuitPython 10's unix port)."""

    def __init__(self, files):
        self.files = files

    def open(self, name, mode):
        if "r" not in mode:
            raise OSError(30)
        return self.files.open(name, mode)

    def remove(self, name):
        raise OSError(30)

    def rename(self, old, new):
        raise OSError(30)

    def mount(self, readonly, mkfs):
        self.files.mount(readonly, mkfs)

    def __getattr__(self, name):
        return getattr(self.files, name)


class Robot(Pendulum):
    """A Pendulum that is measured and driven; its episodes have no end of their own."""

    def __init__(self):
        super().__init__(seed=0, time_limit=1_000_000)
        self.torque = array("f", (0,))
        self.log = []
        self.reset()

    def read(self):
        self.step(self.torque)
        return True

    def apply(self, action):
        self.torque[0] = action[0]
        self.log.append("apply")

    def stop(self):
        self.log.append("stop")

    def home(self):
        return True


def mount(disk, readonly):
    files = vfs.VfsFat(disk)
    vfs.mount(files, "/disk", readonly=readonly)
    if not readonly:
        return
    try:
        os.rename("/disk/there", "/disk/here")
    except OSError as error:
        if error.args[0] == 30:
            return
    vfs.umount("/disk")
    vfs.mount(ReadOnly(files), "/disk", readonly=True)


def complaint(action, *args, **options):
    try:
        action(*args, **options)
        print("no error")
    except OSError as error:
        print("error", error.args[0], error.args[1])


def trained(steps):
    env = Pendulum(seed=0)
    agent = picorl.SAC(env, **OPTIONS)
    for _ in picorl.train(agent, env, steps, evaluate_every=steps, evaluate_episodes=0):
        pass
    return agent, env


def everything():
    disk = Disk()
    vfs.VfsFat.mkfs(disk)
    mount(disk, False)
    agent, env = trained(12)
    agent.save("/disk/old.safetensors", full=True, env=env)
    print("saved", agent.save_or_send("/disk/there"))
    vfs.umount("/disk")
    mount(disk, True)

    agent, env = trained(15)
    complaint(agent.save, "/disk/old.safetensors")
    complaint(agent.save, "/disk/there.not")
    print("sent", agent.save_or_send("/disk/run.safetensors", full=True, env=env), agent.crc())
    agent.send("policy.safetensors")
    agent.load("/disk/old.safetensors", env=env)
    print("old", agent.crc(), agent.steps)

    robot = Robot()
    agent = picorl.SAC(robot, **OPTIONS)
    loop = picorl.ControlLoop(agent, robot, 50, path="/disk/robot.safetensors", save_every=0.5, clock=Clock(100))
    print("resumed", loop.resume())
    for record in loop.run(60):
        picorl.report("episode", last=robot.log[-1], crc=agent.crc(), **record)
    print("robot", loop.counts[control.SAVES], loop.counts[control.FAILED_SAVES], loop.counts[control.SENT])


if hasattr(vfs, "VfsFat"):
    everything()
else:
    print("absent")
