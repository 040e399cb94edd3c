"""The core's own exp, log, tanh, sin and cos are at most 2 ulp off, in both classes and at every width."""

import numpy as np
import pytest

_picorl = pytest.importorskip("_picorl")


@pytest.fixture(autouse=True, params=_picorl.variants())
def variant(request):
    before = _picorl.variant()
    _picorl.select(request.param)
    yield
    _picorl.select(before)


def ulps(got, exact):
    """Error of float32 results in units of the last place of the exact ones, which are normal numbers or 0."""
    _, exponent = np.frexp(np.abs(exact))
    unit = np.ldexp(1.0, np.maximum(exponent, -125) - 24)
    return float(np.max(np.abs(got.astype(np.float64) - exact) / unit))


def floats(low, high, count, seed=0):
    """Positive float32 numbers, equally likely in each binade, and the ends."""
    bits = np.random.default_rng(seed).integers(*np.array([low, high], np.float32).view(np.uint32), count)
    return np.concatenate([bits.astype(np.uint32).view(np.float32), np.array([low, high], np.float32)])


def both_signs(x):
    return np.concatenate([x, -x])


def test_exp():
    # The width of a Gaussian: with alpha 0, action 0 and gradient 1 it is the gradient at log_std.
    log_std = both_signs(floats(1e-8, 20, 200_000))
    log_std = log_std[log_std <= 2]
    n = len(log_std)
    head, d_head = np.zeros(2 * n, np.float32), np.zeros(2 * n, np.float32)
    head[1::2] = log_std
    ones, zeros = np.ones(n, np.float32), np.zeros(n, np.float32)
    coeffs = np.zeros(2, np.float32)
    _picorl.gaussian_head_backward(head, ones, zeros, 1, 0, ones, None, coeffs, d_head, 1, 0, n, n)
    assert ulps(d_head[1::2], np.exp(log_std.astype(np.float64))) <= 2


def temperature(x):
    coeffs = np.zeros(2, np.float32)
    _picorl.temperature(np.array([x], np.float32), coeffs)
    return coeffs[1]


def test_exp_over_its_whole_range():
    x = both_signs(floats(1e-8, 88.72283, 5_000))
    exact = np.exp(x.astype(np.float64))
    exact[exact < 2.0**-126] = 0  # flushed
    assert ulps(np.array([temperature(v) for v in x], np.float32), exact) <= 2
    assert temperature(0) == 1
    assert temperature(88.8) == temperature(np.inf) == np.inf
    assert temperature(-87.4) == temperature(-1000) == temperature(-np.inf) == 0
    assert np.isnan(temperature(np.nan))


def log_temperature(x):
    log_alpha = np.zeros(1, np.float32)
    _picorl.log_temperature(np.array([0, x], np.float32), log_alpha)
    return log_alpha[0]


def test_log():
    near_1 = np.float32(1) + both_signs(floats(1e-7, 0.3, 2_000))
    x = np.concatenate([floats(1e-45, 3.4e38, 5_000), near_1, floats(0.5, 2, 2_000)])
    assert ulps(np.array([log_temperature(v) for v in x], np.float32), np.log(x.astype(np.float64))) <= 2
    assert log_temperature(1) == 0
    assert log_temperature(0) == -np.inf
    assert log_temperature(np.inf) == np.inf
    assert np.isnan(log_temperature(-1)) and np.isnan(log_temperature(np.nan))


def test_tanh():
    x = np.concatenate([both_signs(floats(1e-37, 100, 200_000)), both_signs(floats(0.1, 10, 200_000))])
    x = np.concatenate([x, np.array([0, np.inf, -np.inf, np.nan], np.float32)])
    scaling = np.concatenate([np.ones(len(x), np.float32), np.zeros(len(x), np.float32)])
    action = np.zeros(len(x), np.float32)
    _picorl.gaussian_action(np.concatenate([x, x]), None, scaling, action, len(x))
    exact = np.tanh(x.astype(np.float64))
    assert ulps(action[:-4], exact[:-4]) <= 2
    assert list(action[-4:-1]) == [0, 1, -1] and np.isnan(action[-1])


def test_sin_and_cos():
    # Near multiples of pi / 2 the result is as small as it gets: most bits of the argument cancel.
    near = np.concatenate(
        [np.float32(k * np.pi / 2 * (1 + e)) for k in range(1, 637) for e in [np.arange(-4, 5) * 2e-8]]
    )
    x = both_signs(np.concatenate([floats(1e-30, 1000, 300_000), floats(1, 1000, 300_000), near.astype(np.float32)]))
    state, obs = np.zeros((len(x), 2), np.float32), np.zeros((len(x), 3), np.float32)
    state[:, 0] = x
    _picorl.pendulum_observe(state.ravel(), obs.ravel(), 0, len(x))
    assert ulps(obs[:, 0], np.cos(x.astype(np.float64))) <= 2
    assert ulps(obs[:, 1], np.sin(x.astype(np.float64))) <= 2


def test_normal_numbers_follow_box_and_muller():
    count = 100_000
    uniform, normal = np.zeros(count, np.float32), np.zeros(count, np.float32)
    _picorl.uniform(np.array([1, 2, 3, 0], np.uint32), uniform, count)
    _picorl.normal(np.array([1, 2, 3, 0], np.uint32), normal, count)
    word0, word1 = (uniform.astype(np.float64) + 1).reshape(2, -1) / 2  # (word >> 8) * 2^-24
    radius = np.sqrt(-2 * np.log(word0 + 2.0**-24))
    exact = np.concatenate([radius * np.cos(2 * np.pi * word1), radius * np.sin(2 * np.pi * word1)])
    assert np.max(np.abs(normal - exact)) <= 2e-6
    assert abs(normal.mean()) < 0.01 and abs(normal.std() - 1) < 0.01
