"""The kernels in NumPy: the fallback on a desktop without a C compiler.

native_modules/kernels.py says what each function does and what its buffers must be. Random words, indices and the
replay's state equal those of C; other results agree to float32 tolerance, because BLAS sums in its own order.

A kernel is written below as a function of NumPy views; its annotations repeat the table, and `kernel` makes from them
the function that is called: it checks everything, then passes on float32 views of the buffers, and for a layout the
list of its layers.
"""

import functools
import zlib
from array import array

import numpy as np

ABI = 3
RECORD = 4

_MAX_INT = 0xFFFFFF
_FLT_MIN = np.finfo(np.float32).tiny
_F32 = np.dtype(np.float32)
_ZERO = np.float32(0)
_PI = np.float32(np.pi)
_TWO_PI = np.float32(2 * np.pi)
_LOG_2 = np.float32(np.log(2))
_HALF_LOG_2_PI = np.float32(np.log(2 * np.pi) / 2)
_NAMES = {"f": "array('f')", "i": "array('i')", "I": "array('I')", "B": "bytearray or array('B')"}
_ANY_NAMES = ", ".join(_NAMES.values())
_UNITS = {"f": "floats", "i": "int32s", "I": "uint32s", "B": "bytes"}
_DTYPES = {"f": _F32, "i": np.dtype(np.int32), "I": np.dtype(np.uint32), "B": np.dtype(np.uint8)}


def variants():
    return ("numpy",)


def variant():
    return "numpy"


def select(name):
    if name != "numpy":
        raise ValueError(f"select: name is {name!r}, must be 'numpy'")


def fused():
    return False


# --- what `kernel` makes of annotations -------------------------------------------------------------------------


class Buffer:
    def __init__(self, size, code="f", writes=False, optional=False):
        self.size, self.code, self.writes, self.optional = size, code, writes, optional


class Int:
    def __init__(self, least=0):
        self.least = least


def F(size, optional=False):
    return Buffer(size, optional=optional)


def W(size, optional=False):
    return Buffer(size, writes=True, optional=optional)


LAYOUT = object()
ANY = object()
INT = Int()
POSITIVE = Int(1)
CAPACITY = Int(2)
RNG = Buffer("4", "I", True)
REPLAY_OBS, REPLAY_ACTION = "capacity * obs_size", "capacity * act_size"
FLAGS, FLAGS_W = Buffer("capacity", "B"), Buffer("capacity", "B", True)
STATE, STATE_W = Buffer("6", "i"), Buffer("6", "i", True)


def _view(kernel, name, x, spec, size):
    """A NumPy view of any buffer, or the error that says what is wrong with it."""
    try:
        memory = memoryview(x)
    except TypeError:
        raise ValueError(f"{kernel}: {name} is not a buffer, must be {_NAMES[spec.code]}") from None
    code = memory.format.lstrip("@=<")
    if code in ("l", "L") and memory.itemsize == 4:
        code = {"l": "i", "L": "I"}[code]
    if code != spec.code:
        raise ValueError(f"{kernel}: {name} is array('{code}'), must be {_NAMES[spec.code]}")
    if not memory.c_contiguous:
        raise ValueError(f"{kernel}: {name} is not contiguous")
    if spec.writes and memory.readonly:
        raise ValueError(f"{kernel}: {name} is read-only, must be writable")
    have = memory.nbytes // memory.itemsize
    if have < size:
        formula = "" if spec.size.isdigit() else f" ({spec.size})"
        raise ValueError(f"{kernel}: {name} holds {have} {_UNITS[code]}, needs {size}{formula}")
    view = np.frombuffer(memory, _DTYPES[code])
    if have and view.ctypes.data % memory.itemsize:
        raise ValueError(f"{kernel}: {name} is not aligned to {memory.itemsize} bytes")
    return view


def _integer(kernel, name, value, least=0, most=_MAX_INT):
    try:
        number = value.__index__()
    except AttributeError:
        raise ValueError(f"{kernel}: {name} is not an integer, must be {least} to {most}") from None
    if not least <= number <= most:
        bounds = f"{least} to {most}" if least != most else least
        raise ValueError(f"{kernel}: {name} is {number}, must be {bounds}")
    return number


class _Shape:
    """What a layout means: (inputs, outputs, activation, where weights, biases and the next layer start) a layer."""

    def __init__(self, kernel, records):
        if not len(records) or len(records) % RECORD:
            raise ValueError(f"{kernel}: layout holds {len(records)} int32s, must be records of {RECORD}")
        self.layers = []
        start = hidden = 0
        least, most = 1, _MAX_INT
        for index, (kind, n, m, activation) in enumerate(records.reshape(-1, RECORD).tolist()):
            at = index * RECORD
            _integer(kernel, f"layout[{at}] (kind)", kind, 1, 1)
            _integer(kernel, f"layout[{at + 1}] (inputs)", n, least, most)
            _integer(kernel, f"layout[{at + 2}] (outputs)", m, 1)
            _integer(kernel, f"layout[{at + 3}] (activation)", activation, 0, 2)
            bias = start + n * m
            self.layers.append((n, m, activation, start, bias, bias + m))
            start = bias + m
            if start > _MAX_INT:
                raise ValueError(f"{kernel}: layout has more than {_MAX_INT} params")
            hidden += m
            least = most = m
        self.n_in, self.n_out, self.n_hidden, self.n_params = int(records[1]), m, hidden - m, start


_shapes = {}


def _shape(kernel, layout):
    if layout.__class__ is array and layout.typecode == "i":
        known = _shapes.get(layout.tobytes())
        if known:
            return known
    records = _view(kernel, "layout", layout, Buffer("0", "i"), 0)
    if len(_shapes) > 100:
        _shapes.clear()
    shape = _shapes[records.tobytes()] = _Shape(kernel, records)
    return shape


def kernel(function):
    """The public function: checks, then views. Generated, because a generic one takes longer than the work."""
    name = function.__name__
    specs = {arg: spec for arg, spec in function.__annotations__.items()}
    scope = {"_call": function, "array": array, "frombuffer": np.frombuffer, "_F32": _F32, "_DTYPES": _DTYPES}
    scope |= {"_view": _view, "_integer": _integer, "_shape": _shape, "_any": _bytes}
    integers, buffers = [], []
    for arg, spec in specs.items():
        scope[f"_{arg}"] = spec
        if isinstance(spec, Int):
            bounds = f"{spec.least} <= {arg} <= {_MAX_INT}"
            integers.append(f"if {arg}.__class__ is not int or not {bounds}:")
            integers.append(f"    {arg} = _integer({name!r}, {arg!r}, {arg}, {spec.least})")
        elif spec is LAYOUT:
            buffers.append(f"{arg} = _shape({name!r}, {arg})")
            buffers += [f"{size} = {arg}.{size}" for size in ("n_in", "n_out", "n_hidden", "n_params")]
        elif spec is ANY:
            buffers.append(f"{arg} = _any({name!r}, {arg!r}, {arg})")
        else:
            indent = ""
            if spec.optional:
                buffers.append(f"if {arg} is not None:")
                indent = "    "
            quick = f"{arg}.__class__ is array and {arg}.typecode == {spec.code!r} and len({arg}) >= {spec.size}"
            buffers.append(f"{indent}if {quick}:")
            buffers.append(f"{indent}    {arg} = frombuffer({arg}, _DTYPES[{spec.code!r}])")
            buffers.append(f"{indent}else:")
            buffers.append(f"{indent}    {arg} = _view({name!r}, {arg!r}, {arg}, _{arg}, {spec.size})")
    arguments = ", ".join(specs)
    lines = [f"def {name}({arguments}):", *("    " + line for line in integers + buffers)]
    exec("\n".join([*lines, f"    return _call({arguments})"]), scope)
    made = scope[name]
    made.__doc__ = function.__doc__
    made.__module__ = __name__
    return made


