"""PPO, DQN, recurrent SAC, streaming and supervised learning on the targets: the desktop's bits, nothing allocated, resumed, as planned."""

import contextlib
import io
from pathlib import Path

import desktop
import pytest

SCRIPT = (Path(__file__).parent / "device_algorithms.py").read_text()
ON_POLICY = dict(hidden=(8,), rollout_steps=16, batch_size=8, epochs=2, chunk=3, seed=0)
OPTIONS = {
    "PPO": ON_POLICY,
    "PPO, discrete": {**ON_POLICY, "max_kl": 0.05, "anneal_steps": 1000, "normalise_obs": True},
    "PPO, together": {**ON_POLICY, "value_clip": 0.2, "entropy": 0.01, "activation": "tanh"},
    "PPO, normed": {**ON_POLICY, "activation": "gelu", "norm": "layer_norm"},
    "DQN": dict(hidden=(8,), batch_size=8, replay_capacity=100, warmup_steps=10, chunk=3, seed=0),
    "StreamAC": dict(hidden=(8, 8), chunk=1, seed=0),
    "StreamQ": dict(hidden=(8, 8), exploration_steps=30, chunk=1, seed=0),
    "RecurrentSAC": dict(
        units=3, hidden=(3,), length=4, burn_in=1, batch_size=2, replay_capacity=60, warmup_steps=18, chunk=1, seed=0
    ),
}
OPTIONS["DQN, normed"] = {**OPTIONS["DQN"], "activation": "leaky_relu", "norm": "normalize"}
# One case an algorithm on the slowest targets.
VARIATIONS = ("PPO, discrete", "PPO, together", "PPO, normed", "DQN, normed")
CASES = pytest.mark.parametrize(
    "case", [pytest.param(one, marks=pytest.mark.size("medium")) if one in VARIATIONS else one for one in OPTIONS]
)
SOME = pytest.mark.parametrize(
    "case",
    (
        *("PPO", "StreamAC", "StreamQ"),
        *(pytest.param(one, marks=pytest.mark.size("medium")) for one in ("DQN", "RecurrentSAC")),
    ),
)
STEPS = 48


def program(case, do, *args):
    return f"CASE = {dict(case=case, options=OPTIONS.get(case), do=do, args=args)!r}\n{SCRIPT}"


def here(source):
    """What the program prints on the desktop."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(source, {})
    return said.getvalue()


@CASES
def test_a_run_gives_the_desktops_bits(native, case):
    source = program(case, "crc", STEPS)
    with desktop.same_class(native):
        expected = here(source)
    assert int(expected.split()[2]) >= 1
    assert native.run(source) == expected


@pytest.mark.size("medium")
@CASES
def test_plain_python_trains_too(target, case):
    source = program(case, "crc", STEPS)
    before = "import picorl.kernels\npicorl.kernels.select('python')\n"
    assert target.run(before + source).split()[2] == here(source).split()[2]


@pytest.mark.size("medium")
@CASES
def test_pieces_and_resumption_change_no_bit(native, case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    straight = native.run(program(case, "crc", STEPS))
    assert native.run(program(case, "pieces", STEPS)) == straight
    assert native.run(program(case, "resumed", STEPS, "more.safetensors")) == straight


@SOME
def test_nothing_is_allocated(native, case):
    looped, control = native.run(program(case, "allocations", STEPS)).splitlines()
    assert looped.startswith("clean ") and int(looped.split()[1]) >= 1
    assert control == "allocates None"


@pytest.mark.board
@pytest.mark.size("medium")
@CASES
def test_agents_take_what_was_planned(target, case):
    planned, taken = (line.split()[1:] for line in target.run(program(case, "planned", 0)).splitlines())
    assert planned[1] == taken[1]
    assert abs(int(planned[0]) - int(taken[0])) <= 1024


def test_regression_gives_the_desktops_bits_and_allocates_nothing(native):
    with desktop.same_class(native):
        expected = here(program("regression", "regression", 20))
    assert native.run(program("regression", "regression", 20)) == expected
