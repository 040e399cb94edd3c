"""Pendulum against gymnasium's Pendulum-v1, and the kernel against its readable twin."""

from array import array

import gymnasium
import numpy as np
import pytest

from picorl.envs import Pendulum
from picorl.envs.pendulum_python import PendulumPython


@pytest.fixture
def reference():
    env = gymnasium.make("Pendulum-v1")
    env.reset(seed=0)
    return env


def put(reference, env):
    """Put gymnasium's pendulum where env is: its angle and velocity from its obs."""
    cosine, sine, velocity = env.obs
    reference.unwrapped.state = np.array([np.arctan2(sine, cosine), velocity])


@pytest.mark.parametrize("kind", [Pendulum, PendulumPython])
@pytest.mark.parametrize("together, tolerance", [("each step", 1e-5), ("each episode", 5e-3)])
def test_follows_gymnasium_over_1000_random_steps(kind, reference, together, tolerance):
    """From the same state to the same state; left alone, float32 and float64 part by less than 5e-3 in an episode."""
    rng = np.random.default_rng(1)
    env = kind(seed=1)
    episodes = 0
    for t in range(1000):
        if t % 200 == 0:
            env.reset()
            reference.reset()
            put(reference, env)
            episodes += 1
        elif together == "each step":
            put(reference, env)
        torque = rng.uniform(-2.5, 2.5, 1).astype(np.float32)  # beyond the limits too: both clip
        obs, reward, terminated, truncated, _ = reference.step(torque)
        assert env.step(array("f", torque)) is None
        np.testing.assert_allclose(env.obs, obs, atol=tolerance, rtol=0)
        assert env.reward[0] == pytest.approx(reward, abs=tolerance)
        assert (env.terminated, env.truncated) == (terminated, truncated)
    assert episodes == 5


def test_resets_in_gymnasiums_range(reference):
    env = Pendulum(seed=3)
    starts = []
    for _ in range(2000):
        env.reset()
        starts.append((np.arctan2(env.obs[1], env.obs[0]), env.obs[2]))
    high = np.array([np.pi, 1.0])  # gymnasium's DEFAULT_X, DEFAULT_Y
    theirs = np.array([reference.reset()[0] for _ in range(500)])
    assert np.abs(theirs[:, 2]).max() <= high[1]
    normalised = np.array(starts) / high
    assert np.all(np.abs(normalised) <= 1 + 1e-6)
    # Uniform: every tenth of the range is met about as often as the others.
    for column in normalised.T:
        counts, _ = np.histogram(column, bins=10, range=(-1, 1))
        assert counts.min() > 140 and counts.max() < 260


def test_twin_and_kernel_start_and_step_alike():
    kernel, twin = Pendulum(seed=5), PendulumPython(seed=5)
    rng = np.random.default_rng(2)
    for _ in range(3):
        kernel.reset()
        twin.reset()
        assert kernel.obs == twin.obs
        while not kernel.truncated:
            action = array("f", rng.uniform(-2, 2, 1))
            kernel.step(action)
            twin.step(action)
            np.testing.assert_allclose(kernel.obs, twin.obs, atol=5e-3, rtol=0)
            assert kernel.reward[0] == pytest.approx(twin.reward[0], abs=5e-3)
        assert twin.truncated


def test_time_limit_truncates_and_is_no_termination():
    env = Pendulum(seed=0)
    env.reset()
    action = array("f", [0.5])
    lengths = []
    for t in range(1, 601):
        env.step(action)
        assert not env.terminated
        if env.truncated:
            lengths.append(t)
            env.reset()
            assert not env.truncated
    assert lengths == [200, 400, 600]


def test_truncated_transition_bootstraps():
    """A transition cut off by the time limit is sampled with not_terminated = 1 and with its own next observation."""
    import picorl

    env = Pendulum(seed=0, time_limit=1)
    agent = picorl.TD3(env, hidden=(4,), batch_size=8, replay_capacity=32, warmup_steps=8)
    action = array("f", [0.0])
    successors = {}
    for _ in range(12):
        env.reset()
        before = tuple(env.obs)
        agent.begin(env.obs)
        agent.act(env.obs, action)
        env.step(action)
        assert env.truncated
        successors[before] = tuple(env.obs)
        agent.observe(action, env.reward, env.obs, env.terminated, env.truncated)
    agent.update()
    assert list(agent.not_terminated) == [1.0] * 8
    for row in range(8):
        obs = tuple(agent.obs[3 * row : 3 * row + 3])
        assert tuple(agent.next_obs[3 * row : 3 * row + 3]) == successors[obs]


def test_same_seed_same_starts_and_reseed():
    one, other = Pendulum(seed=7), Pendulum(seed=8)
    one.reset()
    first = array("f", one.obs)
    other.reset()
    assert other.obs != first
    other.reseed(7)
    other.reset()
    assert other.obs == first
    clone = other.clone(7)
    clone.reset()
    assert clone.obs == first and clone.obs is not other.obs
