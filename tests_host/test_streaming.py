"""Stream AC and Stream Q: each step against PyTorch; the same bits whole, in pieces and resumed; what they refuse; that they learn."""

from array import array

import numpy as np
import pytest

import picorl
from picorl.envs import CartPole, Pendulum

SMALL = dict(hidden=(16, 8), seed=3)
CASES = {"StreamAC": (picorl.StreamAC, Pendulum), "StreamQ": (picorl.StreamQ, CartPole)}
BOTH = pytest.mark.parametrize("name", CASES)


def made(name, seed=3, **options):
    algorithm, kind = CASES[name]
    env = kind(seed=seed, time_limit=40)
    return algorithm(env, **(SMALL | options)), env


def train(agent, env, steps, hook=None):
    list(picorl.train(agent, env, steps, evaluate_every=10_000, evaluate_episodes=0, hook=hook))


def trained(name, steps, hook=None, **options):
    agent, env = made(name, **options)
    train(agent, env, steps, hook)
    return agent, env


def new_action(env):
    return array("i" if hasattr(env, "n_actions") else "f", (0,))


def transition(agent, env, learn=True):
    """One step of the loop, the end of an episode included."""
    action = new_action(env)
    if not agent.in_episode(env.obs):
        env.reset()
        agent.begin(env.obs)
    agent.act(env.obs, action)
    env.step(action)
    taken = agent.observe(action, env.reward, env.obs, env.terminated, env.truncated)
    if learn:
        agent.update()
    return taken


# --- what a step computes -------------------------------------------------------------------------------------------


class Trained:
    """A network in PyTorch's float64 that takes over the agent's parameters and traces, with the paper's optimiser."""

    def __init__(self, torch, agent, name, layout, kappa):
        self.torch, self.kappa = torch, kappa
        self.sizes = [layout[1], *agent.hidden, layout[-2]]
        self.params = torch.tensor(getattr(agent, name), dtype=torch.float64, requires_grad=True)
        # The agent's traces have faded already.
        self.trace = torch.tensor(getattr(agent, name + "_trace"), dtype=torch.float64)

    def __call__(self, x):
        F, at = self.torch.nn.functional, 0
        x = self.torch.tensor(x, dtype=self.torch.float64)
        for i, (n, m) in enumerate(zip(self.sizes[:-1], self.sizes[1:], strict=True)):
            weight, bias = self.params[at : at + n * m].reshape(n, m), self.params[at + n * m : at + (n + 1) * m]
            x = F.linear(x, weight.T, bias)
            if i < len(self.sizes) - 2:
                x = F.leaky_relu(F.layer_norm(x, (m,)), 0.01)
            at += (n + 1) * m
        return x

    def step(self, loss, delta):
        """As ObGD does it: gradients of the loss, so that parameters go down along delta * trace."""
        (gradient,) = self.torch.autograd.grad(loss, self.params)
        self.trace = self.trace - gradient
        bound = self.kappa * max(abs(delta), 1) * self.trace.abs().sum().item()
        self.params = (self.params + min(1 / bound, 1) * delta * self.trace).detach()
        self.trace = 0.99 * 0.8 * self.trace


def close(got, wanted):
    """1e-5 relative to the largest."""
    wanted = np.array(wanted, np.float64)
    np.testing.assert_allclose(np.array(got, np.float64), wanted, rtol=1e-5, atol=1e-5 * np.abs(wanted).max())


