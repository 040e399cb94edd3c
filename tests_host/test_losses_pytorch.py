"""Whole updates beside PyTorch: the gradients that an agent hands to Adam are those of the algorithm's losses, by automatic differentiation in float64."""

import math
from array import array

import numpy as np
import pytest

import picorl
from picorl import network
from picorl.envs import CartPole, Pendulum, VectorCartPole, VectorPendulum

torch = pytest.importorskip("torch", reason="PyTorch is not installed here: make test-torch")
pytestmark = pytest.mark.torch

GAMMA = 0.99


class Recorder:
    """The kernels, with a copy of every buffer that `watched` names for the optimiser, whenever it begins a step."""

    def __init__(self, kernels, agent, watched):
        self._kernels, self._agent, self._watched, self.steps = kernels, agent, watched, []

    def __getattr__(self, name):
        return getattr(self._kernels, name)

    def _record(self):
        self.steps.append({name: np.array(getattr(self._agent, name), np.float64) for name in self._watched})

    def adam(self, params, grad, *rest):
        if rest[-2] == 0:
            self._record()
        self._kernels.adam(params, grad, *rest)

    def adam_delta(self, grad, *rest):
        if rest[-2] == 0:
            self._record()
        self._kernels.adam_delta(grad, *rest)


def update(agent, *watched):
    """What the buffers held whenever the optimiser began a step of one update; the parameters are what they were before it."""
    recorder = agent._kernels = Recorder(agent._kernels, agent, watched)
    agent._update = None  # its generator holds the kernels it was made with
    agent.update()
    return recorder.steps


def params_of(layout, flat):
    """[(weights, biases), …] as leaves that gather gradients."""
    at, made = 0, []
    for inputs, outputs in network.layers(layout):
        weights = torch.tensor(flat[at : at + inputs * outputs].reshape(inputs, outputs), requires_grad=True)
        at += inputs * outputs
        biases = torch.tensor(flat[at : at + outputs], requires_grad=True)
        at += outputs
        made.append((weights, biases))
    return made


def run(params, x):
    for i, (weights, biases) in enumerate(params):
        x = x @ weights + biases
        x = torch.relu(x) if i < len(params) - 1 else x
    return x


def wide(x):
    return np.array(x, np.float64)


def tensor(x, columns):
    x = torch.tensor(wide(x))
    return x.reshape(-1, columns) if columns else x


def agree(got, params):
    """got, a flat gradient, is that of params within 1e-5 of its largest number."""
    wanted = np.concatenate([p.grad.reshape(-1).numpy() for pair in params for p in pair])
    assert np.abs(wanted).max() > 0
    np.testing.assert_allclose(got[: len(wanted)], wanted, 1e-5, 1e-5 * np.abs(wanted).max())


def experienced(agent, env, steps):
    """The agent after steps with env, without an update."""
    action = (
        agent.new_action() if hasattr(agent, "new_action") else array("i" if hasattr(env, "n_actions") else "f", [0])
    )
    env.reset()
    agent.begin(env.obs)
    for _ in range(steps):
        agent.act(env.obs, action)
        env.step(action)
        agent.observe(action, env.reward, env.obs, env.terminated, env.truncated)
        if env.terminated or env.truncated:
            env.reset()
            agent.begin(env.obs)
    return agent


def squashed(head, noise):
    """(action, log_prob) of SAC's policy by PyTorch's own distributions."""
    mean, log_std = head.chunk(2, dim=1)
    std = log_std.clamp(-20, 2).exp()
    u = mean + std * noise
    log_prob = torch.distributions.Normal(mean, std).log_prob(u) - 2 * (
        math.log(2) - u - torch.nn.functional.softplus(-2 * u)
    )
    return torch.tanh(u), log_prob.sum(1)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("chunk", [None, 7])
