"""Runs on a target: the rotary pendulum of device/examples, whose sensors fail now and then, under the eyes of a referee.

The host puts `CASE = {...}` before this text: what to do and with which arguments.
"""

import gc
import sys
from array import array

import picorl
from picorl import control
from picorl.envs import Pendulum

PATH = "robot.safetensors"
NAN = float("nan")


class Motor:
    """The simulated motor; keeps what it is driven with."""

    def __init__(self, motor):
        self.motor = motor
        self.duty = 0

    def set(self, duty):
        self.duty = duty
        self.motor.set(duty)


class Encoder:
    """A simulated encoder that fails for LENGTH readings of every EVERY, each time in another way."""

    EVERY = 1499
    LENGTH = 60
    WAYS = ("silent", "gone", "wild", "stuck")

    def __init__(self, encoder, first):
        self.encoder = encoder
        self.readings = self.EVERY - first
        self.failing = None
        self.last = 0

    def read(self):
        turn, at = divmod(self.readings, self.EVERY)
        self.readings += 1
        self.failing = self.WAYS[turn % len(self.WAYS)] if turn and at < self.LENGTH else None
        reading = self.encoder.read()
        if self.failing == "silent":
            raise OSError(110)
        if self.failing == "gone":
            return None
        if self.failing == "wild":
            return 60000
        if self.failing == "stuck":
            return self.last
        self.last = reading
        return reading


class Referee:
    """Counts, after every tick, what must not be: a motor that is driven while it must not."""

    def __init__(self, loop, motor, encoders):
        self.loop, self.motor, self.encoders = loop, motor, encoders
        self.unsafe = 0
        self.failures = 0  # ticks in which a sensor failed
        self.stuck = 0  # ticks in a row with a sensor that repeats itself under a motor that is driven
        self.saves = 0
        self._save = loop.agent.save
        loop.agent.save = self.save

    def save(self, path, full, env):
        self.saves += 1
        self.unsafe += self.motor.duty != 0
        self._save(path, full, env)

    def watch(self, driven):
        ways = [one.failing for one in self.encoders if one.failing]
        self.failures += bool(ways)
        self.stuck = self.stuck + 1 if "stuck" in ways and driven else 0
        must_stop = self.loop.state == control.FAULT or self.stuck > example.RotaryPendulum.STILL + 1
        for way in ways:
            must_stop = must_stop or way != "stuck"
        self.unsafe += must_stop and self.motor.duty != 0


def reset():
    """The reset button: nothing is said good-bye to."""
    print("reset")
    if sys.platform != "qemu":
        sys.exit()
    import machine

    machine.mem32[0xE000ED0C] = 0x05FA0004  # the CPU's system reset request


def act_nan(obs, action):
    action[0] = NAN


def minutes(ticks, reset_at, options, update_every, sample_every):
    global example
    import rotary_pendulum as example

    motor, arm, rod, clock = example.machine(None)
    motor, arm, rod = Motor(motor), Encoder(arm, 700), Encoder(rod, 1400)
    loop = example.controlled(example.RotaryPendulum(motor, arm, rod), clock, PATH, **options)
    loop.update_every = update_every
    agent = loop.agent
    referee = Referee(loop, motor, (arm, rod))
    print("resumed", agent.steps, agent.crc())
    for tick in range(1, ticks + 1):
        driven = motor.duty != 0
        if tick % 1000 == 0:
            # The policy has gone mad for a tick. Only where it acts: numbers that are none must not be learned from.
            act, agent.act = agent.act, act_nan
        loop.tick()
        if tick % 1000 == 0:
            agent.act = act
            if loop.state != control.HOMING:
                referee.unsafe += motor.duty != 0
        referee.watch(driven)
        if tick % sample_every == 0:
            gc.collect()
            if hasattr(gc, "mem_alloc"):
                print("heap", gc.mem_alloc())
        if tick == reset_at:
            print("at", agent.steps, agent.crc(), "driven" if motor.duty else "off")
            break
    print("counts", *[word for i in range(len(control.NAMES)) for word in (control.NAMES[i], loop.counts[i])])
    print("referee unsafe", referee.unsafe, "failures", referee.failures, "saves", referee.saves)
    print("learned", agent.steps, agent.updates, agent.crc(), agent.refused)
    if reset_at:
        reset()


class Robot:
    """A Pendulum that allocates nothing."""

    def __init__(self):
        self.env = env = Pendulum(seed=0, time_limit=1_000_000)
        self.obs, self.reward = env.obs, env.reward
        self.action_low, self.action_high = env.action_low, env.action_high
        self.terminated = self.truncated = False
        self.torque = array("f", (0,))
        self.watch = picorl.Watch(-2, 2, 100)
        self.stops = 0
        self.broken = False
        env.reset()

    def read(self):
        self.env.step(self.torque)
        return self.watch.good(None if self.broken else self.stops, True)

    def apply(self, action):
        picorl.kernels.backend.copy(action, 0, self.torque, 0, 1)

    def stop(self):
        self.stops ^= 1

    def home(self):
        return True


def locked(algorithm, options, ticks):
    """Without allocations: by the clock of the board, and by one that leaves time to learn."""
    from device_clock import Clock

    for clock in (None, Clock(look=100)):
        locked_ticks(algorithm, options, ticks, clock)


def locked_ticks(algorithm, options, ticks, clock):
    """Ticks, in an episode and in a fault, with no heap to take anything from."""
    import micropython

    robot = Robot()
    robot.watch.still = None
    agent = getattr(picorl, algorithm)(robot, **options)
    loop = picorl.ControlLoop(agent, robot, 500, recover=3, clock=clock)
    for _ in range(options["warmup_steps"] + 20):
        loop.tick()
    before = agent.updates, loop.counts[control.TICKS]
    micropython.heap_lock()
    try:
        for _ in range(ticks):
            loop.tick()
        robot.broken = True
        for _ in range(10):
            loop.tick()
        robot.broken = False
        for _ in range(10):
            loop.tick()
    finally:
        micropython.heap_unlock()
    print(
        "locked",
        loop.counts[control.TICKS] - before[1],
        agent.updates > before[0],
        loop.counts[control.FAULTS],
        loop.state,
    )


{"minutes": minutes, "locked": locked}[CASE["do"]](*CASE["args"])  # noqa: F821
