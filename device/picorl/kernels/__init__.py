"""Picks the kernels: the first backend that imports wins, `select` overrides.

`_picorl` is C (in the firmware, a native .mpy, or a CPython extension), `ulab` is ulab.numpy, where the firmware has
it, `picorl_numpy` is NumPy, `python` needs nothing.
Agents and environments take the backend that is active when they are made.
"""

import sys

ABI = 4  # of the kernel contract, native_modules/kernels/

_MODULES = (
    ("_picorl", "_picorl"),
    ("ulab", "picorl.kernels.ulab"),
    ("picorl_numpy", "picorl_numpy"),
    ("python", "picorl.kernels.python"),
)

backend = None  # the active module
name = None  # its name in _MODULES
_best = None  # the name of the first that imported


def _load(module):
    # A fromlist makes __import__ return the submodule itself, not the package.
    try:
        found = __import__(module, None, None, ("ABI",))
    except ValueError as error:  # says of no file that it is a wrong one
        raise ImportError("%s.mpy is not for this interpreter: %s" % (module, error))
    if found.ABI != ABI:
        raise ImportError(
            "%s has kernel ABI %s, this picorl needs %s: update the older of the two"
            " (a copy in the firmware wins over an uploaded one)" % (module, found.ABI, ABI)
        )
    return found


def names():
    """The backends that `select` knows, best first."""
    return tuple(pair[0] for pair in _MODULES)


def select(wanted, variant=None):
    """Make backend `wanted` active; `variant` also picks one of its `variants()` (C: instruction set, fused or not).

    Raises ValueError for an unknown name or variant, ImportError when the backend is not there.
    """
    global backend, name
    for known, module in _MODULES:
        if known == wanted:
            found = _load(module)
            if variant is not None:
                found.select(variant)
            backend = found
            name = known
            return found
    raise ValueError("select: no kernels named %r, must be one of %s" % (wanted, ", ".join(names())))


def private():
    """The active backend for one owner of buffers: what it keeps about them, as ulab's views, goes when the owner goes."""
    return backend.Kernels() if hasattr(backend, "Kernels") else backend


def need(function, who):
    """ImportError when the active backend lacks a function that `who` needs: C kernels may be built for some algorithms only."""
    if not hasattr(backend, function):
        raise ImportError(
            "%s needs the kernel %s, which this %s was built without: name it in ALGORITHMS, or none"
            % (who, function, name)
        )


def info():
    """What is active, as a dict: backend, variant, whether multiply-adds are fused, ABI, and in "why" what kept better ones away."""
    return {"backend": name, "variant": backend.variant(), "fused": backend.fused(), "abi": ABI, "why": _why()}


def _why():
    # Asked for again instead of remembered: a board has no bytes for texts that nobody reads.
    reasons = []
    nobody_expects = "ulab" if sys.implementation.name == "cpython" else "picorl_numpy"
    for known, module in _MODULES:
        if known == name:
            break
        if known == _best:
            reasons.append("select() chose %s, not %s" % (name, known))
            break
        try:
            _load(module)
        except ImportError as error:
            if known != nobody_expects:
                reasons.append("no %s (%s)" % (known, error))
        else:
            reasons.append("%s came after picorl was imported" % known)
    return "; ".join(reasons) or "the first choice"


def _first():
    global _best
    missing = None
    for known, module in _MODULES:
        try:
            _load(module)
        except ImportError as error:
            # A wrong file must not fall through to kernels a hundred times slower; only absence may.
            if "ABI" in str(error) or ".mpy" in str(error):
                raise
            missing = error
            continue
        _best = known
        return select(known)
    raise missing  # type: ignore[misc]  # an ImportError by now


_first()
