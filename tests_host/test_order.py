"""The C kernels bit for bit, both classes, against NumPy that goes through native_modules/README.md step by step."""

from array import array

import kernels as table
import numpy as np
import pytest
import reference_kernels as reference
from backends import MODULES
from kernel_cases import DENSE, ELEMENTWISE, LAYER_NORM, NORMALIZE, Random, dense, make, network, shape

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
    """(kind, activation, [weights, biases] or [gains, biases] or nothing) of each layer."""
    at = 0
    for i in range(0, len(layout), table.RECORD):
        kind, n, m, activation = layout[i : i + table.RECORD]
        parts = []
        for size in {DENSE: (n * m, m), LAYER_NORM: (n, n)}.get(kind, ()):
            parts.append(params[at : at + size])
            at += size
        if kind == DENSE:
            parts[0] = parts[0].reshape(n, m)
        yield kind, activation, parts


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


def row_sums(fma, x, y=None):
    """Of x, or of x * y: for each row a sum in 16 lanes and the tree."""
    lanes = np.zeros((16, len(x)), F)
    for i in range(x.shape[1]):
        lanes[i % 16] = lanes[i % 16] + x[:, i] if y is None else fma(x[:, i], y[:, i], lanes[i % 16])
    for half in (8, 4, 2, 1):
        lanes[:half] += lanes[half : 2 * half]
    return lanes[0][:, None]


def row_means(fma, x, y=None):
    return row_sums(fma, x, y) * (F(1) / F(x.shape[1]))


def normalized(fma, x):
    d = x - row_means(fma, x)
    scale = F(1) / np.sqrt(row_means(fma, d, d) + F(1e-5))
    return d * scale, scale


def activate(module, x, activation):
    if activation == "relu":
        return np.where(x >= FLT_MIN, x, F(0))
    if activation == "tanh":
        x = tanh(module, x)
    elif activation == "leaky_relu":
        x = np.where(x >= 0, x, F(0.01) * x)
    elif activation == "sigmoid":
        x = F(1) / (F(1) + exp(module, -x))
    return flush(x)


def slope(fma, delta, y, activation):
    if activation == "relu":
        return np.where(y > 0, delta, F(0))
    if activation == "tanh":
        return delta * fma(-y, y, F(1))
    if activation == "leaky_relu":
        return delta * np.where(y > 0, F(1), F(0.01))
    if activation == "sigmoid":
        return delta * (y * (F(1) - y))
    return delta


GELU_CONSTANTS = [
    F(c) for c in (2 * np.sqrt(2 / np.pi), 0.044715 * 2 * np.sqrt(2 / np.pi), 3 * 0.044715 * 2 * np.sqrt(2 / np.pi))
]


def gelu_divisor(module, fma, x):
    return F(1) + exp(module, -(x * fma(GELU_CONSTANTS[1], x * x, GELU_CONSTANTS[0])))


def exponentials(module, x):
    return exp(module, x - x.max(axis=1, keepdims=True))


def elementwise(module, fma, x, activation):
    if activation == "gelu":
        return x / gelu_divisor(module, fma, x)
    if activation == "softmax":
        e = exponentials(module, x)
        return e / row_sums(fma, e)
    x = np.clip(x, F(-3), F(3))
    return (x * (x * x + F(27))) / fma(F(9), x * x, F(27))


def elementwise_backward(module, fma, x, delta, activation):
    if activation == "gelu":
        s = F(1) / gelu_divisor(module, fma, x)
        return delta * fma(x * (s * (F(1) - s)), fma(GELU_CONSTANTS[2], x * x, GELU_CONSTANTS[0]), s)
    if activation == "softmax":
        e = exponentials(module, x)
        total = row_sums(fma, e)
        return (e / total) * (delta - row_sums(fma, delta, e) / total)
    x = np.clip(x, F(-3), F(3))
    root = (F(9) - x * x) / fma(F(3), x * x, F(9))
    return delta * (root * root)