def _bytes(kernel, name, x):
    try:
        memory = memoryview(x)
        if memory.format.lstrip("@=<") in _UNITS and memory.c_contiguous:
            return memory.cast("B") if memory.nbytes else memoryview(b"")
    except TypeError:
        raise ValueError(f"{kernel}: {name} is not a buffer, must be {_ANY_NAMES}") from None
    raise ValueError(f"{kernel}: {name} is array('{memory.format}'), must be {_ANY_NAMES}")


def _fits(kernel, start, column, count, columns, limit, width):
    if column + columns > width:
        raise ValueError(f"{kernel}: {start} + {count} is {column + columns}, must be at most {width} ({limit})")


def _within(kernel, name, x, start, count, limit):
    """x[start : start + count], all of them in 0 to limit - 1."""
    part = x[start : start + count]
    outside = (part < 0) | (part >= limit)
    if outside.any():
        k = int(outside.argmax())
        _integer(kernel, f"{name}[{start + k}]", int(part[k]), 0, limit - 1)
    return part


def _flush(x):
    """Subnormals to zero, in place. Only Adam's moments get there, when a unit is dead; they make a CPU slow."""
    np.multiply(x, np.abs(x) >= _FLT_MIN, out=x)


# --- networks ---------------------------------------------------------------------------------------------------


@kernel
def init_params(layout: LAYOUT, params: W("n_params"), rng: RNG):
    _uniform(rng, params, layout.n_params)
    for n, _, _, start, _, end in layout.layers:
        params[start:end] *= 1 / np.sqrt(np.float32(n))


@kernel
def forward(
    layout: LAYOUT,
    params: F("n_params"),
    x: F("(row + rows) * n_in"),
    out: W("(row + rows) * n_out"),
    cache: W("rows * n_hidden"),
    row: INT,
    rows: INT,
):
    n_in, n_out = layout.n_in, layout.n_out
    at = 0
    last = layout.layers[-1]
    y = x[row * n_in : (row + rows) * n_in].reshape(rows, n_in)
    for layer in layout.layers:
        n, m, activation, start, bias, end = layer
        if layer is last:
            sink = out[row * n_out : (row + rows) * n_out].reshape(rows, m)
        else:
            sink = cache[at : at + rows * m].reshape(rows, m)
            at += rows * m
        np.matmul(y, params[start:bias].reshape(n, m), out=sink)
        np.add(sink, params[bias:end], out=sink)
        if activation == 1:
            np.fmax(sink, _zeros(rows, m), out=sink)
        elif activation == 2:
            np.tanh(sink, out=sink)
        y = sink


@functools.lru_cache(16)
def _zeros(rows, columns):
    # NumPy compares with an array four times as fast as with a number.
    return np.zeros((rows, columns), _F32)


@kernel
def backward(
    layout: LAYOUT,
    params: F("n_params"),
    x: F("(row + rows) * n_in"),
    out: F("(row + rows) * n_out"),
    cache: W("rows * n_hidden"),
    d_out: W("(row + rows) * n_out"),
    grad: W("n_params", optional=True),
    d_x: W("rows * n_in", optional=True),
    row: INT,
    rows: INT,
):
    n_in, n_out = layout.n_in, layout.n_out
    delta = d_out[row * n_out : (row + rows) * n_out].reshape(rows, n_out)
    y = out[row * n_out : (row + rows) * n_out].reshape(rows, n_out)
    _times_slope(layout.layers[-1][2], delta, y)
    ones = np.ones(rows, _F32)  # BLAS sums columns faster than NumPy
    at = rows * layout.n_hidden
    for index in range(len(layout.layers) - 1, -1, -1):
        n, m, _, start, bias, end = layout.layers[index]
        if index:
            at -= rows * n
            y = cache[at : at + rows * n].reshape(rows, n)
        else:
            y = x[row * n_in : (row + rows) * n_in].reshape(rows, n_in)
        if grad is not None:
            grad[start:bias] += (y.T @ delta).reshape(-1)
            grad[bias:end] += ones @ delta
        weights = params[start:bias].reshape(n, m)
        if index:
            before = _times_weights(delta, weights)
            if layout.layers[index - 1][2] == 1:
                np.greater(y, _ZERO, out=y, casting="unsafe")  # 1 or 0
                y *= before
            else:
                _times_slope(layout.layers[index - 1][2], before, y)
                y[...] = before
            delta = y
        elif d_x is not None:
            d_x[: rows * n].reshape(rows, n)[...] = _times_weights(delta, weights)


def _times_weights(delta, weights):
    # BLAS is slow at an outer product.
    return delta * weights.T if weights.shape[1] == 1 else delta @ weights.T


def _times_slope(activation, d, y):
    if activation == 1:
        np.multiply(d, y > 0, out=d)
    elif activation == 2:
        d *= 1 - y * y


# --- optimiser --------------------------------------------------------------------------------------------------


@kernel
def adam_advance(hyper: F("4"), state: W("4")):
    state[:2] *= hyper[1:3]
    state[2] = hyper[0] / (1 - state[0])
    state[3] = 1 / np.sqrt(1 - state[1])


@kernel
def adam(
    params: W("start + count"),
    grad: W("start + count"),
    m: W("start + count"),
    v: W("start + count"),
    hyper: F("4"),
    state: F("4"),
    start: INT,
    count: INT,
):
    span = slice(start, start + count)
    params, grad = params[span], grad[span]
    params -= _adam_step(grad, m[span], v[span], hyper, state)
    grad.fill(0)


@kernel
def adam_delta(
    grad: W("start + count"),
    m: W("start + count"),
    v: W("start + count"),
    hyper: F("4"),
    state: F("4"),
    start: INT,
    count: INT,
):
    span = slice(start, start + count)
    grad = grad[span]
    grad[...] = _adam_step(grad, m[span], v[span], hyper, state)


