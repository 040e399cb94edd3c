"""Wrappers: what each does to what goes by, that they go into each other, and what they refuse."""

from array import array

import numpy as np
import pytest

import picorl
from picorl.envs import Acrobot, CartPole, MountainCar, Pendulum, VectorPendulum
from picorl.training import evaluate
from picorl.wrappers import EpisodeStatistics, FrameStack, NormaliseObs, RescaleAction, ScaleReward, TimeLimit, Wrapper

EVERY = {
    "Wrapper": Wrapper,
    "RescaleAction": RescaleAction,
    "NormaliseObs": NormaliseObs,
    "FrameStack": lambda env: FrameStack(env, 3),
    "TimeLimit": lambda env: TimeLimit(env, 30),
    "ScaleReward": lambda env: ScaleReward(env, 0.25),
    "EpisodeStatistics": EpisodeStatistics,
}


def everything(env):
    inner = EpisodeStatistics(RescaleAction(env))
    return FrameStack(NormaliseObs(ScaleReward(FrameStack(TimeLimit(inner, 15), 2), 0.125)), 2)


def play(env, steps, seed=0):
    """(obs, reward, terminated, truncated) of each step with random actions."""
    rng = np.random.default_rng(seed)
    env.reset()
    seen = []
    for _ in range(steps):
        env.step(array("f", rng.uniform(-1, 1, 1)))
        seen.append((bytes(env.obs), env.reward[0], env.terminated, env.truncated))
        if env.terminated or env.truncated:
            env.reset()
    return seen


@pytest.mark.parametrize("name", EVERY)
def test_what_a_wrapper_does_not_change_stays(name):
    """The rest is env's own, the very same buffers."""
    bare = Pendulum(seed=3)
    env = EVERY[name](bare)
    assert env.env is bare and env.unwrapped is bare
    assert (env.obs is bare.obs) == (name not in ("NormaliseObs", "FrameStack"))
    assert (env.reward is bare.reward) == (name != "ScaleReward")
    assert (env.action_low is bare.action_low) == (name != "RescaleAction")
    if name in ("Wrapper", "EpisodeStatistics", "TimeLimit"):
        assert play(env, 29) == play(Pendulum(seed=3), 29)


@pytest.mark.parametrize("name", EVERY)
def test_discrete_actions_go_through(name):
    if name == "RescaleAction":
        with pytest.raises(ValueError, match="RescaleAction: env has n_actions, must have continuous actions"):
            RescaleAction(CartPole())
        return
    env = EVERY[name](Acrobot(seed=1))
    assert env.n_actions == 3 and not hasattr(env, "action_low")
    env.reset()
    env.step(array("i", [2]))
    assert env.unwrapped.obs[5] > 0


@pytest.fixture
def active(backend, monkeypatch):
    """Each backend, as the one that environments and wrappers take."""
    monkeypatch.setattr(picorl.kernels, "backend", backend)


@pytest.mark.usefixtures("active")
def test_rescaled_actions_reach_the_bounds_of_env():
    class Recorder(Pendulum):
        def __init__(self):
            super().__init__()
            self.action_low, self.action_high = array("f", [-3]), array("f", [7])

        def step(self, action):
            self.got = action[0]
            super().step(action)

    env = RescaleAction(Recorder())
    assert (list(env.action_low), list(env.action_high)) == ([-1], [1])
    for action, reached in ((-1, -3), (1, 7), (0, 2), (0.5, 4.5), (2, 7), (-9, -3)):
        env.step(array("f", [action]))
        assert env.env.got == reached


@pytest.mark.usefixtures("active")
def test_normalised_observations_have_mean_0_and_variance_1():
    raw, env = Pendulum(seed=1, time_limit=50), NormaliseObs(Pendulum(seed=1, time_limit=50))
    rng = np.random.default_rng(0)
    seen = []
    for t in range(500):
        action = array("f", rng.uniform(-2, 2, 1))
        for one in (raw, env):
            one.step(action) if t % 51 else one.reset()
        seen.append(list(raw.obs))
        spread = np.std(seen, axis=0)
        expected = ((seen[-1] - np.mean(seen, axis=0)) / np.sqrt(spread**2 + 1e-8)).clip(-10, 10)
        np.testing.assert_allclose(env.obs, expected, rtol=2e-3, atol=2e-3)
    assert env.moments[0] == 500
    np.testing.assert_allclose(env.moments[1:4], np.mean(seen, axis=0), atol=1e-5)


