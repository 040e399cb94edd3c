"""Gated recurrent units (Cho et al. 2014, with PyTorch's definition of the candidate): two dense layers and what lies between them.

A network with a GRU keeps all its parameters in one buffer: the layer from the input (inputs -> 3 units: r, z, n), the layer from the
state (units -> 3 units), then its heads, multilayer perceptrons that read the state.
"""

from array import array

from . import memory, network

RECORDS = 2  # of a GRU in a layout


def parts(inputs, units, *heads):
    """The layouts of a network's parts, in the order of their parameters."""
    return (network.mlp((inputs, 3 * units)), network.mlp((units, 3 * units))) + heads


def layout(inputs, units, *heads):
    """All layers of a network, for files and plans: the kernels run its parts."""
    whole = array("i")
    for part in parts(inputs, units, *heads):
        whole.extend(part)
    return whole


def views(params, inputs, units, *heads):
    """Views of the buffer of a network, one a part."""
    found = []
    start = 0
    whole = memoryview(params)
    for part in parts(inputs, units, *heads):
        end = start + network.n_params(part)
        found.append(whole[start:end])
        start = end
    return tuple(found)


def scratch_size(units):
    """Floats that an Episode works in."""
    return 8 * units + 1


class Episode:
    """What a policy remembers of an episode, advanced by one observation at a time.

    x        (inputs) the observation, then the action before it
    state    (units) of the GRU
    scratch  see scratch_size; several may share one
    """

    def __init__(self, k, units, obs_size, x, state, scratch):
        inputs = len(x)
        self._kernels = k
        self._input, self._hidden = parts(inputs, units)
        self._units = units
        self._obs_size = obs_size
        self.x = x
        self.previous_action = memoryview(x)[obs_size:]
        self.state = state
        whole = memoryview(scratch)
        self._gates = whole[: 3 * units]
        self._layer = whole[3 * units : 6 * units]
        self._previous = whole[6 * units : 7 * units]
        self._candidate = whole[7 * units : 8 * units]
        self._keep = whole[8 * units :]
        self._zero = memory.zeros("f", 1)

    def forget(self):
        """An episode begins."""
        fill = self._kernels.fill
        fill(self.x, self._zero, 0, len(self.x))
        fill(self.state, self._zero, 0, self._units)

    def see(self, params, obs, first=0):
        """Take in obs[first : first + obs_size] and the action before it; params: `views` of the network's.

        An obs that is not finite is left out, because what got into the state would never leave it.
        """
        # One by one: a wide tuple of names would be made on the heap.
        k = self._kernels
        units = self._units
        gates = self._gates
        hidden = self._layer
        state = self.state
        if not k.all_finite(obs, first, self._obs_size):
            return
        k.copy(obs, first, self.x, 0, self._obs_size)
        k.forward(self._input, params[0], self.x, gates, gates, 0, 1)
        k.forward(self._hidden, params[1], state, hidden, hidden, 0, 1)
        k.gru_cell(self._keep, gates, hidden, state, self._previous, self._candidate, state, units, units, 1, 0, 0, 1)


class Sequences:
    """A GRU over sequences of a batch, `rows` of them at a time, and backpropagation through time (Werbos 1990).

    Batches are (sequences, steps, ·); the parts of a pass are called in the order: take_in, forward over all steps, then, if the
    network is to learn, backward over all steps from the last to the first, and the weight gradients.
    """

    @staticmethod
    def declare(inputs, units, steps, rows):
        """Its buffers, for memory.take: (name, typecode, length, kind)."""
        return [
            ("gru_x", "f", rows * steps * inputs, memory.WORK),
            ("gru_gates", "f", rows * steps * 3 * units, memory.WORK),
            ("gru_previous", "f", rows * steps * units, memory.WORK),
            ("gru_candidate", "f", rows * steps * units, memory.WORK),
            ("gru_deltas", "f", rows * steps * 3 * units, memory.WORK),
            ("gru_hidden", "f", rows * 3 * units, memory.WORK),
            ("gru_state", "f", rows * units, memory.WORK),
            ("gru_d_state", "f", rows * units, memory.WORK),
            ("gru_d_through", "f", rows * units, memory.WORK),
        ]

    def __init__(self, k, owner, inputs, units, steps):
        self._kernels = k
        self._input, self._hidden = parts(inputs, units)
        self._inputs = inputs
        self._units = units
        self._steps = steps
        self._x = owner.gru_x
        self._gates = owner.gru_gates
        self._previous = owner.gru_previous
        self._candidate = owner.gru_candidate
        self._deltas = owner.gru_deltas
        self._layer = owner.gru_hidden
        self._state = owner.gru_state
        self._d_state = owner.gru_d_state
        self._d_through = owner.gru_d_through
        self._keep = owner.keep
        self._zero = memory.zeros("f", 1)

    def take_in(self, params, x, row, rows):
        """The input's layer over sequences [row, row + rows) of x (batch, steps, inputs), for all steps at once; states start at 0."""
        k = self._kernels
        inputs = self._inputs
        rows_of_x = rows * self._steps
        k.copy(x, row * self._steps * inputs, self._x, 0, rows_of_x * inputs)
        k.forward(self._input, params[0], self._x, self._gates, self._gates, 0, rows_of_x)
        k.fill(self._state, self._zero, 0, rows * self._units)

    def forward(self, params, out, width, row, rows, first, count):
        """Steps [first, first + count): the states go to the first columns of out (batch, steps, width)."""
        forward = self._kernels.forward
        cell = self._kernels.gru_cell
        steps = self._steps
        units = self._units
        layout = self._hidden
        weights = params[1]
        layer = self._layer
        state = self._state
        keep = self._keep
        gates = self._gates
        previous = self._previous
        candidate = self._candidate
        for step in range(first, first + count):
            forward(layout, weights, state, layer, layer, 0, rows)
            cell(keep, gates, layer, state, previous, candidate, out, units, width, steps, step, row, rows)

    def backward(self, params, d_out1, d_out2, width, row, rows, first, count):
        """Steps first + count - 1 down to first; d_out1 + d_out2 (rows, steps, width): the gradient at the states in their first columns."""
        backward = self._kernels.backward
        cell = self._kernels.gru_cell_backward
        steps = self._steps
        units = self._units
        layout = self._hidden
        weights = params[1]
        layer = self._layer
        through = self._d_through
        keep = self._keep
        gates = self._gates
        previous = self._previous
        candidate = self._candidate
        d_state = self._d_state
        deltas = self._deltas
        state = self._state
        for step in range(first + count - 1, first - 1, -1):
            cell(
                keep, gates, previous, candidate, d_out1, d_out2, d_state, through, layer, deltas,
                units, width, steps, step, row, rows,
            )  # fmt: skip
            if step:
                backward(layout, weights, state, layer, layer, layer, None, through, 0, rows)

    def hidden_gradient(self, params, grads, rows):
        """Add the gradient of the state's layer to its part of grads, over all steps of the sequences in one sum."""
        deltas = self._deltas
        count = rows * self._steps
        self._kernels.backward(
            self._hidden, params[1], self._previous, deltas, deltas, deltas, grads[1], None, 0, count
        )

    def input_gradient(self, params, grads, rows):
        """Add that of the input's layer."""
        gates = self._gates
        count = rows * self._steps
        self._kernels.backward(self._input, params[0], self._x, gates, gates, gates, grads[0], None, 0, count)
