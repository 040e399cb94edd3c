"""DQN: the same bits whole, in pieces and resumed; what it learns from; what it refuses; that it learns."""

from array import array

import numpy as np
import pytest

import picorl
from picorl.envs import CartPole, Pendulum

SMALL = dict(hidden=(8, 8), batch_size=16, replay_capacity=200, warmup_steps=20, exploration_steps=100, seed=3)
OPTIONS = {
    "default": {},
    "single, hard target": dict(double=False, tau=1.0, target_every=10, learn_every=3, max_grad_norm=None, huber=0.1),
}


def trained(steps, hook=None, **options):
    env = CartPole(seed=3)
    agent = picorl.DQN(env, **(SMALL | options))
    for _ in picorl.train(agent, env, steps, evaluate_every=steps, evaluate_episodes=0, hook=hook):
        pass
    return agent, env


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_pieces_of_an_update_give_the_bits_of_whole_ones(options):
    whole, _ = trained(200, **options)
    pieces, _ = trained(200, hook=lambda: None, chunk=3, **options)
    assert whole.updates == pieces.updates > 50 and whole.crc() == pieces.crc()


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_resumed_equals_straight(tmp_path, options):
    path = str(tmp_path / "dqn.safetensors")
    straight, _ = trained(300, **options)
    first, env = trained(133, **options)
    first.save(path, full=True, env=env)
    env = CartPole(seed=8)
    again = picorl.DQN(env, **(SMALL | options | {"seed": 9}))
    assert again.load(path, env=env) is True
    for _ in picorl.train(again, env, 167, evaluate_every=300, evaluate_episodes=0):
        pass
    assert again.crc() == straight.crc()


def test_policy_file_acts_as_the_agent_does(tmp_path):
    agent, env = trained(200)
    agent.save(str(tmp_path / "policy.safetensors"))
    policy = picorl.Policy.load(str(tmp_path / "policy.safetensors"))
    ours, theirs = array("i", [0]), array("i", [0])
    for angle in range(-10, 11):
        obs = array("f", (0, 0, 0.01 * angle, -0.1 * angle))
        agent.predict(obs, ours)
        policy.predict(obs, theirs)
        assert ours == theirs


def float64_forward(agent, params, x):
    at = 0
    sizes = [agent.obs_size, *agent.hidden, agent.n_actions]
    for i, (n, m) in enumerate(zip(sizes[:-1], sizes[1:], strict=True)):
        weights, bias = params[at : at + n * m].reshape(n, m), params[at + n * m : at + (n + 1) * m]
        x = x @ weights + bias
        x = np.maximum(x, 0) if i < len(sizes) - 2 else x
        at += (n + 1) * m
    return x


@pytest.mark.parametrize("double", [True, False])
def test_the_gradient_is_that_of_the_huber_loss_of_the_bellman_error(double):
    """Against a numerical gradient in float64 of the loss as the papers have it."""
    options = dict(double=double, huber=0.3, max_grad_norm=None, tau=0.5, target_every=7)
    agent, _ = trained(101, **options)
    pieces = agent._pieces()
    while not any(agent.grad):
        next(pieces)
    gradient = np.array(agent.grad, np.float64)
    params = np.array(agent.actor, np.float64)
    target_params = np.array(agent.target_actor, np.float64)
    obs = np.array(agent.obs, np.float64).reshape(-1, agent.obs_size)
    next_obs = np.array(agent.next_obs, np.float64).reshape(-1, agent.obs_size)
    action = np.array(agent.obs_action, np.float64).reshape(-1, agent.obs_size + 1)[:, -1]
    choice = np.round((action + 1) / 2).astype(int)
    rows = np.arange(len(choice))
    next_q = float64_forward(agent, target_params, next_obs)
    chooser = float64_forward(agent, params, next_obs) if double else next_q
    target = np.array(agent.reward) + 0.99 * np.array(agent.not_terminated) * next_q[rows, chooser.argmax(1)]

    def loss(at):
        error = np.abs(float64_forward(agent, at, obs)[rows, choice] - target)
        return np.where(error < 0.3, error**2 / 2, 0.3 * (error - 0.15)).mean()

    step = 1e-6
    for i in range(0, len(params), 3):
        nudge = np.zeros(len(params))
        nudge[i] = step
        wanted = (loss(params + nudge) - loss(params - nudge)) / (2 * step)
        assert gradient[i] == pytest.approx(wanted, rel=1e-3, abs=2e-6)


