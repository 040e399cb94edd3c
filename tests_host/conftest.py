"""The kernel backends that tests run on: every variant of the C kernels, NumPy, plain Python."""

import pytest
from backends import BACKENDS, MODULES


@pytest.fixture(params=BACKENDS, ids=lambda pair: pair[0] if pair[0] == "python" else "-".join(pair))
def backend(request):
    """Each backend, each variant of it."""
    name, variant = request.param
    module = MODULES[name]
    before = module.variant()
    module.select(variant)
    yield module
    module.select(before)
