"""A rotary pendulum learns on its own microcontroller: an arm turned by a motor, at its end a rod that hangs free and shall stand.

    mpremote run rotary_pendulum.py
    micropython rotary_pendulum.py '{"minutes": 10}'
    python rotary_pendulum.py '{"minutes": 10, "save": null}'

The machine: a DC motor on an H-bridge (TB6612, DRV8871, ...: a PWM pin and two for the direction) and two magnetic encoders AS5600, one
for the arm, one for the rod, each on an I2C bus of its own because their address is fixed. Set PINS for a board, and ZEROS to what the
encoders read when the arm points ahead and when the rod stands upright. Without PINS, or where there is no `machine`, the same program
drives a simulated machine in simulated time.

It controls 50 times a second and learns between these ticks. When an encoder fails, or stands still while the motor turns, or the policy
comes up with something that is no number, the motor is off until all is well again. Once a minute, with the motor off, what was
learned goes to flash; after a reset or a power failure the program goes on from there.
"""

import json
import sys
from array import array

import picorl

PINS = None  # such as {"pwm": 15, "forward": 14, "backward": 13, "arm": (0, 1, 0), "rod": (1, 3, 2)}: I2C bus, SCL, SDA
ZEROS = (0, 2048)
RATE = 50  # Hz
FULL = 65536  # duty of a motor that is driven with all the voltage there is
TURN = 4096  # counts of an encoder


# --- the machine ----------------------------------------------------------------------------------------------------


class Motor:
    """An H-bridge: set(duty) with duty from -FULL to FULL."""

    def __init__(self, pwm, forward, backward):
        from machine import PWM, Pin

        self.pwm = PWM(Pin(pwm), freq=20_000, duty_u16=0)
        self.forward, self.backward = Pin(forward, Pin.OUT, value=0), Pin(backward, Pin.OUT, value=0)

    def set(self, duty):
        self.forward.value(duty > 0)
        self.backward.value(duty < 0)
        self.pwm.duty_u16(min(abs(duty), FULL - 1))


class Encoder:
    """An AS5600: read() gives the angle as 0 to TURN - 1, None when it sees no magnet; OSError when it does not answer."""

    ADDRESS = 0x36
    STATUS = 0x0B  # and behind it the angle, high byte first

    def __init__(self, bus, scl, sda):
        from machine import I2C, Pin

        self.bus = I2C(bus, scl=Pin(scl), sda=Pin(sda), freq=400_000)
        self.bytes = bytearray(3)

    def read(self):
        self.bus.readfrom_mem_into(self.ADDRESS, self.STATUS, self.bytes)
        status, high, low = self.bytes
        return (high & 15) << 8 | low if status & 0x20 else None


# --- the same, simulated --------------------------------------------------------------------------------------------

_rounded = array("f", (0,))


def single(x):
    """x as float32. With one operation between two roundings every interpreter computes the same bits."""
    _rounded[0] = x
    return _rounded[0]