@pytest.mark.torch
@pytest.mark.parametrize("kappa", [3.0, 0.001])
def test_a_step_of_stream_ac_is_pytorchs(kappa):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed here: make test-torch")
    agent, env = trained("StreamAC", 25, actor_kappa=kappa, entropy=0.3)
    signs = set()
    for _ in range(30):
        actor = Trained(torch, agent, "actor", agent.actor_layout, kappa)
        critic = Trained(torch, agent, "critic", agent.critic_layout, 2.0)
        before = np.array(agent.actor)
        transition(agent, env)
        if agent.cursor[2]:
            actor.trace *= 0  # an episode began
            critic.trace *= 0
        value, following = critic(agent.obs)[0], critic(agent.next_obs)[0].item()
        delta = agent.reward[0] + 0.99 * following - value.item()
        mean, s = actor(agent.obs)
        policy = torch.distributions.Normal(mean, torch.nn.functional.softplus(s))
        taken = torch.tensor(agent.taken[0], dtype=torch.float64)
        assert agent.delta[0] == pytest.approx(delta, rel=1e-5, abs=1e-6)
        critic.step(-value, delta)
        actor.step(-policy.log_prob(taken) - 0.3 * np.sign(delta) * policy.entropy(), delta)
        change, wanted = np.array(agent.actor) - before, actor.params.numpy() - before
        rounding = 2**-23 * np.abs(before).max()
        np.testing.assert_allclose(change, wanted, rtol=1e-5, atol=1e-5 * np.abs(wanted).max() + rounding)
        for name, network in (("actor", actor), ("critic", critic)):
            close(getattr(agent, name), network.params.numpy())
            close(getattr(agent, name + "_trace"), network.trace.numpy())
        signs.add(float(np.sign(delta)))
    assert signs == {-1, 1}


@pytest.mark.torch
def test_a_step_of_stream_q_is_pytorchs():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed here: make test-torch")
    agent, env = made("StreamQ", epsilon_start=0.3, epsilon_end=0.3)
    greedy = terminated = 0
    for _ in range(60):
        network = Trained(torch, agent, "actor", agent.actor_layout, 2.0)
        transition(agent, env, learn=False)
        if agent.cursor[2]:
            network.trace *= 0  # this transition does not follow a greedy choice
        agent.update()
        q, following = network(agent.obs), network(agent.next_obs).max().item()
        chosen = q[agent.choice[0]]
        delta = agent.reward[0] - chosen.item() + (0 if env.terminated else 0.99 * following)
        assert agent.delta[0] == pytest.approx(delta, rel=1e-5, abs=1e-6)
        network.step(-chosen, delta)
        close(agent.actor, network.params.numpy())
        close(agent.actor_trace, network.trace.numpy())
        best = int(q.argmax()) == agent.choice[0]
        assert agent.cursor[4] == (not best)  # the next transition starts new traces
        greedy += best
        terminated += env.terminated
    assert 0 < greedy < 60 and terminated


@BOTH
def test_traces_begin_anew_with_an_episode(name):
    agent, env = trained(name, 60)
    while not (env.terminated or env.truncated):
        transition(agent, env)
    assert any(agent.actor_trace)
    transition(agent, env, learn=False)
    pieces = agent._pieces()
    next(pieces)
    assert not any(agent.actor_trace)


def test_rewards_are_scaled_by_the_spread_of_returns():
    agent, env = made("StreamAC")
    total, returns = 0.0, []
    for _ in range(100):
        if not agent.in_episode(env.obs):
            total = 0.0
        transition(agent, env)
        total = 0.99 * total + env.reward[0]
        returns.append(total)
        deviation = np.std(returns, ddof=1) if len(returns) > 1 else 1
        assert agent.reward[0] == pytest.approx(env.reward[0] / deviation, rel=1e-4)