def test_sac(seed, chunk):
    agent = picorl.SAC(Pendulum(), (32, 16), batch_size=50, seed=seed, chunk=chunk, temperature=0.3)
    experienced(agent, Pendulum(seed=seed), 300)
    names = "actor", "critic1", "critic2", "target1", "target2"
    before = {name: wide(getattr(agent, name)) for name in names}
    alpha = float(agent.coeffs[1])
    batch = ("obs", "next_obs", "obs_action", "reward", "not_terminated", "next_noise", "noise")
    first, second, third, fourth = update(agent, "grad", "alpha_grad", "critic1", *batch)
    obs, next_obs, obs_action = (tensor(first[n], w) for n, w in (("obs", 3), ("next_obs", 3), ("obs_action", 4)))

    actor = params_of(agent.actor_layout, before["actor"])
    target = [params_of(agent.critic_layout, before[name]) for name in ("target1", "target2")]
    with torch.no_grad():
        action, log_prob = squashed(run(actor, next_obs), tensor(first["next_noise"], 1))
        q = torch.min(*(run(net, torch.cat((next_obs, action), 1)) for net in target))[:, 0]
        y = tensor(first["reward"], 0) + GAMMA * tensor(first["not_terminated"], 0) * (q - alpha * log_prob)
    for name, step in (("critic1", first), ("critic2", second)):
        critic = params_of(agent.critic_layout, before[name])
        torch.mean((run(critic, obs_action)[:, 0] - y) ** 2).backward()
        agree(step["grad"], critic)

    critics = [params_of(agent.critic_layout, wide(getattr(agent, name))) for name in ("critic1", "critic2")]
    action, log_prob = squashed(run(actor, obs), tensor(third["noise"], 1))
    q = torch.min(*(run(net, torch.cat((obs, action), 1)) for net in critics))[:, 0]
    torch.mean(alpha * log_prob - q).backward()
    agree(third["grad"], actor)

    log_alpha = torch.tensor(math.log(alpha), dtype=torch.float64, requires_grad=True)
    torch.mean(-log_alpha.exp() * (log_prob.detach() - 1)).backward()
    np.testing.assert_allclose(fourth["alpha_grad"], [log_alpha.grad.item()], 1e-5)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("chunk", [None, 7])
def test_td3(seed, chunk):
    agent = picorl.TD3(Pendulum(), (32, 16), batch_size=50, seed=seed, chunk=chunk, policy_delay=1)
    experienced(agent, Pendulum(seed=seed), 300)
    names = "actor", "target_actor", "critic1", "critic2", "target1", "target2"
    before = {name: wide(getattr(agent, name)) for name in names}
    batch = ("obs", "next_obs", "obs_action", "reward", "not_terminated", "next_noise")
    first, second, third = update(agent, "grad", *batch)
    obs, next_obs, obs_action = (tensor(first[n], w) for n, w in (("obs", 3), ("next_obs", 3), ("obs_action", 4)))

    def act(params, obs):
        return torch.tanh(run(params, obs))

    target_actor = params_of(agent.actor_layout, before["target_actor"])
    target = [params_of(agent.critic_layout, before[name]) for name in ("target1", "target2")]
    with torch.no_grad():
        noise = (0.2 * tensor(first["next_noise"], 1)).clamp(-0.5, 0.5)
        action = (act(target_actor, next_obs) + noise).clamp(-1, 1)
        q = torch.min(*(run(net, torch.cat((next_obs, action), 1)) for net in target))[:, 0]
        y = tensor(first["reward"], 0) + GAMMA * tensor(first["not_terminated"], 0) * q
    for name, step in (("critic1", first), ("critic2", second)):
        critic = params_of(agent.critic_layout, before[name])
        torch.mean((run(critic, obs_action)[:, 0] - y) ** 2).backward()
        agree(step["grad"], critic)

    actor = params_of(agent.actor_layout, before["actor"])
    critic = params_of(agent.critic_layout, wide(agent.critic1))
    (-run(critic, torch.cat((obs, act(actor, obs)), 1)).mean()).backward()
    agree(third["grad"], actor)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("double", [False, True])
