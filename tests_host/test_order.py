"""The C kernels bit for bit, both classes, against NumPy that goes through native_modules/README.md step by step."""

from array import array

import kernels as table
import numpy as np
import pytest
from backends import MODULES
from kernel_cases import Random, dense, make, shape

pytestmark = pytest.mark.skipif(not MODULES["_picorl"], reason="no C kernels")

F = np.float32
FLT_MIN = np.finfo(F).tiny


def fused(a, b, c):
    """fma(a, b, c) of float32: the product is exact in float64; the sum is rounded to odd there, so only once in all."""
    product, c = np.float64(a) * np.float64(b), np.float64(c)
    total = product + c
    part = total - product
    lost = (product - (total - part)) + (c - part)
    even = np.atleast_1d(total).view(np.int64).reshape(np.shape(total)) & 1 == 0
    odd = np.nextafter(total, np.where(lost > 0, np.inf, -np.inf))
    return F(np.where((lost != 0) & even, odd, total))


def unfused(a, b, c):
    return F(F(a) * F(b)) + F(c)


def flush(x):
    return np.where(np.abs(x) < FLT_MIN, F(0), x)


@pytest.fixture(params=MODULES["_picorl"].variants() if MODULES["_picorl"] else ())
def c(request):
    module = MODULES["_picorl"]
    before = module.variant()
    module.select(request.param)
    yield module, fused if module.fused() else unfused
    module.select(before)


def single(args):
    """Float buffers as float32 arrays."""
    return {
        name: np.array(value, F) if isinstance(value, array) and value.typecode == "f" else value
        for name, value in args.items()
    }


def layers(layout, params):
    at = 0
    for i in range(0, len(layout), table.RECORD):
        _, n, m, activation = layout[i : i + table.RECORD]
        yield params[at : at + n * m].reshape(n, m), params[at + n * m : at + n * m + m], activation
        at += n * m + m


def dense_forward(fma, x, weights, bias):
    n, m = weights.shape
    if m > 4:
        acc = np.tile(bias, (len(x), 1))
        for i in range(n):
            acc = fma(x[:, i : i + 1], weights[i], acc)
        return acc
    lanes = np.zeros((16, len(x), m), F)
    for i in range(n):
        lanes[i % 16] = fma(x[:, i : i + 1], weights[i], lanes[i % 16])
    for half in (8, 4, 2, 1):
        lanes[:half] += lanes[half : 2 * half]
    return bias + lanes[0]


def outputs(fma, layout, params, x):
    for weights, bias, activation in layers(layout, params):
        x = dense_forward(fma, x, weights, bias)
        x = np.where(x >= FLT_MIN, x, F(0)) if activation else flush(x)
        yield x


NETWORKS = [(1, 1), (3, 64, 64, 1), (5, 17, 4), (17, 3, 6, 2), (2, 5), (64, 5, 33), (4, 65, 1), (40, 2, 40)]


def case(widths):
    layout = dense(widths, [1] * (len(widths) - 2) + [0])
    r = Random(str(widths))
    args = make("backward", r, layout=layout, row=0, rows=13, grad=None, d_x=array("f", [0] * (13 * widths[0])))
    args["grad"] = array("f", r.floats(shape(layout)["n_params"]))
    args["x"][::3] = array("f", [0] * len(args["x"][::3]))  # zeros may be left out
    return args


@pytest.mark.parametrize("widths", NETWORKS, ids=str)
def test_forward(c, widths):
    module, fma = c
    args = case(widths)
    module.forward(args["layout"], args["params"], args["x"], args["out"], args["cache"], 0, 13)
    ys = list(outputs(fma, args["layout"], np.array(args["params"], F), np.array(args["x"], F).reshape(13, -1)))
    assert bytes(args["out"]) == ys[-1].tobytes()
    assert bytes(args["cache"]) == b"".join(y.tobytes() for y in ys[:-1])


