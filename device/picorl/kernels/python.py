"""The kernels in plain Python: what always works, some hundred times slower than C.

native_modules/kernels.py says what each function does and what its buffers must be; native_modules/README.md says in
which order. Sums are kept in Python's floats and rounded when they are stored, so results agree with C to float32
tolerance; random words, indices and the replay's state are equal. Python's floats come from the heap on most boards.
"""

from array import array
from math import cos, exp, log, sin, sqrt, tanh

ABI = 3
RECORD = 4

_MAX_INT = 0xFFFFFF
_FLT_MIN = 1.1754943508222875e-38  # the smallest normal float32
_INFINITY = float("inf")
_PI = 3.1415927410125732  # float32, like every constant of the contract
_MASK = 0xFFFFFFFF
_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))  # Threefry-2x32


def variants():
    return ("python",)


def variant():
    return "python"


def select(name):
    if name != "python":
        raise ValueError("select: name is %r, must be 'python'" % (name,))


def fused():
    return False


# --- checks: all of a kernel's come before its first write ---


def _int(kernel, name, value, least=0, most=_MAX_INT):
    if not isinstance(value, int) or value < least or value > most:
        bounds = "%d to %d" % (least, most) if most != least else str(least)
        if not isinstance(value, int):
            value = "not an integer"
        raise ValueError("%s: %s is %s, must be %s" % (kernel, name, value, bounds))


def _rows(kernel, row, rows):
    _int(kernel, "row", row)
    _int(kernel, "rows", rows)
    return row + rows


def _span(kernel, start, count):
    _int(kernel, "start", start)
    _int(kernel, "count", count)
    return start + count


def _typecode(x):
    if isinstance(x, array):
        return repr(x[:0])[7]  # MicroPython's arrays have no .typecode
    if isinstance(x, (bytearray, bytes)):
        return "B"
    if isinstance(x, memoryview):
        return getattr(x, "format", "?")  # MicroPython's views do not tell
    return None


def _need(kernel, name, x, size, code="f"):
    have = _typecode(x)
    if have is None or (have not in code and have != "?"):
        have = "array('%s')" % have if have else "not a buffer"
        want = ", ".join(["bytearray or array('B')" if c == "B" else "array('%s')" % c for c in code])
        raise ValueError("%s: %s is %s, must be %s" % (kernel, name, have, want))
    if len(x) < size:
        unit = {"f": "floats", "i": "int32s", "I": "uint32s", "B": "bytes"}[code]
        raise ValueError("%s: %s holds %d %s, needs %d" % (kernel, name, len(x), unit, size))


def _rng(kernel, rng):
    _need(kernel, "rng", rng, 4, "I")


def _fits(kernel, start, column, count, columns, limit, width):
    if column + columns > width:
        args = (kernel, start, count, column + columns, width, limit)
        raise ValueError("%s: %s + %s is %d, must be at most %d (%s)" % args)


def _within(kernel, name, x, start, end, limit):
    for i in range(start, end):
        if not 0 <= x[i] < limit:
            _int(kernel, "%s[%d]" % (name, i), x[i], 0, limit - 1)


def _shape(kernel, layout, params):
    """n_in, n_out and n_hidden of a layout, and how many params it has."""
    _need(kernel, "layout", layout, 0, "i")
    if not len(layout) or len(layout) % RECORD:
        raise ValueError("%s: layout holds %d int32s, must be records of %d" % (kernel, len(layout), RECORD))
    n_params = n_hidden = 0
    width = layout[1]
    for at in range(0, len(layout), RECORD):
        outputs = layout[at + 2]
        if (
            layout[at] != 1
            or layout[at + 1] != width
            or not 1 <= width <= _MAX_INT
            or not 1 <= outputs <= _MAX_INT
            or not 0 <= layout[at + 3] <= 2
        ):
            _int(kernel, "layout[%d] (kind)" % at, layout[at], 1, 1)
            least, most = (width, width) if at else (1, _MAX_INT)
            _int(kernel, "layout[%d] (inputs)" % (at + 1), layout[at + 1], least, most)
            _int(kernel, "layout[%d] (outputs)" % (at + 2), outputs, 1)
            _int(kernel, "layout[%d] (activation)" % (at + 3), layout[at + 3], 0, 2)
        n_params += (width + 1) * outputs
        if n_params > _MAX_INT:
            raise ValueError("%s: layout has more than %d params" % (kernel, _MAX_INT))
        n_hidden += outputs
        width = outputs
    _need(kernel, "params", params, n_params)
    return layout[1], width, n_hidden - width, n_params


# --- networks ---


def init_params(layout, params, rng):
    n = _shape("init_params", layout, params)[3]
    _rng("init_params", rng)
    _uniform(rng, params, n)
    start = 0
    for record in range(0, len(layout), RECORD):
        n_in = layout[record + 1]
        bound = 1 / sqrt(n_in)
        end = start + (n_in + 1) * layout[record + 2]
        for i in range(start, end):
            params[i] *= bound
        start = end


def forward(layout, params, x, out, cache, row, rows):
    n_in, n_out, n_hidden, _ = _shape("forward", layout, params)
    end = _rows("forward", row, rows)
    _need("forward", "x", x, end * n_in)
    _need("forward", "out", out, end * n_out)
    _need("forward", "cache", cache, rows * n_hidden)
    source = x
    source_at = row * n_in
    weights = hidden = 0
    for record in range(0, len(layout), RECORD):
        n = layout[record + 1]
        m = layout[record + 2]
        activation = layout[record + 3]
        bias = weights + n * m
        if record + RECORD < len(layout):
            sink = cache
            at = hidden
        else:
            sink = out
            at = row * n_out
        for _ in range(rows):
            inputs = list(source[source_at : source_at + n])  # a list's floats are boxed once
            for o in range(m):
                acc = params[bias + o]
                k = weights + o
                for value in inputs:
                    acc += value * params[k]
                    k += m
                if activation == 1:
                    if not acc >= _FLT_MIN:
                        acc = 0.0
                else:
                    if activation == 2:
                        acc = tanh(acc)
                    if -_FLT_MIN < acc < _FLT_MIN:
                        acc = 0.0
                sink[at] = acc
                at += 1
            source_at += n
        weights = bias + m
        source = cache
        source_at = hidden
        hidden += rows * m


