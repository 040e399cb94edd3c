"""Recurrent SAC: what it remembers and when it forgets, sequences out of the replay, the same bits whole, in pieces and resumed."""

import math
from array import array

import numpy as np
import pytest

import picorl
from picorl import gru, network
from picorl.envs import CartPole, Pendulum, PendulumWithoutVelocity
from picorl.planning import largest_replay

SMALL = dict(units=6, hidden=(8,), length=5, burn_in=1, batch_size=7, replay_capacity=200, warmup_steps=20, seed=3)


def make(time_limit=30, **options):
    env = PendulumWithoutVelocity(3, time_limit)
    return picorl.RecurrentSAC(env, **(SMALL | options)), env


def train(agent, env, steps, every=10_000, episodes=0, hook=None):
    return list(picorl.train(agent, env, steps, every, episodes, hook=hook))


def trained(steps, hook=None, **options):
    agent, env = make(**options)
    train(agent, env, steps, hook=hook)
    return agent, env


# --- bits -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunk", [1, 3])
def test_pieces_of_an_update_give_the_bits_of_whole_ones(chunk):
    whole, _ = trained(150)
    pieces, _ = trained(150, hook=lambda: None, chunk=chunk)
    assert whole.updates == pieces.updates > 100 and whole.crc() == pieces.crc()


def test_sequences_longer_than_a_piece_give_the_same_bits_too():
    long = dict(length=19, burn_in=4, units=3, batch_size=4)
    whole, _ = trained(120, **long)
    pieces, _ = trained(120, hook=lambda: None, chunk=1, **long)
    assert len(whole._steps) > 1 and whole.crc() == pieces.crc()


@pytest.mark.parametrize("steps", [133, 150])
def test_resumed_equals_straight(tmp_path, steps):
    """In the middle of an episode and at its end; memory goes on."""
    path = str(tmp_path / "recurrent.safetensors")
    straight, _ = trained(230)
    first, env = trained(steps)
    first.save(path, full=True, env=env)
    again, env = make(seed=9)
    env.reset()
    assert again.load(path, env=env) is True
    train(again, env, 230 - steps)
    assert again.crc() == straight.crc() and again.act_state == straight.act_state


def test_a_checkpoint_of_another_length_is_refused(tmp_path):
    path = str(tmp_path / "recurrent.safetensors")
    agent, env = trained(40)
    agent.save(path, full=True, env=env)
    other, env = make(length=6)
    with pytest.raises(ValueError, match="has length 5, must be 6"):
        other.load(path, env=env)


def test_evaluations_do_not_disturb_the_episode():
    agent, env = make()
    train(agent, env, 100, every=7, episodes=2)
    straight, _ = trained(100)
    assert agent.crc() == straight.crc() and agent.act_state == straight.act_state


def test_the_best_policy_comes_back():
    agent, env = make()
    kept = []
    for record in picorl.train(agent, env, 120, 20, 2):
        kept.append((record["return"], list(agent.actor)))
    agent.use_best()
    assert list(agent.actor) == max(kept, key=lambda one: one[0])[1] != kept[-1][1] or kept[-1] == max(kept)


def test_policy_file_acts_as_the_agent_does(tmp_path):
    agent, env = trained(150)
    agent.save(str(tmp_path / "policy.safetensors"))
    policy = picorl.Policy.load(str(tmp_path / "policy.safetensors"))
    assert (policy.units, policy.obs_size, policy.act_size) == (6, 2, 1)
    assert policy.params.tobytes() == agent.actor.tobytes()
    ours, theirs, first = array("f", [0]), array("f", [0]), []
    for _ in range(2):
        agent.reset()
        policy.reset()
        env.set_state(0.3, 0.2)
        for step in range(40):
            agent.predict(env.obs, ours)
            policy.predict(env.obs, theirs)
            assert ours == theirs
            if step == 39:
                first.append(ours[0])
            env.step(ours)
    assert first[0] == first[1]  # reset() forgets everything


def test_a_policy_whose_units_do_not_fit_its_layers_is_refused(tmp_path):
    agent, _ = make()
    agent.units = 5
    agent.save(str(tmp_path / "policy.safetensors"))
    with pytest.raises(ValueError, match="has no usable layout"):
        picorl.Policy.load(str(tmp_path / "policy.safetensors"))


