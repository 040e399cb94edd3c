"""The control loop: its rate, what it does when something fails, and that what it does is what training does."""

import math
import os
import sys
from array import array
from pathlib import Path

import pytest
from device_clock import Clock

import picorl
from picorl import control
from picorl.envs import CartPole, Pendulum
from picorl_host import runner

EXAMPLES = Path(__file__).resolve().parents[1] / "device/examples"
SMALL = dict(hidden=(8,), batch_size=4, replay_capacity=200, warmup_steps=4, seed=0)
RATE = 100
PERIOD = 10_000


class Robot:
    """A Pendulum that is measured and driven. log: what was done to its motor; trouble: what happens at the next readings, in order."""

    def __init__(self, clock, limit=20):
        self.env = Pendulum(seed=1, time_limit=limit)
        self.action_low, self.action_high = self.env.action_low, self.env.action_high
        self.obs, self.reward = array("f", self.env.obs), array("f", [0])
        self.terminated = self.truncated = False
        self.clock = clock
        self.torque = array("f", [0])
        self.log, self.trouble, self.reads, self.homes = [], [], [], []
        self.home_ticks = 2

    def read(self):
        self.reads.append(self.clock.now)
        trouble = self.trouble.pop(0) if self.trouble else "none"
        if isinstance(trouble, Exception):
            raise trouble
        if not trouble:
            return trouble
        if self.log and self.log[-1] == "apply":
            self.env.step(self.torque)
        self.obs[:], self.reward[:] = self.env.obs, self.env.reward
        if trouble in ("obs", "reward"):
            getattr(self, trouble)[0] = math.nan
        self.terminated, self.truncated = self.env.terminated, self.env.truncated
        return True

    def apply(self, action):
        assert all(map(math.isfinite, action))
        if self.log and isinstance(self.log[-1], Exception):
            raise self.log.pop()
        self.torque[:] = action
        self.log.append("apply")

    def stop(self):
        self.log.append("stop")

    def home(self):
        self.homes.append(self.clock.now)
        self.log.append("home")
        if self.log.count("home") % self.home_ticks:
            return False
        self.env.reset()
        self.obs[:] = self.env.obs
        self.truncated = False
        return True


def make(algorithm=picorl.SAC, limit=20, options=None, **settings):
    clock = Clock()
    robot = Robot(clock, limit)
    agent = algorithm(robot, **{**SMALL, **(options or {})})
    return control.ControlLoop(agent, robot, RATE, clock=clock, **settings), robot, clock


def ticks(loop, n):
    for _ in range(n):
        loop.tick()


def running(**settings):
    made = make(**settings)
    ticks(made[0], 2)
    assert made[0].state == control.RUNNING and made[1].log == ["home", "home", "apply"]
    return made


def test_each_tick_comes_one_period_after_the_last():
    loop, robot, _ = make()
    ticks(loop, 50)
    assert robot.reads == [PERIOD * (1 + i) for i in range(50)]
    assert loop.counts[control.TICKS] == 50 and loop.counts[control.MISSED] == 0 and loop.worst_late == 0


@pytest.mark.parametrize("algorithm", (picorl.SAC, picorl.TD3, picorl.RecurrentSAC))
def test_the_agent_learns_as_in_a_loop_by_hand(algorithm):
    """Act on the tick, then make the updates of the transition before it."""
    loop, robot, _ = make(algorithm)
    while loop.agent.steps < 150:
        loop.tick()
    loop._learn_until_due()
    env = Pendulum(seed=1, time_limit=20)
    agent, action = algorithm(env, **SMALL), array("f", [0])

    def learn():
        while agent.ready() and agent.updates < agent.steps:
            agent.update()

    for step in range(150):
        if step % 20 == 0:
            learn()  # on the way home
            env.reset()
            agent.begin(env.obs)
        agent.act(env.obs, action)
        learn()
        env.step(action)
        agent.observe(action, env.reward, env.obs, env.terminated, env.truncated)
    learn()
    assert loop.agent.updates == 150 and loop.agent.crc() == agent.crc()


