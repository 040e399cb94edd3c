"""What feeds learning is the nearest float32, whatever Python's floats are."""

from array import array

import numpy as np
import pytest

from picorl import float32


def bits(value):
    return np.float32(value).tobytes()


def stored(value):
    found = array("f", (7,))
    float32.store(found, 0, value)
    return bytes(found)


def test_decimals_are_stored_as_the_nearest_float32():
    random = np.random.default_rng(0)
    for digits, tens in zip(random.integers(1, 100_000, 20_000), random.integers(-30, 30, 20_000), strict=True):
        text = f"{digits}e{tens}"
        assert stored(float(text)) == bits(text)


@pytest.mark.parametrize("value", (0, 0.0, -0.0, 1, True, -2, 2.0**-20, -(2.0**99), 16_777_215, np.float32(0.3)))
def test_numbers_that_are_exact_stay_as_they_are(value):
    assert stored(value) == bits(value)


@pytest.mark.parametrize("value", (float("inf"), -float("inf"), float("nan"), 1e39, 1e-42))
def test_what_float32_cannot_hold_is_what_an_array_makes_of_it(value):
    with np.errstate(over="ignore"):
        assert stored(value) == bits(value)


def test_numbers_that_are_no_short_decimal_keep_their_bits():
    for value in (1 / 3, 2 / 3, 0.123456789, 3.14159265, 1 - 2.0**-20, 1.0000019):
        assert stored(value) == bits(value)


def test_quotients_and_products_are_correctly_rounded():
    random = np.random.default_rng(1)
    for x, by in zip(random.normal(size=5000).astype(np.float32), random.integers(1, 10_000, 5000), strict=True):
        for n in (int(by), -int(by)):
            found = array("f", (x,))
            float32.divide(found, 0, n)
            assert bytes(found) == bits(x / np.float32(n))
            found = array("f", (x,))
            float32.multiply(found, 0, n)
            assert bytes(found) == bits(x * np.float32(n))


def test_ties_go_to_the_even_neighbour():
    found = array("f", (0, 0))
    float32.put(found, 0, 2**25 + 2, 2)  # between 2^24 and 2^24 + 2
    float32.put(found, 1, 2**25 + 6, 2)
    assert found.tolist() == [2**24, 2**24 + 4]


def test_tiny_results_are_zero_and_huge_ones_infinite():
    found = array("f", (1, 1, 1))
    float32.put(found, 0, 1, 2**127)
    float32.put(found, 1, -(2**130), 1)
    float32.put(found, 2, 1, 2**126)
    assert found.tolist() == [0, -float("inf"), 2.0**-126]


@pytest.mark.parametrize("value", (float("inf"), float("nan")))
def test_what_is_not_finite_stays(value):
    found = array("f", (value,))
    float32.divide(found, 0, 3)
    assert bytes(found) == bits(value)
    assert float32.ratio(found, 0) is None


@pytest.mark.parametrize("make", (tuple, list, lambda x: array("f", x), lambda x: memoryview(array("f", x)), np.array))
def test_scaling_takes_any_bounds(make):
    low, high = (-2.0, 0.25), (2.0, 0.75)
    found = array("f", [0] * 4)
    float32.scaling(found, make(low), make(high))
    assert found.tolist() == [2, 0.25, 0, 0.5]


def test_scaling_takes_bounds_of_integers():
    found = array("f", (0, 0))
    float32.scaling(found, array("i", (-3,)), (5,))
    assert found.tolist() == [4, 1]
