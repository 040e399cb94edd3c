"""`--target NAME` (repeatable) picks the targets; without it the tests run on all that `make test` builds.

A name that is none of targets.KINDS is the port of a board on the desk, such as /dev/ttyACM0.
"""

import pytest
from targets import DEFAULT, SIZES, open_target

ORDER = ("small", "medium", "large")


def pytest_addoption(parser):
    parser.addoption(
        "--target", action="append", metavar="NAME", help="a target to test (repeatable), or a serial port"
    )


def pytest_configure(config):
    config.addinivalue_line("markers", "size(name): too much for targets that are smaller: medium or large")


def pytest_generate_tests(metafunc):
    if "target" in metafunc.fixturenames:
        names = metafunc.config.getoption("--target") or DEFAULT
        metafunc.parametrize("target", names, indirect=True, scope="session")


def pytest_collection_modifyitems(config, items):
    """Leave out what is too much for a target. With `--dist loadgroup` tests of a file stay together, one group a target."""
    chosen, left_out = [], []
    for item in items:
        target = item.callspec.params.get("target") if hasattr(item, "callspec") else None
        item.add_marker(pytest.mark.xdist_group(f"{item.path.name}-{target or 'host'}"))
        least = next((mark.args[0] for mark in item.iter_markers("size")), "small")
        fits = target is None or ORDER.index(SIZES.get(target, "small")) >= ORDER.index(least)
        (chosen if fits else left_out).append(item)
    items[:] = chosen
    config.hook.pytest_deselected(items=left_out)


@pytest.fixture(scope="session")
def target(request):
    """An open target; a missing one fails its tests, because a skipped target tests nothing."""
    found = open_target(request.param)
    yield found
    found.close()


@pytest.fixture
def native(target):
    """A target that runs the C kernels."""
    if not target.native:
        pytest.skip("plain Python kernels")
    return target