def outputs(module, fma, layout, params, x):
    for kind, activation, parts in layers(layout, params):
        if kind == DENSE:
            x = dense_forward(fma, x, *parts)
        elif kind == ELEMENTWISE:
            x = elementwise(module, fma, x, NAMES[activation])
        else:
            x, _ = normalized(fma, x)
            x = fma(x, *parts) if parts else x
        x = activate(module, x, NAMES[activation])
        yield x


def dense_backward(fma, x, delta, parts, grads):
    for r in range(len(x)):
        grads[0][...] = fma(x[r][:, None], delta[r], grads[0])
        grads[1][...] += delta[r]
    before = np.zeros_like(x)
    for o in range(delta.shape[1]):
        before = fma(delta[:, o : o + 1], parts[0][:, o], before)
    return before


def norm_backward(fma, x, delta, parts, grads):
    y, scale = normalized(fma, x)
    if parts:
        for r in range(len(x)):
            grads[0][...] = fma(delta[r], y[r], grads[0])
            grads[1][...] += delta[r]
        delta = delta * parts[0]
    return (delta - fma(y, row_means(fma, delta, y), row_means(fma, delta))) * scale


def gradients(module, fma, layout, params, xs, delta, grad):
    """The gradient at x; adds to grad. xs: x and the outputs of all layers."""
    known = list(layers(layout, params))
    grads = [parts for _, _, parts in layers(layout, grad)]
    for k in reversed(range(len(known))):
        kind, activation, parts = known[k]
        delta = slope(fma, delta, xs[k + 1], NAMES[activation])
        if kind == ELEMENTWISE:
            delta = flush(elementwise_backward(module, fma, xs[k], delta, NAMES[activation]))
            continue
        backward = dense_backward if kind == DENSE else norm_backward
        delta = flush(backward(fma, xs[k], delta, parts, grads[k]))
    return delta


NAMES = {value: name for name, value in (table.ACTIVATIONS | table.INPUT_ACTIVATIONS).items()}
FAST_TANH, GELU, SOFTMAX = table.INPUT_ACTIVATIONS.values()
RELU, TANH, LEAKY, SIGMOID = (table.ACTIVATIONS[name] for name in ("relu", "tanh", "leaky_relu", "sigmoid"))
WIDTHS = [(1, 1), (3, 64, 64, 1), (5, 17, 4), (17, 3, 6, 2), (2, 5), (64, 5, 33), (4, 65, 1), (40, 2, 40)]
NETWORKS = {str(widths): dense(widths, [RELU] * (len(widths) - 2) + [0]) for widths in WIDTHS} | {
    "tanh": dense((5, 18, 3, 20), (TANH, TANH, TANH)),
    "leaky": dense((5, 18, 3, 20), (LEAKY, LEAKY, LEAKY)),
    "sigmoid": dense((5, 18, 3, 20), (SIGMOID, SIGMOID, SIGMOID)),
    "layer norm": network(
        (DENSE, 3, 37, 0), (LAYER_NORM, 37, 37, RELU), (DENSE, 37, 64, 0), (LAYER_NORM, 64, 64, TANH), (DENSE, 64, 2, 0)
    ),
    "normalised": network(
        (DENSE, 3, 16, 0), (NORMALIZE, 16, 16, LEAKY), (DENSE, 16, 9, 0), (NORMALIZE, 9, 9, SIGMOID), (DENSE, 9, 1, 0)
    ),
    "only norms": network((LAYER_NORM, 21, 21, LEAKY), (NORMALIZE, 21, 21, 0), (LAYER_NORM, 21, 21, SIGMOID)),
    "fast tanh": network(
        (DENSE, 3, 37, 0), (ELEMENTWISE, 37, 37, FAST_TANH), (DENSE, 37, 2, LEAKY), (ELEMENTWISE, 2, 2, FAST_TANH)
    ),
    "gelu": network((DENSE, 3, 37, TANH), (ELEMENTWISE, 37, 37, GELU), (DENSE, 37, 2, 0), (ELEMENTWISE, 2, 2, GELU)),
    "softmax": network((ELEMENTWISE, 5, 5, SOFTMAX), (DENSE, 5, 37, RELU), (ELEMENTWISE, 37, 37, SOFTMAX)),
    "softmax behind a norm": network((DENSE, 5, 18, 0), (LAYER_NORM, 18, 18, LEAKY), (ELEMENTWISE, 18, 18, SOFTMAX)),
    "norm first and last": network((NORMALIZE, 33, 33, RELU), (DENSE, 33, 6, TANH), (LAYER_NORM, 6, 6, RELU)),
}


