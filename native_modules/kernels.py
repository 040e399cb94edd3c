"""The kernel contract, declared once.

`generate.py` makes the three C bindings from this table (MicroPython user module, native .mpy module, CPython
extension); the tests run every backend against it. README.md beside this file says what the numbers must be.

Buffers: `F` float32 ('f'), `I` int32 ('i'), `U` uint32 ('I'), `B` bytes (bytearray or 'B'). A size is an
expression in the integer arguments, `len_NAME` (the length of buffer NAME) and, where a kernel takes a `Layout`,
`n_params`, `n_in`, `n_out` and `n_hidden` (the sum of the widths of all layers but the last). A buffer may be longer
than its size. Sizes and integers are checked before the first write; a wrong one raises ValueError, for example

    forward: out holds 12 floats, needs 16 ((row + rows) * n_out)
"""

from dataclasses import dataclass, field

ABI = 2  # changes whenever a signature or a meaning below changes; the library refuses another

# A network's layout is a sequence of records of four int32: kind, inputs, outputs, activation.
RECORD = 4
KINDS = {"dense": 1}
ACTIVATIONS = {"identity": 0, "relu": 1, "tanh": 2}

# Indices of a replay's int32 state.
REPLAY_STATE = {"head": 0, "size": 1, "pending": 2, "valid": 3, "refused": 4, "spare": 5}

MAX_INT = 0x00FFFFFF  # of an integer argument: products of three still fit 64 bits


@dataclass(frozen=True)
class Buffer:
    name: str
    typecode: str
    size: str
    writes: bool = False
    optional: bool = False  # None is accepted


@dataclass(frozen=True)
class Layout:
    """An 'i' buffer of whole, chained records: the outputs of one are the inputs of the next."""

    name: str = "layout"


@dataclass(frozen=True)
class Int:
    """0 ≤ value ≤ MAX_INT; `least` raises the lower bound."""

    name: str
    least: int = 0


@dataclass(frozen=True)
class AnyBuffer:
    """A buffer of any of the four typecodes, read as bytes."""

    name: str


@dataclass(frozen=True)
class Kernel:
    name: str
    doc: str
    args: tuple
    returns: str = "none"  # or "int": a small integer, so that nothing is allocated
    check: bool = False  # the core adds picorl_check_NAME(): contents that sizes do not cover
    extra: dict = field(default_factory=dict)


def F(name, size, optional=False):
    return Buffer(name, "f", size, False, optional)


def Fw(name, size, optional=False):
    return Buffer(name, "f", size, True, optional)


ROWS = (Int("row"), Int("rows"))
SPAN = (Int("start"), Int("count"))
RNG = Buffer("rng", "I", "4", True)
REPLAY = (
    Buffer("replay_flags", "B", "capacity"),
    Buffer("replay_state", "i", "6"),
)


def _replay(writes):
    return (
        Buffer("replay_obs", "f", "capacity * obs_size", writes),
        Buffer("replay_action", "f", "capacity * act_size", writes),
        Buffer("replay_reward", "f", "capacity", writes),
        Buffer("replay_flags", "B", "capacity", writes),
    )