def backward(layout, params, x, out, cache, d_out, grad, d_x, row, rows):
    n_in, n_out, n_hidden, weights = _shape("backward", layout, params)
    end = _rows("backward", row, rows)
    _need("backward", "x", x, end * n_in)
    _need("backward", "out", out, end * n_out)
    _need("backward", "cache", cache, rows * n_hidden)
    _need("backward", "d_out", d_out, end * n_out)
    if grad is not None:
        _need("backward", "grad", grad, weights)
    if d_x is not None:
        _need("backward", "d_x", d_x, rows * n_in)

    at = row * n_out
    _times_slope(layout[len(layout) - 1], d_out, out, at, rows * n_out)
    delta = d_out
    hidden = rows * n_hidden
    for record in range(len(layout) - RECORD, -1, -RECORD):
        n = layout[record + 1]
        m = layout[record + 2]
        weights -= (n + 1) * m
        if record:
            hidden -= rows * n
            source = sink = cache  # the inputs' gradients replace the inputs
            source_at = sink_at = hidden
            slope = layout[record - 1]
        else:
            source = x
            source_at = row * n
            sink = d_x
            sink_at = 0
            slope = 0
        for _ in range(rows):
            deltas = list(delta[at : at + m])
            at += m
            k = weights
            if grad is not None:
                for i in range(source_at, source_at + n):
                    value = source[i]
                    if value:  # ReLU leaves many zeros
                        for d in deltas:
                            grad[k] += value * d
                            k += 1
                    else:
                        k += m
                for d in deltas:
                    grad[k] += d
                    k += 1
            if sink is not None:
                k = weights
                for i in range(sink_at, sink_at + n):
                    acc = 0.0
                    for d in deltas:
                        acc += d * params[k]
                        k += 1
                    if -_FLT_MIN < acc < _FLT_MIN:
                        acc = 0.0
                    if slope == 1:
                        if not source[i] > 0:
                            acc = 0.0
                    elif slope == 2:
                        acc *= 1 - source[i] * source[i]
                    sink[i] = acc
            source_at += n
            sink_at += n
        delta = cache
        at = hidden


def _times_slope(activation, d, y, start, count):
    for i in range(start, start + count):
        if activation == 1:
            if not y[i] > 0:
                d[i] = 0.0
        elif activation == 2:
            d[i] *= 1 - y[i] * y[i]


# --- optimiser ---


def adam_advance(hyper, state):
    _need("adam_advance", "hyper", hyper, 4)
    _need("adam_advance", "state", state, 4)
    state[0] *= hyper[1]
    state[1] *= hyper[2]
    state[2] = hyper[0] / (1 - state[0])
    state[3] = 1 / sqrt(1 - state[1])


def adam(params, grad, m, v, hyper, state, start, count):
    end = _span("adam", start, count)
    _need("adam", "params", params, end)
    _adam("adam", params, grad, m, v, hyper, state, start, end)


def adam_delta(grad, m, v, hyper, state, start, count):
    _adam("adam_delta", None, grad, m, v, hyper, state, start, _span("adam_delta", start, count))


def _adam(kernel, params, grad, m, v, hyper, state, start, end):
    _need(kernel, "grad", grad, end)
    _need(kernel, "m", m, end)
    _need(kernel, "v", v, end)
    _need(kernel, "hyper", hyper, 4)
    _need(kernel, "state", state, 4)
    beta1 = hyper[1]
    beta2 = hyper[2]
    epsilon = hyper[3]
    rate = state[2]
    scale = state[3]
    for i in range(start, end):
        g = _flush(grad[i])
        first = _flush(beta1 * m[i] + (1 - beta1) * g)
        second = _flush(beta2 * v[i] + (1 - beta2) * g * g)
        step = rate * first / (sqrt(second) * scale + epsilon)
        m[i] = first
        v[i] = second
        if params is None:
            grad[i] = step
        else:
            params[i] = _flush(params[i] - step)
            grad[i] = 0.0


def _flush(x):
    return 0.0 if -_FLT_MIN < x < _FLT_MIN else x


def apply_delta(params, delta, start, count):
    end = _span("apply_delta", start, count)
    _need("apply_delta", "params", params, end)
    _need("apply_delta", "delta", delta, end)
    for i in range(start, end):
        params[i] = _flush(params[i] - delta[i])
        delta[i] = 0.0


def polyak(target, source, tau, start, count):
    end = _span("polyak", start, count)
    _need("polyak", "target", target, end)
    _need("polyak", "source", source, end)
    _need("polyak", "tau", tau, 1)
    share = tau[0]
    for i in range(start, end):
        value = target[i]
        target[i] = _flush(value + share * (source[i] - value))


# --- random numbers ---


def _block(rng, row):
    """The two words of Threefry-2x32 (Salmon et al. 2011) at (step, row)."""
    mask = _MASK
    k0 = rng[0]
    k1 = rng[1]
    keys = (k0, k1, k0 ^ k1 ^ 0x1BD11BDA)
    a = (rng[2] + k0) & mask
    b = (row + k1) & mask
    for group in range(1, 6):
        for left in _ROTATIONS[(group - 1) & 1]:
            a = (a + b) & mask
            b = ((b << left) & mask | b >> (32 - left)) ^ a
        a = (a + keys[group % 3]) & mask
        b = (b + keys[(group + 1) % 3] + group) & mask
    return a, b


def _advance(rng):
    rng[2] = (rng[2] + 1) & _MASK


def _unit(word):
    return (word >> 8) * 1.1920928955078125e-07 - 1  # 2^-23


def _uniform(rng, out, count):
    half = (count + 1) // 2
    for j in range(half):
        a, b = _block(rng, j)
        out[j] = _unit(a)
        if half + j < count:
            out[half + j] = _unit(b)
    _advance(rng)


def uniform(rng, out, count):
    _rng("uniform", rng)
    _int("uniform", "count", count)
    _need("uniform", "out", out, count)
    _uniform(rng, out, count)


def normal(rng, out, count):
    _rng("normal", rng)
    _int("normal", "count", count)
    _need("normal", "out", out, count)
    half = (count + 1) // 2
    for j in range(half):
        a, b = _block(rng, j)
        radius = sqrt(-2 * log(((a >> 8) + 1) * 5.960464477539063e-08))  # 2^-24
        turn = (b >> 8) * 5.960464477539063e-08 * (2 * _PI)
        out[j] = radius * cos(turn)
        if half + j < count:
            out[half + j] = radius * sin(turn)
    _advance(rng)


# --- replay: a ring of rows; state is head, size, pending, valid, refused, spare ---


def _replay(kernel, flags, state, capacity):
    _int(kernel, "capacity", capacity, 2)
    _need(kernel, "replay_flags", flags, capacity, "B")
    _need(kernel, "replay_state", state, 6, "i")


def _consistent(kernel, state, capacity):
    _int(kernel, "replay_state[0] (head)", state[0], 0, capacity - 1)
    _int(kernel, "replay_state[1] (size)", state[1], 0, capacity)
    _int(kernel, "replay_state[2] (pending)", state[2], 0, 1)
    _int(kernel, "replay_state[3] (valid)", state[3], 0, state[1])
    _int(kernel, "replay_state[4] (refused)", state[4], 0, 0x7FFFFFFF)


def _finite(x, n, start=0):
    for i in range(start, start + n):
        if x[i] - x[i] != 0:
            return False
    return True


def _land(rows, flags, state, obs, obs_size, head, capacity, pending):
    """Write obs to row `head`; the transition that was there is gone."""
    if flags[head]:
        flags[head] = 0
        state[3] -= 1
    at = head * obs_size
    for i in range(obs_size):
        rows[at + i] = obs[i]
    state[0] = head
    if state[1] <= head:
        state[1] = head + 1
    state[2] = pending


