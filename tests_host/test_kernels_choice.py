"""Which kernels are taken, and what info() says about those that were not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from backends import MODULES

from picorl import kernels

ROOT = Path(__file__).parent.parent
PROGRAM = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name in {gone!r}:
            raise {error}

sys.meta_path.insert(0, Missing())
import picorl
print(picorl.kernels.name)
print(picorl.kernels.info()["why"])
"""


@pytest.fixture
def restored():
    before = kernels.name
    yield
    kernels.select(before)


ABSENT = """ImportError("no module named '" + name + "'")"""


def chosen_without(*gone, error=ABSENT):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "device"), str(ROOT / "host")])}
    program = PROGRAM.format(gone=gone, error=error)
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    return (done.stdout if done.returncode == 0 else done.stderr).splitlines()


@pytest.mark.skipif(not MODULES["_picorl"], reason="no C kernels")
def test_the_best_backend_needs_no_reason():
    assert chosen_without() == ["_picorl", "the first choice"]


def test_missing_backends_are_named_with_their_errors():
    name, why = chosen_without("_picorl", "picorl_numpy", "ulab")
    assert name == "python"
    # Nobody expects ulab on the desktop.
    assert why == "no _picorl (no module named '_picorl'); no picorl_numpy (no module named 'picorl_numpy')"


def test_a_choice_of_the_user_is_told(restored):
    first = kernels.name
    kernels.select("python")
    assert kernels.info()["why"] == f"select() chose python, not {first}"
    kernels.select(first)
    assert "select()" not in kernels.info()["why"]


def test_a_backend_that_came_later_is_told(restored, monkeypatch):
    kernels.select("python")
    monkeypatch.setattr(kernels, "_best", "python")
    assert kernels.info()["why"].startswith(f"{next(n for n in MODULES if MODULES[n])} came after picorl was imported")


def test_a_native_module_of_another_board_is_no_reason_for_slower_kernels():
    *_, last = chosen_without("_picorl", error="ValueError('incompatible .mpy arch')")
    assert last.endswith("picorl has no kernels: _picorl.mpy is not for this interpreter: incompatible .mpy arch")
