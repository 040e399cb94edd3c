"""Networks. Rows go through all layers in blocks, so that no array made on the way has more than views.BLOCK floats or a row's."""

from ulab import numpy as np

from ..python import arithmetic, checks
from ..python.networks import rare
from .vectors import MINUS_ONE, ONE, ZERO, flush
from .views import BLOCK, FLOAT32, flat, matrix, put, save, set_weights

_LEAK = arithmetic.LEAK


def _activate(x, activation):
    """What a layer's output is of its sums x, with which it may do as it likes."""
    if activation == 1:
        x = np.maximum(x, ZERO)
    elif activation == 2:
        np.tanh(x, out=x)
    elif activation == 3:
        x = np.maximum(x, x * _LEAK)
    elif activation == 4:
        x *= MINUS_ONE
        np.exp(x, out=x)
        x += ONE
        x = ONE / x
    flush(x)
    return x


def slope(gradient, y, activation):
    """Multiply gradient by the derivative of an activation whose output is y."""
    if activation == 1:
        gradient *= y > ZERO
    elif activation == 2:
        y = y * y
        y *= gradient
        gradient -= y
    elif activation == 3:
        y = (y > ZERO) * (1 - _LEAK)
        y += _LEAK
        gradient *= y
    elif activation == 4:
        other = ONE - y
        other *= y
        gradient *= other


def forward(views, layout, params, x, out, cache, row, rows):
    network = views.network("forward", layout, "params", params)
    n_in, n_out, n_hidden, _ = network.sizes
    end = checks.row_range("forward", row, rows)
    x = views.need("forward", "x", x, end * n_in)
    out = views.need("forward", "out", out, end * n_out)
    cache = views.need("forward", "cache", cache, rows * n_hidden)
    layers = network.layers
    if not FLOAT32:
        _read(layers, views.need("forward", "params", params, 0))
    last = layers[-1]
    for first in range(0, rows, network.rows):
        count = min(network.rows, rows - first)
        here = None
        source = x
        source_at = (row + first) * n_in
        hidden = 0
        for layer in layers:
            m = layer.m
            if layer is last:
                sink = out
                at = (row + first) * m
            else:
                sink = cache
                at = hidden + first * m
            if layer.kind == checks.DENSE:
                if here is None:
                    here = matrix(source, source_at, count, layer.n)
                here = np.dot(here, layer.weights)
                here += layer.bias
                here = _activate(here, layer.activation)
                put(sink, at, here)
            else:
                rare(layer.kind).forward(
                    layout, layer.record, params, layer.start, source.x, source_at, sink.x, at, count
                )
                here = None
            source = sink
            source_at = at
            hidden += rows * m


def backward(views, layout, params, x, out, cache, d_out, grad, d_x, row, rows):
    network = views.network("backward", layout, "params", params)
    n_in, n_out, n_hidden, n_params = network.sizes
    end = checks.row_range("backward", row, rows)
    x = views.need("backward", "x", x, end * n_in)
    out = views.need("backward", "out", out, end * n_out)
    cache = views.need("backward", "cache", cache, rows * n_hidden)
    d_out = views.need("backward", "d_out", d_out, end * n_out)
    gradients = None
    if grad is not None:
        views.need("backward", "grad", grad, n_params)
        gradients = views.network("backward", layout, "grad", grad).layers
    if d_x is not None:
        d_x = views.need("backward", "d_x", d_x, rows * n_in)
    layers = network.layers
    if not FLOAT32:
        _read(network.layers, views.need("backward", "params", params, 0))
        if gradients:
            _read(gradients, views.need("backward", "grad", grad, 0))
    if not rows:
        return
    delta = d_out
    at = row * n_out
    activation = layers[-1].activation
    if activation:
        for first in range(at, at + rows * n_out, BLOCK):
            count = min(BLOCK, at + rows * n_out - first)
            d = flat(d_out, first, count)
            slope(d, flat(out, first, count), activation)
            save(d_out, first, d)
    hidden = rows * n_hidden
    for i in range(len(layers) - 1, -1, -1):
        layer = layers[i]
        n = layer.n
        m = layer.m
        if i:
            hidden -= rows * n
            source = sink = cache  # the inputs' gradients replace the inputs
            source_at = sink_at = hidden
            before = layers[i - 1].activation
        else:
            source = x
            source_at = row * n
            sink = d_x
            sink_at = 0
            before = 0
        if layer.kind == checks.DENSE:
            if gradients:
                deltas = matrix(delta, at, rows, m)
                _add_products(gradients[i].weights, matrix(source, source_at, rows, n), deltas)
                bias = gradients[i].bias
                bias += np.dot(np.ones(rows), deltas)
            if sink:
                _dense_inputs(layer, delta, at, source, source_at, sink, sink_at, rows, before)
        else:
            rare(layer.kind).backward(
                layout,
                layer.record,
                params,
                layer.start,
                source.x,
                source_at,
                delta.x,
                at,
                grad,
                sink.x if sink else None,
                sink_at,
                rows,
                before,
            )
            if not FLOAT32 and gradients:
                _read(gradients, views.need("backward", "grad", grad, 0))
        if not FLOAT32 and gradients and layer.kind == checks.DENSE:
            buffer = views.need("backward", "grad", grad, 0)
            save(buffer, layer.start, gradients[i].weights)
            save(buffer, layer.start + n * m, gradients[i].bias)
        delta = sink
        at = sink_at


def _read(layers, buffer):
    """Copy the numbers that ulab has no view of."""
    for layer in layers:
        if layer.kind == checks.DENSE:
            set_weights(layer, buffer)


def _dense_inputs(layer, delta, at, source, source_at, sink, sink_at, rows, before):
    """The gradient at the inputs of a dense layer; before: the activation that they came out of."""
    n = layer.n
    m = layer.m
    block = max(1, BLOCK // max(n, m))
    for first in range(0, rows, block):
        count = min(block, rows - first)
        gradient = np.dot(matrix(delta, at + first * m, count, m), layer.transposed)
        flush(gradient)
        if before:
            slope(gradient, matrix(source, source_at + first * n, count, n), before)
        put(sink, sink_at + first * n, gradient)


def _add_products(gradient, inputs, delta):
    """gradient (n, m) += inputs (rows, n) transposed times delta (rows, m), in blocks of n."""
    n, m = gradient.shape
    block = max(1, BLOCK // m)
    if n <= block:
        gradient += np.dot(inputs.transpose(), delta)
        return
    for first in range(0, n, block):
        end = min(n, first + block)
        part = gradient[first:end]
        part += np.dot(inputs[:, first:end].transpose(), delta)
