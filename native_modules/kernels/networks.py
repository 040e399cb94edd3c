"""Networks: their start, forward and backward."""

from .contract import RNG, ROWS, F, Fw, Kernel, Layout

KERNELS = (
    Kernel(
        "init_params",
        """Fill a network's params for the start of training: weights and biases of a dense layer uniform in
        ±1/sqrt(inputs) (PyTorch's default), a layer norm's gains 1 and biases 0. Parameter i of the whole buffer, if it
        is a dense layer's, is u_i * (1.0f / sqrtf(inputs)), where u is what `uniform` would write for n_params.
        Advances rng by one step.""",
        (Layout(), Fw("params", "n_params"), RNG),
    ),
    Kernel(
        "forward",
        """Run rows [row, row + rows) of x (batch, n_in) through a network and write out (batch, n_out) at the same rows.
        cache (rows, n_hidden) receives the outputs of the hidden layers, layer after layer, each (rows, width): what
        `backward` of the same rows needs.""",
        (
            Layout(),
            F("params", "n_params"),
            F("x", "(row + rows) * n_in"),
            Fw("out", "(row + rows) * n_out"),
            Fw("cache", "rows * n_hidden"),
            *ROWS,
        ),
    ),
    Kernel(
        "backward",
        """Backpropagate d_out (batch, n_out), the loss gradient at the network's output, through rows
        [row, row + rows). Adds to grad (same shape as params; None: no weight gradient) and writes d_x (rows, n_in), the
        gradient at the input, counted from 0 (None: not wanted). x, out and cache are those of the `forward` of the same rows.
        Consumes cache and the rows of d_out: their contents afterwards are the layers' deltas.""",
        (
            Layout(),
            F("params", "n_params"),
            F("x", "(row + rows) * n_in"),
            F("out", "(row + rows) * n_out"),
            Fw("cache", "rows * n_hidden"),
            Fw("d_out", "(row + rows) * n_out"),
            Fw("grad", "n_params", optional=True),
            Fw("d_x", "rows * n_in", optional=True),
            *ROWS,
        ),
    ),
)
