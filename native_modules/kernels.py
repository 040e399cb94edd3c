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

ABI = 4  # changes whenever a signature or a meaning below changes; the library refuses another

# A network's layout is a sequence of records of four int32: kind, inputs, outputs, activation. A dense layer has its
# weights [in][out] and then its biases as params, a layer norm gains and then biases; the others have none, and but
# for dense layers outputs are as many as inputs. An elementwise layer is nothing but its activation.
RECORD = 4
KINDS = {"dense": 1, "layer_norm": 2, "normalize": 3, "elementwise": 4}
# Derivatives that follow from the output: of dense layers and norms.
ACTIVATIONS = {"identity": 0, "relu": 1, "tanh": 2, "leaky_relu": 3, "sigmoid": 4}
# Derivatives that need the input or the whole row: of elementwise layers.
INPUT_ACTIVATIONS = {"fast_tanh": 5, "gelu": 6, "softmax": 7}


# Layers that not every network has, by the name that tells a build for some algorithms to keep them, and the algorithms
# that cannot do without.
@dataclass(frozen=True)
class Layers:
    kinds: tuple
    activations: tuple = ()
    of: tuple = ()


LAYERS = {
    "norm": Layers(("layer_norm", "normalize"), of=("stream",)),
    "activations": Layers(("elementwise",), ("leaky_relu", "sigmoid"), of=("stream",)),
}

# Indices of a replay's int32 state.
REPLAY_STATE = {"head": 0, "size": 1, "pending": 2, "valid": 3, "refused": 4, "spare": 5}

MAX_INT = 0x00FFFFFF  # of an integer argument: float32 holds it exactly


