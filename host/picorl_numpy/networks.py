"""Networks."""

import functools

import numpy as np

from .arithmetic import ZERO
from .contract import F32, INT, LAYOUT, RNG, F, W, kernel
from .threefry import fill_uniform


@kernel
def init_params(layout: LAYOUT, params: W("n_params"), rng: RNG):
    fill_uniform(rng, params, layout.n_params)
    for n, _, _, start, _, end in layout.layers:
        params[start:end] *= 1 / np.sqrt(np.float32(n))


@kernel
def forward(
    layout: LAYOUT,
    params: F("n_params"),
    x: F("(row + rows) * n_in"),
    out: W("(row + rows) * n_out"),
    cache: W("rows * n_hidden"),
    row: INT,
    rows: INT,
):
    n_in, n_out = layout.n_in, layout.n_out
    at = 0
    last = layout.layers[-1]
    y = x[row * n_in : (row + rows) * n_in].reshape(rows, n_in)
    for layer in layout.layers:
        n, m, activation, start, bias, end = layer
        if layer is last:
            sink = out[row * n_out : (row + rows) * n_out].reshape(rows, m)
        else:
            sink = cache[at : at + rows * m].reshape(rows, m)
            at += rows * m
        np.matmul(y, params[start:bias].reshape(n, m), out=sink)
        np.add(sink, params[bias:end], out=sink)
        if activation == 1:
            np.fmax(sink, _zeros(rows, m), out=sink)
        elif activation == 2:
            np.tanh(sink, out=sink)
        y = sink


@functools.lru_cache(16)
def _zeros(rows, columns):
    # NumPy compares with an array four times as fast as with a number.
    return np.zeros((rows, columns), F32)


@kernel
def backward(
    layout: LAYOUT,
    params: F("n_params"),
    x: F("(row + rows) * n_in"),
    out: F("(row + rows) * n_out"),
    cache: W("rows * n_hidden"),
    d_out: W("(row + rows) * n_out"),
    grad: W("n_params", optional=True),
    d_x: W("rows * n_in", optional=True),
    row: INT,
    rows: INT,
):
    n_in, n_out = layout.n_in, layout.n_out
    delta = d_out[row * n_out : (row + rows) * n_out].reshape(rows, n_out)
    y = out[row * n_out : (row + rows) * n_out].reshape(rows, n_out)
    _times_slope(layout.layers[-1][2], delta, y)
    ones = np.ones(rows, F32)  # BLAS sums columns faster than NumPy
    at = rows * layout.n_hidden
    for index in range(len(layout.layers) - 1, -1, -1):
        n, m, _, start, bias, end = layout.layers[index]
        if index:
            at -= rows * n
            y = cache[at : at + rows * n].reshape(rows, n)
        else:
            y = x[row * n_in : (row + rows) * n_in].reshape(rows, n_in)
        if grad is not None:
            grad[start:bias] += (y.T @ delta).reshape(-1)
            grad[bias:end] += ones @ delta
        weights = params[start:bias].reshape(n, m)
        if index:
            before = _times_weights(delta, weights)
            if layout.layers[index - 1][2] == 1:
                np.greater(y, ZERO, out=y, casting="unsafe")  # 1 or 0
                y *= before
            else:
                _times_slope(layout.layers[index - 1][2], before, y)
                y[...] = before
            delta = y
        elif d_x is not None:
            d_x[: rows * n].reshape(rows, n)[...] = _times_weights(delta, weights)


def _times_weights(delta, weights):
    # BLAS is slow at an outer product.
    return delta * weights.T if weights.shape[1] == 1 else delta @ weights.T


def _times_slope(activation, d, y):
    if activation == 1:
        np.multiply(d, y > 0, out=d)
    elif activation == 2:
        d *= 1 - y * y