def case(name):
    layout = NETWORKS[name]
    r = Random(name)
    sizes = shape(layout)
    args = make("backward", r, layout=layout, row=0, rows=19, grad=None, d_x=array("f", [0] * (19 * sizes["n_in"])))
    args["grad"] = array("f", r.floats(sizes["n_params"]))
    args["x"][::3] = array("f", [0] * len(args["x"][::3]))  # zeros may be left out
    return args


@pytest.mark.parametrize("name", NETWORKS)
def test_forward(c, name):
    module, fma = c
    args = case(name)
    module.forward(args["layout"], args["params"], args["x"], args["out"], args["cache"], 0, 19)
    x = np.array(args["x"], F).reshape(19, -1)
    ys = list(outputs(module, fma, args["layout"], np.array(args["params"], F), x))
    assert bytes(args["out"]) == ys[-1].tobytes()
    assert bytes(args["cache"]) == b"".join(y.tobytes() for y in ys[:-1])


@pytest.mark.parametrize("name", NETWORKS)
def test_backward(c, name):
    module, fma = c
    args = case(name)
    wide = single(args)
    module.forward(args["layout"], args["params"], args["x"], args["out"], args["cache"], 0, 19)
    module.backward(*args.values())
    x = wide["x"].reshape(19, -1)
    xs = [x, *outputs(module, fma, args["layout"], wide["params"], x)]
    d_x = gradients(module, fma, args["layout"], wide["params"], xs, wide["d_out"].reshape(19, -1), wide["grad"])
    assert bytes(args["grad"]) == wide["grad"].tobytes()
    assert bytes(args["d_x"]) == d_x.tobytes()


@pytest.mark.parametrize("name", ["layer norm", "normalised"])
def test_init_params(c, name):
    module, _ = c
    layout = NETWORKS[name]
    rng, params = array("I", (1, 2, 3, 0)), array("f", [7] * shape(layout)["n_params"])
    wanted = array("f", params)
    module.uniform(rng[:], wanted, len(wanted))
    wanted = np.array(wanted, F)
    for kind, _, parts in layers(layout, wanted):
        for part, value in zip(parts, (1, 0), strict=False):
            part[...] = part * (F(1) / np.sqrt(F(len(parts[0])))) if kind == DENSE else value
    module.init_params(layout, params, rng)
    assert bytes(params) == wanted.tobytes()


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


# --- on-policy algorithms: exp, log, sin and cos are the kernels' own, taken from where they stand alone ------------


def exp(module, x):
    out = np.empty(np.shape(x), F)
    coeffs = array("f", [0, 0])
    for i, value in np.ndenumerate(x):
        module.temperature(array("f", [value]), coeffs)
        out[i] = coeffs[1]
    return out


def tanh(module, x):
    out = array("f", bytes(4 * np.size(x)))
    one = array("f", (1, 0))
    module.forward(dense((1, 1), (TANH,)), one, array("f", np.asarray(x, F).tobytes()), out, array("f"), 0, len(out))
    return np.array(out, F).reshape(np.shape(x))


def log(module, x):
    out = np.empty(np.shape(x), F)
    result = array("f", [0])
    for i, value in np.ndenumerate(x):
        module.log_temperature(array("f", [0, value]), result)
        out[i] = result[0]
    return out