def _begin(rows, flags, state, obs, obs_size, capacity):
    head = state[0]
    # A transition that bootstraps needs the row after it: that one stays, as a boundary.
    if flags[(head or capacity) - 1] == 1:
        head = (head + 1) % capacity
    _land(rows, flags, state, obs, obs_size, head, capacity, 1)


def replay_begin(replay_obs, replay_flags, replay_state, obs, obs_size, capacity):
    _int("replay_begin", "obs_size", obs_size, 1)
    _replay("replay_begin", replay_flags, replay_state, capacity)
    _need("replay_begin", "replay_obs", replay_obs, capacity * obs_size)
    _need("replay_begin", "obs", obs, obs_size)
    _consistent("replay_begin", replay_state, capacity)
    if not _finite(obs, obs_size):
        replay_state[2] = 0
        replay_state[4] += 1
        return 0
    _begin(replay_obs, replay_flags, replay_state, obs, obs_size, capacity)
    return 1


def replay_observe(
    replay_obs,
    replay_action,
    replay_reward,
    replay_flags,
    replay_state,
    action,
    reward,
    next_obs,
    scaling,
    obs_size,
    act_size,
    capacity,
    terminated,
    ended,
):
    kernel = "replay_observe"
    _stored(kernel, replay_obs, replay_action, replay_reward, obs_size, act_size, capacity)
    _replay(kernel, replay_flags, replay_state, capacity)
    _need(kernel, "action", action, act_size)
    _need(kernel, "reward", reward, 1)
    _need(kernel, "next_obs", next_obs, obs_size)
    _need(kernel, "scaling", scaling, 2 * act_size)
    _int(kernel, "terminated", terminated)
    _int(kernel, "ended", ended)
    _consistent(kernel, replay_state, capacity)
    going_on = _finite(next_obs, obs_size)
    if not (going_on and replay_state[2] and _finite(action, act_size) and _finite(reward, 1)):
        replay_state[2] = 0
        replay_state[4] += 1
        if going_on and not ended:
            _begin(replay_obs, replay_flags, replay_state, next_obs, obs_size, capacity)
        return 0
    head = replay_state[0]
    at = head * act_size
    for j in range(act_size):
        replay_action[at + j] = _clip((action[j] - scaling[act_size + j]) / scaling[j], -1.0, 1.0)
    replay_reward[head] = reward[0]
    replay_flags[head] = 2 if terminated else 1
    replay_state[3] += 1
    head = (head + 1) % capacity
    _land(replay_obs, replay_flags, replay_state, next_obs, obs_size, head, capacity, 0 if ended else 1)
    return 1


def _stored(kernel, replay_obs, replay_action, replay_reward, obs_size, act_size, capacity):
    _int(kernel, "obs_size", obs_size, 1)
    _int(kernel, "act_size", act_size, 1)
    _int(kernel, "capacity", capacity, 2)
    _need(kernel, "replay_obs", replay_obs, capacity * obs_size)
    _need(kernel, "replay_action", replay_action, capacity * act_size)
    _need(kernel, "replay_reward", replay_reward, capacity)


def replay_sample(replay_flags, replay_state, rng, indices, capacity, count):
    kernel = "replay_sample"
    _replay(kernel, replay_flags, replay_state, capacity)
    _rng(kernel, rng)
    _int(kernel, "count", count)
    _need(kernel, "indices", indices, count, "i")
    _consistent(kernel, replay_state, capacity)
    size = replay_state[1]
    for i in range(size):
        if replay_flags[i]:
            break
    else:
        raise ValueError("replay_sample: replay_flags has no row with a flag, must have one to draw")
    done = row = 0
    while done < count:
        for word in _block(rng, row):
            i = (word * size) >> 32
            if replay_flags[i] and done < count:
                indices[done] = i
                done += 1
        row += 1
    _advance(rng)


def replay_gather(
    replay_obs,
    replay_action,
    replay_reward,
    replay_flags,
    indices,
    obs,
    obs_action,
    next_obs,
    next_obs_action,
    reward,
    not_terminated,
    obs_size,
    act_size,
    capacity,
    count,
):
    kernel = "replay_gather"
    _stored(kernel, replay_obs, replay_action, replay_reward, obs_size, act_size, capacity)
    _need(kernel, "replay_flags", replay_flags, capacity, "B")
    _int(kernel, "count", count)
    width = obs_size + act_size
    _need(kernel, "indices", indices, count, "i")
    _need(kernel, "obs", obs, count * obs_size)
    _need(kernel, "obs_action", obs_action, count * width)
    _need(kernel, "next_obs", next_obs, count * obs_size)
    _need(kernel, "next_obs_action", next_obs_action, count * width)
    _need(kernel, "reward", reward, count)
    _need(kernel, "not_terminated", not_terminated, count)
    _within(kernel, "indices", indices, 0, count, capacity)
    for k in range(count):
        row = indices[k]
        here = row * obs_size
        after = (row + 1) % capacity * obs_size
        at = k * obs_size
        wide = k * width
        for i in range(obs_size):
            obs[at + i] = obs_action[wide + i] = replay_obs[here + i]
            next_obs[at + i] = next_obs_action[wide + i] = replay_obs[after + i]
        here = row * act_size
        wide += obs_size
        for j in range(act_size):
            obs_action[wide + j] = replay_action[here + j]
        reward[k] = replay_reward[row]
        not_terminated[k] = 0.0 if replay_flags[row] == 2 else 1.0


# --- acting ---


def _clip(x, low, high):
    return low if x < low else high if x > high else x


def _exp(x):
    # Beyond, it is infinity as float32, but exp itself may raise.
    return _flush(exp(x)) if x < 88.722 or x != x else _INFINITY


def _acting(kernel, name, x, size, noise, scaling, action, act_size):
    _int(kernel, "act_size", act_size, 1)
    _need(kernel, name, x, size * act_size)
    if noise is not None:
        _need(kernel, "noise", noise, act_size)
    _need(kernel, "scaling", scaling, 2 * act_size)
    _need(kernel, "action", action, act_size)


def uniform_action(rng, scaling, action, act_size):
    _rng("uniform_action", rng)
    _acting("uniform_action", "action", action, 1, None, scaling, action, act_size)
    _uniform(rng, action, act_size)
    for j in range(act_size):
        action[j] = scaling[j] * action[j] + scaling[act_size + j]


def deterministic_action(mu, noise, sigma, scaling, action, act_size):
    _acting("deterministic_action", "mu", mu, 1, noise, scaling, action, act_size)
    _need("deterministic_action", "sigma", sigma, 1)
    for j in range(act_size):
        a = mu[j] if noise is None else sigma[0] * noise[j] + mu[j]
        action[j] = scaling[j] * _clip(a, -1.0, 1.0) + scaling[act_size + j]