def test_evaluation_sees_the_observations_that_the_policy_learned_from():
    """A clone normalises by the same moments, which it does not change."""
    env = NormaliseObs(Pendulum(seed=1))
    play(env, 300)
    before = bytes(env.moments)
    other = env.clone(7)
    play(other, 300)
    assert other.moments is env.moments and bytes(env.moments) == before
    other.unwrapped.set_state(1, 2)
    env.unwrapped.set_state(1, 2)
    env.learning = False
    other.step(array("f", [0.5]))
    env.step(array("f", [0.5]))
    assert other.obs == env.obs and other.obs != env.unwrapped.obs


def test_an_observation_that_is_not_finite_is_left_out_of_the_moments():
    env = NormaliseObs(Pendulum(seed=1))
    play(env, 50)
    before = bytes(env.moments)
    env.unwrapped.set_state(float("nan"), 0)
    env.step(array("f", [0]))
    assert bytes(env.moments) == before and np.isnan(env.obs).any()  # the agent refuses it


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_a_stack_holds_the_last_observations(frames):
    raw, env = MountainCar(seed=2, time_limit=20), FrameStack(MountainCar(seed=2, time_limit=20), frames)
    for _ in range(2):
        raw.reset()
        env.reset()
        seen = [list(raw.obs)] * frames
        assert list(env.obs) == sum(seen, [])
        for t in range(20):
            action = array("f", [1 if t % 3 else -1])
            raw.step(action)
            env.step(action)
            seen.append(list(raw.obs))
            assert list(env.obs) == sum(seen[-frames:], [])
        assert env.truncated


def test_a_time_limit_truncates_and_one_of_env_counts_too():
    for ours, theirs, length in ((10, 30, 10), (30, 10, 10)):
        env = TimeLimit(Pendulum(time_limit=theirs), ours)
        for _ in range(2):
            env.reset()
            ends = []
            for _ in range(length):
                env.step(array("f", [0]))
                ends.append(env.truncated)
            assert ends == [False] * (length - 1) + [True] and not env.terminated


def test_rewards_are_scaled_in_float32():
    plain, env = play(Pendulum(seed=4), 50), play(ScaleReward(Pendulum(seed=4), 0.3), 50)
    for (_, raw, *_), (_, scaled, *_) in zip(plain, env, strict=True):
        assert scaled == np.float32(raw) * np.float32(0.3)


def test_statistics_are_of_episodes_that_ended():
    env = EpisodeStatistics(CartPole(seed=5, time_limit=20))
    assert env.mean() is None
    rng = np.random.default_rng(1)
    lengths = []
    for _ in range(20):
        env.reset()
        env.step(array("i", [0]))
        env.reset()  # dropped
        n = 0
        while not (env.terminated or env.truncated):
            env.step(array("i", rng.integers(0, 2, 1)))
            n += 1
        lengths.append(n)
        assert (env.episode_return[0], env.episode_length[0], env.episodes[0]) == (n, n, len(lengths))
    assert env.mean() == (pytest.approx(np.mean(lengths)), pytest.approx(np.mean(lengths)))
    assert min(lengths) < 20 in lengths
    env.clear()
    assert env.mean() is None and env.episodes[0] == 0


def test_statistics_count_what_they_wrap():
    inner = EpisodeStatistics(Pendulum(seed=6, time_limit=20))
    outer = EpisodeStatistics(ScaleReward(inner, 0.5))
    total = np.float32(0)
    outer.reset()
    for _ in range(20):
        outer.step(array("f", [1]))
        total += np.float32(inner.reward[0])
    assert inner.episode_return[0] == total and outer.episode_return[0] == pytest.approx(total / 2, rel=1e-6)


def test_clones_and_seeds_reach_through_all_of_them():
    env = everything(Pendulum(seed=1))
    play(env, 40)
    moments = bytes(env.env.moments)
    a, b = env.clone(9), everything(Pendulum(seed=9))
    assert type(a) is type(env) and a.unwrapped is not env.unwrapped
    b.env.moments[:] = array("f", moments)
    b.env.learning = False
    first = play(a, 40)
    assert first == play(b, 40)
    a.reseed(9)
    assert play(a, 40) == first
    assert bytes(env.env.moments) == moments


def test_a_checkpoint_in_the_middle_of_an_episode_goes_on_to_the_bit(tmp_path):
    """Two FrameStacks and all the others: straight on, and saved and loaded, give the same agent and the same observations."""

    def make():
        env = everything(Pendulum(seed=1))
        return env, picorl.SAC(env, hidden=(8,), batch_size=8, replay_capacity=100, warmup_steps=20, seed=1)

    def run(env, agent, steps):
        list(picorl.train(agent, env, steps, evaluate_every=1000, evaluate_episodes=0))

    env, agent = make()
    run(env, agent, 68)
    names = [name for name, *_ in env.buffers()]
    assert len(set(names)) == len(names)
    agent.save(str(tmp_path / "half.safetensors"), full=True, env=env)
    run(env, agent, 40)
    other_env, other = make()
    other.load(str(tmp_path / "half.safetensors"), env=other_env)
    run(other_env, other, 40)
    assert other.crc() == agent.crc() and other.updates == agent.updates > 40
    for (name, mine, _), (_, theirs, _) in zip(env.buffers(), other_env.buffers(), strict=True):
        assert bytes(mine) == bytes(theirs), name