KERNELS = (
    # --- networks -----------------------------------------------------------------------------------------------
    Kernel(
        "init_params",
        """Fill a network's params for the start of training: weights and biases of a dense layer uniform in
        ±1/sqrt(inputs) (PyTorch's default). Parameter i of the whole buffer is u_i * (1.0f / sqrtf(inputs)), where u is
        what `uniform` would write for n_params. Advances rng by one step.""",
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
    # --- optimiser ----------------------------------------------------------------------------------------------
    Kernel(
        "adam_advance",
        """Begin an Adam step (Kingma & Ba 2015, algorithm 1): hyper = learning rate, beta1, beta2, epsilon; state =
        beta1^t, beta2^t, lr / (1 - beta1^t), 1 / sqrt(1 - beta2^t); state starts as 1, 1, 0, 0. The powers are
        multiplied up in float32.""",
        (F("hyper", "4"), Fw("state", "4")),
    ),
    Kernel(
        "adam",
        """Adam on elements [start, start + count) with the step sizes of `adam_advance`; grad is zeroed behind it.
        m = flush(fma(beta1, m, (1 - beta1) * g)); v = flush(fma(beta2, v, ((1 - beta2) * g) * g));
        step = (state[2] * m) / fma(sqrt(v), state[3], epsilon); params = flush(params - step). g is flush(grad).""",
        (
            Fw("params", "start + count"),
            Fw("grad", "start + count"),
            Fw("m", "start + count"),
            Fw("v", "start + count"),
            F("hyper", "4"),
            F("state", "4"),
            *SPAN,
        ),
    ),
    Kernel(
        "adam_delta",
        """Like `adam`, but params stay and grad becomes the step (to be subtracted by `apply_delta`): the acting policy
        then changes in one short call, however finely its Adam is cut into pieces.""",
        (
            Fw("grad", "start + count"),
            Fw("m", "start + count"),
            Fw("v", "start + count"),
            F("hyper", "4"),
            F("state", "4"),
            *SPAN,
        ),
    ),
    Kernel(
        "apply_delta",
        """params = flush(params - delta) on elements [start, start + count); delta is zeroed behind it.""",
        (Fw("params", "start + count"), Fw("delta", "start + count"), *SPAN),
    ),
    Kernel(
        "polyak",
        """target = flush(fma(tau[0], source - target, target)) on elements [start, start + count).""",
        (Fw("target", "start + count"), F("source", "start + count"), F("tau", "1"), *SPAN),
    ),
    # --- random numbers -----------------------------------------------------------------------------------------
    Kernel(
        "uniform",
        """Fill out[0:count] with uniform numbers in [-1, 1): with h = (count + 1) // 2, element j < h comes from word 0
        of block (step, j) and element h + j from word 1; the value is (word >> 8) * 2^-23 - 1. Advances rng one step.""",
        (RNG, Fw("out", "count"), Int("count")),
    ),
    Kernel(
        "normal",
        """Fill out[0:count] with standard normal numbers (Box and Muller 1958): with h = (count + 1) // 2 and words w0, w1
        of block (step, j): radius = sqrt(-2 log(((w0 >> 8) + 1) * 2^-24)), turn = (w1 >> 8) * 2^-24; out[j] = radius *
        cos(2 pi turn), out[h + j] = radius * sin(2 pi turn). Advances rng one step.""",
        (RNG, Fw("out", "count"), Int("count")),
    ),
    # --- replay -------------------------------------------------------------------------------------------------
    Kernel(
        "replay_begin",
        """Open an episode with obs (obs_size): write it to the pending row. The row at head is kept as a boundary row and
        head moves on when the transition before it needs it as its next observation (replay_flags[head - 1] == 1).
        Returns 1, or 0 for an obs that is not finite: it is refused and counted, and no row is pending.
        flags: 0 never sampled (empty, pending or boundary), 1 transition, 2 transition that terminated.
        replay_state: head (the pending row), size (rows ever used), pending (0 or 1), valid (rows with a flag), refused.""",
        (
            Buffer("replay_obs", "f", "capacity * obs_size", True),
            Buffer("replay_flags", "B", "capacity", True),
            Buffer("replay_state", "i", "6", True),
            F("obs", "obs_size"),
            Int("obs_size", 1),
            Int("capacity", 2),
        ),
        returns="int",
        check=True,
    ),
    Kernel(
        "replay_observe",
        """Complete the pending row with action and reward, flag it 1 (2 when terminated) and write next_obs to the row after it,
        which becomes the pending one unless ended (terminated or truncated). action (act_size) comes in the environment's
        units and is stored as clip((action - middle) / half, -1, 1); scaling = half[act_size], middle[act_size].
        Returns 1, or 0 when the transition was refused and counted: a value is not finite, or no row was pending. After a refusal
        the episode goes on from next_obs (as `replay_begin` would) if that is finite and the episode has not ended.""",
        (
            *_replay(True),
            Buffer("replay_state", "i", "6", True),
            F("action", "act_size"),
            F("reward", "1"),
            F("next_obs", "obs_size"),
            F("scaling", "2 * act_size"),
            Int("obs_size", 1),
            Int("act_size", 1),
            Int("capacity", 2),
            Int("terminated"),
            Int("ended"),
        ),
        returns="int",
        check=True,
    ),
    Kernel(
        "replay_sample",
        """Draw count rows uniformly, with replacement, among those with a flag. Draw k takes word k & 1 of block (step, k >> 1);
        its row is (word * size) >> 32; a row without a flag is rejected and the next draw taken. Advances rng one step.
        ValueError when no row has a flag.""",
        (
            Buffer("replay_flags", "B", "capacity"),
            Buffer("replay_state", "i", "6"),
            RNG,
            Buffer("indices", "i", "count", True),
            Int("capacity", 2),
            Int("count"),
        ),
        check=True,
    ),
    Kernel(
        "replay_gather",
        """Copy the transitions at indices[0:count] out of the replay: obs and next_obs (count, obs_size), obs_action
        (count, obs_size + act_size) whole, the obs columns of next_obs_action (the next actions are the algorithm's),
        reward (count) and not_terminated (count): 0 where the transition terminated, else 1.
        next_obs is the obs of the row after, modulo capacity. ValueError for an index outside the replay.""",
        (
            *_replay(False),
            Buffer("indices", "i", "count"),
            Fw("obs", "count * obs_size"),
            Fw("obs_action", "count * (obs_size + act_size)"),
            Fw("next_obs", "count * obs_size"),
            Fw("next_obs_action", "count * (obs_size + act_size)"),
            Fw("reward", "count"),
            Fw("not_terminated", "count"),
            Int("obs_size", 1),
            Int("act_size", 1),
            Int("capacity", 2),
            Int("count"),
        ),
        check=True,
    ),
    # --- acting: one observation, results in the environment's units -------------------------------------------------
    Kernel(
        "uniform_action",
        """action = fma(half, u, middle) with u as `uniform` draws it for act_size; scaling = half, middle.
        Advances rng one step.""",
        (RNG, F("scaling", "2 * act_size"), Fw("action", "act_size"), Int("act_size", 1)),
    ),
    Kernel(
        "deterministic_action",
        """action = fma(half, clip(fma(sigma[0], noise, mu), -1, 1), middle); noise None: without exploration.""",
        (
            F("mu", "act_size"),
            F("noise", "act_size", optional=True),
            F("sigma", "1"),
            F("scaling", "2 * act_size"),
            Fw("action", "act_size"),
            Int("act_size", 1),
        ),
    ),
    Kernel(
        "gaussian_action",
        """action = fma(half, tanh(fma(exp(clip(log_std, -20, 2)), noise, mean)), middle) where head (2 * act_size) = mean,
        log_std; noise None: tanh(mean).""",
        (
            F("head", "2 * act_size"),
            F("noise", "act_size", optional=True),
            F("scaling", "2 * act_size"),
            Fw("action", "act_size"),
            Int("act_size", 1),
        ),
    ),
    # --- actor-critic algorithms: rows [row, row + rows) of a batch; actions here are in [-1, 1] ------------------------
    Kernel(
        "gaussian_head",
        """Squashed Gaussian policy (Haarnoja et al. 2018, appendix C): from head (batch, 2 * act_size) = mean | log_std and
        noise (batch, act_size) write tanh(u), u = fma(std, noise, mean), std = exp(clip(log_std, -20, 2)), to columns
        [column, column + act_size) of action (batch, width), and its log-density to log_prob (batch):
        the sum over actions, in order, of -noise^2/2 - log_std - log(2 pi)/2 - 2 (log 2 - |u| - log(1 + exp(-2 |u|))).""",
        (
            F("head", "(row + rows) * 2 * act_size"),
            F("noise", "(row + rows) * act_size"),
            Fw("action", "(row + rows) * width"),
            Int("width", 1),
            Int("column"),
            Fw("log_prob", "row + rows"),
            Int("act_size", 1),
            *ROWS,
        ),
        check=True,
    ),
    Kernel(
        "gaussian_head_backward",
        """Gradient at head of mean(alpha * log_prob - min Q): with w = alpha / batch (alpha = coeffs[1]), a the action of
        `gaussian_head`, da = d_x1 + d_x2 at its columns (d_x1, d_x2 (rows, width): the critics' input gradients, rows counted
        from 0; d_x2 may be None) and du = fma(2 w, a, da * (1 - a^2)):
        d_mean = du, d_log_std = fma(du, std * noise, -w), or 0 where log_std was clipped.""",
        (
            F("head", "(row + rows) * 2 * act_size"),
            F("noise", "(row + rows) * act_size"),
            F("action", "(row + rows) * width"),
            Int("width", 1),
            Int("column"),
            F("d_x1", "rows * width"),
            F("d_x2", "rows * width", optional=True),
            F("coeffs", "2"),
            Fw("d_head", "(row + rows) * 2 * act_size"),
            Int("act_size", 1),
            *ROWS,
            Int("batch", 1),
        ),
        check=True,
    ),
    Kernel(
        "smoothed_action",
        """Target policy smoothing (Fujimoto et al. 2018, eq. 14): clip(mu + clip(sigma * noise, -c, c), -1, 1), with
        smoothing = sigma, c, to columns [column, column + act_size) of action (batch, width).""",
        (
            F("mu", "(row + rows) * act_size"),
            F("noise", "(row + rows) * act_size"),
            F("smoothing", "2"),
            Fw("action", "(row + rows) * width"),
            Int("width", 1),
            Int("column"),
            Int("act_size", 1),
            *ROWS,
        ),
        check=True,
    ),
    Kernel(
        "td_target",
        """target = fma(gamma * not_terminated, q, reward) with q = min(q1, q2) (q2 None: q1), minus alpha * log_prob as
        fma(-alpha, log_prob, q) unless log_prob is None; coeffs = gamma, alpha.""",
        (
            F("reward", "row + rows"),
            F("not_terminated", "row + rows"),
            F("q1", "row + rows"),
            F("q2", "row + rows", optional=True),
            F("log_prob", "row + rows", optional=True),
            F("coeffs", "2"),
            Fw("target", "row + rows"),
            *ROWS,
        ),
    ),
    Kernel(
        "mse_delta",
        """Gradient of mean((q - target)^2): d_q = (q - target) * (2 / batch). loss[0] gathers the sum of squares, rows
        ascending, starting at 0 when row is 0.""",
        (
            F("q", "row + rows"),
            F("target", "row + rows"),
            Fw("d_q", "row + rows"),
            Fw("loss", "1"),
            *ROWS,
            Int("batch", 1),
        ),
    ),
    Kernel(
        "policy_delta",
        """Gradient of -mean(min(q1, q2)): -1/batch at the smaller (q1 when equal) and 0 at the other; q2 and d_q2 None: all
        at q1. loss[0] gathers -min(q1, q2), rows ascending, starting at 0 when row is 0.""",
        (
            F("q1", "row + rows"),
            F("q2", "row + rows", optional=True),
            Fw("d_q1", "row + rows"),
            Fw("d_q2", "row + rows", optional=True),
            Fw("loss", "1"),
            *ROWS,
            Int("batch", 1),
        ),
        check=True,
    ),
    Kernel(
        "temperature_grad",
        """Gradient of J(alpha) = mean(-alpha (log_prob + target_entropy)) (Haarnoja et al. 2018, eq. 18) by log alpha, added to grad[0]:
        -exp(log_alpha) * (sum(log_prob) / batch + target_entropy), the sum in ascending order.""",
        (
            F("log_alpha", "1"),
            F("log_prob", "batch"),
            F("target_entropy", "1"),
            Fw("grad", "1"),
            Int("batch", 1),
        ),
    ),
    Kernel(
        "temperature",
        """coeffs[1] = exp(log_alpha[0]).""",
        (F("log_alpha", "1"), Fw("coeffs", "2")),
    ),
    Kernel(
        "log_temperature",
        """log_alpha[0] = log(coeffs[1]): where training starts.""",
        (F("coeffs", "2"), Fw("log_alpha", "1")),
    ),
    # --- moving numbers -----------------------------------------------------------------------------------------
    Kernel(
        "copy_columns",
        """Copy columns [src_column, src_column + columns) of src (·, src_width), rows from src_row, to columns from
        dst_column of dst (·, dst_width), rows from dst_row.""",
        (
            F("src", "(src_row + rows) * src_width"),
            Int("src_width", 1),
            Int("src_column"),
            Int("src_row"),
            Fw("dst", "(dst_row + rows) * dst_width"),
            Int("dst_width", 1),
            Int("dst_column"),
            Int("dst_row"),
            Int("columns", 1),
            Int("rows"),
        ),
        check=True,
    ),
    Kernel(
        "copy",
        """dst[dst_start:dst_start + count] = src[src_start:src_start + count].""",
        (
            F("src", "src_start + count"),
            Int("src_start"),
            Fw("dst", "dst_start + count"),
            Int("dst_start"),
            Int("count"),
        ),
    ),
    Kernel("fill", """x[start:start + count] = value[0].""", (Fw("x", "start + count"), F("value", "1"), *SPAN)),
    Kernel(
        "accumulate",
        """total[index] += x[0]: sums that may steer learning are made here, in float32.""",
        (Fw("total", "index + 1"), Int("index"), F("x", "1")),
    ),
    Kernel(
        "all_finite",
        """1 when x[start:start + count] holds neither infinities nor NaN, else 0.""",
        (F("x", "start + count"), *SPAN),
        returns="int",
    ),
    Kernel(
        "crc32",
        """crc[0] = CRC-32 (as zlib.crc32) of the bytes of data (little-endian), continued from crc[0].""",
        (AnyBuffer("data"), Buffer("crc", "I", "1", True)),
    ),
    Kernel(
        "telemetry_line",
        """Fill in a line of telemetry of length bytes, in place: ints[i] as text of 11 bytes at fields[i], floats[i] as text of
        15 bytes at fields[n_ints + i], both to the right with blanks before; then, where the line ends with ,"check":"????????"}
        and a newline, the CRC-32 of all that comes before these 21 bytes, as eight hexadecimal digits. Floats have nine significant digits, rounded to
        nearest, ties to even, without trailing zeros; a decimal point and a digit behind it from 1e-4 to below 1e9, an exponent of two digits
        elsewhere (0.0, -145.25, 1.5e-07); null when not finite.""",
        (
            Buffer("line", "B", "length", True),
            Buffer("fields", "i", "n_ints + n_floats"),
            Buffer("ints", "i", "n_ints"),
            F("floats", "n_floats"),
            Int("length"),
            Int("n_ints"),
            Int("n_floats"),
        ),
        check=True,
    ),
    # --- environments: rows [row, row + rows) of a vector of environments -------------------------------------------
    Kernel(
        "pendulum_reset",
        """Start Pendulum (Gymnasium's Pendulum-v1): state (n, 2) = angle in [-pi, pi), velocity in [-1, 1) rad/s; environment r
        takes words 0 and 1 of block (step, r): pi * u0 and u1, u as in `uniform`. Writes obs like `pendulum_observe`.
        Advances rng one step.""",
        (RNG, Fw("state", "(row + rows) * 2"), Fw("obs", "(row + rows) * 3"), *ROWS),
    ),
    Kernel(
        "pendulum_observe",
        """obs (n, 3) = cos(angle), sin(angle), velocity.""",
        (F("state", "(row + rows) * 2"), Fw("obs", "(row + rows) * 3"), *ROWS),
    ),
    Kernel(
        "pendulum_step",
        """One step of 0.05 s of Gymnasium's Pendulum-v1 (g 10 m/s^2, m 1 kg, l 1 m, torque clipped at ±2 N m, velocity at ±8 rad/s):
        reward = -(angle^2 + 0.1 velocity^2 + 0.001 torque^2) of the state before; the angle is kept in [-pi, pi). All in
        float32, in this order: s = fma(15, sin(angle), 3 u); velocity = clip(fma(s, 0.05, velocity), -8, 8);
        angle = wrap(fma(velocity, 0.05, angle)), wrap(x) = x - 2 pi if x >= pi, x + 2 pi if x < -pi, else x;
        cost = fma(angle, angle, 0.1 velocity^2 as (0.1 * velocity) * velocity), then fma(0.001 * u, u, cost).""",
        (
            Fw("state", "(row + rows) * 2"),
            F("action", "row + rows"),
            Fw("obs", "(row + rows) * 3"),
            Fw("reward", "row + rows"),
            *ROWS,
        ),
    ),
)