class Clock:
    """Simulated time in microseconds: a look at it takes LOOK, whatever is done between two looks nothing."""

    LOOK = 50
    WRAP = 1 << 30

    def __init__(self):
        self.now = self.WRAP - 5_000_000  # as on a board, the number does not grow for ever

    def ticks_us(self):
        self.sleep_us(self.LOOK)
        return self.now

    def ticks_add(self, ticks, delta):
        return (ticks + delta) % self.WRAP

    def ticks_diff(self, end, start):
        return (end - start + self.WRAP // 2) % self.WRAP - self.WRAP // 2

    def sleep_us(self, us):
        self.now = (self.now + us) % self.WRAP


class Plant:
    """Arm (angle a) and rod (b, 0 upright), a rotary pendulum after Furuta et al. 1992; angles in rad, duty from -1 to 1:

        (J + sin^2 b) a'' + K cos b b'' = M (TOP duty - a') - 2 sin b cos b a' b' + K sin b b'^2
        K cos b a'' + b'' = sin b cos b a'^2 + W sin b - D b'

    All is divided by the rod's inertia about its hinge, m L^2 / 3. With the sizes of a table-top model (rod L = 129 mm and 24 g, arm
    R = 86 mm, 6 V) J = 3 is the inertia of the arm with the rod's mass at its end, K = 3 R / 2 L, W = 3 g / 2 L, M the motor's
    torque and braking by its speed, TOP its speed without load, D the hinge's friction.
    """

    J, K, W, M, TOP, D = 3, 1, 114, 1.5, 144, 0.375
    STEP_US = 5000

    def __init__(self, clock):
        self.clock = clock
        self.time = clock.now
        self.arm, self.rod = array("f", (0, 0)), array("f", (3.140625, 0))  # angle, velocity
        self.duty = 0.0
        self.dt = single(self.STEP_US / 1_000_000)
        self.trig = array("f", (0, 0, 0))

    def catch_up(self):
        """Let the time that has passed pass here, too."""
        steps = self.clock.ticks_diff(self.clock.now, self.time) // self.STEP_US
        self.time = self.clock.ticks_add(self.time, steps * self.STEP_US)
        for _ in range(steps):
            self._step()

    def _step(self):
        picorl.kernels.backend.pendulum_observe(self.rod, self.trig, 0, 1)
        cos, sin, v = self.trig
        u, dt = self.arm[1], self.dt
        k, both = single(self.K * cos), single(sin * cos)
        p = single(self.M * single(single(self.TOP * self.duty) - u))
        p = single(p - 2 * single(both * single(u * v)))
        p = single(p + single(single(self.K * sin) * single(v * v)))
        q = single(single(both * single(u * u)) + single(self.W * sin))
        q = single(q - single(self.D * v))
        inertia = single(single(self.J + single(sin * sin)) - single(k * k))
        acceleration = single(single(p - single(k * q)) / inertia)
        self._move(self.arm, acceleration, dt)
        self._move(self.rod, single(q - single(k * acceleration)), dt)

    def _move(self, body, acceleration, dt):
        body[1] = body[1] + single(acceleration * dt)
        body[0] = body[0] + single(body[1] * dt)


class SimulatedMotor:
    def __init__(self, plant):
        self.plant = plant

    def set(self, duty):
        self.plant.catch_up()
        self.plant.duty = duty / FULL


class SimulatedEncoder:
    COUNTS = 10_680_709 / 16_384  # a rad, the float32 nearest to TURN / 2 pi

    def __init__(self, plant, body, zero):
        self.plant, self.body, self.zero = plant, body, zero

    def read(self):
        self.plant.catch_up()
        return (int(single(self.body[0] * self.COUNTS)) + self.zero) % TURN


# --- what the agent sees of either ----------------------------------------------------------------------------------


class RotaryPendulum:
    """obs (5) = cosine, sine and velocity (8 rad/s) of the rod, angle (rad) and velocity (8 rad/s) of the arm; action (1) = duty in ±1.

    reward = (1 + cosine) / 2 - (angle of the arm / 4)²; terminated when the arm is beyond 2 rad, truncated after 5 s.
    """

    LIMIT = 1304  # counts: 2 rad
    TIME_LIMIT = 5 * RATE
    HOME_DUTY = FULL // 4
    STILL = RATE // 2

    def __init__(self, motor, arm, rod, zeros=ZEROS):
        self.motor, self.arm, self.rod, self.zeros = motor, arm, rod, zeros
        self.obs = array("f", (0, 0, 0, 0, 0))
        self.reward = array("f", (0,))
        self.action_low, self.action_high = array("f", (-1,)), array("f", (1,))
        self.terminated = self.truncated = False
        self.watches = [picorl.Watch(0, TURN - 1, self.STILL) for _ in zeros]
        rad = (
            13_176_795 / 4_194_304 * 2 / TURN
        )  # pi as the nearest float32: its bits must not depend on who reads the number
        self.units = array("f", (rad, rad * RATE / 8))
        self.counts = array("i", (0, 0, 0, 0))  # angle and velocity of the arm, of the rod
        self.motion = array("f", (0, 0, 0))
        self.duty = self.elapsed = 0

    def read(self):
        arm, rod = self.arm.read(), self.rod.read()
        driven = self.duty != 0
        good = self.watches[0].good(arm, driven), self.watches[1].good(rod, driven)
        if False in good:
            return False
        self._count(0, arm - self.zeros[0])
        self._count(2, rod - self.zeros[1])
        self._observe()
        self.elapsed += 1
        self.terminated = abs(self.counts[0]) > self.LIMIT
        self.truncated = self.elapsed >= self.TIME_LIMIT
        return True

    def _count(self, i, angle):
        """Angles and their changes go the short way round."""
        half = TURN // 2
        angle = (angle + half) % TURN - half
        self.counts[i + 1] = (angle - self.counts[i] + half) % TURN - half
        self.counts[i] = angle

    def _observe(self):
        # Numbers that are learned from: every operation ends in a float32 buffer.
        obs, motion, (rad, velocity) = self.obs, self.motion, self.units
        arm, arm_change, rod, rod_change = self.counts
        motion[0] = rod * rad
        motion[1] = rod_change * velocity
        picorl.kernels.backend.pendulum_observe(motion, obs, 0, 1)  # cosine, sine and what motion[1] is
        obs[3] = arm * rad
        obs[4] = arm_change * velocity
        motion[2] = obs[3] * obs[3]
        self.reward[0] = 0.5 + 0.5 * obs[0]
        self.reward[0] -= motion[2] / 16

    def _drive(self, duty):
        self.duty = duty
        self.motor.set(duty)

    def apply(self, action):
        self._drive(int(action[0] * FULL))

    def stop(self):
        self._drive(0)

    def home(self):
        """Turn the arm ahead, with little force."""
        arm, change = self.counts[0], self.counts[1]
        self._drive(max(-self.HOME_DUTY, min(self.HOME_DUTY, -30 * arm - 600 * change)))
        self.elapsed = 0
        return abs(arm) < 60 and abs(change) < 8


def machine(pins):
    """Motor, both encoders and the clock (None: the board's own) of the machine at these pins, or of a simulated one."""
    try:
        if pins:
            motor = Motor(pins["pwm"], pins["forward"], pins["backward"])
            return motor, Encoder(*pins["arm"]), Encoder(*pins["rod"]), None
    except ImportError:  # no `machine`
        pass
    clock = Clock()
    plant = Plant(clock)
    arm, rod = SimulatedEncoder(plant, plant.arm, ZEROS[0]), SimulatedEncoder(plant, plant.rod, ZEROS[1])
    return SimulatedMotor(plant), arm, rod, clock


def controlled(robot, clock, path, **options):
    """The loop with an agent for 240 KB of heap, going on from the checkpoint at path if there is one."""
    settings = dict(hidden=(32, 32), batch_size=64, replay_capacity=5000, warmup_steps=500, chunk=16)
    settings.update(options)
    agent = picorl.SAC(robot, **settings)
    loop = picorl.ControlLoop(agent, robot, RATE, path=path, clock=clock)
    resumed = path is not None and loop.resume()
    picorl.report("start", resumed=resumed, step=agent.steps, kernels=picorl.kernels.name)
    return loop


if __name__ == "__main__":
    config = {"minutes": None, "save": "rotary_pendulum.safetensors", "agent": {}}
    if len(sys.argv) > 1:
        config.update(json.loads(sys.argv[1]))
    motor, arm, rod, clock = machine(PINS)
    loop = controlled(RotaryPendulum(motor, arm, rod), clock, config["save"], **config["agent"])
    minutes = config["minutes"]
    for record in loop.run(minutes and minutes * 60 * RATE):
        picorl.report("episode", **record)
    picorl.report("end", crc=loop.agent.crc())
