"""The training loop: records, evaluation beside the training, the best policy kept, time limits that bootstrap."""

from array import array

import pytest

import picorl
from picorl.envs import CartPole, MountainCar, Pendulum, VectorCartPole, VectorPendulum

SMALL = dict(hidden=(8,), batch_size=8, replay_capacity=600, warmup_steps=10)


def test_records_come_every_so_many_steps():
    env = Pendulum()
    agent = picorl.SAC(env, **SMALL)
    records = list(picorl.train(agent, env, steps=500, evaluate_every=100, evaluate_episodes=2))
    assert [one["step"] for one in records] == [100, 200, 300, 400, 500]
    assert [one["updates"] for one in records] == [91, 191, 291, 391, 491]
    assert [one["episode_return"] is None for one in records] == [True, False, True, False, True]
    best = -1e9
    for one in records:
        assert -2000 < one["return"] < 0
        best = max(best, one["return"])
        assert one["best"] == best


def test_evaluation_does_not_touch_the_training():
    agents = []
    for episodes in (0, 3):
        env = Pendulum(seed=2)
        agent = picorl.TD3(env, **SMALL)
        list(picorl.train(agent, env, steps=150, evaluate_every=50, evaluate_episodes=episodes))
        agents.append(agent)
    assert agents[0].crc() == agents[1].crc()


def test_evaluate_is_the_mean_of_whole_episodes():
    env = Pendulum()
    agent = picorl.SAC(env, **SMALL)
    mean = picorl.evaluate(agent, Pendulum(seed=5), 4)
    total, action, other = 0.0, array("f", [0]), Pendulum(seed=5)
    for _ in range(4):
        other.reset()
        while not other.truncated:
            agent.predict(other.obs, action)
            other.step(action)
            total += other.reward[0]
    assert mean == pytest.approx(total / 4, rel=1e-5)
    with pytest.raises(ValueError, match="episodes is 0"):
        picorl.evaluate(agent, env, 0)


def test_the_best_policy_is_kept():
    env = Pendulum()
    agent = picorl.SAC(env, **SMALL)
    with pytest.raises(ValueError, match="no policy was kept"):
        agent.use_best()
    best = None
    for record in picorl.train(agent, env, steps=400, evaluate_every=50, evaluate_episodes=1):
        if record["return"] == record["best"]:
            best = bytes(agent.actor)
    assert bytes(agent.best) == best
    agent.use_best()
    assert bytes(agent.actor) == best


def test_a_time_limit_truncates_and_bootstraps():
    """Rows that a time limit ended are stored as not terminated, with the true next observation."""
    env = Pendulum(seed=1)
    agent = picorl.SAC(env, **SMALL)
    last = []
    real = agent.observe

    def observe(action, reward, next_obs, terminated, truncated):
        if truncated:
            last.append((agent.replay_state[0], bytes(next_obs)))
        assert not terminated
        return real(action, reward, next_obs, terminated, truncated)

    agent.observe = observe
    list(picorl.train(agent, env, steps=450, evaluate_every=450, evaluate_episodes=0))
    assert len(last) == 2
    for row, obs in last:
        assert agent.replay_flags[row] == 1
        assert agent.replay_flags[row + 1] == 0  # the boundary row: never sampled itself
        assert bytes(agent.replay_obs[(row + 1) * 3 : (row + 2) * 3]) == obs


def test_an_environment_without_clone_needs_one_for_evaluation():
    class Robot:
        obs, reward = array("f", [0]), array("f", [0])
        action_low, action_high = array("f", [-1]), array("f", [1])
        terminated = truncated = False

        def reset(self):
            self.obs[0] = 0

        def step(self, action):
            self.obs[0] += 0.1 * action[0]
            self.reward[0] = -abs(self.obs[0])

    robot = Robot()
    agent = picorl.SAC(robot, **SMALL)
    with pytest.raises(ValueError, match="env has no clone"):
        picorl.train(agent, robot, 10)
    records = list(picorl.train(agent, robot, 30, evaluate_every=10, evaluate_episodes=0))
    assert [sorted(one) for one in records] == [["episode_return", "step", "updates"]] * 3


def test_evaluation_needs_a_single_environment():
    agent = picorl.PPO(VectorPendulum(2), hidden=(8,), rollout_steps=8, batch_size=16)
    with pytest.raises(ValueError, match="evaluate: env has n_envs, must be a single environment"):
        picorl.evaluate(agent, VectorPendulum(2))
    with pytest.raises(ValueError, match="train: evaluation_env has n_envs"):
        picorl.train(agent, VectorPendulum(2), 10, evaluation_env=VectorPendulum(2))
    with pytest.raises(ValueError, match="train: evaluate_episodes is -1, must be a whole number of at least 0"):
        picorl.train(agent, VectorPendulum(2), 10, evaluate_episodes=-1)


