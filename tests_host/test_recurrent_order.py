"""The C kernels of recurrent networks bit for bit, both classes, in the order of native_modules/kernels/."""

from array import array

import numpy as np
import pytest
from backends import MODULES
from kernel_cases import Random, dense, make
from test_order import F, c, exp, flush, single  # noqa: F401  c is a fixture

pytestmark = pytest.mark.skipif(not MODULES["_picorl"], reason="no C kernels")

SIZES = [(1, 1, 0), (5, 3, 1), (16, 3, 2), (21, 4, 0)]
ROW, ROWS = 2, 3


def sigmoid(module, x):
    return flush(F(1) / (F(1) + exp(module, -x)))


def tanh(module, x):
    """The kernels' own, flushed, as an activation of a layer that leaves its input as it is."""
    out = array("f", [0] * x.size)
    module.forward(dense((1, 1), (2,)), array("f", [1, 0]), array("f", x.tobytes()), out, array("f"), 0, x.size)
    return np.array(out, F).reshape(x.shape)


def case(name, units, steps, step, **fixed):
    """Arguments of a kernel, and the same as arrays: those of the batch and of the piece by sequence, step and unit."""
    r = Random(f"{name} {units} {steps} {step}")
    width = units + 2
    args = make(name, r, units=units, width=width, steps=steps, step=step, row=ROW, rows=ROWS, **fixed)
    wide = single(args)
    shapes = {
        "keep": (ROW + ROWS, steps),
        "out": (ROW + ROWS, steps, width),
        "gates": (ROWS, steps, 3, units),
        "hidden": (ROWS, 3, units),
        "d_hidden": (ROWS, 3, units),
        "all_d_hidden": (ROWS, steps, 3, units),
        "d_out1": (ROWS, steps, width),
        "d_out2": (ROWS, steps, width),
        "previous": (ROWS, steps, units),
        "candidate": (ROWS, steps, units),
        "state": (ROWS, units),
        "d_state": (ROWS, units),
        "d_through": (ROWS, units),
    }
    return args, {
        key: value.reshape(shapes[key]) if key in shapes and value is not None else value for key, value in wide.items()
    }


def same(args, wide):
    for name, value in wide.items():
        if isinstance(value, np.ndarray):
            assert bytes(args[name]) == value.tobytes(), name


@pytest.mark.parametrize("units, steps, step", SIZES)
def test_gru_cell(c, units, steps, step):  # noqa: F811
    module, fma = c
    args, w = case("gru_cell", units, steps, step)
    args["gates"][0] = w["gates"][0, 0, 0, 0] = -150  # a gate that closes
    module.gru_cell(*args.values())
    gates, (hr, hz, hn) = w["gates"][:, step], w["hidden"].swapaxes(0, 1)
    h = w["state"].copy()
    r, z = sigmoid(module, gates[:, 0] + hr), sigmoid(module, gates[:, 1] + hz)
    n = tanh(module, fma(r, hn, gates[:, 2]))
    w["previous"][:, step] = h
    w["candidate"][:, step] = hn
    w["gates"][:, step] = np.stack([r, z, n], 1)
    h = flush(fma(z, h - n, n)).astype(F)
    w["out"][ROW:, step, :units] = h
    if step + 1 < steps:
        h = np.where(w["keep"][ROW:, step + 1, None] == 0, F(0), h)
    w["state"][...] = h
    same(args, w)


@pytest.mark.parametrize("critics", [1, 2])
@pytest.mark.parametrize("units, steps, step", SIZES)
def test_gru_cell_backward(c, units, steps, step, critics):  # noqa: F811
    module, fma = c
    args = case("gru_cell_backward", units, steps, step)[0]
    other = array("f", Random(units).floats(len(args["d_out1"]))) if critics == 2 else None
    args, w = case("gru_cell_backward", units, steps, step, d_out2=other)
    args["d_out1"][step * (units + 2)] = w["d_out1"][0, step, 0] = 1e-38  # so small that what comes of it is flushed
    module.gru_cell_backward(*args.values())
    one = F(1)
    r, z, n = (w["gates"][:, step, i].copy() for i in range(3))
    g = w["d_out1"][:, step, :units]
    if critics == 2:
        g = g + w["d_out2"][:, step, :units]
    if step + 1 < steps:
        later = g + (w["d_state"] + w["d_through"])
        g = np.where(w["keep"][ROW:, step + 1, None] == 0, g, later)
    dn = (g * (one - z)) * fma(-n, n, one)
    dz = (g * (w["previous"][:, step] - n)) * (z * (one - z))
    dr = (dn * w["candidate"][:, step]) * (r * (one - r))
    w["gates"][:, step] = np.stack([flush(dr), flush(dz), flush(dn)], 1)
    w["d_hidden"][...] = w["all_d_hidden"][:, step] = np.stack([flush(dr), flush(dz), flush(dn * r)], 1)
    w["d_state"][...] = flush(g * z)
    same(args, w)


def test_weigh_rows(c):  # noqa: F811
    module, _ = c
    args = make("weigh_rows", Random(4), row=1, rows=17, width=5)
    w = single(args)
    module.weigh_rows(*args.values())
    x, weight = w["x"].reshape(-1, 5), w["weight"][:, None]
    x[1:] = np.where(weight[1:] == 0, F(0), weight[1:] * x[1:])
    assert bytes(args["x"]) == x.tobytes()
