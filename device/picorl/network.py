"""Layouts of networks: the small programs of records that the kernels run."""

from array import array

IDENTITY = 0
RELU = 1
TANH = 2
LEAKY_RELU = 3
SIGMOID = 4
FAST_TANH = 5
GELU = 6
SOFTMAX = 7
_ACTIVATIONS = ("identity", "relu", "tanh", "leaky_relu", "sigmoid", "fast_tanh", "gelu", "softmax")

LAYER_NORM = 2
NORMALIZE = 3
_NORMS = ("layer_norm", "normalize")

_DENSE = 1
_ELEMENTWISE = 4
_RECORD = 4
_OTHER_MACS = 4  # what a number costs in other layers, about


def _named(what, value, names, first):
    """The number of a name, or of that number."""
    if value in names:
        return names.index(value) + first
    if value in range(first, first + len(names)):
        return value
    raise ValueError("%s is %r, must be one of %s" % (what, value, ", ".join(names)))


def mlp(sizes, hidden_activation=RELU, output_activation=IDENTITY, norm=None):
    """Layout of dense layers with `sizes` units, inputs first: array('i') of kind, inputs, outputs, activation a layer.

    Activations are those above, or their names: identity, relu, tanh, leaky_relu (slope 0.01), sigmoid, fast_tanh (x (27 + x²) / (27 + 9 x²)
    within ±3), gelu (with tanh), softmax. norm stands between each hidden layer and its activation: layer_norm (Ba et al. 2016), normalize
    (the same without params) or None. ValueError for others.
    """
    hidden_activation = _named("activation", hidden_activation, _ACTIVATIONS, 0)
    output_activation = _named("output_activation", output_activation, _ACTIVATIONS, 0)
    if norm is not None:
        norm = _named("norm", norm, _NORMS, LAYER_NORM)
    layout = array("i")
    for i in range(len(sizes) - 1):
        n = sizes[i + 1]
        hidden = i < len(sizes) - 2
        activation = hidden_activation if hidden else output_activation
        records = (_DENSE, sizes[i], n)
        if norm and hidden:
            records += (IDENTITY, norm, n, n)
        if activation > SIGMOID:  # its derivative needs more than the output
            records += (IDENTITY, _ELEMENTWISE, n, n)
        layout.extend(array("i", records + (activation,)))
    return layout


def layers(layout):
    """The (inputs, outputs) of each layer of a layout."""
    return [(layout[i + 1], layout[i + 2]) for i in range(0, len(layout), _RECORD)]


def tensors(layout):
    """The tensors of a layout's parameters, in order: [(name, shape), …]. A dense layer's weights are stored [in][out]; a layer norm
    has its gains as weights. The number in a name is that of the record."""
    found = []
    for i in range(0, len(layout), _RECORD):
        kind, inputs, outputs = layout[i], layout[i + 1], layout[i + 2]
        if kind in (_DENSE, LAYER_NORM):
            found.append(("%d.weight" % (i // _RECORD), [inputs, outputs] if kind == _DENSE else [outputs]))
            found.append(("%d.bias" % (i // _RECORD), [outputs]))
    return found


def n_params(layout):
    """Number of parameters, layer after layer."""
    total = 0
    for i in range(0, len(layout), _RECORD):
        inputs, outputs = layout[i + 1], layout[i + 2]
        if layout[i] == _DENSE:
            total += (inputs + 1) * outputs
        elif layout[i] == LAYER_NORM:
            total += 2 * outputs
    return total


def n_hidden(layout):
    """Sum of the widths of all layers but the last: floats of cache a row."""
    return sum([layout[i + 2] for i in range(0, len(layout) - _RECORD, _RECORD)])


def _layer_macs(layout, start):
    total = 0
    for i in range(start, len(layout), _RECORD):
        total += layout[i + 2] * (layout[i + 1] if layout[i] == _DENSE else _OTHER_MACS)
    return total


def macs(layout):
    """Multiply-adds of a forward pass of one row."""
    return _layer_macs(layout, 0)


def inner_macs(layout):
    """Multiply-adds of the input gradient of all layers but the first: with those of the weight gradient, a backward pass."""
    return _layer_macs(layout, _RECORD)


def training_macs(layout):
    """Multiply-adds of a forward and a backward pass of one row."""
    return 2 * macs(layout) + inner_macs(layout)