def test_observations_are_scaled_by_what_was_seen_until_then():
    agent, env = made("StreamAC")
    env.reset()
    agent.begin(env.obs)
    seen = [list(env.obs)]
    action = array("f", (0,))
    for _ in range(30):
        before = (np.array(env.obs) - np.mean(seen, 0)) / np.sqrt(np.var(seen, 0) + 1e-8)
        agent.act(env.obs, action)
        env.step(action)
        agent.observe(action, env.reward, env.obs, False, False)
        seen.append(list(env.obs))
        after = (np.array(env.obs) - np.mean(seen, 0)) / np.sqrt(np.var(seen, 0) + 1e-8)
        np.testing.assert_allclose(agent.obs, before, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(agent.next_obs, after, rtol=1e-3, atol=1e-4)
        agent.update()


def test_another_action_than_acts_is_learned_from_as_it_is():
    agent, env = trained("StreamAC", 5)
    action = array("f", (0,))
    agent.act(env.obs, action)
    agent.raw[0] = 1.7
    agent.observe(array("f", (2,)), env.reward, env.obs, False, False)
    assert agent.taken[0] == agent.raw[0]  # 2 is what the environment's bound makes of 1.7 times 2
    agent.update()
    agent.observe(array("f", (-0.5,)), env.reward, env.obs, False, False)
    assert agent.taken[0] == -0.25


@BOTH
def test_one_in_ten_incoming_weights_begins_as_another_number_than_0(name):
    agent, _ = made(name, hidden=(40, 30))
    at = 0
    for n, m in ((agent.obs_size, 40), (40, 30), (30, agent.actor_layout[-2])):
        weights = np.array(agent.actor[at : at + n * m]).reshape(n, m)
        kept = max(1, n - int(np.ceil(0.9 * n - 1e-6)))
        assert ((weights != 0).sum(0) == kept).all()
        assert np.abs(weights).max() <= 1 / np.sqrt(n) and (weights.min() < 0 < weights.max())
        assert not any(agent.actor[at + n * m : at + (n + 1) * m])
        at += (n + 1) * m


def test_every_weight_is_as_likely_to_begin_as_0():
    params = array("f", [0] * 11 * 4000)
    layout, sparsity = array("i", (1, 10, 4000, 0)), array("f", (0.7,))
    picorl.kernels.backend.sparse_init(layout, params, sparsity, array("I", (1, 2, 3, 0)))
    zeros = (np.array(params[:40_000]).reshape(10, 4000) == 0).sum(1)
    assert zeros.sum() == 7 * 4000
    # Chi square with 9 degrees of freedom, 0.1 %; drawing without replacement keeps the counts closer together.
    assert ((zeros - 2800) ** 2 / (4000 * 0.7 * 0.3)).sum() < 27.9


# --- the same bits --------------------------------------------------------------------------------------------------


@BOTH
def test_pieces_of_an_update_give_the_bits_of_whole_ones(name):
    whole, _ = trained(name, 200)
    pieces, _ = trained(name, 200, hook=lambda: None, chunk=1)
    assert whole.updates == pieces.updates == 200 and whole.crc() == pieces.crc()
    agent, env = made(name, chunk=1)
    transition(agent, env, learn=False)
    count = 1
    while not agent.work():
        count += 1
    assert count > 4


@BOTH
@pytest.mark.parametrize("pause", [95, 133])
def test_resumed_equals_straight(tmp_path, name, pause):
    path = str(tmp_path / "stream.safetensors")
    straight, _ = trained(name, 300)
    first, env = trained(name, pause)
    first.save(path, full=True, env=env)
    again, env = made(name, seed=8)
    assert again.load(path, env=env) is True
    train(again, env, 300 - pause)
    assert again.crc() == straight.crc() and again.updates == 300
    assert bytes(again.actor_trace) == bytes(straight.actor_trace)


@BOTH
def test_saved_between_observing_and_learning(tmp_path, name):
    path = str(tmp_path / "stream.safetensors")
    agent, env = trained(name, 100)
    transition(agent, env, learn=False)
    agent.save(path, full=True, env=env)
    again, other = made(name)
    again.load(path, env=other)
    assert again.ready()
    agent.update()
    again.update()
    assert again.crc() == agent.crc()


@BOTH
def test_policy_file_acts_as_the_agent_does(tmp_path, name):
    path = str(tmp_path / "policy.safetensors")
    agent, env = trained(name, 1000, **(dict(exploration_steps=100) if name == "StreamQ" else {}))
    agent.save(path)
    policy = picorl.Policy.load(path)
    ours, theirs = new_action(env), new_action(env)
    found = set()
    for row in np.random.default_rng(0).normal(size=(50, agent.obs_size)):
        obs = array("f", row)
        agent.predict(obs, ours)
        policy.predict(obs, theirs)
        assert ours == theirs
        found.add(ours[0])
    assert len(found) > 1
    other, _ = made(name, seed=9)
    assert other.load(path) is False
    other.predict(obs, theirs)
    assert ours == theirs


@BOTH
def test_the_best_policy_comes_back_with_its_scaling(name):
    agent, env = trained(name, 50)
    agent.note_return(array("f", (5,)))
    actor, moments = bytes(agent.actor), bytes(agent.moments)
    train(agent, env, 50)
    agent.note_return(array("f", (4,)))
    assert bytes(agent.actor) != actor and bytes(agent.moments) != moments
    agent.use_best()
    assert bytes(agent.actor) == actor and bytes(agent.moments) == moments
    transition(agent, env, learn=False)
    assert agent.cursor[2] == 1  # traces of another policy end here


def test_epsilon_falls_and_stays_for_a_long_life():
    agent, env = made("StreamQ", exploration_steps=100)
    action = array("i", (0,))
    for steps, epsilon in ((0, 1), (50, 0.505), (100, 0.01), (20_000_000, 0.01)):
        agent.counters[0] = steps
        agent.act(env.obs, action)
        assert agent.epsilon[0] == pytest.approx(epsilon, abs=1e-6)


@BOTH
@pytest.mark.parametrize("options", [{}, dict(hidden=(64, 64), keep_best=False, chunk=4), dict(hidden=())])
def test_plan_is_exact(name, options):
    algorithm, kind = CASES[name]
    planned = picorl.plan(algorithm, kind(), **options)
    agent = algorithm(kind(), **options)
    taken = {part: len(bytes(getattr(agent, part))) for part, *_ in agent.declare()}
    assert dict(planned.parts) == taken and planned.buffers == sum(taken.values())
    assert planned.update_every == 1


def test_it_fits_where_a_replay_does_not():
    """An ESP8266 has some 40 KB of heap."""
    for algorithm, env in ((picorl.StreamAC, Pendulum()), (picorl.StreamQ, CartPole())):
        assert picorl.plan(algorithm, env, hidden=(32, 32), keep_best=False).total < 32_000
    sac = picorl.plan(picorl.SAC, Pendulum(), hidden=(32, 32), batch_size=32, replay_capacity=1000, keep_best=False)
    assert sac.total > 100_000


# --- what goes wrong ------------------------------------------------------------------------------------------------


@BOTH
def test_an_interrupted_update_is_learned_again(name):
    agent, env = trained(name, 30)
    reference, other = trained(name, 30)
    for one, its in ((agent, env), (reference, other)):
        transition(one, its, learn=False)
        one.cursor[2] = 1  # traces start here, as they do after an interruption

    class Stopped(Exception):
        pass

    class Stops:
        def __getattr__(self, attribute, real=agent._kernels):
            if attribute == "obgd_scale":
                raise Stopped
            return getattr(real, attribute)

    agent._kernels, kernels = Stops(), agent._kernels
    agent._update = None
    with pytest.raises(Stopped):
        agent.update()
    agent._kernels = kernels
    assert agent.ready()
    agent.update()
    reference.update()
    assert agent.crc() == reference.crc()


@BOTH
def test_a_transition_is_not_taken_while_one_waits(name):
    agent, env = trained(name, 10)
    assert transition(agent, env, learn=False)
    waiting = bytes(agent.obs), bytes(agent.next_obs), bytes(agent.reward)
    assert transition(agent, env, learn=False) is False
    assert (bytes(agent.obs), bytes(agent.next_obs), bytes(agent.reward)) == waiting and agent.refused == 0
    agent.update()
    assert transition(agent, env, learn=False)
    assert agent.cursor[2] == 1  # it does not follow the one that was learned from


@BOTH
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_not_finite_is_refused(name, bad):
    agent, env = trained(name, 20)
    before = agent.crc(), bytes(agent.moments), bytes(agent.reward_stats)
    action, good = new_action(env), array("f", env.obs)
    wrong = array("f", env.obs)
    wrong[1] = bad
    assert agent.observe(action, array("f", (bad,)), good, False, False) is False
    assert agent.in_episode(good) and not agent.ready() and agent.refused == 1
    assert agent.observe(action, env.reward, wrong, False, False) is False
    assert not agent.in_episode(good) and agent.refused == 2
    assert agent.begin(wrong) is False and agent.refused == 3
    assert (
        agent.observe(action, env.reward, good, False, False) is False
    )  # no episode is open; this observation opens one
    assert agent.refused == 4 and agent.in_episode(good)
    assert agent.crc() == before[0] and bytes(agent.reward_stats[2:]) == before[2][8:]
    with pytest.raises(ValueError, match="update: no transition waits to be learned from"):
        agent.update()
    assert agent.observe(action, env.reward, good, False, False)
    agent.update()
    assert np.isfinite(agent.actor).all()


def test_actions_that_do_not_exist_are_refused():
    agent, env = trained("StreamQ", 5)
    for choice in (-1, 2):
        assert agent.observe(array("i", (choice,)), env.reward, env.obs, False, False) is False
    agent, env = trained("StreamAC", 5)
    assert agent.observe(array("f", (float("nan"),)), env.reward, env.obs, False, False) is False
    assert agent.refused == 1


def test_an_environment_that_writes_nan_does_no_harm():
    class Faulty(Pendulum):
        def step(self, action):
            Pendulum.step(self, action if action[0] == action[0] else array("f", (0,)))
            if self._elapsed[0] % 7 == 0:
                self.obs[0] = self.reward[0] = float("nan")

    env = Faulty(seed=0, time_limit=40)
    agent = picorl.StreamAC(env, **SMALL)
    train(agent, env, 200)
    assert agent.refused >= 25 and agent.updates >= 100
    assert np.isfinite(agent.actor).all() and np.isfinite(agent.actor_trace).all() and np.isfinite(agent.moments).all()


@BOTH
def test_what_waits_is_not_learned_from_by_another_policy(tmp_path, name):
    agent, env = trained(name, 100)
    agent.save(str(tmp_path / "policy.safetensors"))
    transition(agent, env, learn=False)
    assert agent.ready()
    agent.load(str(tmp_path / "policy.safetensors"))
    assert not agent.ready()
    train(agent, env, 50)
    assert agent.updates >= 140


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("StreamQ", dict(exploration_steps=2**24), "exploration_steps is 16777216, must be at most 16777215"),
        ("StreamAC", dict(hidden=(0,)), "hidden is 0"),
        ("StreamAC", dict(actor_kappa=0), "actor_kappa is 0"),
        ("StreamAC", dict(entropy=-1), "entropy is -1"),
        ("StreamAC", dict(trace_decay=1.5), "trace_decay is 1.5, must be between 0 and 1"),
        ("StreamAC", dict(sparsity=2), "sparsity is 2"),
        ("StreamAC", dict(chunk=-1), "chunk is -1"),
        ("StreamQ", dict(gamma=float("nan")), "gamma is nan"),
        ("StreamQ", dict(kappa=-2), "kappa is -2"),
        ("StreamQ", dict(epsilon_end=1.5), "epsilon_end is 1.5"),
        ("StreamQ", dict(exploration_steps=0), "exploration_steps is 0"),
        ("StreamQ", dict(chunk=0), "chunk is 0"),
    ],
)
def test_bad_options_are_named(name, options, message):
    with pytest.raises(ValueError, match=message):
        made(name, **options)