def in_order(terms, total=0):
    total = F(total)
    for term in terms:
        total = total + term
    return total


def tree(fma, x, squares):
    lanes = np.zeros(16, F)
    for i, value in enumerate(x):
        lanes[i % 16] = fma(value, value, lanes[i % 16]) if squares else lanes[i % 16] + value
    for half in (8, 4, 2, 1):
        lanes[:half] += lanes[half : 2 * half]
    return lanes[0]


ROWS, BATCH = 21, 24
LOG_2_PI_HALF = F(np.log(2 * np.pi) / 2)


def on_policy(name, size, **fixed):
    args = make(name, Random(f"{name} {size}"), row=0, rows=ROWS, batch=BATCH, act_size=size, n=size, **fixed)
    wide = single(args)
    for key in ("mean", "raw", "noise", "logits"):
        if key in wide:
            wide[key] = wide[key].reshape(ROWS, size)
    return args, wide


@pytest.mark.parametrize("size", [1, 3, 18])
def test_policy_action(c, size):
    module, fma = c
    args, w = on_policy("policy_action", size)
    module.policy_action(*args.values())
    raw = fma(exp(module, w["log_std"]), w["noise"], w["mean"])
    assert bytes(args["raw"]) == raw.tobytes()
    half, middle = w["scaling"].reshape(2, size)
    assert bytes(args["action"]) == fma(half, np.clip(raw, F(-1), F(1)), middle).tobytes()


def gaussian(module, w):
    inverse_std = exp(module, -w["log_std"])
    z = (w["raw"] - w["mean"]) * inverse_std
    terms = (F(-0.5) * (z * z) - w["log_std"]) - LOG_2_PI_HALF
    return z, inverse_std, in_order(terms.T, np.zeros(ROWS))


@pytest.mark.parametrize("size", [1, 3, 18])
def test_gaussian_log_prob(c, size):
    module, _ = c
    args, w = on_policy("gaussian_log_prob", size)
    module.gaussian_log_prob(*args.values())
    assert bytes(args["log_prob"]) == gaussian(module, w)[2].astype(F).tobytes()


def surrogate(module, w, log_prob):
    """g for each row, and stats."""
    low, high, s, a = F(1) - w["clip"][0], F(1) + w["clip"][0], F(1) / F(BATCH), w["advantage"]
    change = log_prob - w["old_log_prob"]
    ratio = exp(module, change)
    g = -((a * ratio) * s)
    g[((a >= 0) & (ratio > high)) | ((a < 0) & (ratio < low))] = 0
    terms = (
        -np.minimum(a * ratio, a * np.clip(ratio, low, high)),
        (ratio - F(1)) - change,
        (ratio > high) | (ratio < low),
    )
    return g, s, np.array([in_order(t.astype(F)) for t in terms], F)


@pytest.mark.parametrize("size", [1, 3, 18])
def test_ppo_gaussian_delta(c, size):
    module, fma = c
    args, w = on_policy("ppo_gaussian_delta", size)
    module.ppo_gaussian_delta(*args.values())
    z, inverse_std, log_prob = gaussian(module, w)
    g, s, stats = surrogate(module, w, log_prob)
    assert 0 < stats[2] < ROWS
    assert bytes(args["stats"]) == stats.tobytes()
    g = g[:, None]
    assert bytes(args["d_mean"]) == ((g * z) * inverse_std).tobytes()
    terms = fma(g, fma(z, z, F(-1)), -(w["entropy"][0] * s))
    for j in range(size):
        assert args["d_log_std"][j] == in_order(terms[:, j], w["d_log_std"][j])


def softmax(module, logits):
    largest = logits.max(axis=1)
    e = exp(module, logits - largest[:, None])
    return largest, e, in_order(e.T, np.zeros(len(e))).astype(F)