@pytest.mark.parametrize("widths", NETWORKS, ids=str)
def test_backward(c, widths):
    module, fma = c
    args = case(widths)
    wide = single(args)
    module.forward(args["layout"], args["params"], args["x"], args["out"], args["cache"], 0, 13)
    module.backward(*args.values())
    x = wide["x"].reshape(13, -1)
    xs = [x, *outputs(fma, args["layout"], wide["params"], x)]
    delta = wide["d_out"].reshape(13, -1)
    nets = zip(layers(args["layout"], wide["params"]), layers(args["layout"], wide["grad"]), strict=True)
    for k, ((weights, _, _), (d_weights, d_bias, _)) in reversed(list(enumerate(nets))):
        for r in range(13):
            d_weights[...] = fma(xs[k][r][:, None], delta[r], d_weights)
            d_bias += delta[r]
        before = np.zeros_like(xs[k])
        for o in range(weights.shape[1]):
            before = fma(delta[:, o : o + 1], weights[:, o], before)
        before = flush(before)
        delta = np.where(xs[k] > 0, before, F(0))
    assert bytes(args["grad"]) == wide["grad"].tobytes()
    assert bytes(args["d_x"]) == before.tobytes()


@pytest.mark.parametrize("seed", range(5))
def test_adam(c, seed):
    module, fma = c
    args = make("adam", Random(seed), start=3, count=101)
    args["grad"][7] = args["m"][8] = args["v"][9] = 3e-39
    w = single(args)
    module.adam_advance(args["hyper"], args["state"])
    module.adam(*args.values())
    rate, beta1, beta2, epsilon = w["hyper"][:4]
    power1, power2 = w["state"][0] * beta1, w["state"][1] * beta2
    one = F(1)
    state = np.array([power1, power2, rate / (one - power1), one / np.sqrt(one - power2)], F)
    assert bytes(args["state"]) == state.tobytes()
    span = slice(3, 104)
    g = flush(w["grad"][span])
    m = flush(fma(beta1, w["m"][span], (one - beta1) * g))
    v = flush(fma(beta2, w["v"][span], ((one - beta2) * g) * g))
    step = (state[2] * m) / fma(np.sqrt(v), state[3], epsilon)
    w["params"][span] = flush(w["params"][span] - step)
    w["m"][span], w["v"][span], w["grad"][span] = m, v, 0
    for name in ("params", "m", "v", "grad"):
        assert bytes(args[name]) == w[name].tobytes(), name


def test_polyak(c):
    module, fma = c
    args = make("polyak", Random(1), start=1, count=100)
    w = single(args)
    module.polyak(*args.values())
    w["target"][1:101] = flush(fma(w["tau"][0], w["source"][1:] - w["target"][1:], w["target"][1:]))
    assert bytes(args["target"]) == w["target"].tobytes()


@pytest.mark.parametrize("critics", [1, 2])
@pytest.mark.parametrize("entropy", [False, True])
def test_td_target(c, critics, entropy):
    module, fma = c
    r = Random(2)
    given = {"q2": array("f", r.floats(17)) if critics == 2 else None}
    given["log_prob"] = array("f", r.floats(17)) if entropy else None
    args = make("td_target", r, row=0, rows=17, **given)
    w = single(args)
    module.td_target(*args.values())
    q = w["q1"] if critics == 1 else np.minimum(w["q1"], w["q2"])
    if entropy:
        q = fma(-w["coeffs"][1], w["log_prob"], q)
    assert bytes(args["target"]) == fma(w["coeffs"][0] * w["not_terminated"], q, w["reward"]).tobytes()


def test_deterministic_action(c):
    module, fma = c
    args = make("deterministic_action", Random(3), act_size=5, noise=array("f", Random(4).floats(5)))
    w = single(args)
    module.deterministic_action(*args.values())
    u = np.clip(fma(w["sigma"][0], w["noise"], w["mu"]), F(-1), F(1))
    assert bytes(args["action"]) == fma(w["scaling"][:5], u, w["scaling"][5:]).tobytes()
