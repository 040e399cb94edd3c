"""Names of a package that are imported when they are first used: a board's heap holds what a program needs, not the whole library."""

import gc
import sys


def submodule(package, module):
    """Import a module of a package and return it."""
    # Modules read from files leave garbage. On a small heap it would be collected when all is full, and by then what was
    # imported would lie all over the heap, with no large piece free between.
    try:
        threshold = gc.threshold()
        gc.threshold(16384)
    except AttributeError:  # CPython, and boards with CircuitPython
        threshold = None
    try:
        return __import__(package + "." + module, None, None, ("__name__",))
    finally:
        if threshold is not None:
            gc.threshold(threshold)  # type: ignore[attr-defined]  # it is there, or threshold were None


def loader(package, homes):
    """A module's __getattr__: homes says in which module of the package each name is; its modules themselves are found too."""

    def load(name):
        if name[0] == "_":
            raise AttributeError(name)
        try:
            found = submodule(package, homes.get(name, name))
        except ImportError as error:
            if name in homes:
                raise
            # With the reason: MicroPython shows only the last exception of a chain.
            raise AttributeError("%s has no %s: %s" % (package, name, error))
        found = getattr(found, name) if name in homes else found
        setattr(sys.modules[package], name, found)  # so that it is asked for once
        return found

    return load
