"""Where Python's floats have 22 bits of mantissa (CircuitPython, ESP8266): the C kernels' results are the desktop's bits all the same."""

import struct
from pathlib import Path

import desktop
import numpy as np
import pytest
import targets
import test_algorithms_on_device as algorithms
import test_kernels_on_device as kernels

from picorl import float32

SCRIPT = (Path(__file__).parent / "device_float32.py").read_text()
BOARD = "qemu-m7-repr-c"
DECIMALS = ("0.99", "0.995", "0.005", "3e-4", "1e-3", "1e-07", "0.9", "0.2", "12345e-9", "99999", "-0.3", "0.05", "1e6")


def pytest_generate_tests(metafunc):
    if "short" in metafunc.fixturenames:
        asked = metafunc.config.getoption("--target") or [BOARD]
        metafunc.parametrize("short", [name for name in asked if name == BOARD], indirect=True, scope="module")


@pytest.fixture(scope="module")
def short(request):
    """A target of such floats, always tested, whatever the others are."""
    found = targets.open_target(request.param)
    yield found
    found.close()


def test_floats_are_short(short):
    said = short.run(
        "from array import array\nx = array('f', bytes(array('I', (0x3f7d70a7,))))\nx[0] = x[0]\nprint(bytes(x).hex())"
    )
    assert said == "a4707d3f\n"


def test_decimals_means_and_bounds_are_the_nearest_float32(short):
    random = np.random.default_rng(0)
    floats = random.normal(size=(40, 2)).astype(np.float32)
    bits = floats.view(np.uint32).tolist()
    bounds = [(low, high) for low, high in bits if low != high]
    by = random.integers(1, 1000, 40).tolist()
    case = dict(divisions=[(pair[0], n) for pair, n in zip(bits, by, strict=True)], bounds=bounds)
    decimals = "[" + ", ".join(DECIMALS) + "]"
    said = short.run(f"CASE = {case!r}\nCASE['decimals'] = {decimals}\n{SCRIPT}").splitlines()
    expected = [f"decimal {np.float32(text).tobytes().hex()}" for text in DECIMALS]
    expected += [f"quotient {(x / np.float32(n)).tobytes().hex()}" for x, n in zip(floats[:, 0], by, strict=True)]
    for low, high in floats.astype(np.float64):
        expected.append(f"scaling {struct.pack('<2f', (high - low) / 2, (high + low) / 2).hex()}")
    assert said == expected


def test_native_kernels_give_the_desktops_bits(short):
    (_, _, fused, _), lines = kernels.parse(short.run(kernels.program("numbers")))
    assert lines == kernels.on_desktop("numbers", "_picorl", kernels.same_class(fused))[1]


@pytest.mark.parametrize("case", algorithms.OPTIONS)
def test_a_run_and_its_evaluations_give_the_desktops_bits(short, case):
    source = algorithms.program(case, "evaluated", algorithms.STEPS)
    with desktop.same_class(short):
        expected = algorithms.here(source)
    assert short.run(source) == expected


def test_regression_gives_the_desktops_bits(short):
    source = algorithms.program("regression", "regression", 20)
    with desktop.same_class(short):
        expected = algorithms.here(source)
    assert short.run(source) == expected


def test_selftest_passes(short):
    assert short.run("import picorl\nprint(picorl.selftest())").splitlines()[-1] == "True"


def test_plain_python_kernels_learn_a_line(short):
    """To the loss that the C kernels reach: their sums are short, but what is learned is float32."""
    source = algorithms.program("regression", "loss", 300)
    c, plain = (
        float(short.run(f"import picorl.kernels\npicorl.kernels.select({name!r})\n" + source).split()[1])
        for name in ("_picorl", "python")
    )
    assert plain == pytest.approx(c, rel=0.2) and plain < 0.02


def test_the_desktop_reads_a_short_float_as_the_decimal_it_was():
    """float32.store with what a board of short floats hands over, here."""
    random = np.random.default_rng(1)
    found = np.zeros(1, np.float32)
    for digits, tens in zip(random.integers(1, 100_000, 20_000), random.integers(-12, 3, 20_000), strict=True):
        right = np.float32(f"{digits}e{tens}")
        cut = (right.view(np.uint32) & ~np.uint32(3)).view(np.float32)
        float32.store(found, 0, float(cut))
        assert found[0] == right, (digits, tens)
