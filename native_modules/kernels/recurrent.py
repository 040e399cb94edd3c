"""Recurrent networks: sequences of `steps`, one after the other; those from `row` on of a batch; `row` counts whole sequences."""

from .contract import ROWS, F, Fw, Int, Kernel

KERNELS = (
    Kernel(
        "gru_cell",
        """One step of a gated recurrent unit (Cho et al. 2014, with PyTorch's definition of n) for sequences [row, row + rows), between the dense
        layers that make gates from the input and hidden from the state. Per unit: r = sigmoid(gates_r + hidden_r),
        z = sigmoid(gates_z + hidden_z), n = tanh(fma(r, hidden_n, gates_n)), h = flush(fma(z, state - n, n)); r, z, n are flushed;
        sigmoid(x) = flush(1 / (1 + exp(-x))). keep, out (batch * steps, ·) are at s = (row + b) * steps + step, gates, previous and candidate
        (rows * steps, ·) at s = b * steps + step; hidden (rows, 3 * units) and state (rows, units) belong to this step. gates (·, 3 * units) become r, z, n;
        previous (·, units) receives the state, candidate (·, units) hidden_n, out (·, width) h in its first columns. state becomes h, or 0
        where keep is 0 at the step after.""",
        (
            F("keep", "(row + rows) * steps"),
            Fw("gates", "rows * steps * 3 * units"),
            F("hidden", "rows * 3 * units"),
            Fw("state", "rows * units"),
            Fw("previous", "rows * steps * units"),
            Fw("candidate", "rows * steps * units"),
            Fw("out", "(row + rows) * steps * width"),
            Int("units", 1),
            Int("width", 1),
            Int("steps", 1),
            Int("step"),
            *ROWS,
        ),
        check=True,
        of=("recurrent_sac",),
    ),
    Kernel(
        "gru_cell_backward",
        """Backpropagation through the step of `gru_cell`, steps from the last to the first. The gradient at h is g = d_out1 + d_out2 (in the first columns of
        (rows * steps, width); d_out2 None: d_out1) + (d_state + d_through), the last two (rows, units) from the step after: what this kernel wrote, and
        what `backward` of the hidden layer made of d_hidden; without them at the last step and where keep is 0 at the step after. With
        dn = (g * (1 - z)) * fma(-n, n, 1), dz = (g * (previous - n)) * (z * (1 - z)), dr = (dn * candidate) * (r * (1 - r)), all flushed
        where they are written: gates become dr, dz, dn, the deltas of the input's layer; d_hidden (rows, 3 * units) and all_d_hidden
        (rows * steps, 3 * units) receive dr, dz, dn * r, those of the hidden layer; d_state becomes g * z.""",
        (
            F("keep", "(row + rows) * steps"),
            Fw("gates", "rows * steps * 3 * units"),
            F("previous", "rows * steps * units"),
            F("candidate", "rows * steps * units"),
            F("d_out1", "rows * steps * width"),
            F("d_out2", "rows * steps * width", optional=True),
            Fw("d_state", "rows * units"),
            F("d_through", "rows * units"),
            Fw("d_hidden", "rows * 3 * units"),
            Fw("all_d_hidden", "rows * steps * 3 * units"),
            Int("units", 1),
            Int("width", 1),
            Int("steps", 1),
            Int("step"),
            *ROWS,
        ),
        check=True,
        of=("recurrent_sac",),
    ),
)