def test_updates_keep_to_their_rate_and_make_up_for_lost_time():
    loop, robot, clock = running(update_every=3)
    ticks(loop, 60)
    steps = loop.agent.steps
    ticks(loop, 1)
    assert loop.agent.updates == (steps + 2) // 3 and steps > 40
    work, loop._work = loop._work, lambda: setattr(clock, "now", clock.now + 9_000)  # nothing is done any more
    ticks(loop, 30)
    assert loop.agent.updates == (steps + 2) // 3
    loop._work, loop.longest = work, 0
    ticks(loop, 2)
    assert loop.agent.updates == (loop.agent.steps + 1) // 3


def test_learning_stops_before_a_tick_that_a_piece_would_make_late():
    loop, robot, clock = running()
    ticks(loop, 10)
    work, pieces = loop.agent.work, []

    def slow():
        pieces.append(clock.now)
        clock.now += 3_000
        return work()

    loop._work = slow
    robot.reads.clear()
    loop.longest = 3_000
    ticks(loop, 20)
    assert len(pieces) > 20
    assert loop.counts[control.MISSED] == 0
    assert all(read % PERIOD == 0 for read in robot.reads)
    # Three of 3 ms fit into 10 ms: the fourth would end after the tick.
    assert max(sum(tick - PERIOD <= piece < tick for piece in pieces) for tick in robot.reads) == 3


def test_an_update_goes_on_in_ticks_in_which_none_is_due():
    clock = Clock()
    robot = Robot(clock)
    robot.env = CartPole(seed=0)
    robot.n_actions, robot.obs, robot.torque = 2, array("f", robot.env.obs), array("i", [0])
    del robot.action_low, robot.action_high
    agent = picorl.DQN(robot, **SMALL, learn_every=4, chunk=1)
    loop = picorl.ControlLoop(agent, robot, RATE, clock=clock, update_every=4)
    work, pieces = agent.work, []

    def slow():
        pieces.append(agent.steps)
        clock.now += 3_000
        return work()

    loop._work = slow
    while agent.updates < 3:
        loop.tick()
    assert {steps % 4 for steps in pieces} == {0, 1, 2, 3}


def test_a_piece_longer_than_a_period_is_tried_seldom():
    loop, robot, clock = running()
    ticks(loop, 10)
    work = loop.agent.work

    def slow():
        clock.now += 25_000
        return work()

    loop._work = slow
    before = loop.counts[control.MISSED]
    ticks(loop, 40)
    assert loop.counts[control.MISSED] == before + 1  # once: 25 ms over two ticks
    assert loop.worst_late == 15_000


def test_missed_ticks_are_counted_and_the_beat_is_kept():
    loop, robot, clock = running()
    clock.now += 3 * PERIOD + 1234
    ticks(loop, 3)
    assert loop.counts[control.MISSED] == 2  # the third is late, not missed
    assert [read % PERIOD for read in robot.reads[-3:]] == [1234, 0, 0]
    assert loop.worst_late == 2 * PERIOD + 1234


FAILURES = (False, None, OSError(19), "obs", "reward")


@pytest.mark.parametrize("trouble", FAILURES, ids=str)
def test_a_failing_sensor_stops_the_motor_at_once_and_until_it_is_well_for_a_while(trouble):
    loop, robot, _ = running(recover=5)
    ticks(loop, 3)
    steps = loop.agent.steps
    robot.log.clear()
    robot.trouble = [trouble] * 4
    ticks(loop, 4)
    assert robot.log == ["stop"] * 4 and loop.state == control.FAULT
    assert loop.counts[control.FAULTS] == 1
    ticks(loop, 4)
    robot.trouble = [trouble]
    ticks(loop, 1 + 5)
    assert robot.log == ["stop"] * 14, "good readings count from the last bad one"
    assert loop.counts[control.FAULTS] == 1 and loop.agent.steps == steps
    ticks(loop, 2)
    assert robot.log[14:] == ["home", "home", "apply"] and loop.state == control.RUNNING
    ticks(loop, 5)
    assert loop.agent.steps == steps + 5