ALGORITHMS = ("sac", "td3", "ppo", "dqn", "recurrent_sac", "stream", "supervised")
SAC_USERS = ("sac", "recurrent_sac")
REPLAY_USERS = ("td3", "dqn", *SAC_USERS)
CLIPS_NORM = ("ppo", "dqn")
DISCRETE = (*CLIPS_NORM, "stream")
# What a build for some algorithms has only if it is named beside them.
ENVIRONMENTS = ("mountain_car", "acrobot", "quadrotor")
WRAPPERS = "wrappers"


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
    of: tuple = ALGORITHMS  # those that need it (environments too); a build may leave out the kernels of others (generate.py --algorithms)
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
        of=(*REPLAY_USERS, "supervised"),
    ),
    Kernel(
        "apply_delta",
        """params = flush(params - delta) on elements [start, start + count); delta is zeroed behind it.""",
        (Fw("params", "start + count"), Fw("delta", "start + count"), *SPAN),
        of=(*REPLAY_USERS, "supervised"),
    ),
    Kernel(
        "polyak",
        """target = flush(fma(tau[0], source - target, target)) on elements [start, start + count).""",
        (Fw("target", "start + count"), F("source", "start + count"), F("tau", "1"), *SPAN),
        of=REPLAY_USERS,
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
    Kernel(
        "coloured_normal",
        """Step noise[0:count] as an Ornstein-Uhlenbeck process of variance 1: noise = flush(fma(rho, noise, sqrt(fma(-rho,
        rho, 1)) * n)), where rho is correlation[0] and n what `normal` would draw. Advances rng one step.""",
        (RNG, F("correlation", "1"), Fw("noise", "count"), Int("count")),
        of=("sac", "td3"),
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
        of=REPLAY_USERS,
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
        of=REPLAY_USERS,
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
        of=REPLAY_USERS,
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
        of=("sac", "td3", "dqn"),
    ),
    Kernel(
        "replay_gather_sequences",
        """Copy sequences out of the replay: number k is the `steps` rows from indices[k] on, modulo capacity, step t of it at k * steps + t. A row
        goes on from the row before it where that one has flag 1, else an episode begins there (and behind the ring's newest row the oldest).
        x (·, obs_size + act_size): the row's obs, then the action of the row before, or 0 where an episode begins. action (·, act_size): the
        row's, or 0 without a flag. keep: 1 where the row goes on from the step before, 0 where memory is to be cleared (at t = 0 always).
        reward: of the transition from the step before, 0 where there is none; keep tells whether that one did not terminate. weight: 0 at the last
        step, without a flag, and at the first burn_in steps of a sequence until an episode begins in it; elsewhere
        count * steps / (how many such steps there are), so that weights sum to count * steps. ValueError for an index outside
        the replay.""",
        (
            *_replay(False),
            Buffer("indices", "i", "count"),
            Fw("x", "count * steps * (obs_size + act_size)"),
            Fw("action", "count * steps * act_size"),
            Fw("reward", "count * steps"),
            Fw("keep", "count * steps"),
            Fw("weight", "count * steps"),
            Int("obs_size", 1),
            Int("act_size", 1),
            Int("capacity", 2),
            Int("count"),
            Int("steps", 1),
            Int("burn_in"),
        ),
        check=True,
        of=("recurrent_sac",),
    ),
    Kernel(
        "weigh_rows",
        """x (batch, width) at rows [row, row + rows) = weight[r] * x, or 0 where weight (batch) is 0.""",
        (F("weight", "row + rows"), Fw("x", "(row + rows) * width"), Int("width", 1), *ROWS),
        of=("recurrent_sac",),
    ),
    # --- recurrent networks: sequences of `steps`, one after the other; those from `row` on of a batch; `row` counts whole sequences -----
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
    # --- acting: one observation, results in the environment's units -------------------------------------------------
    Kernel(
        "uniform_action",
        """action = fma(half, u, middle) with u as `uniform` draws it for act_size; scaling = half, middle.
        Advances rng one step.""",
        (RNG, F("scaling", "2 * act_size"), Fw("action", "act_size"), Int("act_size", 1)),
        of=("td3", *SAC_USERS),
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
        of=SAC_USERS,
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
        of=SAC_USERS,
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
        of=("td3",),
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
        of=("td3", *SAC_USERS),
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
        of=("td3", "supervised", *SAC_USERS),
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
        of=("td3", *SAC_USERS),
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
        of=SAC_USERS,
    ),
    Kernel(
        "temperature",
        """coeffs[1] = exp(log_alpha[0]).""",
        (F("log_alpha", "1"), Fw("coeffs", "2")),
        of=SAC_USERS,
    ),
    Kernel(
        "log_temperature",
        """log_alpha[0] = log(coeffs[1]): where training starts.""",
        (F("coeffs", "2"), Fw("log_alpha", "1")),
        of=("ppo", *SAC_USERS),
    ),
    # --- values of discrete actions --------------------------------------------------------------------------------
    Kernel(
        "epsilon_greedy",
        """choice (batch) from q (batch, n) at rows [row, row + rows): with words w0, w1 of block (step, r), r the row, (w1 * n) >> 32 when
        (w0 >> 8) * 2^-24 < epsilon[0], else the index of the largest q, the first of equals. Advances rng one step.""",
        (
            F("q", "(row + rows) * n"),
            F("epsilon", "1"),
            RNG,
            Buffer("choice", "i", "row + rows", True),
            Int("n", 1),
            *ROWS,
        ),
        of=("dqn", "stream"),
    ),
    Kernel(
        "dqn_target",
        """target = fma(gamma * not_terminated, q, reward), gamma = coeffs[0], where q is what q_value (batch, n) has where q_select (batch, n) is
        largest, the first of equals: double Q-learning (van Hasselt et al. 2016) when they come from different networks.""",
        (
            F("reward", "row + rows"),
            F("not_terminated", "row + rows"),
            F("q_select", "(row + rows) * n"),
            F("q_value", "(row + rows) * n"),
            F("coeffs", "1"),
            Fw("target", "row + rows"),
            Int("n", 1),
            *ROWS,
        ),
        of=("dqn",),
    ),
    Kernel(
        "choice_delta",
        """Gradient of the mean Huber loss of q (batch, n) at the choice made: d_q (batch, n) = clip(e, -limit[0], limit[0]) * (1 / batch) there, e = q -
        target, and 0 elsewhere. The choice of row r is how many of 0.5, 1.5, ... n - 1.5 are not above fma(half, a, middle), with a at
        column `column` of action (batch, width) and scaling = half, middle. loss[0] gathers (0.5 * c) * c + (|e| - |c|) * limit[0],
        c = clip(e, ...), rows ascending, starting at 0 when row is 0.""",
        (
            F("q", "(row + rows) * n"),
            F("action", "(row + rows) * width"),
            F("scaling", "2"),
            F("target", "row + rows"),
            F("limit", "1"),
            Fw("d_q", "(row + rows) * n"),
            Fw("loss", "1"),
            Int("n", 1),
            Int("width", 1),
            Int("column"),
            *ROWS,
            Int("batch", 1),
        ),
        check=True,
        of=("dqn",),
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
        of=("td3", "recurrent_sac"),
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
    # --- on-policy algorithms: rollouts of `steps` rows for each of `envs` environments, row = step * envs + environment ------
    Kernel(
        "policy_action",
        """Gaussian policy with a standard deviation of its own (not squashed): raw = fma(exp(log_std), noise, mean) at rows
        [row, row + rows) of raw (batch, act_size), and from it, counted from 0, what the environments get:
        action (rows, act_size) = fma(half, clip(raw, -1, 1), middle), scaling = half, middle.""",
        (
            F("mean", "(row + rows) * act_size"),
            F("noise", "(row + rows) * act_size"),
            F("log_std", "act_size"),
            F("scaling", "2 * act_size"),
            Fw("raw", "(row + rows) * act_size"),
            Fw("action", "rows * act_size"),
            Int("act_size", 1),
            *ROWS,
        ),
        of=("ppo",),
    ),
    Kernel(
        "gaussian_log_prob",
        """log_prob (batch) of raw (batch, act_size) under mean and log_std: the sum over actions, in order, of
        (-0.5 (z * z) - log_std) - log(2 pi)/2 with z = (raw - mean) * exp(-log_std).""",
        (
            F("mean", "(row + rows) * act_size"),
            F("raw", "(row + rows) * act_size"),
            F("log_std", "act_size"),
            Fw("log_prob", "row + rows"),
            Int("act_size", 1),
            *ROWS,
        ),
        of=("ppo",),
    ),
    Kernel(
        "ppo_gaussian_delta",
        """Gradient of PPO's clipped objective (Schulman et al. 2017, eq. 7) less entropy[0] times the policy's entropy, for the
        policy of `policy_action`. With log_prob as in `gaussian_log_prob`, ratio = exp(log_prob - old_log_prob), A the advantage and
        clip[0] the range e, s = 1 / batch: g = -((A * ratio) * s), but 0 where (A >= 0 and ratio > 1 + e) or (A < 0 and ratio < 1 - e);
        d_mean (batch, act_size) = (g * z) * exp(-log_std); to d_log_std (act_size) is added, rows ascending,
        fma(g, fma(z, z, -1), -(entropy[0] * s)). stats (3) gathers, rows ascending, starting at 0 when row is 0: the objective
        -min(A * ratio, A * clip(ratio, 1 - e, 1 + e)), the approximate KL divergence (ratio - 1) - (log_prob - old_log_prob), and the
        number of rows whose ratio is outside the range.""",
        (
            F("mean", "(row + rows) * act_size"),
            F("raw", "(row + rows) * act_size"),
            F("log_std", "act_size"),
            F("old_log_prob", "row + rows"),
            F("advantage", "row + rows"),
            F("clip", "1"),
            F("entropy", "1"),
            Fw("d_mean", "(row + rows) * act_size"),
            Fw("d_log_std", "act_size"),
            Fw("stats", "3"),
            Int("act_size", 1),
            *ROWS,
            Int("batch", 1),
        ),
        of=("ppo",),
    ),
    Kernel(
        "categorical_sample",
        """Draw choices (batch) from softmax(logits (batch, n)) at rows [row, row + rows): row r takes word 0 of block (step, r), u =
        (word >> 8) * 2^-24; the choice is the first k with u * total < e_0 + ... + e_k, e_k = exp(logit_k - max), sums in order, the
        last one if there is none. Advances rng one step.""",
        (
            F("logits", "(row + rows) * n"),
            RNG,
            Buffer("choice", "i", "row + rows", True),
            Int("n", 1),
            *ROWS,
        ),
        of=("ppo",),
    ),
    Kernel(
        "argmax",
        """choice (batch) = the index of the largest of x (batch, n) in rows [row, row + rows), the first of equals.""",
        (F("x", "(row + rows) * n"), Buffer("choice", "i", "row + rows", True), Int("n", 1), *ROWS),
    ),
    Kernel(
        "categorical_log_prob",
        """log_prob (batch) of choice (batch) under softmax(logits (batch, n)): (logit - max) - log(sum of exp(logit_k - max), in
        order). ValueError for a choice that is not in 0 to n - 1.""",
        (
            F("logits", "(row + rows) * n"),
            Buffer("choice", "i", "row + rows"),
            Fw("log_prob", "row + rows"),
            Int("n", 1),
            *ROWS,
        ),
        check=True,
        of=("ppo",),
    ),
    Kernel(
        "ppo_categorical_delta",
        """As `ppo_gaussian_delta`, for softmax(logits (batch, n)) and log_prob as in `categorical_log_prob`: with
        l_k = (logit_k - max) - log(sum), p_k = exp(l_k) and the entropy H = -h, h = fma(p_k, l_k, h) from 0, in order:
        d_logits_k = ((g if k is the choice, else 0) - g * p_k) + (entropy[0] * s) * (p_k * (l_k + H)).
        ValueError for a choice that is not in 0 to n - 1.""",
        (
            F("logits", "(row + rows) * n"),
            Buffer("choice", "i", "row + rows"),
            F("old_log_prob", "row + rows"),
            F("advantage", "row + rows"),
            F("clip", "1"),
            F("entropy", "1"),
            Fw("d_logits", "(row + rows) * n"),
            Fw("stats", "3"),
            Int("n", 1),
            *ROWS,
            Int("batch", 1),
        ),
        check=True,
        of=("ppo",),
    ),
    Kernel(
        "value_delta",
        """Gradient of mean((value - target)^2) / 2: d_value = (value - target) * (1 / batch). With old_value, PPO's clipped value loss:
        where |value - old| > clip[0], v = old + clip(value - old, -clip[0], clip[0]) takes value's place, with gradient 0, if (v - target)^2 >
        (value - target)^2. loss[0] gathers the (larger) squares, rows ascending, starting at 0 when row is 0.""",
        (
            F("value", "row + rows"),
            F("target", "row + rows"),
            F("old_value", "row + rows", optional=True),
            F("clip", "1"),
            Fw("d_value", "row + rows"),
            Fw("loss", "1"),
            *ROWS,
            Int("batch", 1),
        ),
        of=("ppo",),
    ),
    Kernel(
        "rollout_observe",
        """Store what the actions at `row` led to, of all environments: reward (envs) and ended (envs; 1 terminated, 2 truncated) go to
        their rows, next_obs (envs, obs_size) to last_obs. final_obs (envs, obs_size) holds the last observations of the episodes that ended.
        Returns 0, with nothing written, when a reward or a final_obs is not finite; otherwise 1, plus 2 when all of next_obs is
        finite (if not, last_obs stays), plus 4 when an episode was truncated.""",
        (
            F("reward", "envs"),
            F("next_obs", "envs * obs_size"),
            Buffer("ended", "B", "envs"),
            F("final_obs", "envs * obs_size"),
            Fw("last_obs", "envs * obs_size"),
            Fw("rollout_reward", "row + envs"),
            Buffer("rollout_ended", "B", "row + envs", True),
            Int("envs", 1),
            Int("obs_size", 1),
            Int("row"),
        ),
        returns="int",
        of=("ppo",),
    ),
    Kernel(
        "gae",
        """Generalised advantage estimation (Schulman et al. 2016, eq. 16) over a rollout: value ((steps + 1) * envs) holds the values of all
        observations, the one after the last step included; ended (steps * envs) is 0 where an episode went on, 1 where it terminated, 2
        where it was truncated; there final_value (steps * envs) is the value of its last observation. coeffs = gamma, lambda. From the
        last step to the first: next = value of the row after (0 terminated, final_value truncated); delta = fma(gamma, next, reward) - value;
        advantage = fma(gamma * lambda, the advantage of the row after (0 behind the last), delta), or delta where the episode ended.
        target = advantage + value.""",
        (
            F("reward", "steps * envs"),
            Buffer("ended", "B", "steps * envs"),
            F("value", "(steps + 1) * envs"),
            F("final_value", "steps * envs"),
            F("coeffs", "2"),
            Fw("advantage", "steps * envs"),
            Fw("target", "steps * envs"),
            Int("envs", 1),
            Int("steps", 1),
        ),
        of=("ppo",),
    ),
    Kernel(
        "standardise",
        """x[0:count] = (x - mean) / (sqrt(mean of (x - mean)^2) + 1e-8). The mean is taken away twice, the second time what rounding left of
        it, so that equal numbers become 0. Sums are those of `add_squares` (of x: without the square), times 1 / count. x stays as it
        is when count is 1.""",
        (Fw("x", "count"), Int("count", 1)),
        of=("ppo",),
    ),
    Kernel(
        "permutation",
        """indices[0:count] = 0 to count - 1 in random order (Fisher and Yates): for i = count - 1 down to 1, draw k = count - 1 - i takes
        word k & 1 of block (step, k >> 1), j = (word * (i + 1)) >> 32, and i and j change places. Advances rng one step.""",
        (RNG, Buffer("indices", "i", "count", True), Int("count", 1)),
        of=("ppo", "supervised"),
    ),
    Kernel(
        "gather_rows",
        """dst (count, width) from row 0 = the rows indices[start:start + count] of src (limit, width).
        ValueError for an index that is not in 0 to limit - 1.""",
        (
            F("src", "limit * width"),
            Buffer("indices", "i", "start + count"),
            Fw("dst", "count * width"),
            Int("limit", 1),
            Int("width", 1),
            *SPAN,
        ),
        check=True,
        of=("ppo", "supervised"),
    ),
    Kernel(
        "gather_ints",
        """As `gather_rows`, with int32 and a width of 1.""",
        (
            Buffer("src", "i", "limit"),
            Buffer("indices", "i", "start + count"),
            Buffer("dst", "i", "count", True),
            Int("limit", 1),
            *SPAN,
        ),
        check=True,
        of=("ppo", "supervised"),
    ),
    Kernel(
        "add_squares",
        """total[0] += the sum of x^2 over [start, start + count): 16 lanes (index from start, mod 16) from 0 with fma, and
        the tree of dense layers with few outputs.""",
        (F("x", "start + count"), Fw("total", "1"), *SPAN),
        of=CLIPS_NORM,
    ),
    Kernel(
        "norm_scale",
        """scale[0] = 1 when the norm sqrt(total[0]) is at most max_norm[0], else max_norm[0] / (norm + 1e-6): gradient clipping as PyTorch has it
        (Pascanu et al. 2013).""",
        (F("total", "1"), F("max_norm", "1"), Fw("scale", "1")),
        of=CLIPS_NORM,
    ),
    Kernel(
        "scale",
        """x[start:start + count] *= factor[0].""",
        (Fw("x", "start + count"), F("factor", "1"), *SPAN),
        of=(*CLIPS_NORM, "supervised", WRAPPERS),
    ),
    Kernel(
        "linear_schedule",
        """out[index] = fma(done, ends[1] - ends[0], ends[0]) with done = min(step, steps) / steps in float32: from ends[0] at the start to
        ends[1] after `steps`.""",
        (F("ends", "2"), Fw("out", "index + 1"), Int("index"), Int("step"), Int("steps", 1)),
        of=DISCRETE,
    ),
    Kernel(
        "moments_update",
        """Running mean and variance of each column of x (rows, width), row after row (Welford 1962): moments = count, then mean (width),
        then the sum of squared deviations (width). count = count + 1; d = x - mean; mean = fma(d, 1 / count, mean);
        sum = fma(d, x - mean, sum) with the new mean. Rows that are not finite are left out, and so are those behind the 2^24th: float32 counts
        no further.""",
        (F("x", "rows * width"), Fw("moments", "1 + 2 * width"), Int("width", 1), Int("rows")),
        of=("ppo", "stream", "supervised", WRAPPERS),
    ),
    Kernel(
        "moments_apply",
        """out (batch, width) = clip((x - mean) / sqrt(sum / count + 1e-8), -10, 10) at rows [row, row + rows); out = x while count is 0. out may
        be x.""",
        (
            F("x", "(row + rows) * width"),
            F("moments", "1 + 2 * width"),
            Fw("out", "(row + rows) * width"),
            Int("width", 1),
            *ROWS,
        ),
    ),
    Kernel(
        "moments_restore",
        """The inverse of `moments_apply` but for its limits: out (batch, width) = fma(x, sqrt(sum / count + 1e-8), mean) at rows
        [row, row + rows); out = x while count is 0. out may be x.""",
        (
            F("x", "(row + rows) * width"),
            F("moments", "1 + 2 * width"),
            Fw("out", "(row + rows) * width"),
            Int("width", 1),
            *ROWS,
        ),
        of=("supervised",),
    ),
    # --- streaming algorithms: one transition at a time, a trace for each parameter -----------------------------------
    Kernel(
        "sparse_init",
        """Sparse initialisation (Elsayed et al. 2024): as `init_params`, but a dense layer's biases are 0, and
        z = min(ceil(s * inputs), inputs - 1) of each unit's incoming weights, s = sparsity[0] within 0 to 1 (NaN: 0). Parameter i of the whole buffer takes
        block (step, i): u * (1.0f / sqrtf(inputs)), u of word 0 as in `uniform`. Which are 0 (selection sampling): with z left to
        choose among the last k inputs of a unit, it is the weight of the first of them if (word 1 * k) >> 32 is below z.
        Advances rng by one step.""",
        (Layout(), Fw("params", "n_params"), F("sparsity", "1"), RNG),
        of=("stream",),
    ),
    Kernel(
        "scale_reward",
        """scaled[0] = reward[0] / sqrt(v + 1e-8), v the variance of the discounted return so far (Engstrom et al. 2020): stats = count,
        return, mean, sum of squared deviations; return = fma(gamma, return, reward), gamma = coeffs[0]; then the others as in
        `moments_update`, and v = sum / (count - 1), but 1 while count is below 2.""",
        (F("reward", "1"), F("coeffs", "1"), Fw("stats", "4"), Fw("scaled", "1")),
        of=("stream",),
    ),
    Kernel(
        "softplus_action",
        """Gaussian policy that is not squashed: from head (2 * act_size) = mean | s, with std = max(softplus(s), 2^-20),
        raw = fma(std, noise, mean), and action = fma(half, clip(raw, -1, 1), middle), scaling = half, middle.
        softplus(s) = max(s, 0) + log1p(t), t = exp(-|s|), w = 1 + t, log1p(t) = t where w is 1, else log(w) * (t / (w - 1)).""",
        (
            F("head", "2 * act_size"),
            F("noise", "act_size"),
            F("scaling", "2 * act_size"),
            Fw("raw", "act_size"),
            Fw("action", "act_size"),
            Int("act_size", 1),
        ),
        of=("stream",),
    ),
    Kernel(
        "taken_action",
        """taken (act_size) = raw where action is what `softplus_action` made of it, |action - fma(half, clip(raw, -1, 1), middle)| <=
        2^-20 * half, else (action - middle) / half.""",
        (
            F("action", "act_size"),
            F("raw", "act_size"),
            F("scaling", "2 * act_size"),
            Fw("taken", "act_size"),
            Int("act_size", 1),
        ),
        of=("stream",),
    ),
    Kernel(
        "softplus_delta",
        """Gradient at head (2 * act_size) of log_prob(taken) + c * H, the log-density and the entropy of the policy of `softplus_action`;
        c = entropy[0] with the sign of delta[0], 0 for 0, so that a step along delta * gradient raises the entropy whatever delta's sign.
        With z = (taken - mean) / std: d_mean = z / std, d_s = ((fma(z, z, -1) + c) / std) * slope, and the slope of softplus,
        1 / (1 + t) where s >= 0, else t / (1 + t), t = exp(-|s|).""",
        (
            F("head", "2 * act_size"),
            F("taken", "act_size"),
            F("delta", "1"),
            F("entropy", "1"),
            Fw("d_head", "2 * act_size"),
            Int("act_size", 1),
        ),
        of=("stream",),
    ),
    Kernel(
        "td_error",
        """delta[0] = fma(gamma, next_value, reward) - value, gamma = coeffs[0]; reward - value when terminated.""",
        (
            F("reward", "1"),
            F("value", "1"),
            F("next_value", "1"),
            F("coeffs", "1"),
            Fw("delta", "1"),
            Int("terminated"),
        ),
        of=("stream",),
    ),
    Kernel(
        "q_error",
        """As `td_error`, with value = q[choice[0]] and next_value = the largest of next_q, both of n. Writes d_q (n), the gradient of value: 1
        at the choice, 0 elsewhere. Returns 1 when the choice is the one with the largest q, the first of equals, else 0.
        ValueError for a choice that is not in 0 to n - 1.""",
        (
            F("reward", "1"),
            F("q", "n"),
            F("next_q", "n"),
            Buffer("choice", "i", "1"),
            F("coeffs", "1"),
            Fw("d_q", "n"),
            Fw("delta", "1"),
            Int("n", 1),
            Int("terminated"),
        ),
        returns="int",
        check=True,
        of=("stream",),
    ),
    Kernel(
        "obgd_norm",
        """Adds |trace[i]| to lanes[i mod 16], for i from start to start + count - 1.""",
        (F("trace", "start + count"), Fw("lanes", "16"), *SPAN),
        of=("stream",),
    ),
    Kernel(
        "obgd_scale",
        """Overshooting-bounded gradient descent (Elsayed et al. 2024): hyper = learning rate, kappa, gamma, lambda; with s the sum of the lanes of
        `obgd_norm` by the tree of dense layers with few outputs and m = ((rate * kappa) * max(|delta|, 1)) * s,
        step[0] = (rate / m if m > 1, else rate) * delta. lanes (16) become 0.""",
        (Fw("lanes", "16"), F("delta", "1"), F("hyper", "4"), Fw("step", "1")),
        of=("stream",),
    ),
    Kernel(
        "obgd_step",
        """params = flush(fma(step[0], trace, params)), then trace = flush((gamma * lambda) * trace), on elements [start, start + count); hyper as in
        `obgd_scale`. `backward` adds the next gradient to them.""",
        (
            Fw("params", "start + count"),
            Fw("trace", "start + count"),
            F("step", "1"),
            F("hyper", "4"),
            *SPAN,
        ),
        of=("stream",),
    ),
    # --- supervised learning ----------------------------------------------------------------------------------------
    Kernel(
        "huber_delta",
        """As `mse_delta`, of the mean Huber loss (1964): with e = q - target, l = limit[0] and c = clip(e, -l, l), d_q = c * (1 / batch);
        loss[0] gathers (0.5 c) c + (|e| - |c|) l.""",
        (
            F("q", "row + rows"),
            F("target", "row + rows"),
            F("limit", "1"),
            Fw("d_q", "row + rows"),
            Fw("loss", "1"),
            *ROWS,
            Int("batch", 1),
        ),
        of=("supervised",),
    ),
    Kernel(
        "cross_entropy_delta",
        """Gradient of the mean of -log_prob of choice (batch) under softmax(logits (batch, n)): with l_k = (logit_k - max) - log(sum) as in
        `categorical_log_prob`, d_logits_k = (exp(l_k) - (1 if k is the choice, else 0)) * (1 / batch). loss[0] gathers -l_choice, rows
        ascending, starting at 0 when row is 0. ValueError for a choice that is not in 0 to n - 1.""",
        (
            F("logits", "(row + rows) * n"),
            Buffer("choice", "i", "row + rows"),
            Fw("d_logits", "(row + rows) * n"),
            Fw("loss", "1"),
            Int("n", 1),
            *ROWS,
            Int("batch", 1),
        ),
        check=True,
        of=("supervised",),
    ),
    Kernel(
        "sgd_delta",
        """Gradient descent with momentum (Sutskever et al. 2013, as PyTorch has it) on elements [start, start + count): hyper = learning rate,
        momentum; velocity = flush(fma(momentum, velocity, flush(grad))), and grad becomes the step, learning rate * velocity, to be
        subtracted by `apply_delta`. velocity None: no momentum, the step is learning rate * flush(grad).""",
        (
            Fw("grad", "start + count"),
            Fw("velocity", "start + count", optional=True),
            F("hyper", "2"),
            *SPAN,
        ),
        of=("supervised",),
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
    Kernel(
        "cartpole_reset",
        """Start CartPole (Gymnasium's CartPole-v1): state (n, 4), which is its observation, = position (m), velocity (m/s), angle (rad),
        angular velocity (rad/s), each 0.05 u; environment r takes words 0 and 1 of block (step, 2 r), then those of
        block (step, 2 r + 1), u as in `uniform`. Advances rng one step.""",
        (RNG, Fw("state", "(row + rows) * 4"), *ROWS),
        of=DISCRETE,
    ),
    Kernel(
        "cartpole_step",
        """One step of 0.02 s of Gymnasium's CartPole-v1 (cart 1 kg, pole 0.1 kg, half its length 0.5 m, force 10 N, to the right when action is
        1, to the left otherwise), explicit Euler. ended = 1 when |position| > 2.4 m or |angle| > 12 degrees afterwards, else 0. In float32, in this
        order: t = fma((0.05 * omega) * omega, sin, force) / 1.1; a = fma(-cos, t, 9.8 * sin) / (0.5 * (4/3 - ((0.1 * cos) * cos)
        / 1.1)); x_acc = t - ((0.05 * a) * cos) / 1.1;
        position = fma(0.02, velocity, position); velocity = fma(0.02, x_acc, velocity); angle = fma(0.02, omega, angle); omega = fma(0.02, a, omega).""",
        (
            Fw("state", "(row + rows) * 4"),
            Buffer("action", "i", "row + rows"),
            Buffer("ended", "B", "row + rows", True),
            *ROWS,
        ),
        of=DISCRETE,
    ),
    Kernel(
        "mountain_car_reset",
        """Start MountainCar (Gymnasium's MountainCarContinuous-v0): state (n, 2), which is its observation, = position in [-0.6, -0.4),
        velocity 0; environment r takes word 0 of block (step, r): position = fma(0.1, u, -0.5), u as in `uniform`. Advances rng one
        step.""",
        (RNG, Fw("state", "(row + rows) * 2"), *ROWS),
        of=("mountain_car",),
    ),
    Kernel(
        "mountain_car_step",
        """One step of Gymnasium's MountainCarContinuous-v0. In float32, in this order: push = 0.0015 * clip(action, -1, 1); velocity =
        clip(velocity + fma(-0.0025, cos(3 * position), push), -0.07, 0.07); position = clip(position + velocity, -1.2, 0.6); a negative
        velocity becomes 0 at the left end. ended = 1 when position >= 0.45 and velocity >= 0, else 0; reward = fma(-0.1 * action, action,
        100 where it ended, else 0), with the action as it came.""",
        (
            Fw("state", "(row + rows) * 2"),
            F("action", "row + rows"),
            Fw("reward", "row + rows"),
            Buffer("ended", "B", "row + rows", True),
            *ROWS,
        ),
        of=("mountain_car",),
    ),
    Kernel(
        "acrobot_reset",
        """Start Acrobot (Gymnasium's Acrobot-v1): state (n, 4) = angle of the first link from hanging, angle of the second from the first
        (rad), their velocities (rad/s), each 0.1 u; environment r takes words 0 and 1 of block (step, 2 r), then those of block (step, 2 r + 1),
        u as in `uniform`. Writes obs like `acrobot_observe`. Advances rng one step.""",
        (RNG, Fw("state", "(row + rows) * 4"), Fw("obs", "(row + rows) * 6"), *ROWS),
        of=("acrobot",),
    ),
    Kernel(
        "acrobot_observe",
        """obs (n, 6) = cos and sin of the first angle, cos and sin of the second, both velocities.""",
        (F("state", "(row + rows) * 4"), Fw("obs", "(row + rows) * 6"), *ROWS),
        of=("acrobot",),
    ),
    Kernel(
        "acrobot_step",
        """One step of 0.2 s of Gymnasium's Acrobot-v1 (the equations of Sutton and Barto's book; links of 1 m, 1 kg, 1 kg m^2; g 9.8 m/s^2; torque
        at the elbow -1, 0 or 1 N m for action 0, 1 or 2; another action is 1), Runge and Kutta's method of order 4. With a1, a2, w1, w2 the state, c
        and s cos and sin: d1 = 3.5 + c2; d2 = fma(0.5, c2, 1.25); p2 = 4.9 * fma(s1, c2, c1 * s2); p1 = fma(-(fma(0.5, w2, w1) * w2), s2, fma(14.7,
        s1, p2)); h = d2 / d1; w2' = fma((-0.5 * w1) * w1, s2, fma(h, p1, torque) - p2) / fma(-h, d2, 1.25); w1' = -(fma(d2, w2', p1) / d1).
        Stages and the new state are fma(by, rate, state) with by 0.1, 0.1, 0.2 and 0.2 / 6 (of the sum 1, 2, 2, 1, in order). Angles are then
        fma(-2 pi, round(a / 2 pi), a), velocities clipped at 4 pi and 9 pi. ended = 1 when the tip is more than 1 m above the pivot, c1 + fma(-s1,
        s2, c1 * c2) < -1 of the new state, else 0; reward = 0 where it ended, else -1.""",
        (
            Fw("state", "(row + rows) * 4"),
            Buffer("action", "i", "row + rows"),
            Fw("obs", "(row + rows) * 6"),
            Fw("reward", "row + rows"),
            Buffer("ended", "B", "row + rows", True),
            *ROWS,
        ),
        of=("acrobot",),
    ),
    Kernel(
        "acrobot_swing_up_step",
        """As `acrobot_step`, with a torque of clip(action, -1, 1) N m. Nothing ends; reward = fma(-0.25, c1 + fma(-s1, s2, c1 * c2), -0.5) of the new
        state: -1 hanging, 0 with both links upright.""",
        (
            Fw("state", "(row + rows) * 4"),
            F("action", "row + rows"),
            Fw("obs", "(row + rows) * 6"),
            Fw("reward", "row + rows"),
            *ROWS,
        ),
        of=("acrobot",),
    ),
    Kernel(
        "quadrotor_reset",
        """Start a quadrotor near its target: state (n, 17), which is its observation, = position and velocity (3 each, m, m/s, in the
        world: z is up), attitude (4: a unit quaternion w, x, y, z with w >= 0, from the body to the world), angular velocity (3, rad/s, in the body),
        thrust of the rotors (4, as a share of their greatest). Position and velocity are 0.2 u, x, y and z of the attitude 0.1 u beside w = 1, then
        normalised as in `quadrotor_step`, the angular velocity 0.5 u, the thrusts 0.4578, which carries the weight; the twelve u, in order, are
        words 0 and 1 of blocks (step, 6 r) to (step, 6 r + 5), u as in `uniform`. Advances rng one step.""",
        (RNG, Fw("state", "(row + rows) * 17"), *ROWS),
        of=("quadrotor",),
    ),
    Kernel(
        "quadrotor_step",
        """One step of 0.01 s of a rigid body of 0.028 kg with inertia 1.66e-5, 1.66e-5, 2.93e-5 kg m^2 and four rotors of 0.15 N at x, y = (+,-), (-,-),
        (-,+), (+,+) 0.0325 m, the first and the third turning it about -z with 0.006 m times their thrust, the others about +z. The body's x is
        forward, y left, z up. asked = fma(0.5, clip(action (n, 4), -1, 1), 0.5); thrust = fma(1 - exp(-0.01 / 0.05), asked - thrust, thrust) (motors
        of the first order, 0.05 s). These thrusts t hold for the step: lift = 0.15 / 0.028 * ((t2 + t3) + (t0 + t1)); turn = 0.15 * 0.0325 / 1.66e-5 *
        ((t2 + t3) - (t0 + t1)) and ((t1 + t2) - (t0 + t3)), 0.15 * 0.006 / 2.93e-5 * ((t1 + t3) - (t0 + t2)). Rates: of the position the velocity; of the
        velocity 2 lift * fma(x, z, w y), 2 lift * fma(y, z, -(w x)), fma(-2 lift, fma(x, x, y y), lift) - 9.81; of the attitude half its product with the angular velocity (p, q, r): with a, b, c
        half of these, -fma(x, a, fma(y, b, z c)), fma(w, a, fma(y, c, -(z b))), fma(w, b, fma(z, a, -(x c))), fma(w, c, fma(x, b, -(y a))); of that
        fma(g r, q, turn), fma(-(g r), p, turn), turn, g = 1 - 2.93 / 1.66: Newton and Euler's equations, without drag. Runge and Kutta's method of order 4, summed as in
        `acrobot_step`; then the attitude is multiplied by 1 / sqrt of its squares, or by -1 times that where w < 0.
        reward = 1 / (1 + cost), cost = 10 |position|^2 + |velocity|^2 + 4 (x^2 + y^2 + z^2) + 0.02 |angular velocity|^2 + 0.1 |asked - 0.4578|^2 of
        the new state, terms and squares added in order with fma. ended = 1 where a position is beyond 1 m, the body axis 90 degrees or
        more from upright, an angular velocity beyond 35 rad/s (what gyroscopes measure) or the attitude not a number, else 0.""",
        (
            Fw("state", "(row + rows) * 17"),
            F("action", "(row + rows) * 4"),
            Fw("reward", "row + rows"),
            Buffer("ended", "B", "row + rows", True),
            *ROWS,
        ),
        of=("quadrotor",),
    ),
)