def _adam_step(grad, m, v, hyper, state):
    _, beta1, beta2, epsilon = hyper[:4]
    g = (1 - beta1) * grad
    m *= beta1
    m += g
    _flush(m)
    np.multiply(grad, 1 - beta2, out=g)
    g *= grad
    v *= beta2
    v += g
    _flush(v)
    np.sqrt(v, out=g)
    g *= state[3]
    g += epsilon
    step = state[2] * m
    step /= g
    return step


@kernel
def apply_delta(params: W("start + count"), delta: W("start + count"), start: INT, count: INT):
    params, delta = params[start : start + count], delta[start : start + count]
    params -= delta
    delta.fill(0)


@kernel
def polyak(target: W("start + count"), source: F("start + count"), tau: F("1"), start: INT, count: INT):
    target = target[start : start + count]
    step = source[start : start + count] - target
    step *= tau[0]
    target += step


# --- random numbers ---------------------------------------------------------------------------------------------

_MASK = 0xFFFFFFFF
_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_SHIFTS = [[(np.array(r, np.uint32), np.array(32 - r, np.uint32)) for r in group] for group in _ROTATIONS]
_FEW = 8  # blocks: below, Python's integers are faster than NumPy's arrays
_STEPS, _ROWS = 16, 64  # blocks made ahead: small arrays cost NumPy as much as large ones
_ahead = {}  # the last of them: (seed, stream) -> (first step, words 0, words 1)


def _blocks(rng, first, count):
    """Both words of the Threefry-2x32 blocks (step, first), (step, first + 1), … as two uint32 arrays."""
    k0, k1, step = rng[:3].tolist()
    keys = (k0, k1, k0 ^ k1 ^ 0x1BD11BDA)
    if count <= _FEW:
        words = [_block(keys, step, first + j) for j in range(count)]
        return np.array(words, np.uint32).reshape(count, 2).T
    if first + count > _ROWS:
        rows = np.arange(first, first + count, dtype=np.uint32)
        return _threefry(keys, np.full(count, step, np.uint32), rows)
    start, a, b = _ahead.get((k0, k1), (step + 1, None, None))
    if not start <= step < start + _STEPS:
        steps = (step + np.arange(_STEPS, dtype=np.uint64)).astype(np.uint32)
        words = _threefry(keys, np.repeat(steps, _ROWS), np.tile(np.arange(_ROWS, dtype=np.uint32), _STEPS))
        if len(_ahead) > 100:
            _ahead.clear()
        start, (a, b) = step, words
        _ahead[k0, k1] = start, a, b
    at = (step - start) * _ROWS + first
    return a[at : at + count], b[at : at + count]


def _threefry(keys, a, b):
    a += np.array(keys[0], np.uint32)
    b += np.array(keys[1], np.uint32)
    carried = np.empty_like(b)
    for group in range(5):
        for left, right in _SHIFTS[group & 1]:
            np.add(a, b, a)
            np.right_shift(b, right, carried)
            np.left_shift(b, left, b)
            np.bitwise_or(b, carried, b)
            np.bitwise_xor(b, a, b)
        a += np.array(keys[(group + 1) % 3], np.uint32)
        b += np.array((keys[(group + 2) % 3] + group + 1) & _MASK, np.uint32)
    return a, b


def _block(keys, step, row):
    a = (step + keys[0]) & _MASK
    b = (row + keys[1]) & _MASK
    for group in range(5):
        for left in _ROTATIONS[group & 1]:
            a = (a + b) & _MASK
            b = ((b << left) & _MASK | b >> (32 - left)) ^ a
        a = (a + keys[(group + 1) % 3]) & _MASK
        b = (b + keys[(group + 2) % 3] + group + 1) & _MASK
    return a, b


def _advance(rng):
    rng[2] = (int(rng[2]) + 1) & _MASK


def _unit(words):
    return (words >> 8).astype(_F32) * np.float32(2**-23) - np.float32(1)


def _uniform(rng, out, count):
    half = (count + 1) // 2
    a, b = _blocks(rng, 0, half)
    out[:half] = _unit(a)
    out[half:count] = _unit(b[: count - half])
    _advance(rng)


@kernel
def uniform(rng: RNG, out: W("count"), count: INT):
    _uniform(rng, out, count)


@kernel
def normal(rng: RNG, out: W("count"), count: INT):
    half = (count + 1) // 2
    a, b = _blocks(rng, 0, half)
    radius = np.sqrt(-2 * np.log(((a >> 8) + 1).astype(_F32) * np.float32(2**-24)))
    turn = (b >> 8).astype(_F32) * (_TWO_PI * np.float32(2**-24))
    out[:half] = radius * np.cos(turn)
    out[half:count] = (radius * np.sin(turn))[: count - half]
    _advance(rng)


# --- replay -----------------------------------------------------------------------------------------------------

_HEAD, _SIZE, _PENDING, _VALID, _REFUSED = range(5)


def _consistent(kernel, state, capacity):
    head, size, pending, valid, refused = state[:5].tolist()
    if not (0 <= head < capacity and valid <= size <= capacity and 0 <= pending <= 1 and valid >= 0 and refused >= 0):
        _integer(kernel, "replay_state[0] (head)", head, 0, capacity - 1)
        _integer(kernel, "replay_state[1] (size)", size, 0, capacity)
        _integer(kernel, "replay_state[2] (pending)", pending, 0, 1)
        _integer(kernel, "replay_state[3] (valid)", valid, 0, size)
        _integer(kernel, "replay_state[4] (refused)", refused, 0, 0x7FFFFFFF)
    return head, pending


def _land(rows, flags, state, obs, obs_size, head, pending):
    """Write obs to row `head`; the transition that was there is gone."""
    if flags[head]:
        flags[head] = 0
        state[_VALID] -= 1
    rows[head * obs_size : (head + 1) * obs_size] = obs[:obs_size]
    state[_HEAD] = head
    state[_SIZE] = max(state[_SIZE], head + 1)
    state[_PENDING] = pending


def _begin(rows, flags, state, obs, obs_size, capacity):
    head = int(state[_HEAD])
    # A transition that bootstraps needs the row after it: that one stays, as a boundary.
    if flags[(head - 1) % capacity] == 1:
        head = (head + 1) % capacity
    _land(rows, flags, state, obs, obs_size, head, 1)


@kernel
def replay_begin(
    replay_obs: W(REPLAY_OBS),
    replay_flags: FLAGS_W,
    replay_state: STATE_W,
    obs: F("obs_size"),
    obs_size: POSITIVE,
    capacity: CAPACITY,
):
    _consistent("replay_begin", replay_state, capacity)
    if not np.isfinite(obs[:obs_size]).all():
        replay_state[_PENDING] = 0
        replay_state[_REFUSED] += 1
        return 0
    _begin(replay_obs, replay_flags, replay_state, obs, obs_size, capacity)
    return 1


