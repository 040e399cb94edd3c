"""Environments of Gymnasium in picorl, and of picorl in Gymnasium."""

import warnings
from array import array

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import picorl
from picorl.envs import Pendulum
from picorl_host.gymnasium_adapter import FromGymnasium, ToGymnasium


def test_to_gymnasium_passes_gymnasiums_checks():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Our observation space is unbounded on purpose: picorl's environments do not state bounds.
        warnings.filterwarnings("ignore", message=".*Box observation space (minimum|maximum) value is .*infinity.*")
        warnings.filterwarnings("ignore", message=".*symmetric and normalized space.*")
        warnings.filterwarnings("ignore", message=".*not having a (spec|`spec`).*|.*spec is None.*")
        check_env(ToGymnasium(Pendulum(seed=0)))


def test_from_gymnasium_shows_what_gymnasium_does():
    ours, theirs = FromGymnasium("Pendulum-v1", seed=4), gymnasium.make("Pendulum-v1")
    assert list(ours.action_low) == [-2.0] and list(ours.action_high) == [2.0]
    obs, reward_buffer = ours.obs, ours.reward
    rng = np.random.default_rng(0)
    for episode in range(2):
        assert ours.reset() is None
        expected, _ = theirs.reset(seed=4 if episode == 0 else None)
        np.testing.assert_array_equal(ours.obs, expected)
        for t in range(200):
            torque = rng.uniform(-2, 2, 1).astype(np.float32)
            assert ours.step(array("f", torque)) is None
            expected, reward, _, truncated, _ = theirs.step(torque)
            np.testing.assert_array_equal(ours.obs, expected)
            assert ours.reward[0] == np.float32(reward)
            assert not ours.terminated and ours.truncated == truncated == (t == 199)
    assert ours.obs is obs and ours.reward is reward_buffer  # the environment owns its buffers


def test_round_trip_is_the_same_environment():
    straight, round_trip = Pendulum(seed=2), FromGymnasium(ToGymnasium(Pendulum()), seed=2)
    action = array("f", [1.5])
    straight.reset()
    round_trip.reset()
    for _ in range(200):
        straight.step(action)
        round_trip.step(action)
        assert straight.obs == round_trip.obs
        assert straight.reward == round_trip.reward
    assert round_trip.truncated


def test_clone_is_separate_and_reseed_repeats():
    env = FromGymnasium("Pendulum-v1", seed=1)
    other = env.clone(1)
    env.reset()
    first = list(env.obs)
    other.reset()
    assert list(other.obs) == first and other.env.unwrapped is not env.env.unwrapped
    other.reset()
    assert list(other.obs) != first and list(env.obs) == first
    env.reseed(1)
    env.reset()
    assert list(env.obs) == first


def test_an_agent_trains_in_a_gymnasium_environment():
    env = FromGymnasium("Pendulum-v1", seed=0)
    agent = picorl.SAC(env, hidden=(8, 8), batch_size=8, replay_capacity=250, warmup_steps=20)
    before = agent.crc()
    records = list(picorl.train(agent, env, steps=60, evaluate_every=30, evaluate_episodes=1))
    assert [record["step"] for record in records] == [30, 60]
    assert all(-2000 < record["return"] < 0 for record in records)
    assert agent.updates > 30 and agent.crc() != before


@pytest.mark.parametrize("name", ["CartPole-v1", "FrozenLake-v1"])
def test_spaces_that_do_not_fit_are_named(name):
    with pytest.raises(ValueError, match="FromGymnasium: action_space is Discrete"):
        FromGymnasium(name)


def test_unbounded_actions_are_refused():
    env = gymnasium.make("Pendulum-v1").unwrapped
    env.action_space = gymnasium.spaces.Box(-np.inf, np.inf, (1,))
    with pytest.raises(ValueError, match="finite bounds"):
        FromGymnasium(env)


def test_seed_without_reseed_is_refused():
    class Bare:
        obs = array("f", [0])
        reward = array("f", [0])
        action_low = array("f", [-1])
        action_high = array("f", [1])
        terminated = truncated = False

        def reset(self):
            pass

    env = ToGymnasium(Bare())
    env.reset()
    with pytest.raises(ValueError, match="Bare has no reseed"):
        env.reset(seed=3)


def test_environment_without_spec_cannot_be_cloned():
    with pytest.raises(ValueError, match="no spec"):
        FromGymnasium(ToGymnasium(Pendulum())).clone(1)
