"""The tanh that plain Python kernels use where math has none."""

import math
import random

import pytest

from picorl.kernels.python.elementary import tanh


def test_it_is_as_exact_as_float32_can_tell():
    numbers = random.Random(0)
    xs = [10 ** numbers.uniform(-30, 2) for _ in range(20_000)] + [numbers.uniform(0, 10) for _ in range(20_000)]
    xs += [0.0, 0.6249999, 0.625, 0.6250001, 19.99, 20.0, 88.8, 1e30, math.inf]
    for x in xs:
        for y in (x, -x):
            assert tanh(y) == pytest.approx(math.tanh(y), rel=1.5e-7, abs=0), y
    assert tanh(0.0) == 0 and tanh(math.inf) == 1 and tanh(-math.inf) == -1 and math.isnan(tanh(math.nan))