def test_no_transition_reaches_across_a_failure():
    loop, robot, _ = running(recover=1)
    ticks(loop, 3)
    robot.trouble = [False]
    ticks(loop, 20)
    agent = loop.agent
    size = agent.obs_size
    for row in range(agent.replay_state[0]):
        if agent.replay_flags[row]:
            one, after = (agent.replay_obs[size * i : size * (i + 1)] for i in (row, row + 1))
            assert math.hypot(one[0] - after[0], one[1] - after[1]) < 0.6  # a velocity of at most 8 rad/s for 0.05 s


def test_a_sensor_that_fails_on_the_way_home_stops_the_motor():
    loop, robot, _ = make()
    ticks(loop, 1)
    robot.trouble = [OSError(5)]
    ticks(loop, 1)
    assert robot.log == ["home", "stop"] and loop.state == control.FAULT


@pytest.mark.parametrize("value", (math.nan, math.inf, -math.inf))
def test_an_action_that_is_no_number_never_reaches_the_motor(value):
    loop, robot, _ = running(recover=2, options={"warmup_steps": 0})
    kept = array("f", loop.agent.actor)
    loop.agent.actor[-2] = value  # the bias of the mean
    act = loop.agent._kernels.gaussian_action
    probe = array("f", [0])
    act(array("f", [math.nan, 0]), None, loop.agent.scaling, probe, 1)
    assert math.isnan(probe[0])
    robot.log.clear()
    loop._ready = lambda: False
    if math.isinf(value):
        loop.agent.act = lambda obs, action: action.__setitem__(0, value)
    ticks(loop, 1)
    assert robot.log == ["stop"] and loop.state == control.FAULT
    assert loop.counts[control.BAD_ACTIONS] == 1 and loop.counts[control.FAULTS] == 0
    ticks(loop, 4)
    assert robot.log == ["stop"] * 3 + ["home"] * 2 + ["stop"] and loop.counts[control.BAD_ACTIONS] == 2
    loop.agent.actor[:] = kept
    loop.agent.__dict__.pop("act", None)
    ticks(loop, 4)
    assert robot.log[-1] == "apply"


def test_a_motor_driver_that_does_not_answer_is_a_fault():
    loop, robot, _ = running()
    robot.log.append(OSError(110))
    ticks(loop, 1)
    assert robot.log[-1] == "stop" and loop.counts[control.FAULTS] == 1


def test_episodes_end_with_the_motor_off_and_begin_at_home():
    loop, robot, _ = make(limit=5)
    for _ in range(3):
        while not loop.tick():
            pass
        assert robot.log[-1] == "stop" and loop.state == control.HOMING
    assert loop.counts[control.EPISODES] == 3 and loop.agent.steps == 15
    assert "".join(word[0] for word in robot.log) == "hhaaaaas" * 3


def test_records_tell_the_return_of_an_episode():
    loop, robot, _ = make(limit=5)
    records = list(loop.run(40))
    assert len(records) == 5 == records[-1]["episodes"]  # of 7 ticks each: two to go home, the second of them also acts
    flags, rewards = loop.agent.replay_flags, loop.agent.replay_reward
    stored = [rewards[row] for row in range(len(rewards)) if flags[row]]
    assert len(stored) >= 25
    for i, record in enumerate(records):
        assert record["return"] == pytest.approx(sum(stored[5 * i : 5 * i + 5]), rel=1e-5)
    assert records[-1]["ticks"] <= 40 and loop.counts[control.TICKS] == 40
    assert robot.log[-1] == "stop"


def test_an_exception_leaves_the_motor_off():
    loop, robot, _ = running()

    def interrupted():
        raise KeyboardInterrupt

    ticks(loop, 10)
    assert robot.log[-1] == "apply"
    loop._work = interrupted
    with pytest.raises(KeyboardInterrupt):
        list(loop.run(10))
    assert robot.log[-1] == "stop"


def test_checkpoints_are_written_when_due_with_the_motor_off(tmp_path, monkeypatch):
    """In the middle of an episode that would go on for long."""
    path = str(tmp_path / "robot.safetensors")
    loop, robot, clock = make(limit=1000, path=path, save_every=0.5)
    save, saved = loop.agent.save, []

    def slow(*args, **kwargs):
        saved.append((loop.counts[control.TICKS], robot.log[-1]))
        clock.now += 700_000  # 70 ticks
        save(*args, **kwargs)

    monkeypatch.setattr(loop.agent, "save", slow)
    ticks(loop, 160)
    assert saved == [(50, "stop"), (100, "stop"), (150, "stop")]
    assert loop.counts[control.SAVES] == 3 and loop.counts[control.MISSED] == 0
    assert os.path.exists(path)
    # What the cut ended was stored as truncated: it bootstraps.
    flags = loop.agent.replay_flags
    assert 2 not in flags and sum(map(bool, flags)) == loop.agent.steps


