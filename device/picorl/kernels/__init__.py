"""Picks the kernels: the first backend that imports wins, `select` overrides.

`_picorl` is C (in the firmware, a native .mpy, or a CPython extension), `picorl_numpy` is NumPy, `python` needs nothing.
Agents and environments take the backend that is active when they are made.
"""

ABI = 4  # of the kernel contract, native_modules/kernels/

_MODULES = (
    ("_picorl", "_picorl"),
    ("picorl_numpy", "picorl_numpy"),
    ("python", "picorl.kernels.python"),
)

backend = None  # the active module
name = None  # its name in _MODULES


def _load(module):
    # A fromlist makes __import__ return the submodule itself, not the package.
    found = __import__(module, None, None, ("ABI",))
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


def need(function, who):
    """ImportError when the active backend lacks a function that `who` needs: C kernels may be built for some algorithms only."""
    if not hasattr(backend, function):
        raise ImportError(
            "%s needs the kernel %s, which this %s was built without: name it in ALGORITHMS, or none"
            % (who, function, name)
        )


def info():
    """What is active, as a dict: backend, variant, whether multiply-adds are fused, ABI."""
    return {"backend": name, "variant": backend.variant(), "fused": backend.fused(), "abi": ABI}


def _first():
    missing = None
    for known, module in _MODULES:
        try:
            _load(module)
        except ImportError as error:
            # An ABI mismatch must not fall through to kernels a hundred times slower; only absence may.
            if "ABI" in str(error):
                raise
            missing = error
            continue
        return select(known)
    raise missing


_first()