def gaussian_action(head, noise, scaling, action, act_size):
    _acting("gaussian_action", "head", head, 2, noise, scaling, action, act_size)
    for j in range(act_size):
        u = head[j]
        if noise is not None:
            u += exp(_clip(head[act_size + j], -20.0, 2.0)) * noise[j]
        action[j] = scaling[j] * tanh(u) + scaling[act_size + j]


# --- actor-critic algorithms ---


def _policy(kernel, head, heads, noise, action, width, column, act_size, row, rows):
    """The checks of a policy's batch; `heads`: floats of the network's output per action."""
    end = _rows(kernel, row, rows)
    _int(kernel, "act_size", act_size, 1)
    _int(kernel, "width", width, 1)
    _int(kernel, "column", column)
    _need(kernel, "head" if heads == 2 else "mu", head, end * heads * act_size)
    _need(kernel, "noise", noise, end * act_size)
    _need(kernel, "action", action, end * width)
    _fits(kernel, "column", column, "act_size", act_size, "width", width)
    return end


def gaussian_head(head, noise, action, width, column, log_prob, act_size, row, rows):
    end = _policy("gaussian_head", head, 2, noise, action, width, column, act_size, row, rows)
    _need("gaussian_head", "log_prob", log_prob, end)
    for r in range(row, end):
        total = 0.0
        for j in range(act_size):
            at = 2 * r * act_size + j
            log_std = _clip(head[at + act_size], -20.0, 2.0)
            n = noise[r * act_size + j]
            u = exp(log_std) * n + head[at]
            action[r * width + column + j] = tanh(u)
            u = abs(u)
            # log(2 pi) / 2 and log 2
            total += -0.5 * n * n - log_std - 0.9189385175704956
            total -= 2 * (0.6931471824645996 - u - log(1 + exp(-2 * u)))
        log_prob[r] = total


def gaussian_head_backward(head, noise, action, width, column, d_x1, d_x2, coeffs, d_head, act_size, row, rows, batch):
    kernel = "gaussian_head_backward"
    end = _policy(kernel, head, 2, noise, action, width, column, act_size, row, rows)
    _int(kernel, "batch", batch, 1)
    _need(kernel, "d_x1", d_x1, rows * width)
    if d_x2 is not None:
        _need(kernel, "d_x2", d_x2, rows * width)
    _need(kernel, "coeffs", coeffs, 2)
    _need(kernel, "d_head", d_head, end * 2 * act_size)
    w = coeffs[1] / batch
    for r in range(row, end):
        for j in range(act_size):
            at = (r - row) * width + column + j
            da = d_x1[at]
            if d_x2 is not None:
                da += d_x2[at]
            a = action[r * width + column + j]
            du = 2 * w * a + da * (1 - a * a)
            at = 2 * r * act_size + j
            d_head[at] = _flush(du)
            at += act_size
            log_std = head[at]
            if -20 <= log_std <= 2:
                du = du * exp(log_std) * noise[r * act_size + j] - w
            else:
                du = 0.0
            d_head[at] = _flush(du)


def smoothed_action(mu, noise, smoothing, action, width, column, act_size, row, rows):
    end = _policy("smoothed_action", mu, 1, noise, action, width, column, act_size, row, rows)
    _need("smoothed_action", "smoothing", smoothing, 2)
    sigma = smoothing[0]
    c = smoothing[1]
    for r in range(row, end):
        for j in range(act_size):
            at = r * act_size + j
            action[r * width + column + j] = _clip(mu[at] + _clip(sigma * noise[at], -c, c), -1.0, 1.0)


def td_target(reward, not_terminated, q1, q2, log_prob, coeffs, target, row, rows):
    kernel = "td_target"
    end = _rows(kernel, row, rows)
    _need(kernel, "reward", reward, end)
    _need(kernel, "not_terminated", not_terminated, end)
    _need(kernel, "q1", q1, end)
    if q2 is not None:
        _need(kernel, "q2", q2, end)
    if log_prob is not None:
        _need(kernel, "log_prob", log_prob, end)
    _need(kernel, "coeffs", coeffs, 2)
    _need(kernel, "target", target, end)
    for r in range(row, end):
        q = q1[r]
        if q2 is not None and q2[r] < q:
            q = q2[r]
        if log_prob is not None:
            q -= coeffs[1] * log_prob[r]
        target[r] = coeffs[0] * not_terminated[r] * q + reward[r]


def mse_delta(q, target, d_q, loss, row, rows, batch):
    kernel = "mse_delta"
    end = _rows(kernel, row, rows)
    _int(kernel, "batch", batch, 1)
    _need(kernel, "q", q, end)
    _need(kernel, "target", target, end)
    _need(kernel, "d_q", d_q, end)
    _need(kernel, "loss", loss, 1)
    total = loss[0] if row else 0.0
    for r in range(row, end):
        d = q[r] - target[r]
        d_q[r] = d * (2 / batch)
        total += d * d
    loss[0] = total


def policy_delta(q1, q2, d_q1, d_q2, loss, row, rows, batch):
    kernel = "policy_delta"
    end = _rows(kernel, row, rows)
    _int(kernel, "batch", batch, 1)
    _need(kernel, "q1", q1, end)
    if q2 is not None:
        _need(kernel, "q2", q2, end)
    _need(kernel, "d_q1", d_q1, end)
    if d_q2 is not None:
        _need(kernel, "d_q2", d_q2, end)
    _need(kernel, "loss", loss, 1)
    if (q2 is None) != (d_q2 is None):
        have = "is given, must be None" if q2 is None else "is None, must be given"
        raise ValueError("policy_delta: d_q2 %s like q2" % have)
    total = loss[0] if row else 0.0
    for r in range(row, end):
        q = q1[r]
        second = q2 is not None and q2[r] < q
        d_q1[r] = 0.0 if second else -1 / batch
        if d_q2 is not None:
            d_q2[r] = -1 / batch if second else 0.0
        total -= q2[r] if second else q
    loss[0] = total


def temperature_grad(log_alpha, log_prob, target_entropy, grad, batch):
    kernel = "temperature_grad"
    _int(kernel, "batch", batch, 1)
    _need(kernel, "log_alpha", log_alpha, 1)
    _need(kernel, "log_prob", log_prob, batch)
    _need(kernel, "target_entropy", target_entropy, 1)
    _need(kernel, "grad", grad, 1)
    total = 0.0
    for r in range(batch):
        total += log_prob[r]
    grad[0] -= _exp(log_alpha[0]) * (total / batch + target_entropy[0])


def temperature(log_alpha, coeffs):
    _need("temperature", "log_alpha", log_alpha, 1)
    _need("temperature", "coeffs", coeffs, 2)
    coeffs[1] = _exp(log_alpha[0])


def log_temperature(coeffs, log_alpha):
    _need("log_temperature", "coeffs", coeffs, 2)
    _need("log_temperature", "log_alpha", log_alpha, 1)
    log_alpha[0] = log(coeffs[1])


# --- moving numbers ---


