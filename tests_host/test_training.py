"""The training loop: records, evaluation beside the training, the best policy kept, time limits that bootstrap."""

from array import array

import pytest

import picorl
from picorl.envs import CartPole, MountainCar, Pendulum

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


def test_an_environment_of_another_kind_is_named(tmp_path):
    agent = picorl.SAC(Pendulum(), **SMALL)
    agent.save(str(tmp_path / "policy"))
    told = "env has {} in an observation and {}, agent was made for 3 numbers in an observation and 1 actions"
    for env, sizes in ((CartPole(), ("4 numbers", "2 choices")), (MountainCar(), ("2 numbers", "1 actions"))):
        with pytest.raises(ValueError, match="train: " + told.format(*sizes)):
            picorl.train(agent, env, 10)
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
