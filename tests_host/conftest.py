"""The kernel backends that tests run on: every variant of the C kernels, NumPy, plain Python, ulab's on its double."""

import pytest
from backends import BACKENDS, MODULES

ALONE = ("python", "ulab-float32", "ulab-float64")


@pytest.fixture(params=BACKENDS, ids=lambda pair: pair[0] if pair[0] in ALONE else "-".join(pair))
def backend(request):
    """Each backend, each variant of it."""
    name, variant = request.param
    module = MODULES[name]
    before = module.variant()
    module.select(variant)
    yield module
    module.select(before)