@pytest.mark.parametrize("size", [1, 3, 18])
def test_categorical_sample(c, size):
    module, _ = c
    args, w = on_policy("categorical_sample", size)
    step = list(args["rng"])
    module.categorical_sample(*args.values())
    _, e, total = softmax(module, w["logits"])
    for r in range(ROWS):
        word = reference.block(step, r)[0]
        sums = np.add.accumulate(e[r])
        below = F(word >> 8) * F(2**-24) * total[r] < sums
        assert args["choice"][r] == (below.argmax() if below.any() else size - 1)


@pytest.mark.parametrize("size", [1, 3, 18])
def test_ppo_categorical_delta(c, size):
    module, fma = c
    args, w = on_policy("ppo_categorical_delta", size)
    chosen = np.array(args["choice"])[:, None] == np.arange(size)
    module.ppo_categorical_delta(*args.values())
    largest, _, total = softmax(module, w["logits"])
    l = (w["logits"] - largest[:, None]) - log(module, total)[:, None]  # noqa: E741
    log_prob = array("f", [0] * ROWS)
    module.categorical_log_prob(args["logits"], args["choice"], log_prob, size, 0, ROWS)
    assert bytes(log_prob) == l[chosen].tobytes()
    g, s, stats = surrogate(module, w, l[chosen])
    assert bytes(args["stats"]) == stats.tobytes()
    p, h, g = exp(module, l), np.zeros(ROWS, F), g[:, None]
    for k in range(size):
        h = fma(p[:, k], l[:, k], h)
    wanted = (np.where(chosen, g, F(0)) - g * p) + (w["entropy"][0] * s) * (p * (l - h[:, None]))
    assert bytes(args["d_logits"]) == wanted.tobytes()


@pytest.mark.parametrize("size", [1, 3, 18])
def test_q_learning(c, size):
    module, fma = c
    args, w = on_policy("dqn_target", size)
    module.dqn_target(*args.values())
    best = w["q_select"].reshape(ROWS, size).argmax(axis=1)
    q = w["q_value"].reshape(ROWS, size)[np.arange(ROWS), best]
    assert bytes(args["target"]) == fma(w["coeffs"][0] * w["not_terminated"], q, w["reward"]).tobytes()

    args, w = on_policy("choice_delta", size)
    module.choice_delta(*args.values())
    a = w["action"].reshape(ROWS, -1)[:, args["column"]]
    choice = np.clip(np.floor(fma(w["scaling"][0], a, w["scaling"][1]) + F(0.5)), 0, size - 1)
    chosen, limit = choice[:, None] == np.arange(size), w["limit"][0]
    e = w["q"].reshape(ROWS, size)[chosen] - w["target"]
    clipped = np.clip(e, -limit, limit)
    d_q = np.where(chosen, (clipped * (F(1) / F(BATCH)))[:, None], F(0))
    assert bytes(args["d_q"]) == d_q.tobytes()
    assert args["loss"][0] == in_order((F(0.5) * clipped) * clipped + (np.abs(e) - np.abs(clipped)) * limit)


@pytest.mark.parametrize("size", [1, 3, 18])
def test_supervised_losses(c, size):
    module, _ = c
    args, w = on_policy("cross_entropy_delta", size)
    chosen = np.array(args["choice"])[:, None] == np.arange(size)
    module.cross_entropy_delta(*args.values())
    largest, _, total = softmax(module, w["logits"])
    l = (w["logits"] - largest[:, None]) - log(module, total)[:, None]  # noqa: E741
    share = F(1) / F(BATCH)
    assert bytes(args["d_logits"]) == ((exp(module, l) - np.where(chosen, F(1), F(0))) * share).tobytes()
    assert args["loss"][0] == in_order(-l[chosen])

    args, w = on_policy("huber_delta", size)
    module.huber_delta(*args.values())
    e, limit = w["q"] - w["target"], w["limit"][0]
    clipped = np.clip(e, -limit, limit)
    assert 0 < (e == clipped).sum() < ROWS
    assert bytes(args["d_q"]) == (clipped * share).tobytes()
    assert args["loss"][0] == in_order((F(0.5) * clipped) * clipped + (np.abs(e) - np.abs(clipped)) * limit)