@kernel
def replay_observe(
    replay_obs: W(REPLAY_OBS),
    replay_action: W(REPLAY_ACTION),
    replay_reward: W("capacity"),
    replay_flags: FLAGS_W,
    replay_state: STATE_W,
    action: F("act_size"),
    reward: F("1"),
    next_obs: F("obs_size"),
    scaling: F("2 * act_size"),
    obs_size: POSITIVE,
    act_size: POSITIVE,
    capacity: CAPACITY,
    terminated: INT,
    ended: INT,
):
    head, pending = _consistent("replay_observe", replay_state, capacity)
    action = action[:act_size]
    going_on = np.isfinite(next_obs[:obs_size]).all()
    if not (going_on and pending and np.isfinite(action).all() and np.isfinite(reward[0])):
        replay_state[_PENDING] = 0
        replay_state[_REFUSED] += 1
        if going_on and not ended:
            _begin(replay_obs, replay_flags, replay_state, next_obs, obs_size, capacity)
        return 0
    scaled = (action - scaling[act_size : 2 * act_size]) / scaling[:act_size]
    replay_action[head * act_size : (head + 1) * act_size] = scaled.clip(-1, 1)
    replay_reward[head] = reward[0]
    replay_flags[head] = 2 if terminated else 1
    replay_state[_VALID] += 1
    _land(replay_obs, replay_flags, replay_state, next_obs, obs_size, (head + 1) % capacity, 0 if ended else 1)
    return 1


@kernel
def replay_sample(
    replay_flags: FLAGS,
    replay_state: STATE,
    rng: RNG,
    indices: Buffer("count", "i", True),
    capacity: CAPACITY,
    count: INT,
):
    _consistent("replay_sample", replay_state, capacity)
    size = int(replay_state[_SIZE])
    if not replay_flags[:size].any():
        raise ValueError("replay_sample: replay_flags has no row with a flag, must have one to draw")
    done = first = 0
    blocks = count // 2 + 8  # a few rows are rejected
    while done < count:
        words = np.stack(_blocks(rng, first, blocks), axis=1).reshape(-1)
        rows = (words.astype(np.uint64) * np.uint64(size)) >> np.uint64(32)
        rows = rows[replay_flags[rows] != 0][: count - done]
        indices[done : done + len(rows)] = rows
        done += len(rows)
        first += blocks
        blocks = min(blocks * 4, 1 << 16)
    _advance(rng)


@kernel
def replay_gather(
    replay_obs: F(REPLAY_OBS),
    replay_action: F(REPLAY_ACTION),
    replay_reward: F("capacity"),
    replay_flags: FLAGS,
    indices: Buffer("count", "i"),
    obs: W("count * obs_size"),
    obs_action: W("count * (obs_size + act_size)"),
    next_obs: W("count * obs_size"),
    next_obs_action: W("count * (obs_size + act_size)"),
    reward: W("count"),
    not_terminated: W("count"),
    obs_size: POSITIVE,
    act_size: POSITIVE,
    capacity: CAPACITY,
    count: INT,
):
    rows = _within("replay_gather", "indices", indices, 0, count, capacity)
    stored = replay_obs[: capacity * obs_size].reshape(capacity, obs_size)
    here = obs[: count * obs_size].reshape(count, obs_size)
    here[...] = stored[rows]
    after = next_obs[: count * obs_size].reshape(count, obs_size)
    after[...] = stored[(rows + 1) % capacity]
    width = obs_size + act_size
    wide = obs_action[: count * width].reshape(count, width)
    wide[:, :obs_size] = here
    wide[:, obs_size:] = replay_action[: capacity * act_size].reshape(capacity, act_size)[rows]
    next_obs_action[: count * width].reshape(count, width)[:, :obs_size] = after
    reward[:count] = replay_reward[rows]
    not_terminated[:count] = replay_flags[rows] != 2


# --- acting -----------------------------------------------------------------------------------------------------


def _to_environment(scaling, u, action, act_size):
    action[:act_size] = scaling[:act_size] * u + scaling[act_size : 2 * act_size]


@kernel
def uniform_action(rng: RNG, scaling: F("2 * act_size"), action: W("act_size"), act_size: POSITIVE):
    _uniform(rng, action, act_size)
    _to_environment(scaling, action[:act_size], action, act_size)


@kernel
def deterministic_action(
    mu: F("act_size"),
    noise: F("act_size", optional=True),
    sigma: F("1"),
    scaling: F("2 * act_size"),
    action: W("act_size"),
    act_size: POSITIVE,
):
    u = mu[:act_size]
    if noise is not None:
        u = u + sigma[0] * noise[:act_size]
    _to_environment(scaling, u.clip(-1, 1), action, act_size)


@kernel
def gaussian_action(
    head: F("2 * act_size"),
    noise: F("act_size", optional=True),
    scaling: F("2 * act_size"),
    action: W("act_size"),
    act_size: POSITIVE,
):
    u = head[:act_size]
    if noise is not None:
        u = u + np.exp(head[act_size : 2 * act_size].clip(-20, 2)) * noise[:act_size]
    _to_environment(scaling, np.tanh(u), action, act_size)


# --- actor-critic algorithms ------------------------------------------------------------------------------------


def _columns(x, width, column, columns, row, rows):
    return x[row * width : (row + rows) * width].reshape(rows, width)[:, column : column + columns]


@kernel
def gaussian_head(
    head: F("(row + rows) * 2 * act_size"),
    noise: F("(row + rows) * act_size"),
    action: W("(row + rows) * width"),
    width: POSITIVE,
    column: INT,
    log_prob: W("row + rows"),
    act_size: POSITIVE,
    row: INT,
    rows: INT,
):
    _fits("gaussian_head", "column", column, "act_size", act_size, "width", width)
    mean = _columns(head, 2 * act_size, 0, act_size, row, rows)
    log_std = _columns(head, 2 * act_size, act_size, act_size, row, rows).clip(-20, 2)
    noise = _columns(noise, act_size, 0, act_size, row, rows)
    u = np.exp(log_std) * noise + mean
    _columns(action, width, column, act_size, row, rows)[...] = np.tanh(u)
    u = np.abs(u)
    density = -noise * noise / 2 - log_std - _HALF_LOG_2_PI - 2 * (_LOG_2 - u - np.log1p(np.exp(-2 * u)))
    np.add.reduce(density, axis=1, out=log_prob[row : row + rows])


