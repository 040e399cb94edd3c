"""The clock of interpreters whose time is not MicroPython's."""

import time
from types import SimpleNamespace

import pytest

import picorl
from picorl import clock
from picorl.envs import Pendulum

PERIOD = 1 << 29


def test_ticks_are_microseconds_that_wrap_around(monkeypatch):
    """Small integers of a 32-bit board, however long it has been running."""
    now = [0]
    slept = []
    monkeypatch.setattr(clock, "time", SimpleNamespace(monotonic_ns=lambda: now[0], sleep=slept.append))
    own = clock.own()
    assert type(own) is clock.MonotonicClock
    for start in (0, 1, 12_345, PERIOD - 1, PERIOD, 3 * PERIOD - 10, 123_456_789_012):
        now[0] = start * 1000 + 999
        before = own.ticks_us()
        assert 0 <= before < PERIOD and before == start % PERIOD
        for us in (0, 1, 20_000, 250_000_000):
            now[0] = (start + us) * 1000
            after = own.ticks_us()
            assert own.ticks_diff(after, before) == us and own.ticks_diff(before, after) == -us
            assert own.ticks_add(before, us) == after and own.ticks_add(after, -us) == before
    own.sleep_us(20_000)
    assert slept == [0.02]


def test_a_loop_keeps_its_rate_where_the_ticks_wrap_around(monkeypatch):
    now = [(PERIOD - 300_000) * 1000]

    def sleep(seconds):
        # CircuitPython's: whole milliseconds.
        now[0] += int(1000 * seconds + 0.5) * 1_000_000

    monkeypatch.setattr(clock, "time", SimpleNamespace(monotonic_ns=lambda: now[0], sleep=sleep))
    robot = Pendulum(seed=0)
    robot.read = robot.home = lambda: True
    robot.apply = lambda action: None
    robot.stop = lambda: None
    robot.reset()
    agent = picorl.SAC(robot, hidden=(4,), batch_size=4, replay_capacity=50, warmup_steps=1000)
    loop = picorl.ControlLoop(agent, robot, 30)
    start = now[0]
    for _ in range(60):
        loop.tick()
    assert now[0] - start == pytest.approx(2e9, abs=1e6)
    assert loop.counts[1] == 0 and loop.worst_late < 1000


def refuse():
    raise NotImplementedError


@pytest.mark.parametrize("without", (None, SimpleNamespace(sleep=None), SimpleNamespace(monotonic_ns=refuse)))
def test_an_interpreter_without_a_clock_wants_one(without, monkeypatch):
    """No module time; an old one; that of a small CircuitPython board, without large integers."""
    monkeypatch.setattr(clock, "time", without)
    assert clock.own() is None
    robot = Pendulum()
    robot.read = robot.home = robot.apply = robot.stop = print
    agent = picorl.SAC(robot, hidden=(4,), batch_size=4, replay_capacity=50)
    with pytest.raises(ValueError, match="clock is None, must be given where time has neither"):
        picorl.ControlLoop(agent, robot, 50)


def test_micropythons_time_is_taken_as_it_is(monkeypatch):
    theirs = SimpleNamespace(ticks_us=time.monotonic_ns)
    monkeypatch.setattr(clock, "time", theirs)
    assert clock.own() is theirs