@pytest.mark.parametrize("momentum", [True, False])
def test_sgd_delta(c, momentum):
    module, fma = c
    given = {} if momentum else {"velocity": None}
    args = make("sgd_delta", Random(3), start=3, count=101, **given)
    if momentum:
        args["velocity"] = array("f", Random(4).floats(104))
        args["velocity"][9], args["hyper"] = 3e-39, array("f", (0.1, 0.9))
        args["velocity"][7] = 0
    args["grad"][7] = 3e-39
    w = single(args)
    module.sgd_delta(*args.values())
    step = flush(w["grad"][3:])
    if momentum:
        step = w["velocity"][3:] = flush(fma(w["hyper"][1], w["velocity"][3:], step))
        assert bytes(args["velocity"]) == w["velocity"].tobytes()
    w["grad"][3:] = w["hyper"][0] * step
    assert bytes(args["grad"]) == w["grad"].tobytes() and args["grad"][7] == 0


def softplus(module, s):
    """The policy's standard deviation, and the slope."""
    t = exp(module, -np.abs(s))
    w = F(1) + t
    with np.errstate(divide="ignore", invalid="ignore"):
        log1p = np.where(w > 1, log(module, w) * (t / (w - F(1))), t)
    std = np.maximum(np.where(s >= 0, s, F(0)) + log1p, F(2**-20))
    return std, np.where(s >= 0, F(1), t) / w


@pytest.mark.parametrize("size", [1, 3, 18])
def test_softplus_policy(c, size):
    module, fma = c
    args = make("softplus_action", Random(size), act_size=size)
    args["head"][size:] = array("f", Random(size + 1).floats(size, 9))
    w = single(args)
    module.softplus_action(*args.values())
    (mean, s), (half, middle) = w["head"].reshape(2, size), w["scaling"].reshape(2, size)
    std, slope = softplus(module, s)
    raw = fma(std, w["noise"], mean)
    assert bytes(args["raw"]) == raw.tobytes()
    action = fma(half, np.clip(raw, -1, 1), middle)
    assert bytes(args["action"]) == action.tobytes()

    other = np.where(np.arange(size) % 2, action, F(0.5) * half + middle)
    taken = array("f", [0] * size)
    module.taken_action(array("f", other.tobytes()), args["raw"], args["scaling"], taken, size)
    same = np.abs(other - action) <= F(2**-20) * half
    assert bytes(taken) == np.where(same, raw, (other - middle) / half).tobytes()

    d_head, entropy = array("f", [0] * 2 * size), array("f", [0.01])
    for delta in -2, 0, 3:
        module.softplus_delta(args["head"], taken, array("f", [delta]), entropy, d_head, size)
        z = (np.array(taken, F) - mean) / std
        d_s = ((fma(z, z, F(-1)) + F(np.sign(delta)) * F(0.01)) / std) * slope
        assert bytes(d_head) == np.concatenate((z / std, d_s)).tobytes()


def test_errors_and_scaled_rewards(c):
    module, fma = c
    stats, scaled = array("f", [0] * 4), array("f", [0])
    gamma, tiny = F(0.99), F(1e-8)
    count, total, mean, squares = (F(0) for _ in range(4))
    for reward in Random(1).floats(50, 3):
        module.scale_reward(array("f", [reward]), array("f", [gamma]), stats, scaled)
        reward = F(reward)
        total, count = fma(gamma, total, reward), count + F(1)
        d = total - mean
        mean = fma(d, F(1) / count, mean)
        squares = fma(d, total - mean, squares)
        variance = squares / (count - F(1)) if count > 1 else F(1)
        assert bytes(stats) == np.array([count, total, mean, squares], F).tobytes()
        assert scaled[0] == reward / np.sqrt(variance + tiny)
    for terminated in (0, 1):
        args = make("q_error", Random(terminated), n=17, terminated=terminated)
        w = single(args)
        greedy = module.q_error(*args.values())
        chosen = args["choice"][0]
        target = w["reward"][0] if terminated else fma(w["coeffs"][0], w["next_q"].max(), w["reward"][0])
        assert args["delta"][0] == target - w["q"][chosen] and greedy == (w["q"].argmax() == chosen)
        delta, value = array("f", [0]), array("f", [w["q"][chosen]])
        module.td_error(
            args["reward"], value, array("f", [w["next_q"].max()]), args["coeffs"], delta, terminated
        )  # fmt: skip
        assert delta == args["delta"]