@kernel
def gaussian_head_backward(
    head: F("(row + rows) * 2 * act_size"),
    noise: F("(row + rows) * act_size"),
    action: F("(row + rows) * width"),
    width: POSITIVE,
    column: INT,
    d_x1: F("rows * width"),
    d_x2: F("rows * width", optional=True),
    coeffs: F("2"),
    d_head: W("(row + rows) * 2 * act_size"),
    act_size: POSITIVE,
    row: INT,
    rows: INT,
    batch: POSITIVE,
):
    _fits("gaussian_head_backward", "column", column, "act_size", act_size, "width", width)
    log_std = _columns(head, 2 * act_size, act_size, act_size, row, rows)
    noise = _columns(noise, act_size, 0, act_size, row, rows)
    a = _columns(action, width, column, act_size, row, rows)
    da = _columns(d_x1, width, column, act_size, 0, rows)
    if d_x2 is not None:
        da = da + _columns(d_x2, width, column, act_size, 0, rows)
    w = coeffs[1] / np.float32(batch)
    du = 2 * w * a + da * (1 - a * a)
    _columns(d_head, 2 * act_size, 0, act_size, row, rows)[...] = du
    free = (log_std >= -20) & (log_std <= 2)
    d_log_std = du * np.exp(log_std.clip(-20, 2)) * noise - w
    _columns(d_head, 2 * act_size, act_size, act_size, row, rows)[...] = np.where(free, d_log_std, 0)


@kernel
def smoothed_action(
    mu: F("(row + rows) * act_size"),
    noise: F("(row + rows) * act_size"),
    smoothing: F("2"),
    action: W("(row + rows) * width"),
    width: POSITIVE,
    column: INT,
    act_size: POSITIVE,
    row: INT,
    rows: INT,
):
    _fits("smoothed_action", "column", column, "act_size", act_size, "width", width)
    sigma, c = smoothing[:2]
    u = (sigma * _columns(noise, act_size, 0, act_size, row, rows)).clip(-c, c)
    u += _columns(mu, act_size, 0, act_size, row, rows)
    _columns(action, width, column, act_size, row, rows)[...] = u.clip(-1, 1)


@kernel
def td_target(
    reward: F("row + rows"),
    not_terminated: F("row + rows"),
    q1: F("row + rows"),
    q2: F("row + rows", optional=True),
    log_prob: F("row + rows", optional=True),
    coeffs: F("2"),
    target: W("row + rows"),
    row: INT,
    rows: INT,
):
    part = slice(row, row + rows)
    gamma, alpha = coeffs[:2]
    q = q1[part]
    if q2 is not None:
        q = np.where(q2[part] < q, q2[part], q)
    if log_prob is not None:
        q = q - alpha * log_prob[part]
    target[part] = gamma * not_terminated[part] * q + reward[part]


@kernel
def mse_delta(
    q: F("row + rows"),
    target: F("row + rows"),
    d_q: W("row + rows"),
    loss: W("1"),
    row: INT,
    rows: INT,
    batch: POSITIVE,
):
    d = q[row : row + rows] - target[row : row + rows]
    np.multiply(d, np.float32(2) / np.float32(batch), out=d_q[row : row + rows])
    loss[0] = d @ d + (loss[0] if row else np.float32(0))


@kernel
def policy_delta(
    q1: F("row + rows"),
    q2: F("row + rows", optional=True),
    d_q1: W("row + rows"),
    d_q2: W("row + rows", optional=True),
    loss: W("1"),
    row: INT,
    rows: INT,
    batch: POSITIVE,
):
    if (q2 is None) != (d_q2 is None):
        have = "is given, must be None" if q2 is None else "is None, must be given"
        raise ValueError(f"policy_delta: d_q2 {have} like q2")
    part = slice(row, row + rows)
    share = np.float32(-1) / np.float32(batch)
    q = q1[part]
    if q2 is None:
        d_q1[part] = share
    else:
        second = q2[part] < q
        q = np.where(second, q2[part], q)
        d_q1[part] = share * ~second
        d_q2[part] = share * second
    loss[0] = (loss[0] if row else np.float32(0)) - np.add.reduce(q)


@kernel
def temperature_grad(log_alpha: F("1"), log_prob: F("batch"), target_entropy: F("1"), grad: W("1"), batch: POSITIVE):
    mean = np.add.reduce(log_prob[:batch]) / np.float32(batch)
    grad[0] -= _exp(log_alpha[0]) * (mean + target_entropy[0])


@kernel
def temperature(log_alpha: F("1"), coeffs: W("2")):
    coeffs[1] = _exp(log_alpha[0])


@kernel
def log_temperature(coeffs: F("2"), log_alpha: W("1")):
    log_alpha[0] = np.log(coeffs[1])


def _exp(x):
    with np.errstate(over="ignore", under="ignore"):
        return np.exp(x)


# --- moving numbers ---------------------------------------------------------------------------------------------


@kernel
def copy_columns(
    src: F("(src_row + rows) * src_width"),
    src_width: POSITIVE,
    src_column: INT,
    src_row: INT,
    dst: W("(dst_row + rows) * dst_width"),
    dst_width: POSITIVE,
    dst_column: INT,
    dst_row: INT,
    columns: POSITIVE,
    rows: INT,
):
    _fits("copy_columns", "src_column", src_column, "columns", columns, "src_width", src_width)
    _fits("copy_columns", "dst_column", dst_column, "columns", columns, "dst_width", dst_width)
    source = _columns(src, src_width, src_column, columns, src_row, rows)
    _columns(dst, dst_width, dst_column, columns, dst_row, rows)[...] = source


@kernel
def copy(src: F("src_start + count"), src_start: INT, dst: W("dst_start + count"), dst_start: INT, count: INT):
    dst[dst_start : dst_start + count] = src[src_start : src_start + count]


@kernel
def fill(x: W("start + count"), value: F("1"), start: INT, count: INT):
    x[start : start + count] = value[0]


@kernel
def accumulate(total: W("index + 1"), index: INT, x: F("1")):
    total[index] += x[0]


@kernel
def all_finite(x: F("start + count"), start: INT, count: INT):
    return int(np.isfinite(x[start : start + count]).all())


@kernel
def crc32(data: ANY, crc: Buffer("1", "I", True)):
    crc[0] = zlib.crc32(data, int(crc[0]))


def _float_text(x):
    if not np.isfinite(x):
        return "null"
    digits, power = f"{x:.8e}".split("e")
    power = int(power)
    if -4 <= power < 9:
        text = np.format_float_positional(float(f"{x:.8e}"), trim="0")
    else:
        text = f"{digits.rstrip('0').rstrip('.')}e{power:+03d}"
    return text


@kernel
def telemetry_line(
    line: Buffer("length", "B", True),
    fields: Buffer("n_ints + n_floats", "i"),
    ints: Buffer("n_ints", "i"),
    floats: F("n_floats"),
    length: INT,
    n_ints: INT,
    n_floats: INT,
):
    _integer("telemetry_line", "length", length, 21)
    end = length - 21  # ,"check":"????????"} and a newline
    for i, at in enumerate(fields[: n_ints + n_floats].tolist()):
        _integer("telemetry_line", f"fields[{i}]", at, 0, end - (11 if i < n_ints else 15))
    texts = [f"{value:11d}" for value in ints[:n_ints].tolist()]
    texts += [f"{_float_text(value):>15}" for value in floats[:n_floats].tolist()]
    for at, text in zip(fields, texts, strict=False):
        line[at : at + len(text)] = np.frombuffer(text.encode(), np.uint8)
    line[end + 10 : end + 18] = np.frombuffer(b"%08x" % zlib.crc32(line[:end]), np.uint8)


