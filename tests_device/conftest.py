"""`--target NAME` (repeatable) picks the targets; without it the tests run on all that `make test` builds.

A name that is none of targets.KINDS is the port of a board on the desk, such as /dev/ttyACM0.
"""

import pytest
from targets import EMULATED, GIVEN, KINDS, SIZES, open_target, wanted

ORDER = ("small", "medium", "large")
# What takes the name of a target: a shared one, and those that a file starts for itself.
FIXTURES = ("target", "emulated", "cramped", "flashed", "roomy")


def pytest_addoption(parser):
    parser.addoption(
        "--target", action="append", metavar="NAME", help="a target to test (repeatable), or a serial port"
    )


def pytest_configure(config):
    config.addinivalue_line("markers", "size(name): too much for targets that are smaller: medium or large")
    config.addinivalue_line("markers", "soak: for hours: only with -m soak")
    config.addinivalue_line("markers", "board: about 32-bit boards, not about interpreters on this machine")


def pytest_terminal_summary(terminalreporter, config):
    for kind in GIVEN:
        if kind.name not in wanted(config) and not config.getoption("--target"):
            terminalreporter.write_line(
                f"The device tests did not run on {kind.name}: {kind.variable} does not name {kind.what}."
            )


def pytest_generate_tests(metafunc):
    if "target" in metafunc.fixturenames:
        metafunc.parametrize("target", wanted(metafunc.config), indirect=True, scope="session")


def pytest_collection_modifyitems(config, items):
    """Leave out what is too much for a target. With `--dist loadgroup` tests of a file stay together, one group a target."""
    chosen, left_out = [], []
    for item in items:
        params = item.callspec.params if hasattr(item, "callspec") else {}
        target = next((params[name] for name in FIXTURES if name in params), None)
        item.add_marker(pytest.mark.xdist_group(f"{item.path.name}-{target or 'host'}"))
        least = next((mark.args[0] for mark in item.iter_markers("size")), "small")
        # Where no target has what a test asks for, pytest puts something else in the place of its name.
        named = isinstance(target, str)
        fits = target is None or named and ORDER.index(SIZES.get(target, "small")) >= ORDER.index(least)
        if item.get_closest_marker("board"):
            fits = fits and (target in EMULATED or target not in KINDS)
        if item.get_closest_marker("soak"):
            fits = fits and "soak" in config.option.markexpr
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
