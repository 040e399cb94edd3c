"""A test double for ulab on CPython: what the ulab kernels see in `make test`, where no interpreter has ulab.

It offers only what circuitpython-stubs list for `ulab.numpy` (test_ulab_double.py compares every name and argument) and
what additions.pyi adds from ulab's documentation: the stubs leave ndarray's own members, frombuffer and `out=` open.
Everything else raises, and so does what ulab accepts but answers with garbage, a crash or bytes beyond an array: Undefined.
Types, shapes, views, errors and the order of sums are those of ulab 6.5; transcendental functions are NumPy's (a few ulp).

What Python cannot tell apart here: `2 < a` is a TypeError under MicroPython, and `a > 2` in CPython's eyes.
"""

import builtins
import contextlib
import sys
import types

from .functions import Numpy
from .ndarray import NDArray, Undefined, contents

WIDTHS = {"float32": 4, "float64": 8}  # of ulab's float: boards have the first, the unix port the second


def make(width):
    """A module `ulab` whose float is `width`."""
    ulab = types.ModuleType("ulab")
    ulab.__version__ = "6.5.3-2D"
    ulab.numpy = Numpy(width)
    return ulab


@contextlib.contextmanager
def installed(ulab):
    """`import ulab` finds the double inside this block, and only there."""
    names = {"ulab": ulab, "ulab.numpy": ulab.numpy}
    before = {name: sys.modules.get(name) for name in names}
    sys.modules.update(names)
    try:
        yield ulab
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


def memoryview(x):
    """The builtin, for code under test: before Python 3.12 it does not take a Python class that has a buffer."""
    return contents(x) if isinstance(x, NDArray) else builtins.memoryview(x)