# --- on-policy algorithms ---------------------------------------------------------------------------------------


@kernel
def policy_action(
    mean: F("(row + rows) * act_size"),
    noise: F("(row + rows) * act_size"),
    log_std: F("act_size"),
    scaling: F("2 * act_size"),
    raw: W("(row + rows) * act_size"),
    action: W("rows * act_size"),
    act_size: POSITIVE,
    row: INT,
    rows: INT,
):
    part = slice(row * act_size, (row + rows) * act_size)
    u = _exp(log_std[:act_size]) * noise[part].reshape(rows, act_size)
    u += mean[part].reshape(rows, act_size)
    raw[part] = u.reshape(-1)
    u = scaling[:act_size] * u.clip(-1, 1) + scaling[act_size : 2 * act_size]
    action[: rows * act_size] = u.reshape(-1)


def _scores(mean, raw, log_std, act_size, row, rows):
    """z and exp(-log_std) of a Gaussian policy, and the log-density of each row."""
    part = slice(row * act_size, (row + rows) * act_size)
    log_std = log_std[:act_size]
    inverse_std = _exp(-log_std)
    z = (raw[part] - mean[part]).reshape(rows, act_size)
    z *= inverse_std
    return z, inverse_std, np.add.reduce(np.float32(-0.5) * (z * z) - log_std - _HALF_LOG_2_PI, axis=1)


@kernel
def gaussian_log_prob(
    mean: F("(row + rows) * act_size"),
    raw: F("(row + rows) * act_size"),
    log_std: F("act_size"),
    log_prob: W("row + rows"),
    act_size: POSITIVE,
    row: INT,
    rows: INT,
):
    log_prob[row : row + rows] = _scores(mean, raw, log_std, act_size, row, rows)[2]


def _surrogate(log_prob, old_log_prob, advantage, clip, stats, row, batch):
    """The gradient of PPO's clipped objective at log_prob, one number for each row."""
    part = slice(row, row + len(log_prob))
    low, high = 1 - clip[0], 1 + clip[0]
    a = advantage[part]
    change = log_prob - old_log_prob[part]
    ratio = _exp(change)
    gain = a * ratio
    above, below = ratio > high, ratio < low
    if not row:
        stats[:3] = 0
    stats[0] -= np.add.reduce(np.minimum(gain, a * ratio.clip(low, high)))
    stats[1] += np.add.reduce((ratio - 1) - change)
    stats[2] += np.count_nonzero(above | below)
    gain *= np.float32(-1) / np.float32(batch)
    gain[(above & (a >= 0)) | (below & (a < 0))] = 0
    return gain


@kernel
def ppo_gaussian_delta(
    mean: F("(row + rows) * act_size"),
    raw: F("(row + rows) * act_size"),
    log_std: F("act_size"),
    old_log_prob: F("row + rows"),
    advantage: F("row + rows"),
    clip: F("1"),
    entropy: F("1"),
    d_mean: W("(row + rows) * act_size"),
    d_log_std: W("act_size"),
    stats: W("3"),
    act_size: POSITIVE,
    row: INT,
    rows: INT,
    batch: POSITIVE,
):
    z, inverse_std, log_prob = _scores(mean, raw, log_std, act_size, row, rows)
    g = _surrogate(log_prob, old_log_prob, advantage, clip, stats, row, batch)
    bonus = entropy[0] * (np.float32(rows) / np.float32(batch))
    d_mean[row * act_size : (row + rows) * act_size] = (g[:, None] * z * inverse_std).reshape(-1)
    d_log_std[:act_size] += g @ (z * z - 1) - bonus


def _log_softmax(logits, n, row, rows):
    x = logits[row * n : (row + rows) * n].reshape(rows, n)
    x = x - x.max(axis=1, keepdims=True)
    return x - np.log(np.add.reduce(_exp(x), axis=1, keepdims=True))


@kernel
def categorical_sample(
    logits: F("(row + rows) * n"), rng: RNG, choice: Buffer("row + rows", "i", True), n: POSITIVE, row: INT, rows: INT
):
    x = logits[row * n : (row + rows) * n].reshape(rows, n)
    sums = np.add.accumulate(_exp(x - x.max(axis=1, keepdims=True)), axis=1)
    u = (_blocks(rng, row, rows)[0] >> 8).astype(_F32) * np.float32(2**-24)
    above = u[:, None] * sums[:, -1:] < sums
    above[:, -1] = True
    choice[row : row + rows] = above.argmax(axis=1)
    _advance(rng)


@kernel
def argmax(x: F("(row + rows) * n"), choice: Buffer("row + rows", "i", True), n: POSITIVE, row: INT, rows: INT):
    choice[row : row + rows] = x[row * n : (row + rows) * n].reshape(rows, n).argmax(axis=1)


@kernel
def categorical_log_prob(
    logits: F("(row + rows) * n"),
    choice: Buffer("row + rows", "i"),
    log_prob: W("row + rows"),
    n: POSITIVE,
    row: INT,
    rows: INT,
):
    chosen = _within("categorical_log_prob", "choice", choice, row, rows, n)
    log_prob[row : row + rows] = _log_softmax(logits, n, row, rows)[np.arange(rows), chosen]


@kernel
def ppo_categorical_delta(
    logits: F("(row + rows) * n"),
    choice: Buffer("row + rows", "i"),
    old_log_prob: F("row + rows"),
    advantage: F("row + rows"),
    clip: F("1"),
    entropy: F("1"),
    d_logits: W("(row + rows) * n"),
    stats: W("3"),
    n: POSITIVE,
    row: INT,
    rows: INT,
    batch: POSITIVE,
):
    chosen = _within("ppo_categorical_delta", "choice", choice, row, rows, n)
    l = _log_softmax(logits, n, row, rows)  # noqa: E741
    p = _exp(l)
    all_rows = np.arange(rows)
    g = _surrogate(l[all_rows, chosen], old_log_prob, advantage, clip, stats, row, batch)
    minus_entropy = np.add.reduce(p * l, axis=1, keepdims=True)
    d = (entropy[0] / np.float32(batch)) * (p * (l - minus_entropy)) - g[:, None] * p
    d[all_rows, chosen] += g
    d_logits[row * n : (row + rows) * n] = d.reshape(-1)


