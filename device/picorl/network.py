"""Layouts of multilayer perceptrons: the small programs of records that the kernels run."""

from array import array

IDENTITY = 0
RELU = 1
TANH = 2

RECORD = 4  # numbers of a layer in a layout

_DENSE = 1


def mlp(sizes, hidden_activation=RELU, output_activation=IDENTITY):
    """Layout of dense layers with `sizes` units, inputs first: array('i') of kind, inputs, outputs, activation a layer."""
    layout = array("i")
    for i in range(len(sizes) - 1):
        last = i == len(sizes) - 2
        layout.extend(array("i", (_DENSE, sizes[i], sizes[i + 1], output_activation if last else hidden_activation)))
    return layout


def layers(layout):
    """The (inputs, outputs) of each layer of a layout."""
    return [(layout[i + 1], layout[i + 2]) for i in range(0, len(layout), RECORD)]


def n_params(layout):
    """Number of parameters: weights [in][out], then biases, layer after layer."""
    return sum((inputs + 1) * outputs for inputs, outputs in layers(layout))


def n_hidden(layout):
    """Sum of the widths of all layers but the last: floats of cache a row."""
    return sum(outputs for _, outputs in layers(layout)[:-1])


def macs(layout):
    """Multiply-adds of a forward pass of one row."""
    return sum(inputs * outputs for inputs, outputs in layers(layout))


def inner_macs(layout):
    """Multiply-adds of the input gradient of all layers but the first: with those of the weight gradient, a backward pass."""
    return sum(inputs * outputs for inputs, outputs in layers(layout)[1:])


def training_macs(layout):
    """Multiply-adds of a forward and a backward pass of one row."""
    return 2 * macs(layout) + inner_macs(layout)