def copy_columns(src, src_width, src_column, src_row, dst, dst_width, dst_column, dst_row, columns, rows):
    kernel = "copy_columns"
    _int(kernel, "src_width", src_width, 1)
    _int(kernel, "src_column", src_column)
    _int(kernel, "src_row", src_row)
    _int(kernel, "dst_width", dst_width, 1)
    _int(kernel, "dst_column", dst_column)
    _int(kernel, "dst_row", dst_row)
    _int(kernel, "columns", columns, 1)
    _int(kernel, "rows", rows)
    _need(kernel, "src", src, (src_row + rows) * src_width)
    _need(kernel, "dst", dst, (dst_row + rows) * dst_width)
    _fits(kernel, "src_column", src_column, "columns", columns, "src_width", src_width)
    _fits(kernel, "dst_column", dst_column, "columns", columns, "dst_width", dst_width)
    for r in range(rows):
        s = (src_row + r) * src_width + src_column
        d = (dst_row + r) * dst_width + dst_column
        for i in range(columns):
            dst[d + i] = src[s + i]


def copy(src, src_start, dst, dst_start, count):
    _int("copy", "src_start", src_start)
    _int("copy", "dst_start", dst_start)
    _int("copy", "count", count)
    _need("copy", "src", src, src_start + count)
    _need("copy", "dst", dst, dst_start + count)
    for i in range(count):
        dst[dst_start + i] = src[src_start + i]


def fill(x, value, start, count):
    end = _span("fill", start, count)
    _need("fill", "x", x, end)
    _need("fill", "value", value, 1)
    number = value[0]
    for i in range(start, end):
        x[i] = number


def accumulate(total, index, x):
    _int("accumulate", "index", index)
    _need("accumulate", "total", total, index + 1)
    _need("accumulate", "x", x, 1)
    total[index] += x[0]


def all_finite(x, start, count):
    end = _span("all_finite", start, count)
    _need("all_finite", "x", x, end)
    for i in range(start, end):
        if x[i] - x[i] != 0:
            return 0
    return 1


def crc32(data, crc):
    _need("crc32", "data", data, 0, "fiIB")
    _need("crc32", "crc", crc, 1, "I")
    value = crc[0] ^ _MASK
    table = []
    for i in range(16):
        for _ in range(4):
            i = i >> 1 ^ (0xEDB88320 if i & 1 else 0)
        table.append(i)
    for at in range(0, len(data), 64):
        for byte in bytes(data[at : at + 64]):  # the array's bytes, not its elements
            value ^= byte
            value = value >> 4 ^ table[value & 15]
            value = value >> 4 ^ table[value & 15]
    crc[0] = value ^ _MASK


def _float_text(x):
    """Nine significant digits; the last may be off where Python's floats are 32 bits."""
    if x - x != 0:
        return "null"
    digits, power = ("%.8e" % abs(x)).split("e")
    power = int(power)
    digits = (digits[0] + digits[2:]).rstrip("0") or "0"
    if -4 <= power < 0:
        text = "0." + "0" * (-power - 1) + digits
    elif 0 <= power < 9:
        digits += "0" * (power + 2 - len(digits))
        text = digits[: power + 1] + "." + digits[power + 1 :]
    else:
        text = digits[0] + ("." if len(digits) > 1 else "") + digits[1:]
        text += "e%s%02d" % ("-" if power < 0 else "+", abs(power))
    return "-" + text if x < 0 or str(x)[0] == "-" else text


def telemetry_line(line, fields, ints, floats, length, n_ints, n_floats):
    kernel = "telemetry_line"
    for name, value in (("length", length), ("n_ints", n_ints), ("n_floats", n_floats)):
        _int(kernel, name, value)
    _need(kernel, "line", line, length, "B")
    _need(kernel, "fields", fields, n_ints + n_floats, "i")
    _need(kernel, "ints", ints, n_ints, "i")
    _need(kernel, "floats", floats, n_floats)
    end = length - 21  # ,"check":"????????"} and a newline
    _int(kernel, "length", length, 21)
    for i in range(n_ints + n_floats):
        _int(kernel, "fields[%d]" % i, fields[i], 0, end - (11 if i < n_ints else 15))
    for i in range(n_ints + n_floats):
        text = "%11d" % ints[i] if i < n_ints else "%15s" % _float_text(floats[i - n_ints])
        for j in range(len(text)):
            line[fields[i] + j] = ord(text[j])
    crc = array("I", (0,))
    crc32(bytes(line[:end]), crc)
    text = "%04x%04x" % (crc[0] >> 16, crc[0] & 0xFFFF)
    for j in range(8):
        line[end + 10 + j] = ord(text[j])


# --- on-policy algorithms ---


def policy_action(mean, noise, log_std, scaling, raw, action, act_size, row, rows):
    kernel = "policy_action"
    _int(kernel, "act_size", act_size, 1)
    end = _rows(kernel, row, rows)
    _need(kernel, "mean", mean, end * act_size)
    _need(kernel, "noise", noise, end * act_size)
    _need(kernel, "log_std", log_std, act_size)
    _need(kernel, "scaling", scaling, 2 * act_size)
    _need(kernel, "raw", raw, end * act_size)
    _need(kernel, "action", action, rows * act_size)
    for j in range(act_size):
        std = _exp(log_std[j])
        for r in range(rows):
            at = (row + r) * act_size + j
            u = std * noise[at] + mean[at]
            raw[at] = u
            action[r * act_size + j] = scaling[j] * _clip(u, -1.0, 1.0) + scaling[act_size + j]


def _gaussian(kernel, mean, raw, log_std, act_size, row, rows):
    _int(kernel, "act_size", act_size, 1)
    end = _rows(kernel, row, rows)
    _need(kernel, "mean", mean, end * act_size)
    _need(kernel, "raw", raw, end * act_size)
    _need(kernel, "log_std", log_std, act_size)
    return end


def _density(mean, raw, log_std, act_size, r):
    """The log-density of row r of raw."""
    total = 0.0
    at = r * act_size
    for j in range(act_size):
        z = (raw[at + j] - mean[at + j]) * _exp(-log_std[j])
        total += -0.5 * z * z - log_std[j] - 0.9189385175704956  # log(2 pi) / 2
    return total


def gaussian_log_prob(mean, raw, log_std, log_prob, act_size, row, rows):
    end = _gaussian("gaussian_log_prob", mean, raw, log_std, act_size, row, rows)
    _need("gaussian_log_prob", "log_prob", log_prob, end)
    for r in range(row, end):
        log_prob[r] = _density(mean, raw, log_std, act_size, r)


def _surrogate(log_prob, old_log_prob, advantage, clip, stats, batch):
    """The gradient of PPO's clipped objective at a row's log_prob; adds the row to stats."""
    low = 1 - clip
    high = 1 + clip
    ratio = _exp(log_prob - old_log_prob)
    gain = advantage * ratio
    clipped = advantage * _clip(ratio, low, high)
    stats[0] -= clipped if clipped < gain else gain
    stats[1] += (ratio - 1) - (log_prob - old_log_prob)
    if ratio > high:
        stats[2] += 1
        if advantage >= 0:
            return 0.0
    elif ratio < low:
        stats[2] += 1
        if advantage < 0:
            return 0.0
    return -gain / batch