def test_choices_survive_the_replay():
    class Many(CartPole):
        n_actions = 7

    agent = picorl.DQN(Many(), **SMALL)
    obs, reward = array("f", (0, 0, 0, 0)), array("f", [0])
    for k in range(7):
        agent.begin(obs)
        agent.observe(array("i", [k]), reward, obs, True, False)
    n = 7
    q, d_q, loss = array("f", [1.0] * n * n), array("f", [0] * n * n), array("f", [0])
    stored, limit = agent.replay_action[:n], array("f", [10])
    agent._kernels.choice_delta(q, stored, agent.scaling, array("f", [0] * n), limit, d_q, loss, n, 1, 0, 0, n, n)
    assert [[x > 0 for x in d_q[n * r : n * r + n]].index(True) for r in range(n)] == list(range(n))


def test_epsilon_falls_from_the_end_of_the_warm_up():
    agent, env = trained(10)
    assert agent.epsilon[0] == 1
    action = array("i", [0])
    for steps, epsilon in ((20, 1.0), (70, 0.525), (120, 0.05), (500, 0.05)):
        agent.counters[0] = steps
        agent.act(env.obs, action)
        assert agent.epsilon[0] == pytest.approx(epsilon, abs=1e-6)


def test_it_acts_on_beyond_what_kernels_count():
    agent, env = trained(50)
    action = array("i", (0,))
    agent.counters[0] = 2**24 + agent.warmup_steps
    agent.act(env.obs, action)
    assert agent.epsilon[0] == pytest.approx(0.05, abs=1e-6)


@pytest.mark.parametrize("choice", (-1, 2))
def test_choices_that_do_not_exist_are_refused(choice):
    agent, env = trained(50)
    before = bytes(agent.replay_action)
    assert agent.observe(array("i", (choice,)), env.reward, env.obs, False, False) is False
    assert agent.refused == 1 and bytes(agent.replay_action) == before


def test_a_checkpoint_with_another_clipping_is_refused(tmp_path):
    path = str(tmp_path / "dqn.safetensors")
    trained(50, max_grad_norm=None)[0].save(path, full=True)
    with pytest.raises(ValueError, match="has clips_grad False, must be True"):
        picorl.DQN(CartPole(), **SMALL).load(path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(exploration_steps=2**24), "exploration_steps is 16777216, must be at most 16777215"),
        (dict(replay_capacity=2**24), "replay_capacity is 16777216, must be at most 16777215"),
        (dict(learn_every=0), "learn_every is 0"),
        (dict(target_every=0), "target_every is 0"),
        (dict(exploration_steps=0), "exploration_steps is 0"),
        (dict(epsilon_end=1.5), "epsilon_end is 1.5, must be between 0 and 1"),
        (dict(huber=0), "huber is 0"),
        (dict(max_grad_norm=0), "max_grad_norm is 0"),
        (dict(batch_size=100), "batch_size is 100, must be at most 99"),
        (dict(gamma=2), "gamma is 2"),
    ],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        picorl.DQN(CartPole(), **(SMALL | options))


def test_continuous_actions_are_refused():
    with pytest.raises(ValueError, match="DQN: env has no n_actions"):
        picorl.DQN(Pendulum())
    with pytest.raises(ValueError, match="SAC: env has n_actions, must have continuous actions"):
        picorl.SAC(CartPole())


def test_it_learns_to_balance_the_pole():
    env = CartPole(seed=0)
    agent = picorl.DQN(env, seed=0)
    for _ in picorl.train(agent, env, 20_000, evaluate_every=1000):
        pass
    agent.use_best()
    assert picorl.evaluate(agent, CartPole(seed=77), 20) >= 400
