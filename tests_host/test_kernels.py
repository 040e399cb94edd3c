"""Every kernel of every backend against float64 references, its gradients against finite differences, bad input."""

import importlib
import math
import re
import shutil
import zlib
from array import array

import kernels as table
import numpy as np
import pytest
import reference_kernels as reference
from backends import MODULES
from kernel_cases import (
    ACTIVATIONS,
    DENSE,
    ELEMENTWISE,
    KERNELS,
    LAYER_NORM,
    NORMALIZE,
    ROW_OFFSETS,
    ROWS,
    SIZES,
    Random,
    as_arrays,
    compare,
    dense,
    make,
    network,
    shape,
    size,
    snapshot,
    with_guards,
)

RTOL = 3e-5
ALL = sorted(KERNELS)
WRITTEN = [(k.name, a.name) for k in table.KERNELS for a in k.args if isinstance(a, table.Buffer) and a.writes]
BUFFERS = [(k.name, a) for k in table.KERNELS for a in k.args if isinstance(a, table.Buffer)]
INTEGERS = [(k.name, a) for k in table.KERNELS for a in k.args if isinstance(a, table.Int)]


def ids(value):
    return value if isinstance(value, str) else getattr(value, "name", None)


def call(backend, name, args):
    return getattr(backend, name)(*args.values())


def check(backend, name, args, r, rtol=RTOL):
    """Run kernel and reference on the same arguments and compare everything."""
    args = with_guards(name, args, r)
    wide = as_arrays(args)
    before = snapshot(args)
    expected = getattr(reference, name)(*wide.values())
    result = call(backend, name, args)
    assert result == expected and type(result) is type(expected)
    # Uniform numbers are words, so they are exact.
    exact = {
        "uniform": ("out",),
        "replay_gather": ("obs", "obs_action", "next_obs", "reward"),
        "gather_rows": ("dst",),
        "replay_gather_sequences": ("x", "action", "reward", "keep"),
    }
    compare(name, args, wide, before, rtol, exact.get(name, ()))


# --- the backends -----------------------------------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler: NumPy is the fallback")
def test_c_kernels_are_there_if_a_compiler_is():
    importlib.import_module("_picorl")


def test_backend_has_the_whole_table(backend):
    assert backend.ABI == table.ABI
    assert backend.RECORD == table.RECORD
    assert [name for name in KERNELS if not callable(getattr(backend, name, None))] == []
    assert backend.variant() in backend.variants()
    assert backend.fused() in (True, False)


def test_select_names_the_choices(backend):
    before = backend.variant()
    with pytest.raises(ValueError, match=f"select: name is 'abacus', must be .*{before}"):
        backend.select("abacus")
    assert backend.variant() == before


def test_references_are_complete():
    assert [name for name in KERNELS if not hasattr(reference, name)] == []


# --- numbers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL)
def test_kernel_follows_reference(backend, name):
    for seed in range(30):
        r = Random(f"{name} {seed}")
        check(backend, name, make(name, r), r)


@pytest.mark.parametrize("n_out", SIZES)
@pytest.mark.parametrize("n_in", SIZES)
def test_dense_layer_of_any_size(backend, n_in, n_out):
    r = Random(f"{n_in} {n_out}")
    for activation in table.ACTIVATIONS.values():
        for kernel in ("forward", "backward"):
            fixed = {
                "layout": dense((n_in, n_out), (activation,)),
                "row": r.choice(ROW_OFFSETS),
                "rows": r.choice(ROWS),
            }
            check(backend, kernel, make(kernel, r, **fixed), r)


NO_ROWS = [
    k.name
    for k in table.KERNELS
    if any(a.name in ("rows", "count") and not a.least for a in k.args if isinstance(a, table.Int))
]


@pytest.mark.parametrize("name", sorted(NO_ROWS))
def test_no_rows_are_fine(backend, name):
    r = Random(name)
    fixed = {"rows": 0, "count": 0}
    if name.endswith("_reset"):
        fixed["row"] = 2
    check(backend, name, make(name, r, **fixed), r)


@pytest.mark.parametrize("name", ["forward", "backward"])
def test_empty_buffers_are_fine_where_nothing_is_needed(backend, name):
    r = Random(1)
    args = make(name, r, layout=dense((3, 2), (0,)), row=0, rows=2)
    assert len(args["cache"]) == 0
    call(backend, name, args)
    args = make(name, r, layout=dense((3, 5, 2), (1, 0)), row=0, rows=0)
    assert len(args["x"]) == 0
    call(backend, name, args)


def test_network_in_chunks_of_rows_is_the_network_whole(backend):
    """Forward and backward of 20 rows, in pieces of 8: the same bits in C."""
    r = Random(7)
    layout = dense((5, 17, 64, 3), (1, 2, 0))
    whole = make("backward", r, layout=layout, row=0, rows=20, d_x=array("f", [0] * 100))
    whole["grad"] = array("f", r.floats(shape(layout)["n_params"]))
    pieces = {key: value[:] if hasattr(value, "__len__") else value for key, value in whole.items()}
    d_x = array("f")
    run(backend, whole, 0, 20)
    for row, rows in ((0, 8), (8, 8), (16, 4)):
        run(backend, pieces, row, rows)
        d_x.extend(pieces["d_x"][: rows * 5])
    for got, wanted in ((pieces["out"], whole["out"]), (pieces["grad"], whole["grad"]), (d_x, whole["d_x"])):
        if backend.__name__ == "_picorl":
            assert bytes(got) == bytes(wanted)
        else:
            np.testing.assert_allclose(got, wanted, 1e-4, 1e-5)


