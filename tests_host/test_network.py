"""Layouts: what mlp() makes of names, what the kernels make of a layout, and agents with other layers than dense ones and ReLU."""

from array import array

import kernels as table
import numpy as np
import pytest
import reference_kernels as reference
from kernel_cases import Random, make, shape

import picorl
from picorl import network
from picorl.envs import CartPole, Pendulum

DENSE, LAYER_NORM, NORMALIZE, ELEMENTWISE = table.KINDS.values()
NAMES = table.ACTIVATIONS | table.INPUT_ACTIVATIONS
NORMS = (None, "layer_norm", "normalize")
OFF_POLICY = dict(hidden=(8, 8), batch_size=8, replay_capacity=200, warmup_steps=10, seed=0)
AGENTS = {
    "SAC": (picorl.SAC, Pendulum, OFF_POLICY),
    "TD3": (picorl.TD3, Pendulum, OFF_POLICY),
    "DQN": (picorl.DQN, CartPole, OFF_POLICY),
    "PPO": (picorl.PPO, Pendulum, dict(hidden=(8, 8), rollout_steps=16, batch_size=8, epochs=2, seed=0)),
}
LAYERS = (
    dict(activation="gelu", norm="layer_norm"),
    dict(activation="leaky_relu", norm="normalize"),
    dict(activation="tanh"),
)


# --- layouts ----------------------------------------------------------------------------------------------------


def test_names_and_numbers_are_those_of_the_table():
    for name, number in NAMES.items():
        assert getattr(network, name.upper()) == number
        assert network.mlp((3, 5, 2), name) == network.mlp((3, 5, 2), number)
    assert (network.LAYER_NORM, network.NORMALIZE) == (LAYER_NORM, NORMALIZE)


def test_mlp_puts_norms_before_activations_and_gives_some_activations_a_layer():
    assert list(network.mlp((3, 5, 2))) == [1, 3, 5, 1, 1, 5, 2, 0]
    assert list(network.mlp((3, 5, 2), "tanh", "sigmoid")) == [1, 3, 5, 2, 1, 5, 2, 4]
    assert list(network.mlp((3, 5, 2), norm="layer_norm")) == [1, 3, 5, 0, 2, 5, 5, 1, 1, 5, 2, 0]
    assert list(network.mlp((3, 5, 2), "gelu")) == [1, 3, 5, 0, 4, 5, 5, 6, 1, 5, 2, 0]
    gelu_behind_norm = [1, 3, 5, 0, 3, 5, 5, 0, 4, 5, 5, 6, 1, 5, 2, 0, 4, 2, 2, 7]
    assert list(network.mlp((3, 5, 2), "gelu", "softmax", "normalize")) == gelu_behind_norm


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="activation is 'swish', must be one of identity, relu, .*softmax"):
        network.mlp((3, 5, 2), "swish")
    with pytest.raises(ValueError, match="output_activation is 8, must be one of"):
        network.mlp((3, 5, 2), output_activation=8)
    with pytest.raises(ValueError, match="norm is 'batch_norm', must be one of layer_norm, normalize"):
        network.mlp((3, 5, 2), norm="batch_norm")


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("activation", NAMES)
def test_sizes_are_those_that_the_kernels_ask_for(activation, norm):
    layout = network.mlp((3, 5, 7, 2), activation, activation, norm)
    wanted = shape(layout)
    assert network.n_params(layout) == wanted["n_params"]
    assert network.n_hidden(layout) == wanted["n_hidden"]
    sizes = [np.prod(size) for _, size in network.tensors(layout)]
    assert sum(sizes) == wanted["n_params"]
    names = [name for name, _ in network.tensors(layout)]
    assert len(set(names)) == len(names)
    dense = 3 * 5 + 5 * 7 + 7 * 2
    assert network.macs(layout) >= dense and (network.macs(layout) == dense) == (
        norm is None and activation not in table.INPUT_ACTIVATIONS
    )


# --- PyTorch ----------------------------------------------------------------------------------------------------


def torch_layers(torch, layout, params):
    """The same network in float64, and its parameters in the order of ours."""
    nn, layers, own = torch.nn, [], []
    activations = {
        0: nn.Identity, 1: nn.ReLU, 2: nn.Tanh, 3: lambda: nn.LeakyReLU(0.01), 4: nn.Sigmoid,
        6: lambda: nn.GELU(approximate="tanh"), 7: lambda: nn.Softmax(dim=1),
    }  # fmt: skip
    for (kind, n, m, activation), parts in zip(reference.records(layout), reference.split(layout, params), strict=True):
        if kind == DENSE:
            layers.append(nn.Linear(n, m))
        elif kind in (LAYER_NORM, NORMALIZE):
            layers.append(nn.LayerNorm(n, elementwise_affine=kind == LAYER_NORM))
        layers.append(activations[activation]())
        for mine, part in zip(layers[-2].parameters() if parts else (), parts, strict=True):
            with torch.no_grad():
                mine.copy_(torch.tensor(part.T if part.ndim == 2 else part))
            own.append(mine)
    return nn.Sequential(*layers).double(), own


