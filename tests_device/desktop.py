"""The desktop's side of a comparison with a target."""

import contextlib

import pytest

import picorl
from picorl.envs import Pendulum


@contextlib.contextmanager
def same_class(target):
    """Use C kernels of the target's class, with fused multiply-add or without."""
    found = target.run("import picorl\nprint(picorl.kernels.info()['fused'])").strip()
    kernels = picorl.kernels
    if kernels.name != "_picorl":
        pytest.fail("the desktop has no C kernels to compare with")
    before = kernels.backend.variant()
    want = found == "True"
    if kernels.backend.fused() != want:
        for variant in kernels.backend.variants():
            kernels.backend.select(variant)
            if kernels.backend.fused() == want:
                break
    assert kernels.backend.fused() == want
    yield
    kernels.backend.select(before)


def crc(algorithm, options, steps):
    """Of all parameters after a training."""
    env = Pendulum(seed=0)
    agent = getattr(picorl, algorithm)(env, **options)
    list(picorl.train(agent, env, steps, evaluate_every=steps, evaluate_episodes=0))
    return agent.crc()
