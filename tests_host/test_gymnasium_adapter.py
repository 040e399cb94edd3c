"""Environments of Gymnasium in picorl, and of picorl in Gymnasium."""

import subprocess
import warnings
from array import array
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.wrappers import RenderCollection

import picorl
from picorl import envs
from picorl.envs import MountainCar, Pendulum
from picorl.wrappers import EpisodeStatistics, FrameStack, NormaliseObs, RescaleAction, ScaleReward, TimeLimit
from picorl_host.gymnasium_adapter import ENVIRONMENTS, FromGymnasium, ToGymnasium

ROOT = Path(__file__).resolve().parent.parent
UNBOUNDED = {"CartPole", "Quadrotor"}  # velocities of these have no limit, in Gymnasium's CartPole neither
WIDE = {"Pendulum", "PendulumWithoutVelocity"}  # torques of ±2 N m, as in Gymnasium's


def test_every_environment_is_registered():
    everything = {name for name in envs.__all__ if name[0].isupper() and not name.startswith("Vector")}
    assert set(ENVIRONMENTS) == everything


@pytest.mark.parametrize("mode", [None, "rgb_array", "ansi"])
@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_gymnasiums_checks_pass_without_a_warning(name, mode):
    """Made by its name, unwrapped as check_env wants it. Only what cannot be otherwise is let pass."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if name in UNBOUNDED:
            warnings.filterwarnings("ignore", message=".*Box observation space (minimum|maximum) value is .*infinity.*")
        if name in WIDE:
            warnings.filterwarnings("ignore", message=".*symmetric and normalized space.*")
        check_env(gymnasium.make(f"picorl/{name}-v0", render_mode=mode).unwrapped)


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_observations_stay_in_their_space(name):
    env = gymnasium.make(f"picorl/{name}-v0")
    env.action_space.seed(1)
    obs, _ = env.reset(seed=1)
    for _ in range(1500):
        assert env.observation_space.contains(obs)
        obs, _, terminated, truncated, _ = env.step(env.action_space.sample())
        if terminated or truncated:
            assert env.observation_space.contains(obs)
            obs, _ = env.reset()


def test_options_go_to_the_environment():
    env = gymnasium.make("picorl/MountainCar-v0", time_limit=7)
    env.reset(seed=0)
    assert [env.step(np.zeros(1, np.float32))[3] for _ in range(7)] == [False] * 6 + [True]


def test_wrapped_environments_pass_too():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*Box observation space (minimum|maximum) value is .*infinity.*")
        warnings.filterwarnings("ignore", message=".*not having a (spec|`spec`).*|.*spec is None.*")
        inner = EpisodeStatistics(TimeLimit(ScaleReward(RescaleAction(Pendulum()), 0.125), 50))
        check_env(ToGymnasium(FrameStack(inner, 3)))


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_images_and_text_show_what_happens(name):
    for mode, still in (("rgb_array", np.array_equal), ("ansi", str.__eq__)):
        env = RenderCollection(gymnasium.make(f"picorl/{name}-v0", render_mode=mode))
        env.reset(seed=2)
        env.action_space.seed(2)
        for _ in range(20):
            if sum(env.step(env.action_space.sample())[2:4]):
                break
        frames = env.render()
        assert len(frames) > 5 and not still(frames[0], frames[-1])
        if mode == "rgb_array":
            assert frames[0].dtype == np.uint8 and frames[0].shape[0] == 400 and frames[0].shape[2] == 3
            assert all(frame.shape == frames[0].shape for frame in frames)


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


def test_from_gymnasium_takes_discrete_actions():
    ours, theirs = FromGymnasium("CartPole-v1", seed=4), gymnasium.make("CartPole-v1")
    assert ours.n_actions == 2 and not hasattr(ours, "action_low")
    ours.reset()
    theirs.reset(seed=4)
    for t in range(100):
        ours.step(array("i", [t % 2]))
        expected, reward, terminated, truncated, _ = theirs.step(t % 2)
        np.testing.assert_array_equal(ours.obs, expected)
        assert (ours.reward[0], ours.terminated, ours.truncated) == (reward, terminated, truncated)
        if terminated:
            break
    assert ours.terminated


def test_discrete_actions_may_start_elsewhere():
    class Odd(gymnasium.Env):
        observation_space = gymnasium.spaces.Box(-9, 9, (1,))
        action_space = gymnasium.spaces.Discrete(3, start=-1)

        def reset(self, *, seed=None, options=None):
            return np.zeros(1, np.float32), {}

        def step(self, action):
            assert self.action_space.contains(action)
            return np.array([action], np.float32), 0.0, False, False, {}

    env = FromGymnasium(Odd())
    env.reset()
    for choice in range(3):
        env.step(array("i", [choice]))
        assert env.obs[0] == choice - 1


@pytest.mark.parametrize("make", [Pendulum, envs.CartPole, envs.Acrobot])
def test_round_trip_is_the_same_environment(make):
    straight, round_trip = make(seed=2), FromGymnasium(ToGymnasium(make()), seed=2)
    action = array("i", [1]) if hasattr(straight, "n_actions") else array("f", [1.5])
    straight.reset()
    round_trip.reset()
    for _ in range(200):
        straight.step(action)
        round_trip.step(action)
        assert straight.obs == round_trip.obs
        assert straight.reward == round_trip.reward
        assert (straight.terminated, straight.truncated) == (round_trip.terminated, round_trip.truncated)
        if straight.terminated:
            straight.reset()
            round_trip.reset()


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


def test_an_agent_learns_from_gymnasiums_discrete_actions():
    env = FromGymnasium("CartPole-v1", seed=0)
    agent = picorl.DQN(env, hidden=(8,), batch_size=8, replay_capacity=250, warmup_steps=20)
    records = list(picorl.train(agent, env, steps=100, evaluate_every=50, evaluate_episodes=1))
    assert all(5 < record["return"] <= 500 for record in records) and agent.updates > 10


PEERS = ROOT / "build/peers-venv/bin/python"
SB3 = """
import gymnasium, numpy, stable_baselines3 as sb3, torch
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.env_checker import check_env
from picorl import kernels
import picorl_host.gymnasium_adapter