@kernel
def value_delta(
    value: F("row + rows"),
    target: F("row + rows"),
    old_value: F("row + rows", optional=True),
    clip: F("1"),
    d_value: W("row + rows"),
    loss: W("1"),
    row: INT,
    rows: INT,
    batch: POSITIVE,
):
    part = slice(row, row + rows)
    error = value[part] - target[part]
    square = error * error
    error *= np.float32(1) / np.float32(batch)
    if old_value is not None:
        old = old_value[part]
        change = value[part] - old
        clipped = old + change.clip(-clip[0], clip[0]) - target[part]
        clipped *= clipped
        worse = (np.abs(change) > clip[0]) & (clipped > square)
        error[worse] = 0
        square[worse] = clipped[worse]
    d_value[part] = error
    loss[0] = np.add.reduce(square) + (loss[0] if row else np.float32(0))


@kernel
def gae(
    reward: F("steps * envs"),
    ended: Buffer("steps * envs", "B"),
    value: F("(steps + 1) * envs"),
    final_value: F("steps * envs"),
    coeffs: F("2"),
    advantage: W("steps * envs"),
    target: W("steps * envs"),
    envs: POSITIVE,
    steps: POSITIVE,
):
    n = steps * envs
    gamma, decay = coeffs[0], coeffs[0] * coeffs[1]
    here, end = value[:n], ended[:n]
    going_on = end == 0
    last = np.where(end == 1, _ZERO, final_value[:n])
    delta = gamma * np.where(going_on, value[envs : n + envs], last) + reward[:n] - here
    decays = decay * going_on
    if envs == 1:  # NumPy's cost of a call outweighs the work
        total, sums = 0.0, []
        for d, k in zip(delta[::-1].tolist(), decays[::-1].tolist(), strict=True):
            total = d + k * total if k else d
            sums.append(total)
        advantage[:n] = sums[::-1]
    else:
        total = np.zeros(envs, _F32)
        for at in range(n - envs, -1, -envs):
            row = slice(at, at + envs)
            total = np.where(going_on[row], delta[row] + decay * total, delta[row])
            advantage[row] = total
    np.add(advantage[:n], here, out=target[:n])


@kernel
def standardise(x: W("count"), count: POSITIVE):
    if count > 1:
        x = x[:count]
        for _ in range(2):  # the second time what rounding left of the mean
            x -= np.add.reduce(x) / np.float32(count)
        x /= np.sqrt(x @ x / np.float32(count)) + np.float32(1e-8)