def test_dqn(seed, double):
    agent = picorl.DQN(CartPole(), (32, 16), batch_size=40, learn_every=4, double=double, max_grad_norm=None, seed=seed)
    experienced(agent, CartPole(seed=seed), max(agent.warmup_steps, 200) // 4 * 4)
    picorl.kernels.backend.scale(agent.target_actor, array("f", [0.9]), 0, len(agent.target_actor))
    before = {name: wide(getattr(agent, name)) for name in ("actor", "target_actor")}
    (step,) = update(agent, "grad", "obs", "next_obs", "obs_action", "reward", "not_terminated")
    obs, next_obs, obs_action = (tensor(step[n], w) for n, w in (("obs", 4), ("next_obs", 4), ("obs_action", 5)))

    online, target = (params_of(agent.actor_layout, before[name]) for name in ("actor", "target_actor"))
    with torch.no_grad():
        values = run(target, next_obs)
        best = run(online if double else target, next_obs).argmax(1)
        y = tensor(step["reward"], 0) + GAMMA * tensor(step["not_terminated"], 0) * values[torch.arange(40), best]
    choice = (obs_action[:, 4] > 0).long()
    torch.nn.functional.huber_loss(run(online, obs)[torch.arange(40), choice], y, delta=agent.huber[0]).backward()
    agree(step["grad"], online)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("env_class", [VectorPendulum, VectorCartPole])
def test_ppo(env_class, seed):
    """The first minibatch of the second update: policies of now and of then differ by nothing yet, so the ratio is 1 but its gradient is not."""
    env = env_class(2, seed=seed)
    settings = {"rollout_steps": 40, "batch_size": 80, "epochs": 2, "max_grad_norm": None, "entropy": 0.02}
    agent = picorl.PPO(env, (32, 16), seed=seed, gamma=GAMMA, learning_rate=0.01, **settings)
    action = agent.new_action()
    env.reset()
    agent.begin(env.obs)
    for _ in range(40):
        agent.act(env.obs, action)
        env.step(action)
        agent.observe_all(env.reward, env.obs, env.ended, env.final_obs)
    names = ["actor_grad", "critic_grad", "actor", "critic", "batch_obs", "batch_log_prob", "batch_advantage"]
    names += ["batch_target"] + (["batch_choice"] if agent.discrete else ["batch_raw", "log_std", "log_std_grad"])
    steps = update(agent, *names)
    # Of each epoch (here: one minibatch) the first step is that where nothing was learned from it yet.
    step = steps[len(steps) // 2]
    n_obs = agent.obs_size
    obs, advantage = tensor(step["batch_obs"], n_obs), tensor(step["batch_advantage"], 0)
    actor, critic = (params_of(getattr(agent, f"{name}_layout"), step[name]) for name in ("actor", "critic"))
    if agent.discrete:
        policy = torch.distributions.Categorical(logits=run(actor, obs))
        log_prob, entropy = policy.log_prob(tensor(step["batch_choice"], 0)), policy.entropy()
    else:
        log_std = torch.tensor(step["log_std"], requires_grad=True)
        policy = torch.distributions.Normal(run(actor, obs), log_std.exp())
        log_prob, entropy = policy.log_prob(tensor(step["batch_raw"], 1)).sum(1), policy.entropy().sum(1)
    ratio = torch.exp(log_prob - tensor(step["batch_log_prob"], 0))
    assert ratio.std() > 1e-4
    low = agent.clip_range[0]
    surrogate = torch.min(ratio * advantage, ratio.clamp(1 - low, 1 + low) * advantage)
    (-(surrogate + 0.02 * entropy).mean()).backward()
    agree(step["actor_grad"], actor)
    if not agent.discrete:
        np.testing.assert_allclose(step["log_std_grad"], log_std.grad.numpy(), 1e-5, 1e-7)
    (0.5 * (run(critic, obs)[:, 0] - tensor(step["batch_target"], 0)) ** 2).mean().backward()
    agree(step["critic_grad"], critic)
