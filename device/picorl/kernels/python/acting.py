"""Acting: one observation, results in the environment's units."""

from math import exp

from . import arithmetic, checks, threefry
from .arithmetic import tanh


def _acting(kernel, name, x, size, noise, scaling, action, act_size):
    checks.integer(kernel, "act_size", act_size, 1)
    checks.need(kernel, name, x, size * act_size)
    if noise is not None:
        checks.need(kernel, "noise", noise, act_size)
    checks.need(kernel, "scaling", scaling, 2 * act_size)
    checks.need(kernel, "action", action, act_size)


def uniform_action(rng, scaling, action, act_size):
    checks.rng_state("uniform_action", rng)
    _acting("uniform_action", "action", action, 1, None, scaling, action, act_size)
    threefry.fill_uniform(rng, action, act_size)
    for j in range(act_size):
        action[j] = scaling[j] * action[j] + scaling[act_size + j]


def deterministic_action(mu, noise, sigma, scaling, action, act_size):
    _acting("deterministic_action", "mu", mu, 1, noise, scaling, action, act_size)
    checks.need("deterministic_action", "sigma", sigma, 1)
    for j in range(act_size):
        a = mu[j] if noise is None else sigma[0] * noise[j] + mu[j]
        action[j] = scaling[j] * arithmetic.clip(a, -1.0, 1.0) + scaling[act_size + j]


def gaussian_action(head, noise, scaling, action, act_size):
    _acting("gaussian_action", "head", head, 2, noise, scaling, action, act_size)
    for j in range(act_size):
        u = head[j]
        if noise is not None:
            u += exp(arithmetic.clip(head[act_size + j], -20.0, 2.0)) * noise[j]
        action[j] = scaling[j] * tanh(u) + scaling[act_size + j]