def test_checkpoints_go_on_when_a_boards_count_of_ticks_does_with_negative_numbers(tmp_path):
    loop, _, _ = make(limit=1000, path=str(tmp_path / "robot.safetensors"), save_every=0.5)
    loop._saved = 2**31 - 10
    loop.counts[control.TICKS] = -(2**31) + 5
    ticks(loop, 10)
    assert loop.counts[control.SAVES] == 1
    ticks(loop, 60)
    assert loop.counts[control.SAVES] == 2


def test_a_loop_goes_on_where_the_last_checkpoint_was_made(tmp_path):
    path = str(tmp_path / "robot.safetensors")
    loop, _, _ = make(path=path, save_every=0.3)
    assert loop.resume() is False
    ticks(loop, 100)
    assert loop.counts[control.SAVES] > 1
    loop.save()
    again, robot, _ = make(path=path)
    assert again.resume() is True
    assert again.agent.crc() == loop.agent.crc() and again.agent.steps == loop.agent.steps
    ticks(again, 3)
    assert robot.log[:2] == ["home", "home"]
    ticks(again, 20)
    assert again.agent.steps == loop.agent.steps + 20


def test_resume_names_a_checkpoint_that_does_not_fit(tmp_path):
    path = str(tmp_path / "robot.safetensors")
    loop, _, _ = make(path=path)
    loop.save()
    other, _, _ = make(path=path, options={"hidden": (9,)})
    with pytest.raises(ValueError, match="has layout"):
        other.resume()


@pytest.mark.parametrize("error", (OSError(28, "save: no room"), ValueError("not finite"), MemoryError("none")))
def test_control_goes_on_when_a_checkpoint_cannot_be_written(tmp_path, monkeypatch, error):
    loop, robot, _ = make(path=str(tmp_path / "robot.safetensors"), save_every=0.2)

    def failing(*args, **kwargs):
        raise error

    monkeypatch.setattr(loop.agent, "save", failing)
    ticks(loop, 100)
    assert loop.counts[control.FAILED_SAVES] >= 3 and loop.counts[control.SAVES] == 0
    assert loop.problem == str(error) and loop.agent.steps > 60


def test_a_loop_without_a_path_saves_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    loop, _, _ = make(save_every=0.1)
    ticks(loop, 100)
    assert not list(tmp_path.iterdir()) and loop.counts[control.SAVES] == 0


def test_discrete_actions_are_driven_too():
    clock = Clock()
    robot = Robot(clock)
    cart = CartPole(seed=0)
    robot.obs, robot.n_actions = cart.obs, 2
    driven = []
    robot.read = robot.home = lambda: True
    robot.apply = lambda action: driven.append(action[0])
    loop = control.ControlLoop(picorl.DQN(cart, seed=0, batch_size=4, replay_capacity=50), robot, RATE, clock=clock)
    ticks(loop, 30)
    assert len(driven) == 30 and set(driven) <= {0, 1}


def test_the_desktops_own_clock_keeps_the_rate():
    """In real time, and with learning in between."""
    robot = Robot(Clock(), limit=1000)
    agent = picorl.SAC(robot, **SMALL)
    loop = control.ControlLoop(agent, robot, RATE)
    start = loop._us()
    ticks(loop, 60)
    took = loop._us() - start
    assert took >= 59.9 * PERIOD and agent.updates > 20
    assert took < 70 * PERIOD + loop.counts[control.MISSED] * PERIOD