def test_policies_without_a_memory_may_be_reset(tmp_path):
    env = Pendulum()
    agent = picorl.SAC(env, hidden=(4,), batch_size=8, replay_capacity=50)
    agent.save(str(tmp_path / "policy.safetensors"))
    policy = picorl.Policy.load(str(tmp_path / "policy.safetensors"))
    env.reset()
    action, again = array("f", [0]), array("f", [0])
    for who in (agent, policy):
        who.predict(env.obs, action)
        who.reset()
        who.predict(env.obs, again)
        assert action == again


# --- memory -----------------------------------------------------------------------------------------------------


def states(agent, x):
    """The actor's states after each of x (steps, inputs), in float64."""
    units = agent.units
    w_x, w_h, _ = (
        np.array(part, np.float64) for part in gru.views(agent.actor, agent.inputs, units, agent.head_layout)
    )
    w_x, b_x = w_x[: -3 * units].reshape(-1, 3 * units), w_x[-3 * units :]
    w_h, b_h = w_h[: -3 * units].reshape(-1, 3 * units), w_h[-3 * units :]
    h, found = np.zeros(units), []
    for one in x:
        (xr, xz, xn), (hr, hz, hn) = np.split(one @ w_x + b_x, 3), np.split(h @ w_h + b_h, 3)
        r, z = 1 / (1 + np.exp(-xr - hr)), 1 / (1 + np.exp(-xz - hz))
        n = np.tanh(xn + r * hn)
        h = (1 - z) * n + z * h
        found.append(h)
    return np.array(found)


def test_memory_is_that_of_the_episode_so_far():
    """The GRU's, of all observations and the actions before them as the replay has them, since the episode began."""
    agent, env = make(warmup_steps=10_000)
    action = array("f", [0])
    for _ in range(3):
        env.reset()
        agent.begin(env.obs)
        history = [[*env.obs, 0]]
        for step in range(9):
            agent.act(env.obs, action)
            np.testing.assert_allclose(agent.act_state, states(agent, history)[-1], atol=1e-6)
            agent.act(env.obs, action)  # the same observation again: nothing new to remember
            env.step(action)
            agent.observe(action, env.reward, env.obs, False, step == 8)
            history.append([*env.obs, action[0] / 2])


def test_memory_goes_on_where_something_else_acts():
    agents = [make(warmup_steps=10_000) for _ in range(2)]
    action, ignored = array("f", [0.7]), array("f", [0])
    for step in range(12):
        for k, (agent, env) in enumerate(agents):
            if step == 0:
                env.reset()
                agent.begin(env.obs)
            if k == 0 or step in (0, 7, 11):
                agent.act(env.obs, ignored)
            if step < 11:
                env.step(action)
                agent.observe(action, env.reward, env.obs, False, False)
    assert agents[0][0].act_state == agents[1][0].act_state and any(agents[0][0].act_state)


def test_a_broken_sensor_clears_the_memory_and_leaves_no_trace():
    agent, env = make(warmup_steps=0)
    env.reset()
    agent.begin(env.obs)
    action, broken = array("f", [0]), array("f", (math.nan, 0))
    for obs in (env.obs, broken, broken, env.obs):
        agent.act(obs, action)
        assert math.isfinite(action[0])
        env.step(action)
        nxt = broken if obs is env.obs and agent.steps < 2 else env.obs
        agent.observe(action, env.reward, nxt, False, False)
    assert agent.refused >= 2
    agent.begin(env.obs)
    agent.act(env.obs, action)
    assert math.isfinite(action[0]) and all(map(math.isfinite, agent.act_state))
    np.testing.assert_allclose(agent.act_state, states(agent, [[*env.obs, 0]])[-1], atol=1e-6)


def test_a_policy_gets_over_a_broken_sensor(tmp_path):
    """What predict() remembers stays as it was."""
    agent, env = trained(60)
    agent.save(str(tmp_path / "policy.safetensors"))
    policy = picorl.Policy.load(str(tmp_path / "policy.safetensors"))
    action, broken = array("f", [0]), array("f", (0.5, math.inf))
    for who in (agent, policy):
        who.reset()
        said = []
        for obs in (env.obs, broken, env.obs):
            who.predict(obs, action)
            said.append(action[0])
        assert all(map(math.isfinite, said)) and said[0] == said[1]


# --- sequences --------------------------------------------------------------------------------------------------


