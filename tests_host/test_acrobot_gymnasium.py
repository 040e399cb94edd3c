"""Acrobot and its kernels against gymnasium's Acrobot-v1, and the swing-up with any torque."""

from array import array

import numpy as np
import pytest
from gymnasium_reference import started

from picorl.envs import Acrobot, AcrobotSwingUp


@pytest.fixture
def reference():
    return started("Acrobot-v1")


def pump(state, rng):
    """A choice that adds energy: a torque along the second link's velocity, and now and then any."""
    return int(rng.integers(3)) if rng.random() < 0.2 else (2 if state[3] > 0 else 0)


class Links:
    """One Acrobot of a backend's kernels."""

    def __init__(self, backend, seed=0):
        self.backend = backend
        self.state, self.obs = array("f", [0] * 4), array("f", [0] * 6)
        self.reward, self.ended = array("f", [7]), bytearray([7])
        self.rng = array("I", (seed, 0, 0, 0))

    def reset(self):
        self.backend.acrobot_reset(self.rng, self.state, self.obs, 0, 1)

    def step(self, choice):
        assert (
            self.backend.acrobot_step(self.state, array("i", [choice]), self.obs, self.reward, self.ended, 0, 1) is None
        )


def angles_apart(a, b):
    return np.abs((np.asarray(a) - b + np.pi) % (2 * np.pi) - np.pi)


@pytest.mark.parametrize("together, tolerance", [("each step", 2e-5), ("ten steps", 1e-3)])
def test_follows_gymnasium_over_1000_random_steps(backend, reference, together, tolerance):
    """From the same state to the same state. Left alone, two of these chaotic systems part: ten steps are compared."""
    rng = np.random.default_rng(1)
    ours, over, episodes, wrapped = Links(backend), True, 0, 0
    for t in range(1000):
        if over:
            ours.reset()
            reference.reset()
            episodes += 1
        if over or together == "each step" or t % 10 == 0:
            reference.state = np.array(ours.state, np.float64)
        choice = pump(ours.state, rng)
        before = ours.state[:2]
        obs, reward, over, truncated, _ = reference.step(choice)
        ours.step(choice)
        assert angles_apart(ours.state[:2], reference.state[:2]).max() < tolerance
        np.testing.assert_allclose(ours.state[2:], reference.state[2:], atol=4 * tolerance, rtol=0)
        np.testing.assert_allclose(ours.obs, obs, atol=4 * tolerance, rtol=0)
        assert (ours.reward[0], ours.ended[0], truncated) == (reward, over, False)
        wrapped += np.abs(np.subtract(ours.state[:2], before)).max() > 4
    assert episodes > 5 and wrapped > 5


def test_velocities_have_gymnasiums_limits_and_angles_wrap_more_than_once(backend, reference):
    for start in ([1, 2, 12.5, 28], [-1, -3, -12.5, -28], [3.1, 3.1, 12, 28.2], [0, 3, -12, 28]):
        for choice in range(3):
            ours = Links(backend)
            ours.state[:] = array("f", start)
            reference.state = np.array(ours.state, np.float64)
            reference.step(choice)
            ours.step(choice)
            assert np.abs(ours.state[:2]).max() <= np.float32(np.pi) + 1e-5
            assert angles_apart(ours.state[:2], reference.state[:2]).max() < 2e-5
            np.testing.assert_allclose(ours.state[2:], reference.state[2:], atol=1e-4, rtol=0)


def test_any_other_choice_is_no_torque(backend):
    states = []
    for choice in (1, -1, 3, 0):
        ours = Links(backend)
        ours.state[0] = 0.5
        ours.step(choice)
        states.append(bytes(ours.state))
    assert states[0] == states[1] == states[2] != states[3]


def test_resets_in_gymnasiums_range(backend):
    n = 2000
    state, obs = array("f", [0] * (4 * n)), array("f", [0] * (6 * n))
    backend.acrobot_reset(array("I", (3, 0, 0, 0)), state, obs, 0, n)
    starts = np.array(state).reshape(n, 4)
    assert np.abs(starts).max() <= 0.1
    for column in starts.T:
        counts, _ = np.histogram(column, bins=10, range=(-0.1, 0.1))
        assert counts.min() > 140 and counts.max() < 260
    np.testing.assert_allclose(np.array(obs).reshape(n, 6)[:, 1], np.sin(starts[:, 0]), atol=1e-7)


def test_rows_are_environments(backend):
    n = 20
    state, obs, reward, ended = (
        array("f", bytes(16 * n)),
        array("f", bytes(24 * n)),
        array("f", bytes(4 * n)),
        bytearray(n),
    )
    backend.acrobot_reset(array("I", (5, 0, 0, 0)), state, obs, 0, n)
    one, one_obs = state[:], obs[:]
    choice = array("i", [k % 3 for k in range(n)])
    backend.acrobot_step(state, choice, obs, reward, ended, 0, n)
    for row in range(n):
        backend.acrobot_step(one, choice, one_obs, reward, ended, row, 1)
    np.testing.assert_allclose(one, state, 1e-5, 1e-6)
    np.testing.assert_allclose(one_obs, obs, 1e-5, 1e-6)


def test_an_episode_ends_when_the_tip_is_up_or_at_the_time_limit():
    env, rng = Acrobot(seed=0), np.random.default_rng(0)
    env.reset()
    while not (env.terminated or env.truncated):
        env.step(array("i", [pump([*np.zeros(3), env.obs[5]], rng)]))
        assert env.reward[0] == (0 if env.terminated else -1)
    assert env.terminated and not env.truncated
    env = Acrobot(time_limit=20)
    env.reset()
    for t in range(20):
        env.step(array("i", [1]))
        assert env.truncated == (t == 19) and not env.terminated


def test_swing_up_has_the_same_dynamics_and_rewards_height():
    free, discrete = AcrobotSwingUp(), Acrobot()
    for state in ([0.3, -1, 2, 3], [3, 0.2, -1, 1]):
        for torque in (-1, 0, 1):
            free.set_state(*state)
            discrete.set_state(*state)
            for _ in range(4):
                free.step(array("f", [3 * torque]))  # clipped
                discrete.step(array("i", [torque + 1]))
                assert free.obs == discrete.obs
                height = -free.obs[0] - np.cos(np.arctan2(*free.obs[1::-1]) + np.arctan2(*free.obs[3:1:-1]))
                assert free.reward[0] == pytest.approx((height - 2) / 4, abs=1e-5)
    free.set_state(0, 0, 0, 0)
    free.step(array("f", [0]))
    assert free.reward[0] == -1
    free.set_state(np.pi, 0, 0, 0)
    free.step(array("f", [0]))
    assert free.reward[0] == pytest.approx(0, abs=1e-5) and not free.terminated


def test_energy_is_kept_without_a_torque():
    """What the links have at the start, kinetic and potential, they keep for 5 s, but for the error of the integration."""

    def energy(obs):
        c1, s1, c2, s2, w1, w2 = obs
        kinetic = (3.5 + c2) / 2 * w1**2 + (1.25 + c2 / 2) * w1 * w2 + 1.25 / 2 * w2**2
        return kinetic - 14.7 * c1 - 4.9 * (c1 * c2 - s1 * s2)

    env = AcrobotSwingUp()
    env.set_state(1.2, 0.4, 0, 0)
    start = energy(env.obs)
    swing = []
    for _ in range(25):
        env.step(array("f", [0]))
        assert energy(env.obs) == pytest.approx(start, abs=0.15)
        swing.append(env.obs[1])
    assert max(swing) > 0.3 and min(swing) < -0.3