@pytest.mark.parametrize(
    ("algorithm", "make"),
    [
        (picorl.SAC, Pendulum),
        (picorl.TD3, Pendulum),
        (picorl.RecurrentSAC, Pendulum),
        (picorl.PPO, Pendulum),
        (picorl.PPO, lambda: VectorPendulum(2)),
        (picorl.StreamAC, Pendulum),
        (picorl.DQN, CartPole),
        (picorl.StreamQ, CartPole),
    ],
)
def test_an_episode_that_begins_with_nan_is_told(algorithm, make):
    env = make()
    agent, reset = algorithm(env), env.reset

    def broken():
        reset()
        env.obs[0] = float("nan")

    env.reset = broken
    with pytest.raises(ValueError, match=r"train: env.obs is not finite after env.reset\(\)"):
        list(picorl.train(agent, env, 10, evaluate_episodes=0))
    env.reset = reset
    list(picorl.train(agent, env, 10, evaluate_episodes=0))
    assert agent.steps == 10


class Sizes:
    """What a constructor looks at."""

    def __init__(self, **sizes):
        self.obs = array("f", (0, 0))
        for name, value in sizes.items():
            setattr(self, name, array("f", value) if isinstance(value, list) else value)


CONTINUOUS = (picorl.SAC, picorl.TD3, picorl.RecurrentSAC, picorl.StreamAC, picorl.PPO)


@pytest.mark.parametrize("algorithm", CONTINUOUS)
@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({}, "has neither n_actions nor action_low and action_high"),
        (dict(action_low=[-1, -1], action_high=[1]), "action_low holds 2 and env.action_high 1 numbers"),
        (dict(action_low=[], action_high=[]), "action_low holds 0 and env.action_high 0 numbers"),
        (dict(action_low=[1], action_high=[-1]), "action bounds are 1.0 to -1.0, must be finite and ascending"),
        (dict(action_low=[-1], action_high=[1], obs=[]), "len.env.obs.* is 0, must be a whole number of at least 1"),
    ],
)
def test_spaces_that_fit_no_continuous_algorithm_are_named(algorithm, sizes, message):
    with pytest.raises(ValueError, match=message):
        algorithm(Sizes(**sizes))


@pytest.mark.parametrize("algorithm", (picorl.DQN, picorl.StreamQ))
@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        (dict(action_low=[-1], action_high=[1]), "env has no n_actions, must have discrete actions"),
        (dict(n_actions=1), "env.n_actions is 1, must be a whole number of at least 2"),
        (dict(n_actions=2, obs=[]), "len.env.obs. is 0"),
    ],
)
def test_spaces_that_fit_no_discrete_algorithm_are_named(algorithm, sizes, message):
    with pytest.raises(ValueError, match=message):
        algorithm(Sizes(**sizes))


@pytest.mark.parametrize("algorithm", (*CONTINUOUS[:-1], picorl.DQN, picorl.StreamQ))
def test_environments_stepped_together_are_refused_by_all_but_ppo(algorithm):
    env = VectorCartPole(2) if algorithm in (picorl.DQN, picorl.StreamQ) else VectorPendulum(2)
    with pytest.raises(ValueError, match=f"{algorithm.__name__}: env has n_envs, must be a single environment"):
        algorithm(env)


def test_an_environment_of_another_kind_is_named(tmp_path):
    agent = picorl.SAC(Pendulum(), **SMALL)
    agent.save(str(tmp_path / "policy"))
    told = "env has {} in an observation and {}, agent was made for 3 numbers in an observation and 1 actions"
    for env, sizes in ((CartPole(), ("4 numbers", "2 choices")), (MountainCar(), ("2 numbers", "1 actions"))):
        with pytest.raises(ValueError, match="train: " + told.format(*sizes)):
            picorl.train(agent, env, 10)
        with pytest.raises(ValueError, match="train: evaluation_" + told.format(*sizes)):
            picorl.train(agent, Pendulum(), 10, evaluation_env=env)
        with pytest.raises(ValueError, match="evaluate: " + told.format(*sizes)):
            picorl.evaluate(picorl.Policy.load(str(tmp_path / "policy")), env)
    for options in (dict(steps=1e3), dict(steps=10, evaluate_every=0), dict(steps=10, evaluate_every=2.0)):
        with pytest.raises(ValueError, match="must be a whole number of at least"):
            picorl.train(agent, Pendulum(), **options)


def test_train_goes_on_where_it_stopped():
    straight_env, env = Pendulum(seed=9), Pendulum(seed=9)
    straight, agent = picorl.SAC(straight_env, **SMALL), picorl.SAC(env, **SMALL)
    list(picorl.train(straight, straight_env, 250, evaluate_every=50, evaluate_episodes=0))
    for steps in (30, 70, 100, 50):
        list(picorl.train(agent, env, steps, evaluate_every=50, evaluate_episodes=0))
    assert agent.crc() == straight.crc()


def test_learning_happens():
    """A short training beats the untrained policy by far: not a benchmark, a smoke alarm."""
    env = Pendulum(seed=0)
    agent = picorl.SAC(env, replay_capacity=5000, seed=0)
    before = picorl.evaluate(agent, Pendulum(seed=11), 20)
    list(picorl.train(agent, env, 4000, evaluate_every=4000, evaluate_episodes=0))
    after = picorl.evaluate(agent, Pendulum(seed=11), 20)
    assert before < -800
    assert after > -400