class Counted:
    """Sizes of an environment whose observation says which episode it is and which step."""

    obs = array("f", (0, 0))
    action_low = array("f", (-1, -1))
    action_high = array("f", (1, 1))


def collect(capacity, ends, steps):
    """(an agent that has seen episodes of the lengths in ends, over and over, terminated and truncated, some observations refused, and the
    (episode, step) of all transitions that it took)"""
    options = SMALL | dict(length=4, burn_in=2, batch_size=50, replay_capacity=capacity)
    agent = picorl.RecurrentSAC(Counted(), **options)
    taken = []
    episode = step = 0
    agent.begin(array("f", (0, 0)))
    for k in range(steps):
        action = array("f", (episode / 1000, step / 1000))
        done = step + 1 == ends[episode % len(ends)]
        terminated = done and episode % 3 == 0
        bad = k % 41 == 40
        next_obs = array("f", (math.nan if bad else episode, step + 1))
        if agent.observe(action, array("f", [episode * 100 + step]), next_obs, terminated, done and not terminated):
            taken.append((episode, step))
        step += 1
        if done or bad:
            episode, step = episode + 1, 0
            agent.begin(array("f", (episode, 0)))
    return agent, taken


@pytest.mark.parametrize("capacity", [102, 103, 110, 211])
@pytest.mark.parametrize("ends", [(1,), (3, 1, 2), (7, 1, 1, 12), (30,)], ids=str)
def test_sequences_never_mix_episodes(capacity, ends):
    for steps in (90, 150, 400):
        agent, taken = collect(capacity, ends, steps)
        agent._draw()
        head = agent.replay_state[0]
        oldest = tuple(agent.replay_obs[2 * head + 2 : 2 * head + 4])  # behind it nothing is known
        length = agent.steps_of_sequence
        x = np.array(agent.x).reshape(-1, length, 4)
        action = np.array(agent.action).reshape(-1, length, 2)
        reward, keep, weight = (np.array(b).reshape(-1, length) for b in (agent.reward, agent.keep, agent.weight))
        assert keep[:, 0].max() == 0 and weight[:, -1].max() == 0
        assert weight.sum() == pytest.approx(weight.size, rel=1e-5) or not weight.any()
        for k in range(len(x)):
            exact = x[k, 0, 1] == 0 or tuple(x[k, 0, :2]) == oldest
            for t in range(length):
                episode, step = x[k, t, :2]
                if keep[k, t]:
                    # The next step of the same episode, with the action that led here and its reward.
                    assert (episode, step) == (x[k, t - 1, 0], x[k, t - 1, 1] + 1)
                    np.testing.assert_allclose(x[k, t, 2:], [episode / 1000, (step - 1) / 1000], atol=1e-6)
                    assert reward[k, t] == episode * 100 + step - 1
                elif t:
                    exact = True
                    np.testing.assert_array_equal(x[k, t, 2:], 0)
                if weight[k, t]:
                    assert exact or t >= 2, "not burned in"
                    assert (episode, step) in taken
                    np.testing.assert_allclose(action[k, t], [episode / 1000, step / 1000], atol=1e-6)
                    terminal = step + 1 == ends[int(episode) % len(ends)] and episode % 3 == 0
                    # What is learned bootstraps from the step after, unless the episode terminated; either way the reward is there.
                    assert keep[k, t + 1] == (not terminal)
                    assert reward[k, t + 1] == episode * 100 + step


def test_all_but_the_cold_steps_are_learned_from():
    agent, taken = collect(211, (30,), 150)
    seen = set()
    for _ in range(40):
        agent._draw()
        x = np.array(agent.x).reshape(-1, 4)[np.array(agent.weight) > 0]
        seen |= {(int(e), int(s)) for e, s, *_ in x}
    assert seen == set(taken)


# --- errors and plans -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(units=0), "units is 0, must be a whole number of at least 1"),
        (dict(length=0), "length is 0"),
        (dict(length=199), "length is 199, must be at most 198 with a replay_capacity of 200"),
        (dict(burn_in=5), "burn_in is 5, must be less than length, 5"),
        (dict(burn_in=-1), "burn_in is -1"),
        (dict(batch_size=100), "batch_size is 100, must be at most 99"),
        (dict(hidden=(0,)), "hidden is 0"),
        (dict(gamma=2), "gamma is 2"),
        (dict(target_entropy=math.nan), "target_entropy is nan"),
    ],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        make(**options)
    with pytest.raises(ValueError, match=message):
        picorl.plan(picorl.RecurrentSAC, PendulumWithoutVelocity(), **(SMALL | options))


