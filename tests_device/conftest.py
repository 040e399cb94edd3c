"""`--target NAME` (repeatable) picks the targets; without it the tests run on all that `make test` builds."""

import pytest
from targets import KINDS


def pytest_addoption(parser):
    parser.addoption("--target", action="append", choices=sorted(KINDS), help="a target to test (repeatable)")


def pytest_generate_tests(metafunc):
    if "target" in metafunc.fixturenames:
        names = metafunc.config.getoption("--target") or list(KINDS)
        metafunc.parametrize("target", names, indirect=True, scope="session")


@pytest.fixture(scope="session")
def target(request):
    """An open target; a missing one fails its tests, because a skipped target tests nothing."""
    return KINDS[request.param]()


@pytest.fixture
def native(target):
    """A target that runs the C kernels."""
    if not target.native:
        pytest.skip("plain Python kernels")
    return target