def _objective(kernel, old_log_prob, advantage, clip, entropy, end):
    _need(kernel, "old_log_prob", old_log_prob, end)
    _need(kernel, "advantage", advantage, end)
    _need(kernel, "clip", clip, 1)
    _need(kernel, "entropy", entropy, 1)


def _begin_stats(stats, row):
    if row == 0:
        for i in range(3):
            stats[i] = 0.0


def ppo_gaussian_delta(
    mean, raw, log_std, old_log_prob, advantage, clip, entropy, d_mean, d_log_std, stats, act_size, row, rows, batch
):
    kernel = "ppo_gaussian_delta"
    _int(kernel, "act_size", act_size, 1)
    _rows(kernel, row, rows)
    _int(kernel, "batch", batch, 1)
    end = _gaussian(kernel, mean, raw, log_std, act_size, row, rows)
    _objective(kernel, old_log_prob, advantage, clip, entropy, end)
    _need(kernel, "d_mean", d_mean, end * act_size)
    _need(kernel, "d_log_std", d_log_std, act_size)
    _need(kernel, "stats", stats, 3)
    _begin_stats(stats, row)
    for r in range(row, end):
        log_prob = _density(mean, raw, log_std, act_size, r)
        g = _surrogate(log_prob, old_log_prob[r], advantage[r], clip[0], stats, batch)
        for j in range(act_size):
            at = r * act_size + j
            inverse_std = _exp(-log_std[j])
            z = (raw[at] - mean[at]) * inverse_std
            d_mean[at] = g * z * inverse_std
            d_log_std[j] += g * (z * z - 1) - entropy[0] / batch


def _columns(kernel, name, x, n, row, rows):
    _int(kernel, "n", n, 1)
    end = _rows(kernel, row, rows)
    _need(kernel, name, x, end * n)
    return end


def _largest(x, at, n):
    """The index of the largest of x[at : at + n], the first of equals."""
    best = 0
    for k in range(1, n):
        if x[at + k] > x[at + best]:
            best = k
    return best


def categorical_sample(logits, rng, choice, n, row, rows):
    kernel = "categorical_sample"
    end = _columns(kernel, "logits", logits, n, row, rows)
    _rng(kernel, rng)
    _need(kernel, "choice", choice, end, "i")
    for r in range(row, end):
        at = r * n
        most = logits[at + _largest(logits, at, n)]
        total = 0.0
        for k in range(n):
            total += _exp(logits[at + k] - most)
        threshold = (_block(rng, r)[0] >> 8) * 5.960464477539063e-08 * total  # 2^-24
        total = 0.0
        chosen = n - 1
        for k in range(n):
            total += _exp(logits[at + k] - most)
            if threshold < total:
                chosen = k
                break
        choice[r] = chosen
    _advance(rng)


def argmax(x, choice, n, row, rows):
    end = _columns("argmax", "x", x, n, row, rows)
    _need("argmax", "choice", choice, end, "i")
    for r in range(row, end):
        choice[r] = _largest(x, r * n, n)


def _log_sum(logits, at, n):
    """log(sum of exp(logits[at : at + n]))"""
    most = logits[at + _largest(logits, at, n)]
    total = 0.0
    for k in range(n):
        total += _exp(logits[at + k] - most)
    return most + log(total)


def categorical_log_prob(logits, choice, log_prob, n, row, rows):
    kernel = "categorical_log_prob"
    end = _columns(kernel, "logits", logits, n, row, rows)
    _need(kernel, "choice", choice, end, "i")
    _need(kernel, "log_prob", log_prob, end)
    _within(kernel, "choice", choice, row, end, n)
    for r in range(row, end):
        log_prob[r] = logits[r * n + choice[r]] - _log_sum(logits, r * n, n)


def ppo_categorical_delta(logits, choice, old_log_prob, advantage, clip, entropy, d_logits, stats, n, row, rows, batch):
    kernel = "ppo_categorical_delta"
    _int(kernel, "n", n, 1)
    _rows(kernel, row, rows)
    _int(kernel, "batch", batch, 1)
    end = _columns(kernel, "logits", logits, n, row, rows)
    _need(kernel, "choice", choice, end, "i")
    _objective(kernel, old_log_prob, advantage, clip, entropy, end)
    _need(kernel, "d_logits", d_logits, end * n)
    _need(kernel, "stats", stats, 3)
    _within(kernel, "choice", choice, row, end, n)
    _begin_stats(stats, row)
    for r in range(row, end):
        at = r * n
        log_sum = _log_sum(logits, at, n)
        log_prob = logits[at + choice[r]] - log_sum
        g = _surrogate(log_prob, old_log_prob[r], advantage[r], clip[0], stats, batch)
        minus_entropy = 0.0
        for k in range(n):
            minus_entropy += _exp(logits[at + k] - log_sum) * (logits[at + k] - log_sum)
        for k in range(n):
            log_p = logits[at + k] - log_sum
            p = _exp(log_p)
            d = (g if k == choice[r] else 0.0) - g * p
            d_logits[at + k] = d + entropy[0] / batch * p * (log_p - minus_entropy)


def value_delta(value, target, old_value, clip, d_value, loss, row, rows, batch):
    kernel = "value_delta"
    end = _rows(kernel, row, rows)
    _int(kernel, "batch", batch, 1)
    _need(kernel, "value", value, end)
    _need(kernel, "target", target, end)
    if old_value is not None:
        _need(kernel, "old_value", old_value, end)
    _need(kernel, "clip", clip, 1)
    _need(kernel, "d_value", d_value, end)
    _need(kernel, "loss", loss, 1)
    limit = clip[0]
    total = loss[0] if row else 0.0
    for r in range(row, end):
        error = value[r] - target[r]
        square = error * error
        if old_value is not None:
            change = value[r] - old_value[r]
            if abs(change) > limit:
                other = old_value[r] + _clip(change, -limit, limit) - target[r]
                if other * other > square:
                    square = other * other
                    error = 0.0
        d_value[r] = error / batch
        total += square
    loss[0] = total


def gae(reward, ended, value, final_value, coeffs, advantage, target, envs, steps):
    kernel = "gae"
    _int(kernel, "envs", envs, 1)
    _int(kernel, "steps", steps, 1)
    n = steps * envs
    _need(kernel, "reward", reward, n)
    _need(kernel, "ended", ended, n, "B")
    _need(kernel, "value", value, n + envs)
    _need(kernel, "final_value", final_value, n)
    _need(kernel, "coeffs", coeffs, 2)
    _need(kernel, "advantage", advantage, n)
    _need(kernel, "target", target, n)
    gamma = coeffs[0]
    decay = gamma * coeffs[1]
    for e in range(envs):
        total = 0.0
        for at in range(n - envs + e, -1, -envs):
            if ended[at] == 0:
                after = value[at + envs]
            else:
                total = 0.0
                after = 0.0 if ended[at] == 1 else final_value[at]
            total = gamma * after + reward[at] - value[at] + decay * total
            advantage[at] = total
            target[at] = total + value[at]