def run(backend, args, row, rows):
    picked = [args[key] for key in ("layout", "params", "x", "out", "cache")]
    backend.forward(*picked, row, rows)
    backend.backward(*picked, args["d_out"], args["grad"], args["d_x"], row, rows)


@pytest.mark.skipif(not MODULES["_picorl"], reason="no C kernels")
@pytest.mark.parametrize("name", ALL)
def test_variants_of_a_class_give_the_same_bits(name):
    module, results = MODULES["_picorl"], {}
    before = module.variant()
    try:
        for variant in module.variants():
            module.select(variant)
            made = results.setdefault(module.fused(), {})
            made[variant] = []
            for seed in range(30):
                r = Random(f"{name} {seed}")
                args = with_guards(name, make(name, r), r)
                made[variant].append((call(module, name, args), snapshot(args)))
    finally:
        module.select(before)
    for made in results.values():
        first = next(iter(made.values()))
        assert [variant for variant in made if made[variant] != first] == []


@pytest.mark.parametrize("function", ["exp", "tanh", "sin", "cos"])
def test_elementary_functions_are_accurate(backend, function):
    """Within 2 ulp of the true value in C; a libm of float32 or float64 elsewhere."""
    r = Random(function)
    xs = np.array([r.uniform(-1, 1) * 10 ** r.uniform(-6, 1.9) for _ in range(3000)], np.float32)
    if function == "exp":
        xs = np.append(xs, np.float32([88.7, -87.3, 0, 1, -1]))
        out = array("f", [0, 0])
        results = []
        for x in xs:
            backend.temperature(array("f", [x]), out)
            results.append(out[1])
    elif function == "tanh":
        out = array("f", [0] * len(xs))
        one = array("f", [1, 0])
        backend.forward(dense((1, 1), (2,)), one, array("f", xs.tobytes()), out, array("f"), 0, len(xs))
        results = out
    else:
        state = array("f", np.stack([xs, xs], 1).tobytes())
        obs = array("f", [0] * (3 * len(xs)))
        backend.pendulum_observe(state, obs, 0, len(xs))
        results = obs[0::3] if function == "cos" else obs[1::3]
    true = getattr(np, function)(xs.astype(np.float64))
    ulp = np.spacing(np.maximum(np.abs(true.astype(np.float32)), np.finfo(np.float32).tiny)).astype(np.float64)
    off = np.abs(np.asarray(results, np.float64) - true) / ulp
    assert off.max() <= (2 if backend.__name__ == "_picorl" else 4)


def test_adam_reaches_a_minimum(backend):
    """500 steps of Adam on |x - 3|^2, all through the kernels."""
    params, grad, m, v = (array("f", [0] * 4) for _ in range(4))
    hyper, state = array("f", (0.05, 0.9, 0.999, 1e-8)), array("f", (1, 1, 0, 0))
    for _ in range(500):
        for i in range(4):
            grad[i] = 2 * (params[i] - 3)
        backend.adam_advance(hyper, state)
        backend.adam(params, grad, m, v, hyper, state, 0, 4)
        assert list(grad) == [0] * 4
    np.testing.assert_allclose(params, 3, atol=1e-2)


def test_adam_is_adam_delta_and_apply_delta(backend):
    r = Random(3)
    args = make("adam", r, start=2, count=17)
    other = {key: value[:] if hasattr(value, "__len__") else value for key, value in args.items()}
    call(backend, "adam", args)
    backend.adam_delta(*[other[key] for key in ("grad", "m", "v", "hyper", "state", "start", "count")])
    backend.apply_delta(other["params"], other["grad"], 2, 17)
    np.testing.assert_allclose(other["params"], args["params"], 1e-6, 1e-7)
    assert snapshot(other)["m"] == snapshot(args)["m"] and snapshot(other)["grad"] == snapshot(args)["grad"]


def test_subnormal_moments_are_flushed(backend):
    tiny = 2e-38
    params, grad, m, v = (array("f", [x]) for x in (0, 0, tiny, tiny))
    hyper, state = array("f", (1e-3, 0.5, 0.5, 1e-8)), array("f", (0.5, 0.5, 2e-3, 1.4))
    backend.adam(params, grad, m, v, hyper, state, 0, 1)
    assert (m[0], v[0]) == (0, 0)


# --- gradients against finite differences of the reference loss -------------------------------------------------


def finite_differences(loss, x, step=1e-6):
    """d loss / d x, by central differences in float64; loss() reads x in place."""
    gradient = np.empty_like(x)
    for i in range(x.size):
        kept = x[i]
        x[i] = kept + step
        above = loss()
        x[i] = kept - step
        gradient[i] = (above - loss()) / (2 * step)
        x[i] = kept
    return gradient


def close(got, wanted):
    wanted = np.asarray(wanted)
    np.testing.assert_allclose(np.asarray(got, np.float64), wanted, 1e-4, 2e-5 * max(1e-2, np.abs(wanted).max()))


def assert_backward_is_the_gradient(backend, layout, r):
    n_in, n_out = layout[1], layout[-2]
    args = make("backward", r, layout=layout, row=1, rows=3, grad=None, d_x=array("f", [0] * (3 * n_in)))
    args["grad"] = array("f", [0] * len(args["params"]))
    wide = as_arrays(args)
    weights = reference.rows_of(wide["d_out"], n_out, 1, 3).copy()

    def loss():
        x = reference.rows_of(wide["x"], n_in, 1, 3)
        return (weights * reference.outputs(layout, wide["params"], x)[-1]).sum()

    call(backend, "backward", args)
    close(args["grad"], finite_differences(loss, wide["params"]))
    close(args["d_x"], finite_differences(loss, wide["x"])[n_in : 4 * n_in])


