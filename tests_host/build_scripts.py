"""The scripts in boards/, which import each other by their bare names."""

import contextlib
import importlib
import sys
from pathlib import Path

BOARDS = Path(__file__).parent.parent / "boards"


@contextlib.contextmanager
def imported(name):
    """A script of boards/ as a module; its neighbours can be imported until the end."""
    sys.path.insert(0, str(BOARDS))
    try:
        yield importlib.import_module(name)
    finally:
        sys.path.remove(str(BOARDS))
