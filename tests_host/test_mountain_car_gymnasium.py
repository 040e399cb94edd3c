"""MountainCar and its kernels against gymnasium's MountainCarContinuous-v0."""

from array import array

import numpy as np
import pytest
from gymnasium_reference import started

from picorl.envs import MountainCar


@pytest.fixture
def reference():
    return started("MountainCarContinuous-v0")


def reset(backend, seed, envs):
    state = array("f", [9] * (2 * envs))
    backend.mountain_car_reset(array("I", (seed, 0, 0, 0)), state, 0, envs)
    return state


def step(backend, state, action):
    reward, ended = array("f", [7]), bytearray([7])
    assert backend.mountain_car_step(state, array("f", [action]), reward, ended, 0, 1) is None
    return reward[0], ended[0]


@pytest.mark.parametrize("together, tolerance", [("each step", 2e-7), ("each episode", 2e-5)])
def test_follows_gymnasium_over_1000_random_steps(backend, reference, together, tolerance):
    """From the same state to the same state. The pushes follow the car, so that it gets to the goal and to the left end."""
    rng = np.random.default_rng(1)
    over, episodes, arrivals, left_ends = True, 0, 0, 0
    for _ in range(1000):
        if over:
            state = reset(backend, episodes, 1)
            reference.reset()
            reference.state = np.array(state, np.float32)
            episodes += 1
        elif together == "each step":
            reference.state = np.array(state, np.float32)
        action = np.float32(np.sign(state[1]) + rng.normal(0, 0.4))  # beyond the limits too
        obs, reward, over, truncated, _ = reference.step(np.array([action]))
        ours = step(backend, state, action)
        np.testing.assert_allclose(state, obs, atol=tolerance, rtol=0)
        assert (ours[1], truncated) == (over, False)
        assert ours[0] == pytest.approx(reward, abs=1e-5)
        arrivals += over
        left_ends += state[0] == np.float32(-1.2)
    assert arrivals == episodes - 1 > 5 and left_ends > 0


def test_the_ends_of_the_track_are_gymnasiums(backend, reference):
    for position, velocity, action in [
        (-1.19, -0.07, -1),  # against the left end: it stops
        (-1.2, 0.0, -1),
        (0.59, 0.07, 1),  # against the right end: it keeps its velocity
        (0.449, 0.01, 0),
        (0.47, -0.05, 0),  # behind the goal, but on its way back
    ]:
        state = array("f", [position, velocity])
        reference.state = np.array(state, np.float32)
        obs, reward, over, *_ = reference.step(np.array([action], np.float32))
        assert step(backend, state, action) == (pytest.approx(reward), over)
        np.testing.assert_allclose(state, obs, atol=1e-7, rtol=0)


def test_resets_in_gymnasiums_range(backend):
    starts = np.array(reset(backend, 3, 2000)).reshape(2000, 2)
    assert np.all(starts[:, 1] == 0)
    counts, _ = np.histogram(starts[:, 0], bins=10, range=(-0.6, -0.4))
    assert counts.sum() == 2000 and counts.min() > 140 and counts.max() < 260


def test_rows_are_environments(backend):
    """A row steps the same among others as alone, and no other row is touched."""
    n = 20
    together, action = reset(backend, 5, n), array("f", np.linspace(-1, 1, n))
    one = together[:]
    reward, ended = array("f", bytes(4 * n)), bytearray(n)
    backend.mountain_car_step(together, action, reward, ended, 0, n)
    for row in range(n):
        backend.mountain_car_step(one, action, array("f", bytes(4 * n)), bytearray(n), row, 1)
    np.testing.assert_allclose(one, together, 1e-6)
    late = array("f", [0] * (2 * n))
    backend.mountain_car_reset(array("I", (5, 0, 0, 0)), late, 12, 8)
    assert late[:24] == array("f", [0] * 24) and late[24:] == reset(backend, 5, n)[24:]


def test_an_episode_ends_at_the_goal_or_at_the_time_limit():
    env, action = MountainCar(seed=0), array("f", [0])
    env.reset()
    steps = 0
    while not (env.terminated or env.truncated):
        action[0] = 1 if env.obs[1] >= 0 else -1  # pumps energy in
        env.step(action)
        steps += 1
    assert env.terminated and not env.truncated and steps < 150
    assert env.reward[0] == pytest.approx(99.9)
    env = MountainCar(seed=0, time_limit=30)
    env.reset()
    for t in range(30):
        env.step(array("f", [1]))
        assert env.truncated == (t == 29) and not env.terminated