def _lanes(x, start, count, squares):
    """The sum of x[start : start + count] or of its squares, in 16 lanes: many boards' floats have 32 bits."""
    lanes = [0.0] * 16
    for i in range(count):
        value = x[start + i]
        lanes[i % 16] += value * value if squares else value
    for half in (8, 4, 2, 1):
        for k in range(half):
            lanes[k] += lanes[k + half]
    return lanes[0]


def standardise(x, count):
    _int("standardise", "count", count, 1)
    _need("standardise", "x", x, count)
    if count == 1:
        return
    for _ in range(2):  # the second time what rounding left of the mean
        mean = _lanes(x, 0, count, False) / count
        for i in range(count):
            x[i] -= mean
    deviation = sqrt(_lanes(x, 0, count, True) / count) + 9.99999993922529e-09  # 1e-8
    for i in range(count):
        x[i] /= deviation


def permutation(rng, indices, count):
    _rng("permutation", rng)
    _int("permutation", "count", count, 1)
    _need("permutation", "indices", indices, count, "i")
    for i in range(count):
        indices[i] = i
    words = None
    for k in range(count - 1):
        if not k & 1:
            words = _block(rng, k >> 1)
        i = count - 1 - k
        j = words[k & 1] * (i + 1) >> 32
        other = indices[j]
        indices[j] = indices[i]
        indices[i] = other
    _advance(rng)


def gather_rows(src, indices, dst, limit, width, start, count):
    kernel = "gather_rows"
    _int(kernel, "limit", limit, 1)
    _int(kernel, "width", width, 1)
    end = _span(kernel, start, count)
    _need(kernel, "src", src, limit * width)
    _need(kernel, "indices", indices, end, "i")
    _need(kernel, "dst", dst, count * width)
    _within(kernel, "indices", indices, start, end, limit)
    at = 0
    for k in range(start, end):
        row = indices[k] * width
        for i in range(row, row + width):
            dst[at] = src[i]
            at += 1


def gather_ints(src, indices, dst, limit, start, count):
    kernel = "gather_ints"
    _int(kernel, "limit", limit, 1)
    end = _span(kernel, start, count)
    _need(kernel, "src", src, limit, "i")
    _need(kernel, "indices", indices, end, "i")
    _need(kernel, "dst", dst, count, "i")
    _within(kernel, "indices", indices, start, end, limit)
    for k in range(count):
        dst[k] = src[indices[start + k]]


def add_squares(x, total, start, count):
    end = _span("add_squares", start, count)
    _need("add_squares", "x", x, end)
    _need("add_squares", "total", total, 1)
    total[0] += _lanes(x, start, count, True)


def norm_scale(total, max_norm, scale):
    _need("norm_scale", "total", total, 1)
    _need("norm_scale", "max_norm", max_norm, 1)
    _need("norm_scale", "scale", scale, 1)
    norm = sqrt(total[0])
    scale[0] = 1.0 if norm <= max_norm[0] else max_norm[0] / (norm + 9.999999974752427e-07)  # 1e-6


def scale(x, factor, start, count):
    end = _span("scale", start, count)
    _need("scale", "x", x, end)
    _need("scale", "factor", factor, 1)
    for i in range(start, end):
        x[i] *= factor[0]


def linear_schedule(ends, out, index, step, steps):
    kernel = "linear_schedule"
    _int(kernel, "index", index)
    _int(kernel, "step", step)
    _int(kernel, "steps", steps, 1)
    _need(kernel, "ends", ends, 2)
    _need(kernel, "out", out, index + 1)
    out[index] = min(step, steps) / steps * (ends[1] - ends[0]) + ends[0]


def moments_update(x, moments, width, rows):
    kernel = "moments_update"
    _int(kernel, "width", width, 1)
    _int(kernel, "rows", rows)
    _need(kernel, "x", x, rows * width)
    _need(kernel, "moments", moments, 1 + 2 * width)
    for r in range(rows):
        at = r * width
        if not moments[0] < 16777216 or not _finite(x, width, at):  # float32 counts no further than 2^24
            continue
        moments[0] += 1
        for j in range(width):
            d = x[at + j] - moments[1 + j]
            moments[1 + j] += d / moments[0]
            moments[1 + width + j] += d * (x[at + j] - moments[1 + j])


def moments_apply(x, moments, out, width, row, rows):
    kernel = "moments_apply"
    _int(kernel, "width", width, 1)
    end = _rows(kernel, row, rows)
    _need(kernel, "x", x, end * width)
    _need(kernel, "moments", moments, 1 + 2 * width)
    _need(kernel, "out", out, end * width)
    for j in range(width):
        if moments[0] > 0:
            mean = moments[1 + j]
            deviation = sqrt(moments[1 + width + j] / moments[0] + 9.99999993922529e-09)  # 1e-8
            for at in range(row * width + j, end * width, width):
                out[at] = _clip((x[at] - mean) / deviation, -10.0, 10.0)
        else:
            for at in range(row * width + j, end * width, width):
                out[at] = x[at]


def moments_restore(x, moments, out, width, row, rows):
    kernel = "moments_restore"
    _int(kernel, "width", width, 1)
    end = _rows(kernel, row, rows)
    _need(kernel, "x", x, end * width)
    _need(kernel, "moments", moments, 1 + 2 * width)
    _need(kernel, "out", out, end * width)
    for j in range(width):
        mean = 0.0
        deviation = 1.0
        if moments[0] > 0:
            mean = moments[1 + j]
            deviation = sqrt(moments[1 + width + j] / moments[0] + 9.99999993922529e-09)  # 1e-8
        for at in range(row * width + j, end * width, width):
            out[at] = x[at] * deviation + mean


# --- values of discrete actions ---


def epsilon_greedy(q, epsilon, rng, choice, n, row, rows):
    kernel = "epsilon_greedy"
    end = _columns(kernel, "q", q, n, row, rows)
    _need(kernel, "epsilon", epsilon, 1)
    _rng(kernel, rng)
    _need(kernel, "choice", choice, end, "i")
    for r in range(row, end):
        word0, word1 = _block(rng, r)
        random = (word0 >> 8) * 5.960464477539063e-08 < epsilon[0]  # 2^-24
        choice[r] = (word1 * n) >> 32 if random else _largest(q, r * n, n)
    _advance(rng)


def dqn_target(reward, not_terminated, q_select, q_value, coeffs, target, n, row, rows):
    kernel = "dqn_target"
    end = _columns(kernel, "q_select", q_select, n, row, rows)
    _need(kernel, "reward", reward, end)
    _need(kernel, "not_terminated", not_terminated, end)
    _need(kernel, "q_value", q_value, end * n)
    _need(kernel, "coeffs", coeffs, 1)
    _need(kernel, "target", target, end)
    for r in range(row, end):
        q = q_value[r * n + _largest(q_select, r * n, n)]
        target[r] = coeffs[0] * not_terminated[r] * q + reward[r]