def test_discrete_actions_are_refused():
    with pytest.raises(ValueError, match="RecurrentSAC: env has n_actions, must have continuous actions"):
        picorl.RecurrentSAC(CartPole())


@pytest.mark.parametrize("options", [{}, dict(units=3, hidden=(8, 8), chunk=2, keep_best=False), dict(length=16)])
def test_plans_are_exact(options):
    env = PendulumWithoutVelocity()
    planned = picorl.plan(picorl.RecurrentSAC, env, **(SMALL | options))
    agent = picorl.RecurrentSAC(env, **(SMALL | options))
    taken = {name: len(bytes(getattr(agent, name))) for name, *_ in agent.declare()}
    assert dict(planned.parts) == taken and planned.buffers == sum(taken.values())
    assert planned.params == len(agent.actor) + len(agent.critic)


def test_the_largest_replay_holds_a_sequence():
    options = dict(units=4, hidden=(4,), length=100, burn_in=0, batch_size=1, keep_best=False)
    env = PendulumWithoutVelocity()
    rows = largest_replay(picorl.RecurrentSAC, env, 60_000, **options)
    assert picorl.plan(picorl.RecurrentSAC, env, replay_capacity=rows, **options).total <= 60_000
    assert picorl.plan(picorl.RecurrentSAC, env, replay_capacity=rows + 8, **options).total > 60_000
    least = picorl.plan(picorl.RecurrentSAC, env, replay_capacity=102, **options).total
    assert largest_replay(picorl.RecurrentSAC, env, least, **options) >= 102
    assert largest_replay(picorl.RecurrentSAC, env, least - 200, **options) == 0


class Counting:
    """Kernels that count multiply-adds of networks."""

    def __init__(self, real):
        self.real, self.macs = real, 0

    def __getattr__(self, name):
        return getattr(self.real, name)

    def forward(self, layout, *rest):
        self.macs += rest[-1] * network.macs(layout)
        self.real.forward(layout, *rest)

    def backward(self, layout, params, x, out, cache, d_out, grad, d_x, row, rows):
        first = layout[1] * layout[2]
        wanted = (grad is not None) * network.macs(layout) + network.inner_macs(layout) + (d_x is not None) * first
        self.macs += rows * wanted
        self.real.backward(layout, params, x, out, cache, d_out, grad, d_x, row, rows)


@pytest.mark.parametrize("options", [{}, dict(units=3, hidden=(8, 5), chunk=2, length=7)])
def test_the_work_of_an_update_is_what_was_planned(options, monkeypatch):
    counting = Counting(picorl.kernels.backend)
    monkeypatch.setattr(picorl.kernels, "backend", counting)
    agent, env = make(**options)
    train(agent, env, 40)
    counting.macs = 0
    agent.update()
    assert counting.macs == picorl.plan(picorl.RecurrentSAC, env, **(SMALL | options)).update_macs


def test_chunks_recommended_by_a_plan_get_smaller_with_the_limit():
    planned = picorl.plan(picorl.RecurrentSAC, PendulumWithoutVelocity())
    chunks = [planned.chunk(limit) for limit in (60_000, 240_000, 10**9)]
    assert chunks == sorted(chunks) and 1 <= chunks[0] < chunks[2] == planned.batch_size


# --- the environment --------------------------------------------------------------------------------------------


def test_pendulum_without_velocity_is_pendulum():
    whole, partly = Pendulum(7), PendulumWithoutVelocity(7)
    action = array("f", [0])
    for start in (None, (0.5, -1.0)):
        for env in (whole, partly):
            env.reset() if start is None else env.set_state(*start)
        for step in range(200):
            action[0] = math.sin(step)
            whole.step(action)
            partly.step(action)
            assert list(partly.obs) == list(whole.obs[:2]) and partly.reward == whole.reward
            assert (partly.terminated, partly.truncated) == (False, whole.truncated)
    assert partly.truncated
    again = partly.clone(7)
    again.reset()
    whole.reseed(7)
    whole.reset()
    assert list(again.obs) == list(whole.obs[:2])
