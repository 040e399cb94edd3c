"""The kernel backends that tests run on: every variant of the C kernels, NumPy, plain Python."""

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "native_modules")]  # modules beside the tests, and kernels.py

from backends import BACKENDS, MODULES  # noqa: E402


@pytest.fixture(params=BACKENDS, ids=lambda pair: pair[0] if pair[0] == "python" else "-".join(pair))
def backend(request):
    """Each backend, each variant of it."""
    name, variant = request.param
    module = MODULES[name]
    before = module.variant()
    module.select(variant)
    yield module
    module.select(before)