def choice_delta(q, action, scaling, target, limit, d_q, loss, n, width, column, row, rows, batch):
    kernel = "choice_delta"
    _int(kernel, "width", width, 1)
    _int(kernel, "column", column)
    _int(kernel, "batch", batch, 1)
    end = _columns(kernel, "q", q, n, row, rows)
    _need(kernel, "action", action, end * width)
    _need(kernel, "scaling", scaling, 2)
    _need(kernel, "target", target, end)
    _need(kernel, "limit", limit, 1)
    _need(kernel, "d_q", d_q, end * n)
    _need(kernel, "loss", loss, 1)
    _fits(kernel, "column", column, "1", 1, "width", width)
    total = loss[0] if row else 0.0
    most = limit[0]
    for r in range(row, end):
        a = scaling[0] * action[r * width + column] + scaling[1]
        chosen = max(0, min(n - 1, int(a + 0.5)))
        error = q[r * n + chosen] - target[r]
        clipped = _clip(error, -most, most)
        total += 0.5 * clipped * clipped + (abs(error) - abs(clipped)) * most
        for k in range(n):
            d_q[r * n + k] = clipped / batch if k == chosen else 0.0
    loss[0] = total


# --- supervised learning ---


def huber_delta(q, target, limit, d_q, loss, row, rows, batch):
    kernel = "huber_delta"
    end = _rows(kernel, row, rows)
    _int(kernel, "batch", batch, 1)
    _need(kernel, "q", q, end)
    _need(kernel, "target", target, end)
    _need(kernel, "limit", limit, 1)
    _need(kernel, "d_q", d_q, end)
    _need(kernel, "loss", loss, 1)
    total = loss[0] if row else 0.0
    most = limit[0]
    for r in range(row, end):
        error = q[r] - target[r]
        clipped = _clip(error, -most, most)
        d_q[r] = clipped / batch
        total += 0.5 * clipped * clipped + (abs(error) - abs(clipped)) * most
    loss[0] = total


def cross_entropy_delta(logits, choice, d_logits, loss, n, row, rows, batch):
    kernel = "cross_entropy_delta"
    _int(kernel, "n", n, 1)
    _rows(kernel, row, rows)
    _int(kernel, "batch", batch, 1)
    end = _columns(kernel, "logits", logits, n, row, rows)
    _need(kernel, "choice", choice, end, "i")
    _need(kernel, "d_logits", d_logits, end * n)
    _need(kernel, "loss", loss, 1)
    _within(kernel, "choice", choice, row, end, n)
    total = loss[0] if row else 0.0
    for r in range(row, end):
        at = r * n
        log_sum = _log_sum(logits, at, n)
        total -= logits[at + choice[r]] - log_sum
        for k in range(n):
            d_logits[at + k] = (_exp(logits[at + k] - log_sum) - (1.0 if k == choice[r] else 0.0)) / batch
    loss[0] = total


def sgd_delta(grad, velocity, hyper, start, count):
    kernel = "sgd_delta"
    end = _span(kernel, start, count)
    _need(kernel, "grad", grad, end)
    if velocity is not None:
        _need(kernel, "velocity", velocity, end)
    _need(kernel, "hyper", hyper, 2)
    for i in range(start, end):
        step = _flush(grad[i])
        if velocity is not None:
            step = _flush(hyper[1] * velocity[i] + step)
            velocity[i] = step
        grad[i] = hyper[0] * step


# --- environments ---


def _pendulum(kernel, state, obs, row, rows):
    end = _rows(kernel, row, rows)
    _need(kernel, "state", state, end * 2)
    _need(kernel, "obs", obs, end * 3)
    return end


def _pendulum_observe(state, obs, row, end):
    for r in range(row, end):
        angle = state[2 * r]
        obs[3 * r] = cos(angle)
        obs[3 * r + 1] = sin(angle)
        obs[3 * r + 2] = state[2 * r + 1]


def pendulum_reset(rng, state, obs, row, rows):
    _rng("pendulum_reset", rng)
    end = _pendulum("pendulum_reset", state, obs, row, rows)
    for r in range(row, end):
        a, b = _block(rng, r)
        state[2 * r] = _PI * _unit(a)
        state[2 * r + 1] = _unit(b)
    _advance(rng)
    _pendulum_observe(state, obs, row, end)


def pendulum_observe(state, obs, row, rows):
    _pendulum_observe(state, obs, row, _pendulum("pendulum_observe", state, obs, row, rows))


def pendulum_step(state, action, obs, reward, row, rows):
    end = _pendulum("pendulum_step", state, obs, row, rows)
    _need("pendulum_step", "action", action, end)
    _need("pendulum_step", "reward", reward, end)
    for r in range(row, end):
        angle = state[2 * r]
        velocity = state[2 * r + 1]
        u = _clip(action[r], -2.0, 2.0)
        reward[r] = -(angle * angle + 0.1 * velocity * velocity + 0.001 * u * u)
        velocity = _clip(velocity + (15 * sin(angle) + 3 * u) * 0.05, -8.0, 8.0)
        state[2 * r + 1] = velocity
        state[2 * r] = angle + velocity * 0.05
        angle = state[2 * r]  # as float32, else it could round up to pi
        if angle >= _PI:
            state[2 * r] = angle - 2 * _PI
        elif angle < -_PI:
            state[2 * r] = angle + 2 * _PI
    _pendulum_observe(state, obs, row, end)


def cartpole_reset(rng, state, row, rows):
    _rng("cartpole_reset", rng)
    end = _rows("cartpole_reset", row, rows)
    _need("cartpole_reset", "state", state, end * 4)
    for at in range(2 * row, 2 * end):
        a, b = _block(rng, at)
        state[2 * at] = 0.05 * _unit(a)
        state[2 * at + 1] = 0.05 * _unit(b)
    _advance(rng)


def cartpole_step(state, action, ended, row, rows):
    kernel = "cartpole_step"
    end = _rows(kernel, row, rows)
    _need(kernel, "state", state, end * 4)
    _need(kernel, "action", action, end, "i")
    _need(kernel, "ended", ended, end, "B")
    for r in range(row, end):
        at = 4 * r
        angle = state[at + 2]
        omega = state[at + 3]
        sine = sin(angle)
        cosine = cos(angle)
        t = ((10 if action[r] == 1 else -10) + 0.05 * omega * omega * sine) / 1.1
        turn = (9.8 * sine - cosine * t) / (0.5 * (4 / 3 - 0.1 * cosine * cosine / 1.1))
        push = t - 0.05 * turn * cosine / 1.1
        state[at] += 0.02 * state[at + 1]
        state[at + 1] += 0.02 * push
        state[at + 2] += 0.02 * omega
        state[at + 3] += 0.02 * turn
        # 12 degrees, and both as float32
        ended[r] = int(abs(state[at]) > 2.4000000953674316 or abs(state[at + 2]) > 0.20943951606750488)
