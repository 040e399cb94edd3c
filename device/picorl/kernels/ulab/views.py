"""ulab's views of the kernels' buffers."""

from array import array

from ulab import numpy as np

from ..python import checks

# ulab's floats are the interpreter's: 32 bits on boards, 64 on the desktop.
FLOAT32 = np.zeros(1).itemsize == 4

# Views of more buffers than an agent has: a program that brings new ones all the time must not fill the heap with them.
_MOST = 128
# Of one buffer: the layers of a cache, or a batch in chunks. The rows of a rollout are one after the other, and do not come back soon.
_MATRICES = 4
# Gradients of actor and critic may share one.
_NETWORKS = 4
# Floats of a temporary array: some pieces of free heap are always larger.
BLOCK = 1024


# MicroPython looks a builtin up among all of them, one after the other: 700 instructions.
_id = id
_len = len
_bytes = bytes


class Buffer:
    """What is known of a buffer. It holds the buffer, because a view alone does not: the collector follows no pointer into it."""

    def __init__(self, x, code):
        self.x = x
        self.length = len(x)
        self.code = code
        self.all = None  # a view of all its floats
        self.bytes = None  # a memoryview
        self.matrices = []  # (start, rows, columns, view), …
        self.networks = []


class Network:
    """Views of a network's parameters, or of a gradient of that shape."""

    def __init__(self, layout, sizes, layers):
        self.layout = layout
        self.key = _bytes(layout)
        self.sizes = sizes  # n_in, n_out, n_hidden, n_params
        self.layers = layers
        # So many at a time.
        self.rows = max(1, BLOCK // max([max(layer.n, layer.m) for layer in layers]))


class Layer:
    """A record of a layout: where its parameters begin, and views of them if it is dense."""

    def __init__(self, layout, record, start):
        self.record = record
        self.kind = layout[record]
        self.n = layout[record + 1]
        self.m = layout[record + 2]
        self.activation = layout[record + 3]
        self.start = start
        self.weights = None  # (n, m)
        self.transposed = None
        self.bias = None  # (m)


class Views:
    """Views of the buffers of one owner, made when they are first used. keep=False: forget them between two calls."""

    def __init__(self, keep=True):
        self._keep = keep
        self._buffers = {}

    def need(self, kernel, name, x, size, code="f"):
        """What is known of x, after the check of picorl.kernels.python.checks."""
        found = self._buffers.get(_id(x))
        if found is None or found.length != _len(x) or found.length < size or found.code != code:
            checks.need(kernel, name, x, size, code)
            found = Buffer(x, code)
            if self._keep:
                if len(self._buffers) >= _MOST:
                    self._buffers.clear()
                self._buffers[id(x)] = found
        return found

    def network(self, kernel, layout, name, params):
        """The Network of params, after the checks."""
        found = self._buffers.get(_id(params))
        if found is not None and found.length == _len(params):
            for network in found.networks:
                if network.layout is layout and network.key == _bytes(layout):
                    return network
        sizes = checks.shape(kernel, layout, params)
        found = self.need(kernel, name, params, sizes[3])
        layers = []
        start = 0
        for record in range(0, len(layout), checks.RECORD):
            layer = Layer(layout, record, start)
            if FLOAT32 and layer.kind == checks.DENSE:
                set_weights(layer, found)
            layers.append(layer)
            start += checks.layer_params(layout, record)
        network = Network(layout, sizes, layers)
        if _len(found.networks) == _NETWORKS:
            found.networks.clear()
        found.networks.append(network)
        return network


def set_weights(layer, params):
    n = layer.n
    m = layer.m
    layer.weights = flat(params, layer.start, n * m).reshape((n, m))
    layer.transposed = layer.weights.transpose()
    layer.bias = flat(params, layer.start + n * m, m)


def _flat(buffer, start, count):
    whole = buffer.all
    if whole is None:
        whole = buffer.all = np.frombuffer(buffer.x, dtype=np.float)
    return whole if count == buffer.length else whole[start : start + count]


def _matrix(buffer, start, rows, columns):
    for found in buffer.matrices:
        if found[0] == start and found[1] == rows and found[2] == columns:
            return found[3]
    view = _flat(buffer, start, rows * columns).reshape((rows, columns))
    if _len(buffer.matrices) == _MATRICES:
        buffer.matrices.clear()
    buffer.matrices.append((start, rows, columns, view))
    return view


def _put(buffer, start, values):
    if buffer.bytes is None:
        buffer.bytes = memoryview(buffer.x)
    source = memoryview(values)
    buffer.bytes[start : start + len(source)] = source


def _save(buffer, start, view):
    pass


def _flat_copy(buffer, start, count):
    return np.array(buffer.x[start : start + count])


def _matrix_copy(buffer, start, rows, columns):
    return np.array(buffer.x[start : start + rows * columns]).reshape((rows, columns))


def _put_copy(buffer, start, values):
    found = array("f", values.flatten())
    buffer.x[start : start + len(found)] = found


# With float32 these give views, so that what is done in place is done; else copies that `save` writes back.
# flat(buffer, start, count), matrix(buffer, start, rows, columns), save(buffer, start, what one of them gave), and
# put(buffer, start, values), which copies the values of another array.
if FLOAT32:
    flat = _flat
    matrix = _matrix
    save = _save
    put = _put
else:
    flat = _flat_copy
    matrix = _matrix_copy
    save = _put_copy
    put = _put_copy
