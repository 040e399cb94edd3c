"""Runs on a target, and on the desktop: the library with what modules on CircuitPython's boards offer, and nothing beyond.

Interpreters of this machine have more, CircuitPython's unix port too: its time is MicroPython's. The names are those of CircuitPython 9 and 10
in full builds: shared-bindings/time, shared-bindings/os, shared-bindings/math, py/modgc.c, and py/modsys.c with py/circuitpy_mpconfig.h.
"""

import binascii
import gc
import json
import math
import os
import sys
import time

OFFERED = (
    (gc, "collect disable enable isenabled mem_alloc mem_free"),
    (os, "chdir getcwd getenv listdir mkdir remove rename rmdir sep stat statvfs unlink urandom utime"),
    (sys, "argv byteorder exit implementation maxsize modules path platform stderr stdin stdout version version_info"),
    (time, "localtime mktime monotonic monotonic_ns sleep struct_time time"),
    (binascii, "a2b_base64 b2a_base64 crc32 hexlify unhexlify"),
    (json, "dump dumps load loads"),
    (
        math,  # without the special functions, tanh and log2 among them
        "acos asin atan atan2 ceil copysign cos degrees e exp fabs floor fmod frexp isfinite isinf isnan ldexp log modf pi pow"
        " radians sin sqrt tan trunc",
    ),
)
ABSENT = ("machine", "micropython", "vfs", "_thread", "threading", "numpy", "picorl_numpy", "_picorl")


class Offered:
    """The part of a module that goes by these names."""

    def __init__(self, module, names):
        for name in names.split():
            if hasattr(module, name):
                setattr(self, name, getattr(module, name))


class Output:
    """Standard output without its `buffer`."""

    def __init__(self, stream):
        self.write = stream.write


class Absent:
    """What an import finds instead of a module: nothing can be had of it."""

    def __init__(self, name):
        self._name = name

    def __getattr__(self, attribute):
        raise ImportError("no module named " + self._name)


def pretend():
    modules = sys.modules
    for module, names in OFFERED:
        offered = Offered(module, names)
        if module is time and not hasattr(offered, "monotonic_ns"):
            offered.monotonic_ns = time.time_ns
        if module is sys:
            offered.stdout = Output(sys.stdout)
        modules[module.__name__] = offered
    for name in ABSENT:
        modules[name] = Absent(name)


pretend()

import picorl  # noqa: E402
import picorl.envs  # noqa: E402
import picorl.wrappers  # noqa: E402
from picorl import clock  # noqa: E402

for package in (picorl, picorl.envs, picorl.wrappers):
    for name in package._HOMES:
        getattr(package, name)


class Robot(picorl.envs.Pendulum):
    """A Pendulum that is measured and driven."""

    def __init__(self):
        super().__init__(seed=0, time_limit=1_000_000)
        self.reset()
        self.drive = picorl.training.new_action(self)

    def read(self):
        self.step(self.drive)
        return True

    def apply(self, action):
        self.drive[0] = action[0]

    def stop(self):
        self.drive[0] = 0

    def home(self):
        return True


own = clock.own()
print("clock", type(own).__name__, own.ticks_diff(own.ticks_add(own.ticks_us(), 1000), own.ticks_us()) <= 1000)

robot = Robot()
options = dict(hidden=(4,), batch_size=4, replay_capacity=60, warmup_steps=5, seed=0)
agent = picorl.SAC(robot, **options)
loop = picorl.ControlLoop(agent, robot, 200, path="circuitpython.safetensors", save_every=0.1)
start = own.ticks_us()
episodes = sum([1 for _ in loop.run(40)])
took = own.ticks_diff(own.ticks_us(), start)
print("loop", agent.steps, agent.updates > 0, episodes, loop.counts[5], took > 195_000)
print("resumed", loop.resume(), agent.steps)
agent.send("sent.safetensors")
tick = picorl.Telemetry("tick", ("step",), ("reward",))
tick.ints[0] = agent.steps
tick.send()
for algorithm, more in (("PPO", dict(rollout_steps=20, batch_size=10, epochs=1)), ("StreamAC", {})):
    agent = getattr(picorl, algorithm)(picorl.envs.Pendulum(seed=0), hidden=(4,), seed=0, **more)
    for record in picorl.train(agent, picorl.envs.Pendulum(seed=0), 40, evaluate_every=40, evaluate_episodes=0):
        print("trained", algorithm, record["updates"] > 1)
print("plan", picorl.plan(picorl.SAC, robot, **options).total > 1000)
print("selftest", picorl.selftest())
