"""The same source on a target and on the desktop: the same bits; nothing allocated; interrupted and resumed."""

import importlib
import sys
from array import array
from pathlib import Path

import desktop
import pytest

import picorl
from picorl.envs import Pendulum

SCRIPT = (Path(__file__).parent / "device_agents.py").read_text()
# What a target trains, by its size: options, steps. Updates begin after 100 steps, on the small ones after 10.
SETTINGS = {
    "large": (dict(hidden=(64, 64), batch_size=100, replay_capacity=10_000, seed=0), 1000),
    "medium": (dict(hidden=(32, 32), batch_size=32, replay_capacity=1000, seed=0), 300),
    "small": (dict(hidden=(8,), batch_size=8, replay_capacity=200, warmup_steps=10, seed=0), 39),
}
DEFAULT, _ = SETTINGS["large"]
TINY = dict(hidden=(8, 8), batch_size=8, replay_capacity=300, warmup_steps=20, seed=0)


def on(target, algorithm, options, do, *args):
    case = {"algorithm": algorithm, "options": options, "env_seed": 0, "do": do, "args": args}
    return target.run(f"CASE = {case!r}\n{SCRIPT}")


@pytest.fixture
def same_class(native):
    """A target, while the desktop's kernels are those of its class."""
    with desktop.same_class(native):
        yield native


@pytest.mark.parametrize("algorithm", ("SAC", "TD3"))
def test_a_run_gives_the_desktops_bits(same_class, algorithm):
    options, steps = SETTINGS[same_class.size]
    expected = desktop.crc(algorithm, options, steps)
    assert on(same_class, algorithm, options, "crc", steps) == f"crc {expected}\n"


@pytest.mark.parametrize(
    "algorithm,layers",
    (
        ("SAC", dict(activation="gelu", norm="layer_norm")),
        pytest.param("TD3", dict(activation="leaky_relu", norm="normalize"), marks=pytest.mark.size("medium")),
        pytest.param("SAC", dict(activation="fast_tanh", norm="layer_norm"), marks=pytest.mark.size("medium")),
        pytest.param("TD3", dict(activation="sigmoid"), marks=pytest.mark.size("medium")),
    ),
    ids=str,
)
def test_other_layers_give_the_desktops_bits(same_class, algorithm, layers):
    options, _ = SETTINGS["small"]
    options = {**options, **layers}
    assert on(same_class, algorithm, options, "crc", 39) == f"crc {desktop.crc(algorithm, options, 39)}\n"


@pytest.mark.size("medium")
def test_300_steps_of_the_default_size_give_the_desktops_bits(same_class):
    expected = desktop.crc("SAC", DEFAULT, 300)
    assert on(same_class, "SAC", DEFAULT, "crc", 300) == f"crc {expected}\n"


# On a small target test_power_cuts_on_device.py has a SAC.
@pytest.mark.parametrize("algorithm", (pytest.param("SAC", marks=pytest.mark.size("medium")), "TD3"))
def test_save_load_and_as_many_steps_more_give_the_bits_of_a_straight_run(same_class, algorithm):
    options, steps = SETTINGS[same_class.size]
    steps = 28 if same_class.size == "small" else 2 * steps
    expected = desktop.crc(algorithm, options, steps)
    out = on(same_class, algorithm, options, "resumed", steps, "full.safetensors")
    assert out == f"crc {expected}\n"


@pytest.mark.size("medium")
@pytest.mark.parametrize("algorithm", ("SAC", "TD3"))
def test_work_in_chunks_of_8_rows_gives_the_bits_of_whole_updates(same_class, algorithm):
    options, steps = SETTINGS[same_class.size]
    expected = desktop.crc(algorithm, options, steps)
    out = on(same_class, algorithm, {**options, "chunk": 8}, "pieces", steps)
    assert out == f"crc {expected}\n"


@pytest.mark.parametrize("algorithm", ("SAC", "TD3"))
def test_nothing_is_allocated(native, algorithm):
    options, steps = SETTINGS[native.size]
    chunk = options["batch_size"] // 4
    out = on(native, algorithm, {**options, "chunk": chunk}, "allocations", steps // 2).split("\n")
    names = ("act", "predict", "step", "observe", "restart", "update", "work", "update", "warm_up", "loop")
    assert out[:-1] == [f"clean {name}" for name in names] + ["allocates control"]


@pytest.mark.size("medium")
@pytest.mark.parametrize("algorithm", ("SAC", "TD3"))
def test_an_interrupted_update_leaves_an_agent_that_goes_on(target, algorithm):
    options = {**TINY, "policy_delay": 1} if algorithm == "TD3" else TINY
    out = on(target, algorithm, options, "keyboard", 30)
    assert out == "interrupted\nupdates 10\n"


@pytest.mark.size("medium")
@pytest.mark.parametrize("algorithm", ("SAC", "TD3"))
def test_checkpoints_resume_on_the_target_itself(target, algorithm):
    straight = on(target, algorithm, TINY, "crc", 60)
    assert on(target, algorithm, TINY, "resumed", 60, "full.safetensors") == straight


@pytest.mark.size("medium")
def test_a_checkpoint_of_the_target_opens_on_the_desktop(target, tmp_path):
    on(target, "SAC", TINY, "resumed", 60, "full.safetensors")
    (tmp_path / "full.safetensors").write_bytes(target.fetch("full.safetensors"))
    env = Pendulum(seed=0)
    agent = picorl.SAC(env, **TINY)
    assert agent.load(str(tmp_path / "full.safetensors"), env=env) is True
    assert agent.steps == 30
    policy = picorl.Policy.load(str(tmp_path / "full.safetensors"))
    ours, theirs = array("f", [0]), array("f", [0])
    agent.predict(env.obs, ours)
    policy.predict(env.obs, theirs)
    assert bytes(ours) == bytes(theirs)


def test_an_update_in_plain_python_equals_the_c_result_to_float32_tolerance():
    """Same seeds, one update of each algorithm on a small network: parameters agree to float32 tolerance."""
    for algorithm in (picorl.SAC, picorl.TD3):
        params = []
        for name in ("_picorl", "python"):
            before = picorl.kernels.name
            picorl.kernels.select(name)
            try:
                env = Pendulum(seed=0)
                agent = algorithm(env, **{**TINY, "warmup_steps": 30})
                list(picorl.train(agent, env, 30, evaluate_every=30, evaluate_episodes=0))
                assert agent.updates == 1
                params.append({one: list(getattr(agent, one)) for one in algorithm.PARAMS})
            finally:
                picorl.kernels.select(before)
        for one in algorithm.PARAMS:
            assert params[1][one] == pytest.approx(params[0][one], rel=1e-4, abs=1e-5), (algorithm, one)


def test_every_module_imports_on_the_target(target):
    modules = [
        "picorl." + str(path.relative_to(Path(picorl.__file__).parent))[:-3].replace("/", ".").replace(".__init__", "")
        for path in sorted(Path(picorl.__file__).parent.rglob("*.py"))
    ]
    modules.remove("picorl.__init__")
    on_ulab = [one for one in modules if one.startswith("picorl.kernels.ulab")]
    others = [one for one in modules if one not in on_ulab]
    source = (
        "".join(f"import {one}\n" for one in others) + "try:\n    import ulab\nexcept ImportError:\n    ulab = None\n"
    )
    source += "if ulab:\n" + "".join(f"    import {one}\n" for one in on_ulab)
    assert target.run(source + "print('imported')") == "imported\n" and on_ulab
    for one in others:
        assert importlib.import_module(one)
    assert "picorl" in sys.modules