@pytest.mark.parametrize("delta", [0.3, -7])
@pytest.mark.parametrize("size", [0.001, 1])
def test_obgd(c, delta, size):
    module, fma = c
    args = make("obgd_step", Random(3), start=3, count=101)
    args["trace"] = array("f", Random(4).floats(104, size))
    args["trace"][7], args["params"][8], args["trace"][8] = 1.2e-38, 1e-39, 0
    w = single(args)
    lanes = array("f", [0] * 16)
    for start, count in ((3, 5), (8, 90), (98, 6)):
        module.obgd_norm(args["trace"], lanes, start, count)
    wanted = np.zeros(16, F)
    for i in range(3, 104):
        wanted[i % 16] += abs(w["trace"][i])
    assert bytes(lanes) == wanted.tobytes()
    module.obgd_scale(lanes, array("f", [delta]), args["hyper"], args["step"])
    for half in (8, 4, 2, 1):
        wanted[:half] += wanted[half : 2 * half]
    rate, kappa, gamma, decay = w["hyper"]
    bound = ((rate * kappa) * max(F(abs(delta)), F(1))) * wanted[0]
    step = (rate / bound if bound > 1 else rate) * F(delta)
    assert args["step"][0] == step and not any(lanes)
    module.obgd_step(*args.values())
    assert bytes(args["params"][3:]) == flush(fma(step, w["trace"][3:], w["params"][3:])).tobytes()
    assert bytes(args["trace"][3:]) == flush((gamma * decay) * w["trace"][3:]).tobytes()
    assert args["trace"][7] == 0 and args["params"][8] == 0


@pytest.mark.parametrize("clipped", [False, True])
def test_value_delta(c, clipped):
    module, _ = c
    old = array("f", Random(7).floats(ROWS)) if clipped else None
    args, w = on_policy("value_delta", 1, old_value=old)
    module.value_delta(*args.values())
    error = w["value"] - w["target"]
    square, d = error * error, error * (F(1) / F(BATCH))
    if clipped:
        change, clip = w["value"] - w["old_value"], w["clip"][0]
        other = (w["old_value"] + np.clip(change, -clip, clip)) - w["target"]
        worse = (np.abs(change) > clip) & (other * other > square)
        assert 0 < worse.sum() < ROWS
        square, d = np.where(worse, other * other, square), np.where(worse, F(0), d)
    assert bytes(args["d_value"]) == d.tobytes()
    assert args["loss"][0] == in_order(square)


@pytest.mark.parametrize("envs", [1, 5, 18])
def test_gae(c, envs):
    module, fma = c
    args = make("gae", Random(envs), envs=envs, steps=20)
    w = single(args)
    module.gae(*args.values())
    gamma, decay = w["coeffs"][0], w["coeffs"][0] * w["coeffs"][1]
    reward, final, ended = (np.array(args[k]).reshape(20, envs) for k in ("reward", "final_value", "ended"))
    value, after = w["value"].reshape(21, envs), np.zeros(envs, F)
    advantage = np.empty((20, envs), F)
    for t in reversed(range(20)):
        following = np.select([ended[t] == 0, ended[t] == 1], [value[t + 1], F(0)], final[t])
        delta = fma(gamma, following, reward[t]) - value[t]
        after = advantage[t] = np.where(ended[t] == 0, fma(decay, after, delta), delta)
    assert bytes(args["advantage"]) == advantage.tobytes()
    assert bytes(args["target"]) == (advantage + value[:20]).tobytes()