@pytest.mark.torch
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("activation", [name for name in NAMES if name != "fast_tanh"])
def test_gradients_are_pytorchs(backend, activation, norm):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed here: make test-torch")
    layout = network.mlp((6, 33, 17, 5), activation, activation, norm)
    r = Random(f"{activation} {norm}")
    args = make("backward", r, layout=layout, row=0, rows=20, grad=None, d_x=array("f", [0] * 120))
    args["grad"] = array("f", [0] * len(args["params"]))
    net, own = torch_layers(torch, layout, np.array(args["params"], np.float64))
    x = torch.tensor(np.array(args["x"], np.float64).reshape(20, 6), requires_grad=True)
    backend.forward(*[args[name] for name in ("layout", "params", "x", "out", "cache")], 0, 20)
    y = net(x)
    np.testing.assert_allclose(np.array(args["out"]), y.detach().numpy().ravel(), 1e-5, 1e-6)
    y.backward(torch.tensor(np.array(args["d_out"], np.float64).reshape(20, 5)))
    backend.backward(*args.values())
    wanted = np.concatenate([one.grad.T.numpy().ravel() if one.ndim == 2 else one.grad.numpy() for one in own])
    for got, right in ((args["grad"], wanted), (args["d_x"], x.grad.numpy().ravel())):
        np.testing.assert_allclose(np.array(got), right, 1e-5, 1e-5 * np.abs(right).max())


# --- agents -----------------------------------------------------------------------------------------------------


def trained(name, options, steps=48):
    algorithm, env, sizes = AGENTS[name]
    agent, env = algorithm(env(seed=0), **(sizes | options)), env(seed=0)
    list(picorl.train(agent, env, steps, evaluate_every=steps, evaluate_episodes=0))
    assert agent.updates
    return agent, env


@pytest.mark.parametrize("options", LAYERS, ids=str)
@pytest.mark.parametrize("name", AGENTS)
def test_agents_learn_with_other_layers(name, options):
    """Every parameter moves, plan() tells the buffers, and chunks change no bit of C's results."""
    algorithm, env, sizes = AGENTS[name]
    agent, _ = trained(name, options)
    before = algorithm(env(seed=0), **(sizes | options))
    assert agent.actor_layout == before.actor_layout != algorithm(env(seed=0), **sizes).actor_layout
    for record, parts in zip(
        reference.records(agent.actor_layout), reference.split(agent.actor_layout, np.array(agent.actor)), strict=True
    ):
        assert all(np.isfinite(part).all() for part in parts), record
    moved = np.array(agent.actor) != np.array(before.actor)
    assert moved.mean() > 0.9
    planned = picorl.plan(algorithm, env(), **(sizes | options))
    assert dict(planned.parts) == {n: len(bytes(getattr(agent, n))) for n, *_ in agent.declare()}
    if picorl.kernels.name == "_picorl":
        assert trained(name, options | {"chunk": 3})[0].crc() == agent.crc()


@pytest.mark.parametrize("options", LAYERS, ids=str)
@pytest.mark.parametrize("name", AGENTS)
def test_checkpoints_hold_other_layers(name, options, tmp_path):
    path = str(tmp_path / "agent.safetensors")
    agent, env = trained(name, options)
    agent.save(path, full=True, env=env)
    again = AGENTS[name][0](AGENTS[name][1](seed=1), **(AGENTS[name][2] | options))
    assert again.load(path, env=env)
    assert again.crc() == agent.crc()

    policy, obs = picorl.Policy.load(path), env.obs
    mine, its = (array("i" if policy.discrete else "f", [0] * policy.act_size) for _ in range(2))
    agent.predict(obs, mine)
    policy.predict(obs, its)
    assert bytes(mine) == bytes(its)

    other = AGENTS[name][0](AGENTS[name][1](seed=1), **AGENTS[name][2])
    with pytest.raises(ValueError, match="layout"):
        other.load(path)


def test_files_of_dense_networks_are_what_they_were(tmp_path):
    """Tensors are named after their records, which are the layers where all are dense."""
    path = tmp_path / "agent.safetensors"
    agent, _ = trained("SAC", {})
    agent.save(str(path))
    head = path.read_bytes()[:2000]
    assert b'"layout":"1,3,8,1,1,8,8,1,1,8,2,0"' in head
    at = [head.index(f'"actor.{i}.{part}"'.encode()) for i in range(3) for part in ("weight", "bias")]
    assert at == sorted(at)


@pytest.mark.parametrize("options", LAYERS, ids=str)
@pytest.mark.parametrize("model", [picorl.Regressor, picorl.Classifier])
def test_models_learn_with_other_layers(model, options):
    generator = np.random.default_rng(0)
    x = generator.standard_normal((200, 2)).astype(np.float32)
    y = (x[:, 0] * x[:, 1]).astype(np.float32)
    targets = y if model is picorl.Regressor else (y > 0).astype(np.int32)
    made = model(
        2, **({} if model is picorl.Regressor else {"classes": 2}), hidden=(16, 16), learning_rate=0.01, **options
    )
    losses = [
        record["loss"]
        for record in made.fit([(x[i : i + 20], targets[i : i + 20]) for i in range(0, 200, 20)], epochs=30)
    ]
    assert losses[-1] < 0.35 * losses[0]
