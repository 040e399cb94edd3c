"""The kernels on ulab.numpy, for firmware that has ulab and no `_picorl`: CircuitPython's boards, and many of MicroPython's.

native_modules/kernels/ says what each function does. What ulab does not make faster comes from `picorl.kernels.python`. Results agree with
C to float32 tolerance; random words, indices and the replay's state are equal.

ulab works on views of the buffers, made once a buffer. An owner of buffers that live long has kernels of its own (`Kernels()`, or
`picorl.kernels.private()`), because the views must not outlive it; the functions of this module keep nothing from one call to the next.
Where ulab's floats have 64 bits, on the desktop, there are no such views: numbers are copied in and out.

No function allocates more than a bounded number of bytes, and no piece of more than 4 KB (or the floats of a layer, if more). With float32,
batches of B, layers of U units in all but the input and P parameters of a network, an update takes at most

    SAC   120 B U + 64 P + 5000 B + 100 000
    PPO   48 R U + 5000 R for each epoch of R rows, and 40 P + 70 000 for each batch

On 64-bit interpreters; boards take about nine tenths of it.
"""

from ulab import numpy as np

from ... import lazy
from .. import python
from .views import FLOAT32, Views

ABI = 4
RECORD = 4

# What older ulab, or one that was cut down, may lack.
_NEEDED = ("clip", "dot", "exp", "frombuffer", "isfinite", "log", "maximum", "minimum", "sqrt", "tanh")
for _name in _NEEDED:
    if not hasattr(np, _name):
        raise ImportError("this firmware's ulab has no numpy." + _name)

# Where the kernels are that ulab makes faster.
_HOMES = {
    "adam": "optimizer",
    "adam_delta": "optimizer",
    "add_squares": "optimizer",
    "apply_delta": "optimizer",
    "backward": "networks",
    "forward": "networks",
    "gaussian_head": "actor_critic",
    "gaussian_head_backward": "actor_critic",
    "gaussian_log_prob": "on_policy",
    "mse_delta": "actor_critic",
    "obgd_norm": "streaming",
    "obgd_step": "streaming",
    "policy_delta": "actor_critic",
    "polyak": "optimizer",
    "ppo_gaussian_delta": "on_policy",
    "scale": "optimizer",
    "sgd_delta": "optimizer",
    "smoothed_action": "actor_critic",
    "standardise": "on_policy",
    "td_target": "actor_critic",
    "temperature_grad": "actor_critic",
    "value_delta": "on_policy",
}


class Kernels(Views):
    """All kernels, for one owner. They are imported when they are first used."""

    def __getattr__(self, name):
        if name in _HOMES:
            found = getattr(lazy.submodule(__name__, _HOMES[name]), name)
        elif name in python.HOMES:
            found = staticmethod(getattr(python, name))
        else:
            raise AttributeError(name)
        setattr(Kernels, name, found)  # a function of this package becomes a method
        return getattr(self, name)


_passing = Kernels(False)


def __getattr__(name):
    return getattr(_passing, name)


def variants():
    return (variant(),)


def variant():
    """What ulab's floats are: float32 on boards."""
    return "float32" if FLOAT32 else "float64"


def select(name):
    if name != variant():
        raise ValueError("select: name is %r, must be %r" % (name, variant()))


def fused():
    return False