@kernel
def permutation(rng: RNG, indices: Buffer("count", "i", True), count: POSITIVE):
    words = np.stack(_blocks(rng, 0, (count + 1) // 2), axis=1).reshape(-1)[: count - 1]
    others = (words.astype(np.uint64) * np.arange(count, 1, -1, dtype=np.uint64)) >> np.uint64(32)
    order = list(range(count))
    for i, j in zip(range(count - 1, 0, -1), others.tolist(), strict=True):
        order[i], order[j] = order[j], order[i]
    indices[:count] = order
    _advance(rng)


@kernel
def gather_rows(
    src: F("limit * width"),
    indices: Buffer("start + count", "i"),
    dst: W("count * width"),
    limit: POSITIVE,
    width: POSITIVE,
    start: INT,
    count: INT,
):
    rows = _within("gather_rows", "indices", indices, start, count, limit)
    dst[: count * width].reshape(count, width)[...] = src[: limit * width].reshape(limit, width)[rows]


@kernel
def gather_ints(
    src: Buffer("limit", "i"),
    indices: Buffer("start + count", "i"),
    dst: Buffer("count", "i", True),
    limit: POSITIVE,
    start: INT,
    count: INT,
):
    dst[:count] = src[_within("gather_ints", "indices", indices, start, count, limit)]


@kernel
def add_squares(x: F("start + count"), total: W("1"), start: INT, count: INT):
    x = x[start : start + count]
    total[0] += x @ x


@kernel
def norm_scale(total: F("1"), max_norm: F("1"), scale: W("1")):
    norm = np.sqrt(total[0])
    scale[0] = 1 if norm <= max_norm[0] else max_norm[0] / (norm + np.float32(1e-6))


@kernel
def scale(x: W("start + count"), factor: F("1"), start: INT, count: INT):
    x[start : start + count] *= factor[0]


@kernel
def linear_schedule(ends: F("2"), out: W("index + 1"), index: INT, step: INT, steps: POSITIVE):
    done = np.float32(min(step, steps)) / np.float32(steps)
    out[index] = done * (ends[1] - ends[0]) + ends[0]


@kernel
def moments_update(x: F("rows * width"), moments: W("1 + 2 * width"), width: POSITIVE, rows: INT):
    mean, squares = moments[1 : width + 1], moments[width + 1 : 2 * width + 1]
    for y in x[: rows * width].reshape(rows, width):
        if moments[0] < 2**24 and np.isfinite(y).all():  # float32 counts no further
            moments[0] += 1
            d = y - mean
            mean += d / moments[0]
            squares += d * (y - mean)


@kernel
def moments_apply(
    x: F("(row + rows) * width"),
    moments: F("1 + 2 * width"),
    out: W("(row + rows) * width"),
    width: POSITIVE,
    row: INT,
    rows: INT,
):
    part = slice(row * width, (row + rows) * width)
    count, mean, squares = moments[0], moments[1 : width + 1], moments[width + 1 : 2 * width + 1]
    if count > 0:
        y = (x[part].reshape(rows, width) - mean) / np.sqrt(squares / count + np.float32(1e-8))
        out[part] = y.clip(-10, 10).reshape(-1)
    else:
        out[part] = x[part]


@kernel
def moments_restore(
    x: F("(row + rows) * width"),
    moments: F("1 + 2 * width"),
    out: W("(row + rows) * width"),
    width: POSITIVE,
    row: INT,
    rows: INT,
):
    part = slice(row * width, (row + rows) * width)
    count, mean, squares = moments[0], moments[1 : width + 1], moments[width + 1 : 2 * width + 1]
    if count > 0:
        deviation = np.sqrt(squares / count + np.float32(1e-8))
        out[part] = (x[part].reshape(rows, width) * deviation + mean).reshape(-1)
    else:
        out[part] = x[part]


# --- values of discrete actions ---------------------------------------------------------------------------------


@kernel
def epsilon_greedy(
    q: F("(row + rows) * n"),
    epsilon: F("1"),
    rng: RNG,
    choice: Buffer("row + rows", "i", True),
    n: POSITIVE,
    row: INT,
    rows: INT,
):
    first, second = _blocks(rng, row, rows)
    random = (first >> 8).astype(_F32) * np.float32(2**-24) < epsilon[0]
    best = q[row * n : (row + rows) * n].reshape(rows, n).argmax(axis=1)
    choice[row : row + rows] = np.where(random, (second.astype(np.uint64) * n) >> 32, best)
    _advance(rng)


@kernel
def dqn_target(
    reward: F("row + rows"),
    not_terminated: F("row + rows"),
    q_select: F("(row + rows) * n"),
    q_value: F("(row + rows) * n"),
    coeffs: F("1"),
    target: W("row + rows"),
    n: POSITIVE,
    row: INT,
    rows: INT,
):
    here = slice(row, row + rows)
    best = q_select[row * n : (row + rows) * n].reshape(rows, n).argmax(axis=1)
    q = q_value[row * n : (row + rows) * n].reshape(rows, n)[np.arange(rows), best]
    target[here] = coeffs[0] * not_terminated[here] * q + reward[here]


@kernel
def choice_delta(
    q: F("(row + rows) * n"),
    action: F("(row + rows) * width"),
    scaling: F("2"),
    target: F("row + rows"),
    limit: F("1"),
    d_q: W("(row + rows) * n"),
    loss: W("1"),
    n: POSITIVE,
    width: POSITIVE,
    column: INT,
    row: INT,
    rows: INT,
    batch: POSITIVE,
):
    _fits("choice_delta", "column", column, "1", 1, "width", width)
    here = slice(row, row + rows)
    a = action[: (row + rows) * width].reshape(-1, width)[here, column] * scaling[0] + scaling[1]
    chosen = np.clip(np.floor(a + np.float32(0.5)), 0, n - 1).astype(int)
    error = q[row * n : (row + rows) * n].reshape(rows, n)[np.arange(rows), chosen] - target[here]
    clipped = np.clip(error, -limit[0], limit[0])
    slopes = d_q[row * n : (row + rows) * n].reshape(rows, n)
    slopes[:] = 0
    slopes[np.arange(rows), chosen] = clipped / np.float32(batch)
    loss[0] = (loss[0] if row else 0) + _huber(error, clipped, limit)


def _huber(error, clipped, limit):
    """The sum of the losses; clipped is the error within the limit."""
    return (np.float32(0.5) * clipped * clipped + (np.abs(error) - np.abs(clipped)) * limit[0]).sum()


# --- supervised learning ----------------------------------------------------------------------------------------


@kernel
def huber_delta(
    q: F("row + rows"),
    target: F("row + rows"),
    limit: F("1"),
    d_q: W("row + rows"),
    loss: W("1"),
    row: INT,
    rows: INT,
    batch: POSITIVE,
):
    here = slice(row, row + rows)
    error = q[here] - target[here]
    clipped = np.clip(error, -limit[0], limit[0])
    np.multiply(clipped, np.float32(1) / np.float32(batch), out=d_q[here])
    loss[0] = (loss[0] if row else 0) + _huber(error, clipped, limit)


@kernel
def cross_entropy_delta(
    logits: F("(row + rows) * n"),
    choice: Buffer("row + rows", "i"),
    d_logits: W("(row + rows) * n"),
    loss: W("1"),
    n: POSITIVE,
    row: INT,
    rows: INT,
    batch: POSITIVE,
):
    chosen = _within("cross_entropy_delta", "choice", choice, row, rows, n)
    log_p = _log_softmax(logits, n, row, rows)
    chosen = (np.arange(rows), chosen)
    d = _exp(log_p)
    d[chosen] -= 1
    np.multiply(d, np.float32(1) / np.float32(batch), out=d_logits[row * n : (row + rows) * n].reshape(rows, n))
    loss[0] = (loss[0] if row else 0) - log_p[chosen].sum()


@kernel
def sgd_delta(
    grad: W("start + count"), velocity: W("start + count", optional=True), hyper: F("2"), start: INT, count: INT
):
    step = grad[start : start + count]
    _flush(step)
    if velocity is not None:
        v = velocity[start : start + count]
        v *= hyper[1]
        v += step
        _flush(v)
        step[...] = v
    step *= hyper[0]


# --- environments -----------------------------------------------------------------------------------------------


def _observe(state, obs, row, rows):
    state = state[2 * row : 2 * (row + rows)]
    obs = obs[3 * row : 3 * (row + rows)]
    obs[0::3] = np.cos(state[0::2])
    obs[1::3] = np.sin(state[0::2])
    obs[2::3] = state[1::2]


@kernel
def pendulum_reset(rng: RNG, state: W("(row + rows) * 2"), obs: W("(row + rows) * 3"), row: INT, rows: INT):
    a, b = _blocks(rng, row, rows)
    state[2 * row : 2 * (row + rows) : 2] = _PI * _unit(a)
    state[2 * row + 1 : 2 * (row + rows) : 2] = _unit(b)
    _advance(rng)
    _observe(state, obs, row, rows)


@kernel
def pendulum_observe(state: F("(row + rows) * 2"), obs: W("(row + rows) * 3"), row: INT, rows: INT):
    _observe(state, obs, row, rows)


@kernel
def pendulum_step(
    state: W("(row + rows) * 2"),
    action: F("row + rows"),
    obs: W("(row + rows) * 3"),
    reward: W("row + rows"),
    row: INT,
    rows: INT,
):
    angle = state[2 * row : 2 * (row + rows) : 2]
    velocity = state[2 * row + 1 : 2 * (row + rows) : 2]
    u = action[row : row + rows].clip(-2, 2)
    cost = angle * angle + np.float32(0.1) * velocity * velocity + np.float32(0.001) * u * u
    reward[row : row + rows] = -cost
    velocity += (15 * np.sin(angle) + 3 * u) * np.float32(0.05)
    np.clip(velocity, -8, 8, out=velocity)
    angle += velocity * np.float32(0.05)
    wrap = np.where(angle >= _PI, -_TWO_PI, np.where(angle < -_PI, _TWO_PI, np.float32(0)))
    angle += wrap
    _observe(state, obs, row, rows)


@kernel
def cartpole_reset(rng: RNG, state: W("(row + rows) * 4"), row: INT, rows: INT):
    a, b = _blocks(rng, 2 * row, 2 * rows)
    words = np.stack((a, b), axis=1).reshape(-1)
    state[4 * row : 4 * (row + rows)] = np.float32(0.05) * _unit(words)
    _advance(rng)


@kernel
def cartpole_step(
    state: W("(row + rows) * 4"),
    action: Buffer("row + rows", "i"),
    ended: Buffer("row + rows", "B", True),
    row: INT,
    rows: INT,
):
    position, velocity, angle, omega = state[4 * row : 4 * (row + rows)].reshape(rows, 4).T
    sine, cosine = np.sin(angle), np.cos(angle)
    mass, moment, step = np.float32(1.1), np.float32(0.05), np.float32(0.02)
    force = np.where(action[row : row + rows] == 1, np.float32(10), np.float32(-10))
    t = (moment * omega * omega * sine + force) / mass
    inertia = np.float32(0.5) * (np.float32(4 / 3) - np.float32(0.1) * cosine * cosine / mass)
    turn = (np.float32(9.8) * sine - cosine * t) / inertia
    push = t - moment * turn * cosine / mass
    position += step * velocity
    velocity += step * push
    angle += step * omega
    omega += step * turn
    fallen = (np.abs(position) > np.float32(2.4)) | (np.abs(angle) > np.float32(np.radians(12)))
    ended[row : row + rows] = fallen