def test_actions_must_fit_the_algorithm():
    with pytest.raises(ValueError, match="StreamQ: env has no n_actions, must have discrete actions"):
        picorl.StreamQ(Pendulum())
    with pytest.raises(ValueError, match="StreamAC: env has n_actions, must have continuous actions"):
        picorl.StreamAC(CartPole())


def test_a_checkpoint_of_another_algorithm_is_refused(tmp_path):
    path = str(tmp_path / "q.safetensors")
    trained("StreamQ", 5)[0].save(path)
    with pytest.raises(ValueError, match="has algorithm StreamQ, must be StreamAC"):
        made("StreamAC")[0].load(path)


# --- that they learn ------------------------------------------------------------------------------------------------


def test_stream_ac_learns_to_swing_up():
    env = Pendulum(seed=1)
    agent = picorl.StreamAC(env, seed=1)
    list(picorl.train(agent, env, 100_000, evaluate_every=10_000))
    agent.use_best()
    assert picorl.evaluate(agent, Pendulum(seed=77), 20) >= -400


def test_stream_q_learns_to_balance_the_pole():
    env = CartPole(seed=0)
    agent = picorl.StreamQ(env, exploration_steps=10_000, seed=0)
    list(picorl.train(agent, env, 50_000, evaluate_every=5000))
    agent.use_best()
    assert picorl.evaluate(agent, CartPole(seed=77), 20) >= 400
