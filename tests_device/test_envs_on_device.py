"""Environments and wrappers on the targets: the desktop's bits, nothing allocated, pictures in text."""

import contextlib
import io
from pathlib import Path

import desktop
import pytest

SCRIPT = (Path(__file__).parent / "device_envs.py").read_text()
SINGLE = ("Pendulum", "CartPole", "MountainCar", "Acrobot", "AcrobotSwingUp", "Quadrotor")
ENVS = pytest.mark.parametrize(
    "env", [*SINGLE, *(f"Vector{name}" for name in SINGLE), "wrapped Pendulum", "wrapped CartPole"]
)


def program(env, do):
    return f"CASE = {dict(env=env, do=do)!r}\n{SCRIPT}"


def here(source):
    """What the program prints on the desktop."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(source, {})
    return said.getvalue()


@ENVS
def test_a_hundred_random_steps_give_the_desktops_bits(native, env):
    source = program(env, "numbers")
    with desktop.same_class(native):
        expected = here(source)
    assert expected.split()[2] == "True"  # over the end of an episode too
    assert native.run(source) == expected


@pytest.mark.size("medium")
@ENVS
def test_a_step_and_a_reset_allocate_nothing(native, env):
    looped, control = native.run(program(env, "allocations")).splitlines()
    assert looped == "clean True"
    assert control == "allocates None"


@pytest.mark.size("medium")
@pytest.mark.parametrize("env", [*SINGLE, "wrapped Pendulum"])
def test_there_is_a_picture_of_each(target, env):
    assert target.run(program(env, "picture")).split() == ["12", "1", "True"]
