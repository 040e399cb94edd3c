"""Every variant of the C core gives the same bits as one-lane C of the same class, for all kernels and odd shapes."""

import ctypes
import subprocess
from pathlib import Path

import kernels as contract
import numpy as np
import pytest

_picorl = pytest.importorskip("_picorl")

NATIVE = Path(__file__).parent.parent / "native_modules"
FUSED = ("avx512", "avx2", "baseline", "neon")


class Scalar:
    """native_modules/core/single.c, called through ctypes with the arguments of the Python functions."""

    def __init__(self, folder, fused):
        library = folder / f"single{fused}.so"
        # A real multiply-add where the compiler's target has none is slow but the same.
        flags = "-O2 -std=gnu99 -ffp-contract=off -fno-math-errno -fno-strict-aliasing -shared -fPIC".split()
        source = NATIVE / "core" / "single.c"
        subprocess.run(
            ["cc", *flags, f"-DPICORL_FUSED={fused}", f"-I{NATIVE}", source, "-o", library],
            check=True,
            capture_output=True,
        )
        self.library = ctypes.CDLL(str(library))

    def call(self, kernel, args):
        values = []
        for spec, value in zip(kernel.args, args, strict=True):
            if isinstance(spec, contract.Int):
                values.append(ctypes.c_uint32(value))
                continue
            values.append(None if value is None else value.ctypes.data_as(ctypes.c_void_p))
            if isinstance(spec, contract.Layout):
                values.append(ctypes.c_uint32(len(value) // contract.RECORD))
            elif isinstance(spec, contract.AnyBuffer):
                values.append(ctypes.c_uint32(value.nbytes))
        function = getattr(self.library, "picorl_" + kernel.name)
        function.restype = ctypes.c_int32 if kernel.returns == "int" else None
        return function(*values)


@pytest.fixture(scope="module")
def scalars(tmp_path_factory):
    folder = tmp_path_factory.mktemp("single")
    try:
        return {fused: Scalar(folder, fused) for fused in (0, 1)}
    except FileNotFoundError:
        pytest.skip("no C compiler")


@pytest.fixture(autouse=True)
def keep_variant():
    before = _picorl.variant()
    yield
    _picorl.select(before)


def copies(args):
    return [a.copy() if isinstance(a, np.ndarray) else a for a in args]


def outcome(args, result):
    return result, [a.tobytes() for a in args if isinstance(a, np.ndarray)]


def assert_same_bits(scalars, name, args):
    kernel = next(k for k in contract.KERNELS if k.name == name)
    expected = {}
    for fused, scalar in scalars.items():
        mine = copies(args)
        expected[fused] = outcome(mine, scalar.call(kernel, mine))
    for variant in _picorl.variants():
        _picorl.select(variant)
        mine = copies(args)
        got = outcome(mine, getattr(_picorl, name)(*mine))
        if got == expected[variant in FUSED]:
            continue
        spec = [s for s, a in zip(kernel.args, args, strict=True) if isinstance(a, np.ndarray)]
        differing = [s.name for s, a, b in zip(spec, got[1], expected[variant in FUSED][1], strict=True) if a != b]
        integers = {s.name: a for s, a in zip(kernel.args, args, strict=True) if isinstance(s, contract.Int)}
        layout = [a.tolist() for s, a in zip(kernel.args, args, strict=True) if isinstance(s, contract.Layout)]
        pytest.fail(f"{name} with {variant}: other bits in {differing or 'the result'}; {integers} {layout}")


def layout_of(sizes, activations):
    records = [(1, i, o, a) for i, o, a in zip(sizes, sizes[1:], activations, strict=False)]
    return np.array(records, np.int32).ravel()


class Numbers:
    def __init__(self, seed):
        self.generator = np.random.default_rng(seed)

    def floats(self, *shape, scale=1.0):
        return (scale * self.generator.standard_normal(shape)).astype(np.float32).ravel()

    def positive(self, *shape):
        return np.abs(self.floats(*shape))

    def keep(self, n):
        """One, or zero in one of three."""
        return (self.generator.integers(0, 3, n) > 0).astype(np.float32)

    def integer(self, low, high):
        return int(self.generator.integers(low, high + 1))

    def rng(self):
        words = self.generator.integers(0, 2**32, 4, dtype=np.uint32)
        words[3] = 0
        return words


NETWORKS = [
    *((3, 64, 64, 1), (4, 64, 64, 2), (3, 1), (1, 5), (17, 4), (16, 3), (33, 2)),
    *((13, 64, 64, 4), (16, 32, 32, 4), (5, 400, 300, 3), (70, 24, 8, 7)),
    *((2, 1, 1, 1, 2), (9, 70, 1, 70), (300, 6), (1100, 3), (2, 70, 1100, 1), (5, 2100, 3)),
]


def network_cases():
    pick = np.random.default_rng(1)
    for sizes in NETWORKS:
        for rows in (1, 3, 20):
            yield sizes, rows
    for rows in (100, 131, 515):
        yield (4, 64, 40, 1), rows
    for _ in range(60):
        layers = int(pick.integers(1, 4))
        yield tuple(int(n) for n in pick.integers(1, 71, layers + 1)), int(pick.integers(1, 21))


def params_of(layout, numbers):
    parts = []
    for kind, i, o, _ in layout.reshape(-1, contract.RECORD):
        if kind == contract.KINDS["dense"]:
            parts += [numbers.floats(i, o, scale=i**-0.5), numbers.floats(o)]
        elif kind == contract.KINDS["layer_norm"]:
            parts += [numbers.floats(o), numbers.floats(o)]
    return np.concatenate(parts or [numbers.floats(0)])


def assert_same_network(scalars, layout, numbers, rows):
    params = params_of(layout, numbers)
    n_in, n_out, n_hidden = layout[1], layout[-2], layout[2 : -contract.RECORD : contract.RECORD].sum()
    row = numbers.integer(0, 2)
    x = numbers.floats(row + rows, n_in)
    out = numbers.floats(row + rows, n_out)
    cache = numbers.floats(rows * n_hidden)
    assert_same_bits(scalars, "init_params", [layout, params, numbers.rng()])
    assert_same_bits(scalars, "sparse_init", [layout, params, np.array([0.9], np.float32), numbers.rng()])
    assert_same_bits(scalars, "forward", [layout, params, x, out, cache, row, rows])

    _picorl.forward(layout, params, x, out, cache, row, rows)
    d_out = numbers.floats(row + rows, n_out)
    grad = numbers.floats(len(params))
    d_x = numbers.floats(rows, n_in)
    for wanted in (grad, None), (None, d_x), (grad, d_x):
        assert_same_bits(scalars, "backward", [layout, params, x, out, cache, d_out, *wanted, row, rows])


@pytest.mark.parametrize(
    "activations",
    [(1, 1, 1, 0), (2, 1, 2, 2), (0, 2, 0, 1), (3, 3, 3, 0), (4, 3, 4, 4)],
    ids=["relu", "tanh", "identity", "leaky", "sigmoid"],
)
def test_networks_are_the_same_at_every_width(scalars, activations):
    for seed, (sizes, rows) in enumerate(network_cases()):
        assert_same_network(scalars, layout_of(sizes, activations), Numbers(seed), rows)


@pytest.mark.parametrize("activation", contract.INPUT_ACTIVATIONS)
def test_elementwise_layers_are_the_same_at_every_width(scalars, activation):
    for seed, (sizes, rows) in enumerate(network_cases()):
        numbers = Numbers(seed)
        records = []
        for i, o in zip(sizes, sizes[1:], strict=False):
            activation_here = contract.INPUT_ACTIVATIONS[activation]
            records += [(4, i, i, activation_here)] * numbers.integer(0, 1) + [(1, i, o, numbers.integer(0, 4))]
        records.append((4, o, o, activation_here))
        assert_same_network(scalars, np.array(records, np.int32).ravel(), numbers, rows)


@pytest.mark.parametrize("kind", ["layer_norm", "normalize"])
@pytest.mark.parametrize("activation", contract.ACTIVATIONS)
def test_norms_are_the_same_at_every_width(scalars, kind, activation):
    """Between dense layers, and before and behind them."""
    kind, activation = contract.KINDS[kind], contract.ACTIVATIONS[activation]
    for seed, (sizes, rows) in enumerate(network_cases()):
        numbers = Numbers(seed)
        records = []
        for i, o in zip(sizes, sizes[1:], strict=False):
            records += [(kind, i, i, numbers.integer(0, 4))] * numbers.integer(0, 1) + [
                (1, i, o, numbers.integer(0, 4))
            ]
        records.append((kind, o, o, activation))
        assert_same_network(scalars, np.array(records, np.int32).ravel(), numbers, rows)


@pytest.mark.parametrize("count", [0, 1, 2, 15, 16, 17, 31, 64, 101])
@pytest.mark.parametrize("start", [0, 3])
def test_arrays_are_the_same_at_every_width(scalars, count, start):
    numbers = Numbers(count)
    total = start + count
    small = np.concatenate([numbers.floats(total), [1e-39, -1e-38, 0, -0.0]]).astype(np.float32)[-max(total, 4) :]
    numbers.generator.shuffle(small)
    hyper = np.array([1e-3, 0.9, 0.999, 1e-7], np.float32)
    state = np.array([0.9, 0.999, 1e-2, 31.6], np.float32)
    params, m, v = numbers.floats(total + 4), numbers.floats(total + 4), numbers.positive(total + 4)
    span = [start, count]
    assert_same_bits(scalars, "adam_advance", [hyper, state])
    assert_same_bits(scalars, "adam", [params, small, m, v, hyper, state, *span])
    assert_same_bits(scalars, "adam_delta", [small, m, v, hyper, state, *span])
    assert_same_bits(scalars, "apply_delta", [params, small, *span])
    for velocity in m, np.roll(small, 1), None:
        assert_same_bits(scalars, "sgd_delta", [small, velocity, hyper[:2], *span])
    assert_same_bits(scalars, "polyak", [params, small, np.array([0.005], np.float32), *span])
    assert_same_bits(scalars, "uniform", [numbers.rng(), params, count])
    assert_same_bits(scalars, "normal", [numbers.rng(), params, count])
    for rho in 0, 0.9, 1:
        assert_same_bits(scalars, "coloured_normal", [numbers.rng(), np.array([rho], np.float32), params, count])
    assert_same_bits(scalars, "copy", [params, start, m, 1, count])
    assert_same_bits(scalars, "fill", [params, state, *span])
    assert_same_bits(scalars, "accumulate", [params, start, m])
    assert_same_bits(scalars, "all_finite", [params, *span])
    assert_same_bits(scalars, "crc32", [params, numbers.rng()[:1].copy()])
    for bad in np.inf, np.nan:
        if count:
            params[numbers.integer(0, total - 1)] = bad
            assert_same_bits(scalars, "all_finite", [params, *span])


def test_crc32_is_the_same_at_every_width(scalars):
    for size in 3, 4095, 4096, 10_007:
        data = np.random.default_rng(size).integers(0, 256, size, dtype=np.uint8)
        assert_same_bits(scalars, "crc32", [data, np.array([7], np.uint32)])


def test_telemetry_is_the_same_at_every_width(scalars):
    line = np.frombuffer(b'{"a":           ,"b":               ,"check":"????????"}\n', np.uint8).copy()
    args = [line, np.array([5, 21], np.int32), np.array([-17], np.int32), np.array([0.3], np.float32)]
    assert_same_bits(scalars, "telemetry_line", [*args, len(line), 1, 1])


@pytest.mark.parametrize("act_size", [1, 2, 3, 17])
@pytest.mark.parametrize("rows", [1, 2, 7, 16, 33, 100])
def test_heads_and_losses_are_the_same_at_every_width(scalars, act_size, rows):
    numbers = Numbers(rows * act_size)
    row, column = numbers.integer(0, 3), numbers.integer(0, 3)
    width, n, batch = column + act_size, row + rows, row + rows + 1
    span = [row, rows]
    head = numbers.floats(n, 2 * act_size, scale=4)
    noise = numbers.floats(n, act_size)
    action = np.tanh(numbers.floats(n, width))
    coeffs = np.array([0.99, 0.2], np.float32)
    scaling, one = numbers.positive(2 * act_size), np.array([0.3], np.float32)
    q1, q2, log_prob, target = (numbers.floats(n) for _ in range(4))
    q2[::2] = q1[::2]
    loss = numbers.floats(1)

    assert_same_bits(scalars, "uniform_action", [numbers.rng(), scaling, action, act_size])
    for drawn in noise, None:
        assert_same_bits(scalars, "deterministic_action", [head, drawn, one, scaling, action, act_size])
        assert_same_bits(scalars, "gaussian_action", [head, drawn, scaling, action, act_size])
    assert_same_bits(scalars, "gaussian_head", [head, noise, action, width, column, log_prob, act_size, *span])
    for other in numbers.floats(rows, width), None:
        args = [head, noise, action, width, column, numbers.floats(rows, width), other, coeffs]
        assert_same_bits(
            scalars, "gaussian_head_backward", [*args, numbers.floats(n, 2 * act_size), act_size, *span, batch]
        )
    smoothing = np.array([0.2, 0.5], np.float32)
    assert_same_bits(scalars, "smoothed_action", [head, noise, smoothing, action, width, column, act_size, *span])
    for second in q2, None:
        for density in log_prob, None:
            args = [target, np.ones(n, np.float32), q1, second, density, coeffs, numbers.floats(n)]
            assert_same_bits(scalars, "td_target", [*args, *span])
        d_q2 = None if second is None else numbers.floats(n)
        assert_same_bits(scalars, "policy_delta", [q1, second, numbers.floats(n), d_q2, loss, *span, batch])
    assert_same_bits(scalars, "mse_delta", [q1, target, numbers.floats(n), loss, *span, batch])
    assert_same_bits(scalars, "temperature_grad", [loss, log_prob, one, numbers.floats(1), n])
    assert_same_bits(scalars, "temperature", [loss, coeffs])
    assert_same_bits(scalars, "log_temperature", [coeffs, loss])
    copied = [head, 2 * act_size, 0, row, action, width, column, 0, act_size, rows]
    assert_same_bits(scalars, "copy_columns", copied)


@pytest.mark.parametrize("rows", [1, 2, 5, 16, 21])
def test_pendulum_is_the_same_at_every_width(scalars, rows):
    numbers = Numbers(rows)
    n = rows + 2
    state, obs, reward = numbers.floats(n, 2, scale=3), numbers.floats(n, 3), numbers.floats(n)
    state[0::2] = np.clip(state[0::2], -np.pi, np.pi)
    assert_same_bits(scalars, "pendulum_reset", [numbers.rng(), state, obs, 2, rows])
    assert_same_bits(scalars, "pendulum_observe", [state, obs, 1, rows])
    for _ in range(50):
        args = [state, numbers.floats(n, scale=2), obs, reward, 1, rows]
        assert_same_bits(scalars, "pendulum_step", args)
        _picorl.pendulum_step(*args)


@pytest.mark.parametrize("size", [1, 2, 3, 17])
@pytest.mark.parametrize("rows", [1, 2, 7, 16, 33, 100])
def test_on_policy_kernels_are_the_same_at_every_width(scalars, size, rows):
    numbers = Numbers(rows * size)
    row = numbers.integer(0, 3)
    n, batch = row + rows, row + rows + 1
    span = [size, row, rows]
    mean, noise, raw, action = (numbers.floats(n, size) for _ in range(4))
    log_std, scaling = numbers.floats(size, scale=0.5), numbers.positive(2 * size)
    old, advantage, log_prob, value, target = (numbers.floats(n) for _ in range(5))
    clip, entropy, stats = np.array([0.2], np.float32), np.array([0.01], np.float32), numbers.floats(3)
    choice = numbers.generator.integers(0, size, n, dtype=np.int32)

    assert_same_bits(scalars, "policy_action", [mean, noise, log_std, scaling, raw, action, *span])
    assert_same_bits(scalars, "gaussian_log_prob", [mean, raw, log_std, log_prob, *span])
    _picorl.gaussian_log_prob(mean, raw, log_std, log_prob, *span)
    ppo = [log_prob + 0.2 * old, advantage, clip, entropy, raw.copy()]
    assert_same_bits(scalars, "ppo_gaussian_delta", [mean, raw, log_std, *ppo, log_std.copy(), stats, *span, batch])
    assert_same_bits(scalars, "categorical_sample", [mean, numbers.rng(), choice, *span])
    assert_same_bits(scalars, "argmax", [np.round(mean), choice, *span])
    assert_same_bits(scalars, "categorical_log_prob", [mean, choice, log_prob, *span])
    _picorl.categorical_log_prob(mean, choice, log_prob, *span)
    ppo[0] = log_prob + 0.2 * old
    assert_same_bits(scalars, "ppo_categorical_delta", [mean, choice, *ppo, stats, *span, batch])
    for epsilon in 0, 0.5, 1:
        args = [np.round(mean), np.array([epsilon], np.float32), numbers.rng(), choice, *span]
        assert_same_bits(scalars, "epsilon_greedy", args)
    going_on = numbers.generator.integers(0, 2, n).astype(np.float32)
    args = [advantage, going_on, np.round(mean), raw, np.array([0.99], np.float32), target.copy()]
    assert_same_bits(scalars, "dqn_target", [*args, *span])
    half = np.array([(size - 1) / 2] * 2, np.float32)
    args = [mean, numbers.floats(n, 3), half, target, clip, raw.copy(), numbers.floats(1), size, 3, 1, row, rows, batch]
    assert_same_bits(scalars, "choice_delta", args)
    assert_same_bits(scalars, "cross_entropy_delta", [mean, choice, raw.copy(), numbers.floats(1), *span, batch])
    assert_same_bits(scalars, "huber_delta", [value, target, clip, old.copy(), numbers.floats(1), row, rows, batch])
    for before in value + 0.3 * old, None:
        args = [value, target, before, clip, numbers.floats(n), numbers.floats(1), row, rows, batch]
        assert_same_bits(scalars, "value_delta", args)


@pytest.mark.parametrize("size", [1, 2, 3, 17])
@pytest.mark.parametrize("seed", range(3))
def test_streaming_kernels_are_the_same_at_every_width(scalars, size, seed):
    numbers = Numbers(100 * size + seed)
    one = numbers.floats(1)
    entropy, coeffs = np.array([0.01], np.float32), np.array([0.99], np.float32)
    stats = np.zeros(4, np.float32)
    for _ in range(20):
        assert_same_bits(scalars, "scale_reward", [numbers.floats(1), coeffs, stats, one.copy()])
        _picorl.scale_reward(numbers.floats(1), coeffs, stats, one.copy())
    head, scaling, raw = numbers.floats(2 * size, scale=3), numbers.positive(2 * size), numbers.floats(size)
    head[size::2] *= 10
    args = [head, numbers.floats(size), scaling, raw, numbers.floats(size), size]
    assert_same_bits(scalars, "softplus_action", args)
    _picorl.softplus_action(*args)
    for taken in args[4], numbers.floats(size):
        assert_same_bits(scalars, "taken_action", [taken, raw, scaling, numbers.floats(size), size])
    for delta in -one, 0 * one, one:
        assert_same_bits(scalars, "softplus_delta", [head, raw, delta, entropy, numbers.floats(2 * size), size])
    for terminated in 0, 1:
        values = [numbers.floats(1) for _ in range(3)]
        assert_same_bits(scalars, "td_error", [*values, coeffs, one.copy(), terminated])
        q, choice = numbers.floats(size), np.array([size // 2], np.int32)
        args = [values[0], q, numbers.floats(size), choice, coeffs, raw.copy(), one.copy(), size, terminated]
        assert_same_bits(scalars, "q_error", args)


@pytest.mark.parametrize("count", [0, 1, 15, 16, 17, 64, 1000])
@pytest.mark.parametrize("start", [0, 1, 16, 31])
def test_obgd_is_the_same_at_every_width(scalars, count, start):
    numbers = Numbers(count + start)
    trace, lanes = numbers.floats(start + count), numbers.positive(16)
    trace[::7] *= np.float32(1e-38)
    hyper, step = np.array([1, 2, 0.99, 0.8], np.float32), numbers.floats(1)
    assert_same_bits(scalars, "obgd_norm", [trace, lanes, start, count])
    assert_same_bits(scalars, "obgd_scale", [lanes, numbers.floats(1, scale=2), hyper, step])
    assert_same_bits(scalars, "obgd_step", [numbers.floats(start + count), trace, step, hyper, start, count])


@pytest.mark.parametrize("envs", [1, 2, 5, 16, 19])
@pytest.mark.parametrize("steps", [1, 2, 40])
def test_gae_is_the_same_at_every_width(scalars, envs, steps):
    numbers = Numbers(envs * steps)
    n = envs * steps
    ended = numbers.generator.choice(np.array([0, 0, 0, 1, 2], np.uint8), n)
    args = [numbers.floats(n), ended, numbers.floats(n + envs), numbers.floats(n)]
    args += [np.array([0.99, 0.95], np.float32), numbers.floats(n), numbers.floats(n)]
    assert_same_bits(scalars, "gae", [*args, envs, steps])


@pytest.mark.parametrize("count", [1, 2, 15, 16, 17, 33, 100, 1001])
def test_statistics_are_the_same_at_every_width(scalars, count):
    numbers = Numbers(count)
    x, one = numbers.floats(count + 3, scale=3), numbers.positive(1)
    for shifted in x, x + 100, np.ones_like(x):
        assert_same_bits(scalars, "standardise", [shifted.astype(np.float32), count])
    assert_same_bits(scalars, "permutation", [numbers.rng(), np.zeros(count, np.int32), count])
    assert_same_bits(scalars, "add_squares", [x, one, 3, count])
    assert_same_bits(scalars, "scale", [x, one, 3, count])
    for total in 0, 0.3, 1e6:
        assert_same_bits(scalars, "norm_scale", [np.array([total], np.float32), one, numbers.floats(1)])
    assert_same_bits(scalars, "linear_schedule", [x, numbers.floats(2), 1, count // 3, count])
    limit = numbers.integer(1, 50)
    indices = numbers.generator.integers(0, limit, count + 2, dtype=np.int32)
    for width in 1, 3, 4, 16, 21:
        args = [numbers.floats(limit, width), indices, numbers.floats(count, width), limit, width]
        assert_same_bits(scalars, "gather_rows", [*args, 2, count])
    assert_same_bits(
        scalars, "gather_ints", [np.arange(limit, dtype=np.int32), indices, indices.copy(), limit, 2, count]
    )


@pytest.mark.parametrize("width", [1, 3, 16, 21])
@pytest.mark.parametrize("rows", [1, 5, 16, 33])
def test_moments_are_the_same_at_every_width(scalars, width, rows):
    numbers = Numbers(rows * width)
    x = numbers.floats(rows, width, scale=3)
    moments = np.zeros(1 + 2 * width, np.float32)
    for bad in None, np.nan, np.inf:
        if bad is not None:
            x[numbers.integer(0, len(x) - 1)] = bad
        assert_same_bits(scalars, "moments_update", [x, moments, width, rows])
        assert_same_bits(scalars, "moments_apply", [x, moments, numbers.floats(rows, width), width, 1, rows - 1])
        assert_same_bits(scalars, "moments_restore", [x, moments, numbers.floats(rows, width), width, 1, rows - 1])
        _picorl.moments_update(x, moments, width, rows)


@pytest.mark.parametrize("rows", [1, 2, 5, 16, 21])
def test_cartpole_is_the_same_at_every_width(scalars, rows):
    numbers = Numbers(rows)
    n = rows + 2
    state, ended = numbers.floats(n, 4), np.zeros(n, np.uint8)
    assert_same_bits(scalars, "cartpole_reset", [numbers.rng(), state, 2, rows])
    for _ in range(50):
        args = [state, numbers.generator.integers(0, 2, n, dtype=np.int32), ended, 1, rows]
        assert_same_bits(scalars, "cartpole_step", args)
        _picorl.cartpole_step(*args)


@pytest.mark.parametrize("rows", [1, 2, 5, 16, 21])
def test_mountain_car_is_the_same_at_every_width(scalars, rows):
    numbers = Numbers(rows)
    n = rows + 2
    state, reward, ended = numbers.floats(n, 2), numbers.floats(n), np.zeros(n, np.uint8)
    assert_same_bits(scalars, "mountain_car_reset", [numbers.rng(), state, 2, rows])
    for _ in range(100):
        push = np.sign(state[1::2]) + numbers.floats(n, scale=0.3)
        args = [state, push.astype(np.float32), reward, ended, 1, rows]
        assert_same_bits(scalars, "mountain_car_step", args)
        _picorl.mountain_car_step(*args)


@pytest.mark.parametrize("rows", [1, 2, 5, 16, 21])
def test_acrobot_is_the_same_at_every_width(scalars, rows):
    numbers = Numbers(rows)
    n = rows + 2
    state, obs, reward, ended = numbers.floats(n, 4), numbers.floats(n, 6), numbers.floats(n), np.zeros(n, np.uint8)
    assert_same_bits(scalars, "acrobot_reset", [numbers.rng(), state, obs, 2, rows])
    assert_same_bits(scalars, "acrobot_observe", [state, obs, 1, rows])
    for _ in range(50):
        choice = numbers.generator.integers(0, 3, n, dtype=np.int32)
        assert_same_bits(scalars, "acrobot_step", [state, choice, obs, reward, ended, 1, rows])
        args = [state, (state[3::4] + numbers.floats(n)).astype(np.float32), obs, reward, 1, rows]
        assert_same_bits(scalars, "acrobot_swing_up_step", args)
        _picorl.acrobot_swing_up_step(*args)


@pytest.mark.parametrize("rows", [1, 2, 5, 16, 21])
def test_quadrotor_is_the_same_at_every_width(scalars, rows):
    numbers = Numbers(rows)
    n = rows + 2
    state, reward, ended = numbers.floats(n, 17), numbers.floats(n), np.zeros(n, np.uint8)
    assert_same_bits(scalars, "quadrotor_reset", [numbers.rng(), state, 2, rows])
    for _ in range(50):
        args = [state, numbers.floats(n, 4), reward, ended, 1, rows]
        assert_same_bits(scalars, "quadrotor_step", args)
        _picorl.quadrotor_step(*args)


@pytest.mark.parametrize("obs_size,act_size,capacity", [(3, 1, 50), (1, 1, 2), (17, 6, 33)])
def test_replay_is_the_same_at_every_width(scalars, obs_size, act_size, capacity):
    numbers = Numbers(capacity)
    sizes = [obs_size, act_size, capacity]
    obs, action = np.zeros(capacity * obs_size, np.float32), np.zeros(capacity * act_size, np.float32)
    reward, flags, state = np.zeros(capacity, np.float32), np.zeros(capacity, np.uint8), np.zeros(6, np.int32)
    rng, scaling = numbers.rng(), np.ones(2 * act_size, np.float32)
    for step in range(150):
        if numbers.integer(0, 9) == 0 or step == 0:
            args = [obs, flags, state, numbers.floats(obs_size), obs_size, capacity]
            if numbers.integer(0, 9) == 0:
                args[3][0] = np.inf
            assert_same_bits(scalars, "replay_begin", args)
            _picorl.replay_begin(*args)
        terminated = int(numbers.integer(0, 9) == 0)
        ended = terminated or int(numbers.integer(0, 9) == 0)
        args = [obs, action, reward, flags, state, numbers.floats(act_size), numbers.floats(1)]
        args += [numbers.floats(obs_size), scaling, *sizes, terminated, ended]
        if numbers.integer(0, 19) == 0:
            args[numbers.integer(5, 7)][-1] = np.nan
        assert_same_bits(scalars, "replay_observe", args)
        _picorl.replay_observe(*args)
        if state[3] == 0:
            continue
        count = numbers.integer(1, 70)
        indices = np.zeros(count, np.int32)
        args = [flags, state, rng, indices, capacity, count]
        assert_same_bits(scalars, "replay_sample", args)
        _picorl.replay_sample(*args)
        outs = [numbers.floats(count * n) for n in (obs_size, obs_size + act_size, obs_size, obs_size + act_size, 1, 1)]
        assert_same_bits(scalars, "replay_gather", [obs, action, reward, flags, indices, *outs, *sizes, count])


@pytest.mark.parametrize("obs_size,act_size,steps,burn_in", [(3, 1, 5, 0), (2, 1, 12, 3), (17, 6, 3, 1)])
def test_sequences_are_the_same_at_every_width(scalars, obs_size, act_size, steps, burn_in):
    numbers = Numbers(steps)
    capacity, count = 40, 7
    flags = np.array([numbers.integer(0, 2) for _ in range(capacity)], np.uint8)
    replay = [numbers.floats(capacity * obs_size), numbers.floats(capacity * act_size), numbers.floats(capacity), flags]
    indices = np.array([numbers.integer(0, capacity - 1) for _ in range(count)], np.int32)
    rows = count * steps
    outs = [numbers.floats(rows * n) for n in (obs_size + act_size, act_size, 1, 1, 1)]
    args = [*replay, indices, *outs, obs_size, act_size, capacity, count, steps, burn_in]
    assert_same_bits(scalars, "replay_gather_sequences", args)
    for width in (1, 3, 16, 21):
        args = [numbers.keep(rows + 2), numbers.floats((rows + 2) * width), width, 2, rows]
        assert_same_bits(scalars, "weigh_rows", args)


@pytest.mark.parametrize("units,width", [(1, 1), (3, 5), (16, 16), (21, 24), (64, 64)])
@pytest.mark.parametrize("rows", [1, 2, 9])
def test_recurrent_units_are_the_same_at_every_width(scalars, units, width, rows):
    numbers = Numbers(units)
    steps, row = 4, 2
    for step in (0, 2, steps - 1):
        keep = numbers.keep((row + rows) * steps)
        gates, hidden = numbers.floats(rows * steps * 3 * units), numbers.floats(rows * 3 * units)
        states = [
            numbers.floats(rows * units),
            numbers.floats(rows * steps * units),
            numbers.floats(rows * steps * units),
        ]
        args = [keep, gates, hidden, *states, numbers.floats((row + rows) * steps * width)]
        assert_same_bits(scalars, "gru_cell", [*args, units, width, steps, step, row, rows])
        for d_out2 in (None, numbers.floats(rows * steps * width)):
            args = [keep, np.abs(np.tanh(gates)), *states[1:], numbers.floats(rows * steps * width), d_out2]
            args += [numbers.floats(rows * units), numbers.floats(rows * units), hidden, numbers.floats(gates.size)]
            assert_same_bits(scalars, "gru_cell_backward", [*args, units, width, steps, step, row, rows])


@pytest.mark.parametrize("envs,obs_size", [(1, 3), (4, 3), (5, 17)])
@pytest.mark.parametrize("bad", ["nothing", "reward", "next_obs", "final_obs"])
def test_rollouts_are_the_same_at_every_width(scalars, envs, obs_size, bad):
    numbers = Numbers(envs)
    given = {"reward": numbers.floats(envs), "next_obs": numbers.floats(envs * obs_size)}
    given["ended"] = np.array([numbers.integer(0, 2) for _ in range(envs)], np.uint8)
    given["final_obs"] = numbers.floats(envs * obs_size)
    if bad in given:
        given[bad][-1] = np.inf
    stored = [numbers.floats(envs * obs_size), numbers.floats(envs + 3), np.zeros(envs + 3, np.uint8)]
    assert_same_bits(scalars, "rollout_observe", [*given.values(), *stored, envs, obs_size, 3])


def test_every_kernel_is_compared():
    text = Path(__file__).read_text()
    assert [k.name for k in contract.KERNELS if f'"{k.name}"' not in text] == []