@pytest.mark.parametrize(
    "changes, message",
    (
        ({"rate": 0}, "rate is 0, must be between 1 and 10000"),
        ({"rate": math.nan}, "rate is nan"),
        ({"update_every": 0}, "update_every is 0, must be a whole number of at least 1"),
        ({"recover": 0}, "recover is 0"),
        ({"save_every": -1}, "save_every is -1"),
        ({"robot": Pendulum()}, r"robot \(Pendulum\) has no read\(\)"),
        ({"agent": None}, "agent is a NoneType, must be SAC, TD3, RecurrentSAC or DQN"),
    ),
)
def test_arguments_that_cannot_be_are_named(changes, message):
    robot = Robot(Clock())
    arguments = {"agent": picorl.SAC(robot, **SMALL), "robot": robot, "rate": RATE, **changes}
    with pytest.raises(ValueError, match=message):
        control.ControlLoop(**arguments)


def test_without_a_path_there_is_nothing_to_resume():
    robot = Robot(Clock())
    loop = control.ControlLoop(picorl.SAC(robot, **SMALL), robot, RATE)
    with pytest.raises(ValueError, match="resume: path is None"):
        loop.resume()


# --- readings -------------------------------------------------------------------------------------------------------


def test_a_watch_refuses_what_is_no_reading():
    watch = control.Watch(0, 4095)
    for bad in (None, -1, 4096, math.nan, math.inf, -math.inf):
        assert not watch.good(bad)
    for good in (0, 4095, 17.5):
        assert watch.good(good)


def test_a_watch_notices_a_sensor_that_stands_still_while_the_machine_is_driven():
    watch = control.Watch(0, 100, still=3)
    assert all(watch.good(5) for _ in range(20)), "a machine at rest"
    assert [watch.good(5, driven=True) for _ in range(5)] == [True, True, True, False, False]
    assert watch.good(6, driven=True)
    assert all(control.Watch(0, 100).good(5, driven=True) for _ in range(100))


# --- the example ----------------------------------------------------------------------------------------------------


@pytest.fixture
def example(monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)
    import rotary_pendulum

    return rotary_pendulum


def coast(example, plant, seconds):
    plant.clock.sleep_us(int(seconds * 1e6))
    plant.catch_up()


def energy(plant):
    """Of the frictionless machine, in units of the rod's inertia: kinetic and potential."""
    a, b, u, v = 0, plant.rod[0], plant.arm[1], plant.rod[1]
    s, c = math.sin(b), math.cos(b)
    return ((plant.J + s * s) * u * u + v * v) / 2 + plant.K * c * u * v + plant.W * c + a


def test_the_simulated_machine_keeps_its_energy_without_friction_and_loses_it_with(example):
    for friction in (0, 1):
        clock = example.Clock()
        plant = example.Plant(clock)
        plant.M, plant.D, plant.STEP_US = 0.05 * friction, 0.375 * friction, 250
        plant.dt = plant.STEP_US / 1e6
        plant.rod[0], plant.arm[1] = 2.0, 3.0
        start = energy(plant)
        found = []
        for _ in range(40):
            coast(example, plant, 0.05)
            found.append(energy(plant))
        if friction:
            assert found[-1] < start - 20
        else:
            assert max(abs(x - start) for x in found) < 0.02 * plant.W


def test_the_simulated_rod_swings_with_its_period_and_the_motor_turns_with_its_speed(example):
    plant = example.Plant(example.Clock())
    plant.D, plant.M = 0, 1e6  # the motor holds the arm
    plant.J = 1e6
    plant.rod[0] = math.pi - 0.1
    crossings, before = [], plant.rod[0]
    for i in range(400):
        coast(example, plant, 0.005)
        if (before - math.pi) * (plant.rod[0] - math.pi) < 0:
            crossings.append(i * 0.005)
        before = plant.rod[0]
    period = 2 * (crossings[-1] - crossings[0]) / (len(crossings) - 1)
    assert period == pytest.approx(2 * math.pi / math.sqrt(plant.W), rel=0.02)
    plant = example.Plant(example.Clock())
    plant.duty = 0.5
    coast(example, plant, 10)
    assert plant.arm[1] == pytest.approx(0.5 * plant.TOP, rel=0.05)


