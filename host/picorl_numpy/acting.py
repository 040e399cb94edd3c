"""Acting: one observation, results in the environment's units."""

import numpy as np

from .contract import POSITIVE, RNG, F, W, kernel
from .threefry import fill_uniform


def _to_environment(scaling, u, action, act_size):
    action[:act_size] = scaling[:act_size] * u + scaling[act_size : 2 * act_size]


@kernel
def uniform_action(rng: RNG, scaling: F("2 * act_size"), action: W("act_size"), act_size: POSITIVE):
    fill_uniform(rng, action, act_size)
    _to_environment(scaling, action[:act_size], action, act_size)


@kernel
def deterministic_action(
    mu: F("act_size"),
    noise: F("act_size", optional=True),
    sigma: F("1"),
    scaling: F("2 * act_size"),
    action: W("act_size"),
    act_size: POSITIVE,
):
    u = mu[:act_size]
    if noise is not None:
        u = u + sigma[0] * noise[:act_size]
    _to_environment(scaling, u.clip(-1, 1), action, act_size)


@kernel
def gaussian_action(
    head: F("2 * act_size"),
    noise: F("act_size", optional=True),
    scaling: F("2 * act_size"),
    action: W("act_size"),
    act_size: POSITIVE,
):
    u = head[:act_size]
    if noise is not None:
        u = u + np.exp(head[act_size : 2 * act_size].clip(-20, 2)) * noise[:act_size]
    _to_environment(scaling, np.tanh(u), action, act_size)
