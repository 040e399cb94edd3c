"""Networks."""

import functools

import numpy as np

from .arithmetic import ZERO, exp
from .contract import DENSE, ELEMENTWISE, F32, INT, LAYER_NORM, LAYOUT, RNG, F, W, kernel
from .threefry import fill_uniform

_ONE = np.float32(1)
_LEAK = np.float32(0.01)
_EPSILON = np.float32(1e-5)
_GELU_SLOPE = np.float32(2 * np.sqrt(2 / np.pi))
_GELU_CUBE = np.float32(2 * np.sqrt(2 / np.pi) * 0.044715)
_GELU_CUBE3 = np.float32(2 * np.sqrt(2 / np.pi) * 0.044715 * 3)


@kernel
def init_params(layout: LAYOUT, params: W("n_params"), rng: RNG):
    fill_uniform(rng, params, layout.n_params)
    for layer in layout.layers:
        if layer.kind == DENSE:
            params[layer.start : layer.end] *= 1 / np.sqrt(np.float32(layer.inputs))
        else:
            params[layer.start : layer.bias] = 1
            params[layer.bias : layer.end] = 0


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
        kind, n, m, activation, start, bias, end = layer
        if layer is last:
            sink = out[row * n_out : (row + rows) * n_out].reshape(rows, m)
        else:
            sink = cache[at : at + rows * m].reshape(rows, m)
            at += rows * m
        if kind == DENSE:
            np.matmul(y, params[start:bias].reshape(n, m), out=sink)
            np.add(sink, params[bias:end], out=sink)
        elif kind == ELEMENTWISE:
            sink[...] = _elementwise(activation, y)
        else:
            sink[...] = _normalized(y)[0]
            if kind == LAYER_NORM:
                sink *= params[start:bias]
                sink += params[bias:end]
        _activate(activation, sink)
        y = sink


def _activate(activation, y):
    if activation == 1:
        np.fmax(y, _zeros(*y.shape), out=y)
    elif activation == 2:
        np.tanh(y, out=y)
    elif activation == 3:
        np.maximum(y, _LEAK * y, out=y)
    elif activation == 4:
        y[...] = _ONE / (_ONE + exp(-y))


@functools.lru_cache(16)
def _zeros(rows, columns):
    # NumPy compares with an array four times as fast as with a number.
    return np.zeros((rows, columns), F32)


def _elementwise(activation, x):
    if activation == 5:
        x = np.clip(x, -3, 3)
        square = x * x
        return x * (square + 27) / (9 * square + 27)
    if activation == 6:
        return x / _gelu_divisor(x)
    e = exp(x - x.max(axis=1, keepdims=True))
    return e / np.add.reduce(e, axis=1, keepdims=True)


def _gelu_divisor(x):
    with np.errstate(over="ignore"):
        return _ONE + exp(-(x * (_GELU_CUBE * x * x + _GELU_SLOPE)))


def _elementwise_backward(activation, x, delta):
    if activation == 5:
        square = np.clip(x, -3, 3) ** 2
        root = (9 - square) / (3 * square + 9)
        return delta * (root * root)
    if activation == 6:
        s = _ONE / _gelu_divisor(x)
        return delta * (x * (s * (_ONE - s)) * (_GELU_CUBE3 * x * x + _GELU_SLOPE) + s)
    y = _elementwise(activation, x)
    return y * (delta - np.einsum("ij,ij->i", delta, y)[:, None])


def _normalized(x):
    """Rows with mean 0 and variance 1, and what each was multiplied with."""
    share = _ONE / np.float32(x.shape[1])
    y = x - np.add.reduce(x, axis=1, keepdims=True) * share
    variance = np.einsum("ij,ij->i", y, y)[:, None] * share
    scale = _ONE / np.sqrt(variance + _EPSILON)
    y *= scale
    return y, scale


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
    _times_slope(layout.layers[-1].activation, delta, y)
    ones = np.ones(rows, F32)  # BLAS sums columns faster than NumPy
    at = rows * layout.n_hidden
    for index in range(len(layout.layers) - 1, -1, -1):
        kind, n, m, activation, start, bias, end = layout.layers[index]
        if index:
            at -= rows * n
            y = cache[at : at + rows * n].reshape(rows, n)
        else:
            y = x[row * n_in : (row + rows) * n_in].reshape(rows, n_in)
        if kind == DENSE:
            weights = params[start:bias].reshape(n, m)
            if grad is not None:
                grad[start:bias] += (y.T @ delta).reshape(-1)
                grad[bias:end] += ones @ delta
            if index or d_x is not None:
                before = _times_weights(delta, weights)
        elif kind == ELEMENTWISE:
            before = _elementwise_backward(activation, y, delta)
        else:
            gain = params[start:bias] if kind == LAYER_NORM else None
            before = _norm_backward(y, delta, gain, None if grad is None else grad[start:end], ones)
        if index:
            if layout.layers[index - 1].activation == 1:
                np.greater(y, ZERO, out=y, casting="unsafe")  # 1 or 0
                y *= before
            else:
                _times_slope(layout.layers[index - 1].activation, before, y)
                y[...] = before
            delta = y
        elif d_x is not None:
            d_x[: rows * n].reshape(rows, n)[...] = before


def _times_weights(delta, weights):
    # BLAS is slow at an outer product.
    return delta * weights.T if weights.shape[1] == 1 else delta @ weights.T


def _norm_backward(x, delta, gain, grad, ones):
    y, scale = _normalized(x)
    share = _ONE / np.float32(x.shape[1])
    if gain is not None:
        if grad is not None:
            grad[: len(gain)] += np.einsum("ij,ij->j", delta, y)
            grad[len(gain) :] += ones @ delta
        delta = delta * gain
    away = np.add.reduce(delta, axis=1, keepdims=True) * share
    slope = np.einsum("ij,ij->i", delta, y)[:, None] * share
    return (delta - (y * slope + away)) * scale


def _times_slope(activation, d, y):
    if activation == 1:
        np.multiply(d, y > 0, out=d)
    elif activation == 2:
        d *= 1 - y * y
    elif activation == 3:
        np.multiply(d, _LEAK, out=d, where=~(y > 0))
    elif activation == 4:
        d *= y * (1 - y)