def test_what_the_robot_observes_is_what_the_encoders_turned_through(example):
    motor, arm, rod, clock = example.machine(None)
    robot = example.RotaryPendulum(motor, arm, rod)
    plant = motor.plant
    for angle, velocity in ((0.5, 0), (-1.25, 8), (3.0, -16), (-3.0, 16)):
        for _ in range(2):  # the second reading knows the velocity
            plant.arm[0], plant.rod[0] = angle / 2, angle
            assert robot.read() is True
            angle += velocity / example.RATE
        angle -= velocity / example.RATE
        wanted = (math.cos(angle), math.sin(angle), velocity / 8, angle / 2, velocity / 16)
        assert list(robot.obs) == pytest.approx(wanted, abs=0.02)
        assert robot.reward[0] == pytest.approx((1 + math.cos(angle)) / 2 - (angle / 8) ** 2, abs=0.01)
    plant.arm[0] = 2.1
    robot.read()
    assert robot.terminated


def test_the_machine_goes_home_from_anywhere(example):
    for angle in (-2.2, -0.5, 1.0, 2.2):
        motor, arm, rod, clock = example.machine(None)
        robot = example.RotaryPendulum(motor, arm, rod)
        motor.plant.arm[0], motor.plant.arm[1] = angle, 2 * angle
        for tick in range(250):
            clock.sleep_us(20_000)
            robot.read()
            if robot.home() and tick > 5:
                break
        assert abs(motor.plant.arm[0]) < 0.15 and tick < 200


class Pin:
    OUT = 1

    def __init__(self, number, mode=None, value=None):
        self.level = value

    def value(self, level):
        self.level = bool(level)


class PWM:
    def __init__(self, pin, freq, duty_u16):
        self.duty = duty_u16

    def duty_u16(self, duty):
        assert 0 <= duty <= 65535
        self.duty = duty


class I2C:
    """An AS5600's registers."""

    memory = {0x0B: 0x20, 0x0C: 0x0A, 0x0D: 0xBC}

    def __init__(self, bus, scl, sda, freq):
        pass

    def readfrom_mem_into(self, address, register, into):
        assert address == 0x36
        for i in range(len(into)):
            into[i] = self.memory[register + i]


def test_pins_and_registers_are_what_the_parts_data_sheets_say(example, monkeypatch):
    """H-bridge and encoder, with `machine` as MicroPython documents it."""
    from types import SimpleNamespace

    monkeypatch.setitem(sys.modules, "machine", SimpleNamespace(Pin=Pin, PWM=PWM, I2C=I2C))
    pins = {"pwm": 15, "forward": 14, "backward": 13, "arm": (0, 1, 0), "rod": (1, 3, 2)}
    motor, arm, rod, clock = example.machine(pins)
    assert clock is None
    for duty, forward, backward, level in ((0, 0, 0, 0), (1000, 1, 0, 1000), (-1000, 0, 1, 1000), (65536, 1, 0, 65535)):
        motor.set(duty)
        assert (motor.forward.level, motor.backward.level, motor.pwm.duty) == (forward, backward, level)
    assert arm.read() == rod.read() == 0xABC
    monkeypatch.setitem(I2C.memory, 0x0B, 0x10)
    assert arm.read() is None


@pytest.mark.parametrize("runtime", [runner.cpython, runner.micropython])
def test_the_example_runs_and_resumes(runtime, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = {"minutes": 1.5, "agent": {"hidden": [8, 8], "batch_size": 8}}
    for resumed in (False, True):
        records = runner.run(runtime(), EXAMPLES / "rotary_pendulum.py", config).records
        assert records[0]["resumed"] is resumed
        assert records[-2]["missed"] == 0 and records[-2]["faults"] == 0 and records[-2]["ticks"] > 4000
    assert records[0]["step"] > 500


def test_the_example_learns_to_swing_up_and_stand():
    """Ten minutes: at first the rod hangs, which earns nothing, at the end it stands for half of an episode of 250 ticks, and more."""
    config = {"minutes": 10, "save": None}
    records = runner.run(runner.cpython(), EXAMPLES / "rotary_pendulum.py", config).events("episode")
    returns = [record["return"] for record in records]
    assert len(returns) > 80 and max(returns[:10]) < 30
    assert sum(returns[-20:]) / 20 > 90
    assert records[-1]["missed"] == 0