def test_agents_learn_and_are_evaluated_in_them():
    env = everything(Pendulum(seed=1))
    agent = picorl.TD3(env, hidden=(8,), batch_size=8, replay_capacity=200, warmup_steps=20)
    records = list(picorl.train(agent, env, 60, evaluate_every=30, evaluate_episodes=2))
    assert all(np.isfinite(record["return"]) for record in records)
    assert np.isfinite(evaluate(agent, env.clone(3), 2))


# --- what they refuse ------------------------------------------------------------------------------------------


class Own:
    """A robot with no more than it must have."""

    obs, reward = array("f", [0, 0]), array("f", [0])
    action_low, action_high = array("f", [-1, -1]), array("f", [1, 1])
    terminated = truncated = False

    def reset(self):
        pass

    def step(self, action):
        pass


@pytest.mark.parametrize("missing", ["obs", "reward", "terminated", "truncated", "reset", "step"])
def test_an_environment_that_lacks_something_is_named(missing):
    parts = {name: value for name, value in vars(Own).items() if name != missing and not name.startswith("__")}
    with pytest.raises(ValueError, match=f"TimeLimit: env \\(Partial\\) has no {missing}"):
        TimeLimit(type("Partial", (), parts)(), 5)


def test_an_environment_without_actions_is_named():
    parts = {name: value for name, value in vars(Own).items() if name[0] != "_" and name != "action_high"}
    with pytest.raises(ValueError, match="FrameStack: env .Mute. has neither n_actions nor action_low and action_high"):
        FrameStack(type("Mute", (), parts)(), 2)


@pytest.mark.parametrize("method", ["clone", "reseed", "buffers"])
def test_what_env_cannot_a_wrapper_cannot_and_says_so(method):
    env = FrameStack(TimeLimit(Own(), 3), 2)
    with pytest.raises(ValueError, match=rf"TimeLimit: env \(Own\) has no {method}\(\)"):
        getattr(env, method)(*(() if method == "buffers" else (1,)))


def test_several_environments_are_refused():
    with pytest.raises(ValueError, match="FrameStack: env has n_envs, must be a single environment"):
        FrameStack(VectorPendulum(2), 2)


@pytest.mark.parametrize(
    "low, high, said",
    [
        ([-1, 0], [1, 0], "bounds of action 1 are 0.0 to 0.0, must be finite and in order"),
        ([-1, 2], [1, 0], "bounds of action 1 are 2.0 to 0.0"),
        ([-1, float("nan")], [1, 0], "bounds of action 1 are nan to 0.0"),
        ([-1, 0], [1, float("inf")], "bounds of action 1 are 0.0 to inf"),
        ([float("-inf"), 0], [float("inf"), 1], "bounds of action 0 are -inf to inf"),
        ([-1], [1, 1], "action_low holds 1 and action_high 2 numbers"),
        ([], [], "action_low holds 0 and action_high 0 numbers"),
    ],
)
def test_bounds_that_cannot_be_rescaled_are_named(low, high, said):
    class Wrong(Own):
        action_low, action_high = array("f", low), array("f", high)

    with pytest.raises(ValueError, match="RescaleAction: " + said):
        RescaleAction(Wrong())


@pytest.mark.parametrize("frames", [0, -1, 1.5, None])
def test_wrong_numbers_of_frames_and_steps_are_named(frames):
    with pytest.raises(ValueError, match=f"FrameStack: frames is {frames}, must be a whole number of at least 1"):
        FrameStack(Pendulum(), frames)
    with pytest.raises(ValueError, match=f"TimeLimit: time_limit is {frames}, must be"):
        TimeLimit(Pendulum(), frames)


@pytest.mark.parametrize("factor", [0, float("nan"), float("inf"), "2", None, array("f", (1, 2))])
def test_wrong_factors_are_named(factor):
    with pytest.raises(ValueError, match="ScaleReward: factor is .*, must be a finite number other than 0"):
        ScaleReward(Pendulum(), factor)


def test_moments_of_another_size_are_named():
    with pytest.raises(ValueError, match=r"NormaliseObs: moments holds 5 floats, must be 7 \(1 \+ 2 obs_size\)"):
        NormaliseObs(Pendulum(), array("f", [0] * 5))
