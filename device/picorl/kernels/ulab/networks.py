"""Networks. Rows go through all layers in blocks, so that no array made on the way has more than views.BLOCK floats or a row's."""

from ulab import numpy as np

from ..python import arithmetic, checks
from ..python.networks import rare
from .vectors import MINUS_ONE, ONE, ZERO, flush
from .views import BLOCK, FLOAT32, matrix, put, save, set_weights

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
        for layer in layers:
            if layer.kind == checks.DENSE:
                set_weights(layer, views.need("forward", "params", params, 0))
    last = layers[-1]
    for first in range(0, rows, network.rows):
        count = min(network.rows, rows - first)
        here = matrix(x, (row + first) * n_in, count, n_in) if n_in else None
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
        for layer in layers:
            if layer.kind == checks.DENSE:
                set_weights(layer, views.need("backward", "params", params, 0))
        for layer in gradients or ():
            if layer.kind == checks.DENSE:
                set_weights(layer, views.need("backward", "grad", grad, 0))
    for first in range(0, rows, network.rows):
        count = min(network.rows, rows - first)
        _block_backward(
            layout, network, gradients, params, grad, x, out, cache, d_out, d_x, row + first, first, count, rows
        )
    if not FLOAT32:
        for layer in gradients or ():
            if layer.kind == checks.DENSE:
                buffer = views.need("backward", "grad", grad, 0)
                save(buffer, layer.start, layer.weights)
                save(buffer, layer.start + layer.n * layer.m, layer.bias)


def _block_backward(layout, network, gradients, params, grad, x, out, cache, d_out, d_x, row, first, count, rows):
    layers = network.layers
    n_in, n_out, n_hidden, _ = network.sizes
    delta_buffer = d_out
    at = row * n_out
    activation = layers[-1].activation
    delta = matrix(d_out, at, count, n_out)
    if activation:
        slope(delta, matrix(out, at, count, n_out), activation)
        save(d_out, at, delta)
    hidden = rows * n_hidden
    ones = np.ones(count)
    for i in range(len(layers) - 1, -1, -1):
        layer = layers[i]
        n = layer.n
        if i:
            hidden -= rows * n
            source = sink = cache  # the inputs' gradients replace the inputs
            source_at = sink_at = hidden + first * n
            before = layers[i - 1].activation
        else:
            source = x
            source_at = row * n_in
            sink = d_x
            sink_at = first * n_in
            before = 0
        if layer.kind == checks.DENSE:
            if delta is None:
                delta = matrix(delta_buffer, at, count, layer.m)
            if gradients is not None:
                gradient = gradients[i]
                _add_products(gradient.weights, matrix(source, source_at, count, n), delta)
                bias = gradient.bias
                bias += np.dot(ones, delta)
            if sink is None:
                break
            delta = np.dot(delta, layer.transposed)
            flush(delta)
            if before:
                slope(delta, matrix(source, source_at, count, n), before)
            put(sink, sink_at, delta)
        else:
            rare(layer.kind).backward(
                layout,
                layer.record,
                params,
                layer.start,
                source.x,
                source_at,
                delta_buffer.x,
                at,
                grad,
                sink.x if sink else None,
                sink_at,
                count,
                before,
            )
            delta = None
        delta_buffer = sink
        at = sink_at


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