@pytest.mark.parametrize("widths", [(1, 1), (2, 3), (3, 4, 1), (5, 2, 17), (4, 5, 3, 2), (3, 17, 5, 1)])
@pytest.mark.parametrize("seed", range(3))
def test_backward_is_the_gradient(backend, widths, seed):
    r = Random(f"{widths} {seed}")
    assert_backward_is_the_gradient(backend, dense(widths, [r.choice(ACTIVATIONS) for _ in widths[1:]]), r)


@pytest.mark.parametrize("activation", table.ACTIVATIONS)
@pytest.mark.parametrize("kind", ["layer_norm", "normalize"])
def test_backward_through_norms_is_the_gradient(backend, kind, activation):
    kind, activation = table.KINDS[kind], table.ACTIVATIONS[activation]
    between = network(
        (DENSE, 3, 9, 2), (kind, 9, 9, activation), (DENSE, 9, 5, activation), (kind, 5, 5, 4), (DENSE, 5, 1, 0)
    )
    outside = network((kind, 6, 6, activation), (DENSE, 6, 17, 2), (kind, 17, 17, activation))
    for layout in (between, outside):
        assert_backward_is_the_gradient(backend, layout, Random(f"{kind} {activation}"))


@pytest.mark.parametrize("activation", table.INPUT_ACTIVATIONS)
def test_backward_through_elementwise_layers_is_the_gradient(backend, activation):
    activation = table.INPUT_ACTIVATIONS[activation]
    one, five, six, nine = ((ELEMENTWISE, n, n, activation) for n in (1, 5, 6, 9))
    between = network((DENSE, 3, 9, 2), nine, (DENSE, 9, 5, 0), (LAYER_NORM, 5, 5, 4), five, (DENSE, 5, 1, 0), one)
    outside = network(six, six, (DENSE, 6, 5, 0), five)
    for layout in (between, outside):
        assert_backward_is_the_gradient(backend, layout, Random(f"{activation}"))