torch.set_num_threads(1)
kernels.select("picorl_numpy")
for name in picorl_host.gymnasium_adapter.ENVIRONMENTS:
    check_env(gymnasium.make(f"picorl/{name}-v0").unwrapped, warn=False)
env = gymnasium.make("picorl/CartPole-v0")
agent = sb3.PPO("MlpPolicy", env, n_steps=256, batch_size=64, learning_rate=1e-3, seed=1, device="cpu")
before, _ = evaluate_policy(agent, gymnasium.make("picorl/CartPole-v0"), 10)
agent.learn(8000)
after, _ = evaluate_policy(agent, gymnasium.make("picorl/CartPole-v0"), 10)
agent = sb3.SAC("MlpPolicy", gymnasium.make("picorl/Quadrotor-v0"), learning_starts=50, seed=1, device="cpu")
agent.learn(100)
print("returns", before, after)
"""


@pytest.mark.skipif(not PEERS.exists(), reason="Stable-Baselines3 is not here: `make bench-pendulum` installs it")
def test_stable_baselines3_learns_in_our_environments():
    """PPO on our CartPole, to several times what it began with."""
    done = subprocess.run(
        [PEERS, "-W", "ignore", "-c", SB3],
        env={"PYTHONPATH": f"{ROOT}/device:{ROOT}/host", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    before, after = map(float, done.stdout.splitlines()[-1].split()[1:])
    assert after > 150 and after > 3 * before


@pytest.mark.parametrize(
    "name, what",
    [("FrozenLake-v1", "observation_space is Discrete"), ("CliffWalking-v1", "observation_space is Discrete")],
)
def test_spaces_that_do_not_fit_are_named(name, what):
    with pytest.raises(ValueError, match=f"FromGymnasium: {what}"):
        FromGymnasium(name)


def test_other_actions_are_named():
    env = gymnasium.make("Pendulum-v1").unwrapped
    env.action_space = gymnasium.spaces.MultiDiscrete([2, 2])
    with pytest.raises(ValueError, match="FromGymnasium: action_space is MultiDiscrete.* must be Discrete or a Box"):
        FromGymnasium(env)


def test_unbounded_actions_are_refused():
    env = gymnasium.make("Pendulum-v1").unwrapped
    env.action_space = gymnasium.spaces.Box(-np.inf, np.inf, (1,))
    with pytest.raises(ValueError, match="finite bounds"):
        FromGymnasium(env)


def test_an_observation_of_another_shape_is_named():
    env = FromGymnasium(gymnasium.make("Pendulum-v1").unwrapped)
    env.env._get_obs = lambda: np.zeros(4, np.float32)
    with pytest.raises(ValueError, match=r"FromGymnasium: obs has the shape \(4,\), observation_space \(3,\)"):
        env.reset()


class Bare:
    obs = array("f", [0])
    reward = array("f", [0])
    action_low = array("f", [-1])
    action_high = array("f", [1])
    terminated = truncated = False

    def reset(self):
        pass


def test_seed_without_reseed_is_refused():
    env = ToGymnasium(Bare())
    env.reset()
    with pytest.raises(ValueError, match="Bare has no reseed"):
        env.reset(seed=3)


@pytest.mark.parametrize("high", [[-1], [float("nan")], [float("inf")], [1, 1]])
def test_bounds_that_do_not_fit_are_named(high):
    class Wrong(Bare):
        action_high = array("f", high)

    with pytest.raises(ValueError, match=r"ToGymnasium: action_low is \[-1.0\] and action_high .* must be finite"):
        ToGymnasium(Wrong())


@pytest.mark.parametrize("action", [[1, 2], [], [float("nan")], [float("inf")]])
def test_actions_that_do_not_fit_are_named(action):
    env = ToGymnasium(Pendulum())
    env.reset()
    with pytest.raises(ValueError, match="ToGymnasium: action is .*, must be 1 finite numbers"):
        env.step(np.array(action, np.float32))


@pytest.mark.parametrize("action", [2, -1, 0.5, np.array([1, 0])])
def test_choices_that_there_are_not_are_named(action):
    env = ToGymnasium(envs.CartPole())
    env.reset()
    with pytest.raises(ValueError, match="ToGymnasium: action is .*, must be an integer from 0 to 1"):
        env.step(action)


def test_other_render_modes_and_vectors_are_refused():
    with pytest.raises(ValueError, match="render_mode is 'human', must be None, 'rgb_array', 'ansi'"):
        ToGymnasium(Pendulum(), "human")
    with pytest.raises(ValueError, match="env has n_envs, must be a single environment"):
        ToGymnasium(envs.VectorPendulum(2))


def test_environment_without_spec_cannot_be_cloned():
    with pytest.raises(ValueError, match="no spec"):
        FromGymnasium(ToGymnasium(Pendulum())).clone(1)


def test_a_normalised_environment_reaches_gymnasium():
    env = ToGymnasium(NormaliseObs(MountainCar(seed=1)))
    obs, _ = env.reset(seed=1)
    rest = [env.step(env.action_space.sample())[0] for _ in range(200)]
    spread = np.std(rest, axis=0)  # of the car's own velocities: 0.01 or less
    assert 0.5 < spread.min() and spread.max() < 2