@pytest.mark.parametrize("count", [2, 15, 16, 17, 100, 256])
def test_standardise_and_norms(c, count):
    module, fma = c
    args = make("standardise", Random(count), count=count)
    x = np.array(args["x"], F)
    total = array("f", [0.75])
    module.add_squares(args["x"], total, 1, count - 1)
    assert total[0] == F(0.75) + tree(fma, x[1:], True)
    factor = array("f", [0])
    module.norm_scale(total, array("f", [0.125]), factor)
    assert factor[0] == F(0.125) / (np.sqrt(F(total[0])) + F(1e-6))
    scaled = args["x"][:]
    module.scale(scaled, factor, 1, count - 1)
    assert bytes(scaled[1:]) == (x[1:] * F(factor[0])).tobytes()
    module.standardise(*args.values())
    share = F(1) / F(count)
    for _ in range(2):
        x = x - tree(fma, x, False) * share
    deviation = np.sqrt(tree(fma, x, True) * share) + F(1e-8)
    assert bytes(args["x"]) == (x / deviation).tobytes()


def test_linear_schedule(c):
    module, fma = c
    ends, out = np.array([3e-4, 1e-5], F), array("f", [0])
    for step in range(12):
        module.linear_schedule(array("f", ends), out, 0, step, 7)
        assert out[0] == fma(F(min(step, 7)) / F(7), ends[1] - ends[0], ends[0])


@pytest.mark.parametrize("width", [1, 3, 18])
def test_moments(c, width):
    module, fma = c
    r = Random(width)
    x = np.array(r.floats(50 * width), F).reshape(50, width)
    moments = array("f", [0] * (1 + 2 * width))
    module.moments_update(array("f", x.tobytes()), moments, width, 50)
    mean, total = np.zeros((2, width), F)
    for n, row in enumerate(x, 1):
        d = row - mean
        mean = fma(d, F(1) / F(n), mean)
        total = fma(d, row - mean, total)
    assert bytes(moments) == np.array([50, *mean, *total], F).tobytes()
    out = array("f", bytes(4 * 50 * width))
    module.moments_apply(array("f", x.tobytes()), moments, out, width, 0, 50)
    y = (x - mean) / np.sqrt(total / F(50) + F(1e-8))
    assert bytes(out) == np.clip(y, F(-10), F(10)).tobytes()
    module.moments_restore(array("f", x.tobytes()), moments, out, width, 0, 50)
    assert bytes(out) == fma(x, np.sqrt(total / F(50) + F(1e-8)), mean).tobytes()


def test_cartpole_step(c):
    module, fma = c
    args = make("cartpole_step", Random(1), row=0, rows=ROWS)
    x, v, angle, omega = np.array(args["state"], F).reshape(ROWS, 4).T
    obs = array("f", [0] * (3 * ROWS))
    module.pendulum_observe(array("f", np.stack([angle, omega], 1).tobytes()), obs, 0, ROWS)
    cosine, sine, _ = np.array(obs, F).reshape(ROWS, 3).T
    module.cartpole_step(*args.values())
    force = np.where(np.array(args["action"]) == 1, F(10), F(-10))
    t = fma((F(0.05) * omega) * omega, sine, force) / F(1.1)
    a = fma(-cosine, t, F(9.8) * sine) / (F(0.5) * (F(4 / 3) - ((F(0.1) * cosine) * cosine) / F(1.1)))
    x_acc = t - ((F(0.05) * a) * cosine) / F(1.1)
    x, angle, dt = fma(F(0.02), v, x), fma(F(0.02), omega, angle), F(0.02)
    after = np.stack([x, fma(dt, x_acc, v), angle, fma(dt, a, omega)], 1)
    assert bytes(args["state"]) == after.tobytes()
    assert list(args["ended"]) == ((np.abs(x) > F(2.4)) | (np.abs(angle) > F(np.radians(12)))).tolist()
