"""The GRU and recurrent SAC's losses beside PyTorch in float64: states, gradients through time, and what an update hands to Adam."""

import types
from array import array

import numpy as np
import pytest

import picorl
from picorl import gru, memory, network
from picorl.envs import PendulumWithoutVelocity

torch = pytest.importorskip("torch", reason="PyTorch is not installed here: make test-torch")
pytestmark = pytest.mark.torch


def relative(got, wanted):
    got, wanted = np.asarray(got, np.float64).ravel(), np.asarray(wanted, np.float64).ravel()
    return np.abs(got - wanted).max() / np.abs(wanted).max()


def gru_of(params, inputs, units):
    """nn.GRU in float64 with the parameters of ours."""
    net = torch.nn.GRU(inputs, units, batch_first=True).double()
    parts = [np.array(part, np.float64) for part in gru.views(params, inputs, units)]
    with torch.no_grad():
        for part, weight, bias in zip(
            parts, (net.weight_ih_l0, net.weight_hh_l0), (net.bias_ih_l0, net.bias_hh_l0), strict=True
        ):
            weight.copy_(torch.tensor(part[: -3 * units].reshape(-1, 3 * units).T))
            bias.copy_(torch.tensor(part[-3 * units :]))
    return net


@pytest.mark.parametrize("inputs, units, steps, batch", [(1, 1, 2, 1), (3, 8, 12, 5), (4, 33, 20, 3), (7, 5, 40, 2)])
def test_states_and_gradients_are_those_of_pytorchs_gru(inputs, units, steps, batch):
    k, rng = picorl.kernels.backend, np.random.default_rng(units)
    layout = gru.layout(inputs, units)
    params = array("f", rng.normal(0, 0.5, network.n_params(layout)).astype(np.float32).tobytes())
    x = array("f", rng.normal(0, 1, batch * steps * inputs).astype(np.float32).tobytes())
    d_out = array("f", rng.normal(0, 1, batch * steps * units).astype(np.float32).tobytes())
    grads, out = memory.zeros("f", len(params)), memory.zeros("f", batch * steps * units)
    chunk = max(1, batch // 2)
    owner = types.SimpleNamespace(keep=array("f", [1] * (batch * steps)))
    for name, code, size, _ in gru.Sequences.declare(inputs, units, steps, chunk):
        setattr(owner, name, memory.zeros(code, size))
    ours = gru.Sequences(k, owner, inputs, units, steps)
    parts, grad_parts = gru.views(params, inputs, units), gru.views(grads, inputs, units)
    for row, rows in memory.spans(batch, chunk):
        ours.take_in(parts, x, row, rows)
        ours.forward(parts, out, units, row, rows, 0, steps)
        d = d_out[row * steps * units : (row + rows) * steps * units]
        ours.backward(parts, d, None, units, row, rows, 0, steps)
        ours.hidden_gradient(parts, grad_parts, rows)
        ours.input_gradient(parts, grad_parts, rows)

    net = gru_of(params, inputs, units)
    wanted, _ = net(torch.tensor(np.array(x, np.float64).reshape(batch, steps, inputs)))
    assert relative(out, wanted.detach()) <= 1e-5
    (wanted * torch.tensor(np.array(d_out, np.float64).reshape(wanted.shape))).sum().backward()
    for part, weight, bias in zip(
        grad_parts,
        (net.weight_ih_l0, net.weight_hh_l0),
        (net.bias_ih_l0, net.bias_hh_l0),
        strict=True,
    ):
        assert relative(part[: -3 * units], weight.grad.T) <= 1e-5
        assert relative(part[-3 * units :], bias.grad) <= 1e-5


class Float64:
    """An agent's networks in PyTorch, from the parameters it has now, and its batch."""

    def __init__(self, agent):
        self.agent = agent
        self.steps, self.units = agent.steps_of_sequence, agent.units
        self.x, self.action = self.batch("x"), self.batch("action")
        self.reward, self.keep, self.weight = (self.batch(one)[:, :, 0] for one in ("reward", "keep", "weight"))
        self.noise, self.next_noise = self.batch("noise"), self.batch("next_noise")

    def batch(self, name):
        values = np.array(getattr(self.agent, name), np.float64)
        return torch.tensor(values.reshape(self.agent.batch_size, self.steps, -1))

    def params(self, name, learned=False):
        return torch.tensor(np.array(getattr(self.agent, name), np.float64), requires_grad=learned)

    def states(self, params):
        units, inputs = self.units, self.agent.inputs
        split = 3 * units * inputs, 3 * units, 3 * units * units, 3 * units
        w_x, b_x, w_h, b_h = torch.split(params[: sum(split)], split)
        h, found = torch.zeros(len(self.x), units, dtype=torch.float64), []
        for t in range(self.steps):
            h = h * self.keep[:, t : t + 1]
            xr, xz, xn = (self.x[:, t] @ w_x.reshape(inputs, -1) + b_x).chunk(3, 1)
            hr, hz, hn = (h @ w_h.reshape(units, -1) + b_h).chunk(3, 1)
            r, z = torch.sigmoid(xr + hr), torch.sigmoid(xz + hz)
            h = (1 - z) * torch.tanh(xn + r * hn) + z * h
            found.append(h)
        return torch.stack(found, 1), params[sum(split) :]

    def perceptron(self, layout, params, x):
        at, sizes = 0, network.layers(layout)
        for i, (n, m) in enumerate(sizes):
            x = x @ params[at : at + n * m].reshape(n, m) + params[at + n * m : at + (n + 1) * m]
            x = torch.relu(x) if i + 1 < len(sizes) else x
            at += (n + 1) * m
        return x

    def policy(self, params, noise):
        h, head = self.states(params)
        mean, log_std = self.perceptron(self.agent.head_layout, head, h).chunk(2, 2)
        log_std = log_std.clamp(-20, 2)
        u = mean + log_std.exp() * noise
        a = torch.tanh(u)
        log_prob = torch.distributions.Normal(mean, log_std.exp()).log_prob(u) - torch.log(1 - a**2)
        return a, log_prob.sum(2)

    def critics(self, params, action):
        h, heads = self.states(params)
        x = torch.cat([h, action], 2)
        return [self.perceptron(self.agent.q_layout, one, x)[:, :, 0] for one in heads.chunk(2)]

    def mean(self, x):
        """Over the steps that are learned from."""
        return x[self.weight > 0].mean()


def test_gradients_of_an_update_are_those_of_the_losses():
    """The critics' and the actor's, against automatic differentiation in float64 of the losses as the paper has them."""
    env = PendulumWithoutVelocity(3, 7)
    sizes = dict(units=6, hidden=(8,), length=8, burn_in=2, batch_size=16, replay_capacity=200, warmup_steps=20)
    agent = picorl.RecurrentSAC(env, seed=3, **sizes)
    list(picorl.train(agent, env, 60, evaluate_episodes=0))
    pieces = agent._pieces()
    next(pieces)
    exact = Float64(agent)
    assert 0 < (exact.keep[:, 1:] == 0).sum() and 0 < (exact.weight[:, :-1] == 0).sum()
    alpha, gamma = agent.coeffs[1], agent.coeffs[0]
    critic, actor = exact.params("critic", True), exact.params("actor", True)
    with torch.no_grad():
        a, log_prob = exact.policy(exact.params("actor"), exact.next_noise)
        q = torch.minimum(*exact.critics(exact.params("target_critic"), a)) - alpha * log_prob
        target = exact.reward[:, 1:] + gamma * exact.keep[:, 1:] * q[:, 1:]
        target = torch.cat([target, torch.zeros(len(target), 1)], 1)
    sum(exact.mean((q - target) ** 2) for q in exact.critics(critic, exact.action)).backward()

    adam_critic = agent.critic[:]
    while agent.critic == adam_critic:
        gradient = list(agent.grad)
        next(pieces)
    wanted = critic.grad
    assert relative(gradient[: len(wanted)], wanted) <= 1e-5

    a, log_prob = exact.policy(actor, exact.noise)
    loss = exact.mean(alpha * log_prob - torch.minimum(*exact.critics(exact.params("critic"), a)))
    loss.backward()
    moments = agent.actor_m[:]
    while agent.actor_m == moments:
        gradient = list(agent.grad)
        next(pieces)
    assert relative(gradient[: len(actor)], actor.grad) <= 1e-5

    temperature = agent.log_alpha[0]
    before = agent.alpha_m[0]
    while not next(pieces):
        pass
    d = -alpha * float(exact.mean(log_prob.detach()) + agent.target_entropy[0])
    assert (agent.alpha_m[0] - 0.9 * before) / 0.1 == pytest.approx(d, rel=1e-4)
    assert agent.log_alpha[0] != temperature