def test_activations_of_large_numbers(backend):
    x = array("f", (-1e30, -1000, -30, 0, 30, 1000, 1e30))
    wanted = {
        "sigmoid": (0, 0, 9.357623e-14, 0.5, 1, 1, 1),
        "leaky_relu": (-1e28, -10, -0.3, 0, 30, 1000, 1e30),
        "fast_tanh": (-1, -1, -1, 0, 1, 1, 1),
        "gelu": (0, 0, 0, 0, 30, 1000, 1e30),
        "softmax": (0, 0, 0, 0, 0, 0, 1),
    }
    for name, ys in wanted.items():
        out = array("f", [7] * 7)
        if name in table.ACTIVATIONS:
            layout, params = dense((1, 1), (table.ACTIVATIONS[name],)), array("f", (1, 0))
        else:
            n = 7 if name == "softmax" else 1
            layout, params = network((ELEMENTWISE, n, n, table.INPUT_ACTIVATIONS[name])), array("f")
        backend.forward(layout, params, x, out, array("f"), 0, 7 // layout[1])
        np.testing.assert_allclose(out, ys, 1e-6, err_msg=name)


@pytest.mark.parametrize("kind", [LAYER_NORM, NORMALIZE])
def test_a_row_of_equal_numbers_is_normalised_to_zeros(backend, kind):
    layout = network((kind, 19, 19, 0))
    params = array("f", [0.75] * 19 + [0.5] * 19)
    x, out = array("f", [3] * 19), array("f", [9] * 19)
    backend.forward(layout, params, x, out, array("f"), 0, 1)
    np.testing.assert_allclose(out, 0.5 if kind == LAYER_NORM else 0, atol=1e-3)


@pytest.mark.parametrize("act_size", [1, 2, 3])
@pytest.mark.parametrize("critics", [1, 2])
def test_gaussian_head_backward_is_the_gradient(backend, act_size, critics):
    """Of mean(alpha * log_prob) + sum(d_x * action), which has the same gradient as the policy's loss."""
    r = Random(f"{act_size} {critics}")
    rows, width, column, batch = 4, act_size + 2, 1, 9
    args = make(
        "gaussian_head_backward", r, row=0, rows=rows, width=width, column=column, act_size=act_size, batch=batch
    )
    if critics == 2:
        args["d_x2"] = array("f", r.floats(rows * width))
    else:
        args["d_x2"] = None
    wide = as_arrays(args)
    noise = wide["noise"].reshape(rows, act_size)
    d = wide["d_x1"] + (wide["d_x2"] if critics == 2 else 0)
    d = d.reshape(rows, width)[:, column : column + act_size]

    def loss():
        action, log_prob = reference.squashed(wide["head"].reshape(rows, -1), noise)
        return wide["coeffs"][1] * log_prob.sum() / batch + (d * action).sum()

    call_args = {"width": width, "column": column, "log_prob": array("f", [0] * rows)}
    backend.gaussian_head(
        args["head"], args["noise"], args["action"], *call_args.values(), act_size, 0, rows
    )  # fmt: skip
    call(backend, "gaussian_head_backward", args)
    close(args["d_head"], finite_differences(loss, wide["head"]))


def test_log_prob_is_the_density_of_the_action(backend):
    """The density, by change of variables from the noise: d a / d noise numerically."""
    for noise in (-2.5, -0.3, 0.0, 1.7):
        for mean, log_std in ((0.0, 0.0), (0.8, -2.0), (-1.1, 0.7)):
            action, log_prob = array("f", [0]), array("f", [0])
            backend.gaussian_head(
                array("f", (mean, log_std)), array("f", [noise]), action, 1, 0, log_prob, 1, 0, 1
            )  # fmt: skip
            n, mean32, std, h = noise, float(np.float32(mean)), math.exp(log_std), 1e-5
            above, below = math.tanh(mean32 + std * (n + h)), math.tanh(mean32 + std * (n - h))
            density = math.exp(-n * n / 2) / math.sqrt(2 * math.pi) / ((above - below) / (2 * h))
            assert log_prob[0] == pytest.approx(math.log(density), abs=1e-4)


def test_mse_delta_is_the_gradient(backend):
    r = Random(1)
    args = make("mse_delta", r, row=0, rows=9, batch=9)
    wide = as_arrays(args)
    call(backend, "mse_delta", args)
    gradient = finite_differences(lambda: np.mean((wide["q"] - wide["target"]) ** 2), wide["q"])
    close(args["d_q"], gradient)
    assert args["loss"][0] == pytest.approx(((wide["q"] - wide["target"]) ** 2).sum(), rel=1e-5)


def test_policy_delta_is_the_gradient(backend):
    r = Random(2)
    q1, q2, d_q1, d_q2 = (array("f", r.floats(9)) for _ in range(4))
    loss = array("f", [5])
    backend.policy_delta(q1, q2, d_q1, d_q2, loss, 0, 9, 9)
    w1, w2 = np.array(q1, np.float64), np.array(q2, np.float64)
    close(d_q1, finite_differences(lambda: -np.mean(np.minimum(w1, w2)), w1))
    close(d_q2, finite_differences(lambda: -np.mean(np.minimum(w1, w2)), w2))
    assert loss[0] == pytest.approx(-np.minimum(w1, w2).sum(), rel=1e-5)
    q2[4] = q1[4]
    backend.policy_delta(q1, q2, d_q1, d_q2, loss, 0, 9, 9)
    assert (d_q1[4], d_q2[4]) == (pytest.approx(-1 / 9), 0)


def test_temperature_grad_is_the_gradient(backend):
    r = Random(3)
    log_alpha, log_prob, entropy, grad = array("f", [-0.7]), array("f", r.floats(12)), array("f", [-1]), array("f", [0])
    backend.temperature_grad(log_alpha, log_prob, entropy, grad, 12)
    wide = np.array(log_alpha, np.float64)
    close(grad, finite_differences(lambda: np.mean(-np.exp(wide[0]) * (np.array(log_prob) + entropy[0])), wide))


@pytest.mark.parametrize("name", ["mse_delta", "policy_delta", "huber_delta", "cross_entropy_delta"])
def test_loss_gathers_over_chunks(backend, name):
    args = make(name, Random(4), row=0, rows=10, batch=10)
    call(backend, name, args)
    whole = args["loss"][0]
    args["loss"][0] = 1e9  # must not count
    for row, rows in ((0, 3), (3, 7)):
        call(backend, name, args | {"row": row, "rows": rows})
    assert args["loss"][0] == pytest.approx(whole, rel=1e-5)


# --- random numbers ---------------------------------------------------------------------------------------------


def test_reference_threefry_gives_the_known_answers():
    """Random123's kat_vectors, threefry2x32 with 20 rounds."""
    ones = 0xFFFFFFFF
    assert reference.threefry((0, 0), (0, 0)) == (0x6B200159, 0x99BA4EFE)
    assert reference.threefry((ones, ones), (ones, ones)) == (0x1CB996FC, 0xBB002BE7)
    assert reference.threefry((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3)) == (0xC4923A9C, 0x483DF7A0)


def test_uniform_is_made_of_threefry_words(backend):
    out = array("f", [0, 0])
    backend.uniform(array("I", [0, 0, 0, 0]), out, 2)
    assert list(out) == [(word >> 8) / 2**23 - 1 for word in (0x6B200159, 0x99BA4EFE)]


def test_whole_words_are_right(backend):
    """Sampling from 2^24 - 1 rows shows the upper 24 bits of words differently than `uniform`; far rows carry into
    the counter's upper bits; the largest step wraps."""
    ones = 0xFFFFFFFF
    capacity = 2**24 - 1
    flags, state = bytearray(b"\1") * capacity, array("i", (0, capacity, 0, capacity, 0, 0))
    rng, indices = array("I", (ones, 0x80000001, ones, 0)), array("i", [0] * 9)
    backend.replay_sample(flags, state, rng, indices, capacity, 9)
    words = [w for row in range(5) for w in reference.threefry((ones, 0x80000001), (ones, row))]
    assert list(indices) == [word * capacity >> 32 for word in words[:9]]
    assert list(rng) == [ones, 0x80000001, 0, 0]
    if backend.__name__.startswith("picorl.kernels."):
        return  # two million rows of a pendulum take it a while
    row = 2_000_000
    states, obs = array("f", bytes(8 * (row + 1))), array("f", bytes(12 * (row + 1)))
    backend.pendulum_reset(array("I", (5, ones - 1_000_000, 7, 0)), states, obs, row, 1)
    a, b = reference.threefry((5, ones - 1_000_000), (7, row))
    assert states[2 * row + 1] == (b >> 8) / 2**23 - 1
    assert states[2 * row] == pytest.approx(np.pi * ((a >> 8) / 2**23 - 1), rel=1e-6)


def test_fills_are_independent_of_their_length(backend):
    """An even fill's first half is the same blocks' first words, whatever the count; step moves by one."""
    for name in ("uniform", "normal"):
        rng, short, long = array("I", (1, 2, 3, 0)), array("f", [0] * 10), array("f", [0] * 100)
        getattr(backend, name)(rng, short, 10)
        assert list(rng) == [1, 2, 4, 0]
        rng[2] = 3
        getattr(backend, name)(rng, long, 100)
        np.testing.assert_allclose(short[:5], long[:5], 1e-6)
        np.testing.assert_allclose(short[5:], long[50:55], 1e-6)


def draws(backend, name):
    n = 20_000 if backend.__name__.startswith("picorl.kernels.") else 200_000
    out = array("f", [0]) * n
    getattr(backend, name)(array("I", (11, 22, 33, 0)), out, n)
    return np.sort(np.array(out, np.float64)), n


def kolmogorov_smirnov(ordered, cdf):
    n = len(ordered)
    return max(np.abs(cdf - np.arange(n) / n).max(), np.abs(cdf - np.arange(1, n + 1) / n).max()) * math.sqrt(n)


def test_uniform_is_uniform(backend):
    x, n = draws(backend, "uniform")
    assert x[0] >= -1 and x[-1] < 1
    assert abs(x.mean()) < 4 / math.sqrt(3 * n)
    assert abs(x.var() - 1 / 3) < 4 * math.sqrt(4 / 45 / n)
    assert kolmogorov_smirnov(x, (x + 1) / 2) < 1.8  # 0.3 % of honest samples exceed it


def test_normal_is_normal(backend):
    x, n = draws(backend, "normal")
    assert abs(x.mean()) < 4 / math.sqrt(n)
    assert abs(x.var() - 1) < 4 * math.sqrt(2 / n)
    assert abs((x**4).mean() - 3) < 4 * math.sqrt(96 / n)
    assert kolmogorov_smirnov(x, np.array([(1 + math.erf(v / math.sqrt(2))) / 2 for v in x])) < 1.8


def test_normal_halves_are_uncorrelated(backend):
    out = array("f", [0]) * 20_000
    backend.normal(array("I", (1, 1, 1, 0)), out, 20_000)
    x = np.array(out)
    assert abs(np.corrcoef(x[:10_000], x[10_000:])[0, 1]) < 0.04
    assert abs(np.corrcoef(x[:-1], x[1:])[0, 1]) < 0.03


def test_coloured_normal_is_normal_and_correlated(backend):
    """An autoregressive process of the first order: its autocorrelation after k steps is rho^k, its variance 1."""
    rho, wide, steps = 0.75, 500, 16
    rng, noise = array("I", (5, 6, 7, 0)), array("f", [0]) * wide
    backend.normal(rng, noise, wide)
    rows = []
    for _ in range(steps):
        backend.coloured_normal(rng, array("f", (rho,)), noise, wide)
        rows.append(np.array(noise))
    x = np.array(rows)
    assert rng[2] == 8 + steps
    assert abs(x.var() - 1) < 0.08
    for k in (1, 2, 8):
        assert abs((x[k:] * x[:-k]).mean() - rho**k) < 0.06


def test_coloured_normal_without_correlation_is_normal(backend):
    white, noise = array("f", [0]) * 33, array("f", [5]) * 33
    backend.normal(array("I", (1, 2, 3, 0)), white, 33)
    backend.coloured_normal(array("I", (1, 2, 3, 0)), array("f", (0,)), noise, 33)
    assert noise == white


def test_replay_sample_is_uniform_over_rows_with_a_flag(backend):
    flags = bytearray(b"\1\0\2\1\0\1\1\0\0\0")
    state, indices = array("i", (7, 8, 1, 5, 0, 0)), array("i", [0] * 5000)
    backend.replay_sample(flags, state, array("I", (9, 9, 9, 0)), indices, 10, 5000)
    counts = np.bincount(indices, minlength=10)
    assert counts[[1, 4, 7, 8, 9]].sum() == 0
    assert ((counts[[0, 2, 3, 5, 6]] - 1000) ** 2 / 1000).sum() < 18.5  # chi square, 4 degrees, 0.1 %


# --- numbers that are none --------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_all_finite_sees_every_element_of_the_span(backend, value):
    for n in (1, 3, 16, 17, 64, 65):
        for bad in range(n):
            x = array("f", [3.4e38, -3.4e38, 1e-45, 0.0, -1.0][:1] * n)
            x[bad] = value
            assert backend.all_finite(x, 0, n) == 0
            assert backend.all_finite(x, 0, bad) == 1
            assert backend.all_finite(x, bad + 1, n - bad - 1) == 1
    assert backend.all_finite(array("f", [3.4e38, -3.4e38, 1e-45, 0.0]), 0, 4) == 1


def test_temperature_overflows_to_infinity(backend):
    coeffs = array("f", (0.5, 0.5))
    backend.temperature(array("f", [1000]), coeffs)
    assert list(coeffs) == [0.5, math.inf]
    backend.temperature(array("f", [-1000]), coeffs)
    assert coeffs[1] == 0
    backend.temperature(array("f", [math.nan]), coeffs)
    assert math.isnan(coeffs[1])


def test_crc32_is_zlibs(backend):
    r = Random(5)
    for n in (0, 1, 2, 3, 7, 8, 9, 63, 64, 65, 1000):
        data = bytearray(r.getrandbits(8) for _ in range(n))
        for start in (0, zlib.crc32(b"before")):
            crc = array("I", [start])
            backend.crc32(data, crc)
            assert crc[0] == zlib.crc32(data, start)
    crc = array("I", [0])
    backend.crc32(array("f", [1.5, -2.5]), crc)
    assert crc[0] == zlib.crc32(array("f", [1.5, -2.5]).tobytes())


def telemetry_text(backend, value):
    line = bytearray(b" " * 15 + b',"check":"????????"}\n')
    backend.telemetry_line(line, array("i", [0]), array("i"), array("f", [value]), len(line), 0, 1)
    assert int(line[25:33], 16) == zlib.crc32(line[:15]) and line[33:] == b'"}\n'
    return line[:15].decode().strip()


TELEMETRY = {
    "0.0": 0.0,
    "-0.0": -0.0,
    "1.0": 1.0,
    "-145.25": -145.25,
    "0.100000001": 0.1,
    "0.000122070312": 2.0**-13,  # a tie, to even
    "9.99999975e-05": 9.99999975e-05,
    "-0.000291234552": -0.000291234552,
    "99999992.0": 99999992.0,
    "1e+09": 1e9,
    "1048576.12": 1048576.125,
    "1048576.38": 1048576.375,
    "16777216.0": 16777216.0,
    "1.1920929e-07": 2.0**-23,
    "-3.40282347e+38": -3.4028234663852886e38,
    "1.17549435e-38": 1.1754943508222875e-38,
    "1.40129846e-45": 1.401298464324817e-45,
    "null": math.inf,
}


@pytest.mark.parametrize("text", TELEMETRY)
def test_telemetry_writes_floats_as_json(backend, text):
    assert telemetry_text(backend, TELEMETRY[text]) == text
    if text == "null":
        assert telemetry_text(backend, math.nan) == telemetry_text(backend, -math.inf) == text


def test_telemetry_is_read_back_as_the_same_floats(backend):
    r = Random(3)
    for _ in range(2000):
        bits = array("I", [r.getrandbits(32)])
        value = array("f", bits.tobytes())[0]
        if math.isfinite(value):
            text = telemetry_text(backend, value)
            assert len(text) <= 15 and array("f", [float(text)])[0] == value, text
            assert text == reference.number(value)


def test_telemetry_stays_in_its_line(backend):
    args = sturdy("telemetry_line")
    end = args["length"] - 21
    for i, width in ((0, 11), (args["n_ints"], 15)):
        for wrong in (-1, end - width + 1, 2**31 - 1, -(2**31)):
            fields = args["fields"][:]
            fields[i] = wrong
            message = f"fields[{i}] is {wrong}, must be 0 to {end - width}"
            refuse(backend, "telemetry_line", args | {"fields": fields}, message)
    refuse(backend, "telemetry_line", args | {"length": 20}, "length is 20, must be 21 to ")


def test_pendulum_angle_stays_below_pi(backend):
    """Pi as float32, hanging still, stays where it is to within rounding: it must come out as -pi, and -pi as itself."""
    pi = float(np.float32(np.pi))
    state, obs, reward = array("f", (pi, 0, -pi, 0)), array("f", [0] * 6), array("f", [0, 0])
    backend.pendulum_step(state, array("f", [0, 0]), obs, reward, 0, 2)
    assert [state[0], state[2]] == [-pi, -pi]


# --- bad input: a ValueError that names kernel and argument, and nothing written -------------------------------


def sturdy(name):
    """Arguments where every buffer needs at least one element and every optional one is given."""
    r = Random(name)
    fixed = {"layout": dense((3, 4, 2), (1, 0)), "row": 1, "rows": 3, "count": 4, "start": 1, "batch": 5, "columns": 2}
    fixed["n"] = 3
    if any(isinstance(arg, table.Int) and arg.name == "limit" for arg in KERNELS[name].args):
        fixed["limit"] = 6
    args = make(name, r, **fixed)
    for arg in KERNELS[name].args:
        if args[arg.name] is None:
            args[arg.name] = array("f", r.floats(size(arg, args)))
    return args


def refuse(backend, name, args, message):
    """`message`: a part of what the error must say, after the kernel's name."""
    before = snapshot(args)
    with pytest.raises(ValueError) as caught:
        call(backend, name, args)
    text = str(caught.value)
    assert text.startswith(f"{name}: ") and message in text, f"{text!r} does not say {message!r}"
    assert snapshot(args) == before, "something was written before the error"


@pytest.mark.skipif(not MODULES["_picorl"], reason="no C kernels")
@pytest.mark.parametrize("name", ALL)
def test_backends_complain_in_the_same_words(backend, name):
    """Plain Python leaves out how a size is made up, and ulab's kernels check with it."""
    short = backend not in (MODULES["_picorl"], MODULES["picorl_numpy"])

    def complaint(module, args):
        with pytest.raises(ValueError) as caught:
            call(module, name, args)
        return str(caught.value)

    args = sturdy(name)
    for arg in KERNELS[name].args:
        bad = [-1, table.MAX_INT + 1, None, 1.5, "3"] if isinstance(arg, table.Int) else ["text", None, array("d")]
        if isinstance(arg, table.Buffer):
            bad.append(args[arg.name][:0])
        for wrong in bad:
            if wrong is None and getattr(arg, "optional", False):
                continue
            wanted, got = (complaint(module, args | {arg.name: wrong}) for module in (MODULES["_picorl"], backend))
            assert got == wanted or (short and got == wanted.partition(" (")[0])


def other_typecodes(code):
    return {"f": "dibI", "i": "fIhd", "I": "ifHd", "B": "bfhI"}[code]


@pytest.mark.parametrize("name, arg", BUFFERS, ids=ids)
def test_bad_buffers_are_refused(backend, name, arg):
    args = sturdy(name)
    good = args[arg.name]
    need = size(arg, args)
    assert need >= 1
    units = {"f": "floats", "i": "int32s", "I": "uint32s", "B": "bytes"}[arg.typecode]
    short = f"{arg.name} holds {need - 1} {units}, needs {need}"
    refuse(backend, name, args | {arg.name: good[: need - 1]}, short)
    refuse(backend, name, args | {arg.name: good[:0]}, f"{arg.name} holds 0 {units}, needs {need}")
    for code in other_typecodes(arg.typecode):
        wrong = array(code, [1] * (need + 8))
        refuse(backend, name, args | {arg.name: wrong}, f"{arg.name} is array('{code}'), must be ")
    objects = [5, 1.5, "text", [0.0] * need, (0.0,) * need, object()] + ([] if arg.optional else [None])
    for wrong in objects:
        refuse(backend, name, args | {arg.name: wrong}, f"{arg.name} is not a buffer, must be ")
    call(backend, name, args)


@pytest.mark.parametrize("name, arg", BUFFERS, ids=ids)
def test_bad_views_are_refused(backend, name, arg):
    if backend.__name__.startswith("picorl.kernels."):
        pytest.skip("reads any view that Python can index; MicroPython's views do not tell more")
    args = sturdy(name)
    good = args[arg.name]
    view = memoryview(bytes(good)).cast("B").cast(arg.typecode)
    if arg.writes:
        refuse(backend, name, args | {arg.name: view}, f"{arg.name} is read-only, must be writable")
    strided = memoryview(array(arg.typecode, [1] * (2 * len(good) + 2)))[::2]
    refuse(backend, name, args | {arg.name: strided}, f"{arg.name} is not contiguous")
    if arg.typecode != "B":
        shifted = memoryview(bytearray(4 * len(good) + 1))[1:].cast(arg.typecode)
        refuse(backend, name, args | {arg.name: shifted}, f"{arg.name} is not aligned to 4 bytes")


def test_views_are_buffers(backend):
    whole = array("f", range(10))
    backend.copy(memoryview(whole)[2:6], 0, memoryview(whole)[6:], 0, 3)
    assert list(whole) == [0, 1, 2, 3, 4, 5, 2, 3, 4, 9]
    if not backend.__name__.startswith("picorl.kernels."):
        x = np.arange(10, dtype=np.float32)
        backend.fill(x, np.float32([7]), 3, 4)
        assert x.tolist() == [0, 1, 2, 7, 7, 7, 7, 7, 8, 9]


@pytest.mark.parametrize("name, arg", INTEGERS, ids=ids)
def test_bad_integers_are_refused(backend, name, arg):
    args = sturdy(name)
    bounds = f", must be {arg.least} to {table.MAX_INT}"
    for wrong in {-1, arg.least - 1, -(2**31), table.MAX_INT + 1, 2**31, 2**32, 2**32 + 1, 2**64, -(2**64)}:
        refuse(backend, name, args | {arg.name: wrong}, f"{arg.name} is {wrong}{bounds}")
    for wrong in (None, "3", 1.0, [1]):
        refuse(backend, name, args | {arg.name: wrong}, f"{arg.name} is ")
    sizes = [other.size for other in KERNELS[name].args if isinstance(other, table.Buffer)]
    if any(re.search(rf"\b{arg.name}\b", text) for text in sizes):
        refuse(backend, name, args | {arg.name: table.MAX_INT}, " holds ")


def test_a_size_beyond_64_bits_is_refused(backend):
    """That of x is a multiple of 2^64; the buffers before it are as long as they must be."""
    integers = dict(count=2**22, steps=2**23, obs_size=2**19, act_size=2**19, capacity=2)
    args = sturdy("replay_gather_sequences") | integers
    for name in ("replay_obs", "replay_action"):
        args[name] = array("f", bytes(4 * 2**20))
    args["indices"] = array("i", bytes(4 * integers["count"]))
    held = len(args["x"])
    refuse(backend, "replay_gather_sequences", args, f": x holds {held} floats, needs ")


@pytest.mark.parametrize("name", ALL)
def test_wrong_number_of_arguments_is_a_type_error(backend, name):
    args = list(sturdy(name).values())
    for wrong in (args[:-1], [*args, 1], []):
        with pytest.raises(TypeError):
            getattr(backend, name)(*wrong)


LAYOUT_KERNELS = [k.name for k in table.KERNELS if isinstance(k.args[0], table.Layout)]
BAD_LAYOUTS = {
    "empty": ([], "layout holds 0 int32s"),
    "part of a record": ([1, 3, 4], "layout holds 3 int32s"),
    "a record and a part": ([1, 3, 4, 0, 1], "layout holds 5 int32s"),
    "unknown kind": ([7, 3, 4, 0], "layout[0] (kind) is 7"),
    "no kind": ([0, 3, 4, 0], "layout[0] (kind) is 0"),
    "unchained": ([1, 3, 4, 0, 1, 5, 2, 0], "layout[5] (inputs) is 5, must be 4"),
    "no inputs": ([1, 0, 4, 0], "layout[1] (inputs) is 0"),
    "no outputs": ([1, 3, 0, 0], "layout[2] (outputs) is 0"),
    "negative inputs": ([1, -3, 4, 0], "layout[1] (inputs) is -3"),
    "negative outputs": ([1, 3, -4, 0], "layout[2] (outputs) is -4"),
    "unknown activation": ([1, 3, 4, 8], "layout[3] (activation) is 8, must be 0 to 4 for kind 1"),
    "an activation that needs its input": ([1, 3, 4, 6], "layout[3] (activation) is 6, must be 0 to 4 for kind 1"),
    "a norm with such an activation": ([3, 3, 3, 5], "layout[3] (activation) is 5, must be 0 to 4 for kind 3"),
    "an elementwise layer without": ([4, 3, 3, 1], "layout[3] (activation) is 1, must be 5 to 7 for kind 4"),
    "an elementwise layer with an unknown one": (
        [4, 3, 3, 8],
        "layout[3] (activation) is 8, must be 5 to 7 for kind 4",
    ),
    "an elementwise layer of another width": ([4, 3, 4, 6], "layout[2] (outputs) is 4, must be 3"),
    "negative activation": ([1, 3, 4, -1], "layout[3] (activation) is -1"),
    "huge": ([1, 2**31 - 1, 2**31 - 1, 0], "layout[1] (inputs) is 2147483647"),
    "huge outputs": ([1, 3, 2**31 - 1, 0], "layout[2] (outputs) is 2147483647"),
    "too many params": ([1, 2**23, 2**23, 0], "layout has more than 16777215 params"),
    "as many params as there may be": ([1, 2, 5592405, 0], "params holds"),
    "norm of another width": ([2, 3, 4, 0], "layout[2] (outputs) is 4, must be 3"),
    "normalisation of another width": ([1, 3, 5, 0, 3, 5, 4, 0], "layout[6] (outputs) is 4, must be 5"),
    "unchained norm": ([1, 3, 5, 0, 2, 4, 4, 0], "layout[5] (inputs) is 4, must be 5"),
    "huge norm": ([2, 2**23, 2**23, 0], "layout has more than 16777215 params"),
    "too many units": ([3, 2**23, 2**23, 0] * 3, "layout has more than 16777215 hidden units"),
    "too many params in all": ([1, 4000, 4000, 0, 1, 4000, 1000, 0], "layout has more than 16777215 params"),
}


@pytest.mark.parametrize("name", LAYOUT_KERNELS)
@pytest.mark.parametrize("records, message", BAD_LAYOUTS.values(), ids=BAD_LAYOUTS)
def test_bad_layouts_are_refused(backend, name, records, message):
    args = sturdy(name)
    refuse(backend, name, args | {"layout": array("i", records)}, message)
    for wrong in (array("f", [1, 3, 4, 0]), array("I", [1, 3, 4, 0])):
        refuse(backend, name, args | {"layout": wrong}, f"layout is array('{wrong.typecode}'), must be array('i')")
    for wrong in (None, (1, 3, 4, 0), 4):
        refuse(backend, name, args | {"layout": wrong}, "layout is not a buffer, must be array('i')")
    call(backend, name, args)


@pytest.mark.parametrize("name", [k.name for k in table.KERNELS if any(a.name == "column" for a in k.args)])
def test_columns_must_fit(backend, name):
    args = sturdy(name)
    columns = "act_size" if "act_size" in args else "1"
    args["column"] = args["width"] - args.get("act_size", 1) + 1
    refuse(backend, name, args, f"column + {columns} is {args['width'] + 1}, must be at most {args['width']} (width)")


@pytest.mark.parametrize("side", ["src", "dst"])
def test_copied_columns_must_fit(backend, side):
    args = sturdy("copy_columns")
    width = args[f"{side}_width"]
    args[f"{side}_column"] = width - args["columns"] + 1
    message = f"{side}_column + columns is {width + 1}, must be at most {width} ({side}_width)"
    refuse(backend, "copy_columns", args, message)


@pytest.mark.parametrize("name", ["replay_gather", "replay_gather_sequences"])
def test_indices_must_be_in_the_replay(backend, name):
    args = sturdy(name)
    for k in (0, 1, 3):
        for wrong in (-1, args["capacity"], 2**31 - 1, -(2**31)):
            indices = args["indices"][:]
            indices[k] = wrong
            message = f"indices[{k}] is {wrong}, must be 0 to {args['capacity'] - 1}"
            refuse(backend, name, args | {"indices": indices}, message)


def test_sequences_must_fit_the_replay(backend):
    r = Random(3)
    args = make("replay_gather_sequences", r, capacity=5, steps=6, count=2)
    refuse(backend, "replay_gather_sequences", args, "steps is 6, must be at most 5 (capacity)")


@pytest.mark.parametrize("name", ["gru_cell", "gru_cell_backward"])
def test_steps_and_units_must_fit(backend, name):
    r = Random(name)
    given = {"steps": 3, "row": 1, "rows": 2, "units": 4, "width": 5, "d_out2": None}
    refuse(backend, name, make(name, r, **given, step=3), "step + 1 is 4, must be at most 3 (steps)")
    refuse(backend, name, make(name, r, **given | {"width": 3}, step=2), "units is 4, must be at most 3 (width)")


@pytest.mark.parametrize("name", ["replay_begin", "replay_observe", "replay_sample"])
def test_replay_state_must_be_consistent(backend, name):
    args = sturdy(name)
    capacity, used = args["capacity"], args["replay_state"][1]
    bad = {
        "head": (-1, capacity, 2**31 - 1),
        "size": (-1, capacity + 1),
        "pending": (-1, 2),
        "valid": (-1, used + 1),
        "refused": (-1,),
    }
    for field, values in bad.items():
        for value in values:
            state = args["replay_state"][:]
            index = table.REPLAY_STATE[field]
            state[index] = value
            message = f"replay_state[{index}] ({field}) is {value}"
            refuse(backend, name, args | {"replay_state": state}, message)


def test_sampling_needs_a_row_with_a_flag(backend):
    args = sturdy("replay_sample")
    none = array("i", (0, 0, 0, 0, 0, 0))
    refuse(backend, "replay_sample", args | {"replay_state": none}, "has no row with a flag")
    # A state that claims rows which have no flag must not hang.
    refuse(backend, "replay_sample", args | {"replay_flags": bytearray(args["capacity"])}, "has no row with a flag")


def test_both_critics_or_one(backend):
    args = sturdy("policy_delta")
    refuse(backend, "policy_delta", args | {"q2": None}, "d_q2 is given, must be None like q2")
    refuse(backend, "policy_delta", args | {"d_q2": None}, "d_q2 is None, must be given like q2")


@pytest.mark.parametrize("wrong", [array("d", [1]), array("h", [1, 2]), 5, None, "text", [1]], ids=repr)
def test_crc32_takes_the_four_typecodes(backend, wrong):
    crc = array("I", [7])
    have = f"array('{wrong.typecode}')" if isinstance(wrong, array) else "not a buffer"
    with pytest.raises(ValueError, match="^crc32: data is ") as caught:
        backend.crc32(wrong, crc)
    assert have in str(caught.value)
    assert crc[0] == 7
