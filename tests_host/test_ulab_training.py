"""Agents on the ulab kernels, with the double of ulab: what plain Python kernels compute, to rounding; the same bits when resumed."""

import numpy as np
import pytest
from ulab_double import WIDTHS

import picorl
from picorl import kernels
from picorl.envs import CartPole, Pendulum

OFF_POLICY = dict(hidden=(16,), batch_size=8, replay_capacity=100, warmup_steps=20)
AGENTS = {
    "SAC": (Pendulum, OFF_POLICY, 80),
    "TD3": (Pendulum, OFF_POLICY, 80),
    "PPO": (Pendulum, dict(hidden=(16, 16), rollout_steps=40, batch_size=20, epochs=2), 80),
    "PPO of choices": (CartPole, dict(hidden=(16,), rollout_steps=40, batch_size=20, epochs=2, activation="tanh"), 80),
    "DQN": (CartPole, OFF_POLICY, 80),
    "StreamAC": (Pendulum, dict(hidden=(16,)), 40),
}


@pytest.fixture(params=WIDTHS)
def ulab(request, monkeypatch):
    """kernels.select("ulab") picks the ulab kernels on the double; what was active comes back."""
    before = kernels.name
    monkeypatch.setattr(
        kernels,
        "_MODULES",
        (*kernels._MODULES[:1], ("ulab", f"picorl.kernels.ulab_{request.param}"), *kernels._MODULES[2:]),
    )
    assert kernels.names()[1] == "ulab"
    yield
    kernels.select(before)


def trained(name, backend, steps, agent=None, env=None):
    environment, options, _ = AGENTS[name]
    kernels.select(backend)
    if agent is None:
        env = environment(seed=5)
        agent = getattr(picorl, name.split()[0])(env, seed=5, **options)
    for _ in picorl.train(agent, env, steps, evaluate_every=steps, evaluate_episodes=0):
        pass
    return agent, env


def parameters(agent):
    return {name: np.array(getattr(agent, name)) for name in agent.PARAMS}


@pytest.mark.parametrize("name", AGENTS)
def test_trains_as_plain_python_does(ulab, name):
    steps = AGENTS[name][2]
    begun, _ = trained(name, "python", 1)
    wanted, _ = trained(name, "python", steps)
    agent, _ = trained(name, "ulab", steps)
    assert agent.updates == wanted.updates >= 2 and kernels.name == "ulab"
    start, ends = parameters(begun), parameters(wanted)
    for part, values in parameters(agent).items():
        moved = np.abs(ends[part] - start[part]).max()
        # Adam divides by the gradient's size, so roundings of small gradients grow; they stay far below what was learned.
        assert moved > 0 and np.isfinite(values).all()
        assert np.abs(values - ends[part]).max() < 1e-3 * moved, part


@pytest.mark.parametrize("name", ["SAC", "PPO"])
def test_resumed_equals_straight(ulab, name, tmp_path):
    environment, options, steps = AGENTS[name]
    path = str(tmp_path / "agent.safetensors")
    straight, _ = trained(name, "ulab", steps)
    first, env = trained(name, "ulab", steps // 2)
    first.save(path, full=True, env=env)
    env = environment(seed=5)
    again = getattr(picorl, name)(env, **options, seed=9)
    assert again.load(path, env=env) is True
    again, _ = trained(name, "ulab", steps - steps // 2, again, env)
    assert again.crc() == straight.crc() and again.steps == straight.steps


def test_info_names_the_kernels_and_their_float(ulab):
    kernels.select("ulab")
    info = kernels.info()
    assert info["backend"] == "ulab" and info["variant"] in WIDTHS and info["fused"] is False
    assert "ulab" not in info["why"].split(", not ")[-1]
