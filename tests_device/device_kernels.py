"""Runs on a target and on the desktop: every kernel on small fixed inputs, its buffers printed as hexadecimal text.

The host puts `BACKEND = …; VARIANT = …; MODE = …` before this text. MODE "numbers" prints what kernels compute, "errors"
what they say about bad arguments, "heap" calls them with the heap locked.
"""

from array import array
from binascii import hexlify

from picorl import kernels

if BACKEND:  # noqa: F821
    kernels.select(BACKEND, VARIANT)  # noqa: F821
k = kernels.backend


class Numbers:
    """Multiples of 2^-15 and scales of few bits, so that floats are the same everywhere: boards read decimals differently."""

    def __init__(self, seed):
        self.state = seed

    def word(self):
        self.state = (self.state * 1103 + 12345) % 65536  # 27 bits at most: boards have no larger small integers
        return self.state

    def floats(self, n, scale=1.0):
        return array("f", [(self.word() / 32768 - 1) * scale for _ in range(n)])

    def positive(self, n, scale=1.0):
        return array("f", [(self.word() + 1) / 65536 * scale for _ in range(n)])

    def bits(self, n):
        return [self.word() & 1 for _ in range(n)]


def coeffs():
    return array("f", (0.9921875, 0.203125))


def zeros(n):
    return array("f", [0] * n)


def layout():
    return array("i", (1, 3, 5, 1, 1, 5, 17, 2, 1, 17, 2, 0))


PARAMS = 20 + 102 + 36


# Another with every kind of layer and every activation that the first has not; 5, 17 and 2 wide like it.
OTHER_KINDS = array("i", (1, 3, 5, 3, 2, 5, 5, 4, 4, 5, 5, 6, 1, 5, 17, 0, 3, 17, 17, 3))
OTHER_KINDS.extend(array("i", (4, 17, 17, 7, 4, 17, 17, 5, 1, 17, 2, 2, 4, 2, 2, 7)))
OTHER_PARAMS = PARAMS + 10


def rng(step=0xFFFFFFFF):
    return array("I", (0x80000001, 12345, step, 0))


def network(name, z):
    """Arguments of forward or backward; those of backward have been through forward. No buffer is longer than needed."""
    params, x, out, cache = z.floats(PARAMS), z.floats(15), zeros(10), zeros(88)
    if name == "forward":
        return (layout(), params, x, out, cache, 1, 4)
    k.forward(layout(), params, x, out, cache, 1, 4)
    return (layout(), params, x, out, cache, z.floats(10), z.floats(PARAMS), zeros(12), 1, 4)


def other_network(name, z):
    params, x, out, cache = z.floats(OTHER_PARAMS), z.floats(15), zeros(10), zeros(4 * 85)
    if name == "init_params":
        return (OTHER_KINDS, params, rng(7))
    if name == "forward":
        return (OTHER_KINDS, params, x, out, cache, 1, 4)
    k.forward(OTHER_KINDS, params, x, out, cache, 1, 4)
    return (OTHER_KINDS, params, x, out, cache, z.floats(10), z.floats(OTHER_PARAMS), zeros(12), 1, 4)


def shrunk(floats):
    """Times 2^-62, by their exponents: some boards calculate with subnormal numbers, others take them for zero."""
    halves = array("H", bytes(floats))
    for i in range(1, len(halves), 2):
        halves[i] -= 62 << 7 if halves[i] & 0x7F80 else 0
    return array("f", bytes(halves))


def tiny_network(name, z):
    """Of which products lie about the smallest normal number, and so do their sums."""
    params, x, out, cache = shrunk(z.floats(PARAMS)), shrunk(z.floats(15)), zeros(10), shrunk(z.positive(88))
    params[15:20] = zeros(5)  # the biases of the first layer
    if name == "forward":
        return (layout(), params, x, out, cache, 1, 4)
    return (layout(), params, x, out, cache, shrunk(z.floats(10)), zeros(PARAMS), zeros(12), 1, 4)


def optimiser(name, z):
    hyper = array("f", (0.0009765625, 0.90625, 0.9990234375, 2**-23))
    state = array("f", (0.90625, 0.9990234375, 0.0078125, 31.625))
    if name == "adam_advance":
        return (hyper, state)
    if name == "apply_delta":
        return (z.floats(38), z.floats(38), 3, 35)
    if name == "polyak":
        return (z.floats(38), z.floats(38), array("f", [0.0048828125]), 3, 35)
    rest = (z.floats(38), z.floats(38, 0.125), z.positive(38, 0.0078125), hyper, state, 3, 35)
    return ((z.floats(38),) if name == "adam" else ()) + rest


def replay(name, z):
    """A replay of 6 rows of which the last wraps: rows 4, 5, 0 are one episode, 3 is pending, 1 terminated."""
    obs, action, reward = z.floats(18), z.floats(12), z.floats(6)
    flags, state = bytearray((1, 2, 0, 0, 1, 1)), array("i", (3, 6, 1, 4, 0, 0))
    if name == "replay_begin":
        return (obs, flags, state, z.floats(3), 3, 6)
    if name == "replay_observe":
        scaling = array("f", (2, 0.5, 0.25, -1))
        return (obs, action, reward, flags, state, z.floats(2), z.floats(1), z.floats(3), scaling, 3, 2, 6, 1, 1)
    if name == "replay_sample":
        return (flags, state, rng(), array("i", [0] * 9), 6, 9)
    outs = tuple(z.floats(n) for n in (12, 20, 12, 20, 4, 4))
    return (obs, action, reward, flags, array("i", (5, 0, 1, 4))) + outs + (3, 2, 6, 4)


def acting(name, z):
    scaling = array("f", (2, 0.5, 0.25, -1))
    if name == "uniform_action":
        return (rng(), scaling, zeros(2), 2)
    if name == "deterministic_action":
        return (z.floats(2), z.floats(2), array("f", [0.125]), scaling, zeros(2), 2)
    return (z.floats(4), z.floats(2), scaling, zeros(2), 2)


def policy(name, z):
    head, noise, action = z.floats(28), z.floats(14, 2.0), z.floats(35)
    if name == "gaussian_head":
        return (head, noise, action, 5, 2, zeros(7), 2, 2, 5)
    if name == "smoothed_action":
        return (z.floats(14), noise, array("f", (0.203125, 0.25)), action, 5, 2, 2, 2, 5)
    return (head, noise, action, 5, 2, z.floats(25), z.floats(25), coeffs(), zeros(28), 2, 2, 5, 9)


def losses(name, z):
    if name == "td_target":
        done = array("f", z.bits(9))
        return (z.floats(9), done, z.floats(9), z.floats(9), z.floats(9), coeffs(), zeros(9), 2, 7)
    if name == "mse_delta":
        return (z.floats(9), z.floats(9), zeros(9), z.floats(1), 2, 7, 9)
    if name == "policy_delta":
        return (z.floats(9), z.floats(9), zeros(9), zeros(9), z.floats(1), 2, 7, 9)
    if name == "temperature_grad":
        return (z.floats(1), z.floats(33), array("f", [-1]), z.floats(1), 33)
    if name == "log_temperature":
        return (array("f", (0.9921875, 0.5)), zeros(1))
    return (z.floats(1), zeros(2))


def choices():
    return array("i", (0, 2, 1, 1, 0, 2, 2))


def gaussian_policy(name, z):
    """Seven rows of two actions, of which the first two are not asked for."""
    mean, log_std = z.floats(14), z.floats(2, 0.5)
    if name == "policy_action":
        return (mean, z.floats(14), log_std, array("f", (2, 0.5, 0.25, -1)), zeros(14), zeros(10), 2, 2, 5)
    raw, old = z.floats(14), zeros(7)
    if name == "gaussian_log_prob":
        return (mean, raw, log_std, old, 2, 2, 5)
    k.gaussian_log_prob(mean, raw, log_std, old, 2, 2, 5)
    for i, x in enumerate((0, 0, 0.5, -0.5, 0, 0.25, -0.25)):
        k.accumulate(old, i, array("f", (x,)))  # not by Python, whose floats may have fewer bits
    rest = (z.floats(7), array("f", [0.203125]), array("f", [0.0078125]), zeros(14), z.floats(2), z.floats(3))
    return (mean, raw, log_std, old) + rest + (2, 2, 5, 9)


def categorical_policy(name, z):
    """The same for three choices."""
    logits, old = z.floats(21, 2.0), zeros(7)
    if name == "categorical_sample":
        return (logits, rng(), choices(), 3, 2, 5)
    if name == "argmax":
        return (logits, choices(), 3, 2, 5)
    if name == "categorical_log_prob":
        return (logits, choices(), old, 3, 2, 5)
    k.categorical_log_prob(logits, choices(), old, 3, 2, 5)
    for i, x in enumerate((0, 0, 0.5, -0.5, 0, 0.25, -0.25)):
        k.accumulate(old, i, array("f", (x,)))
    rest = (z.floats(7), array("f", [0.203125]), array("f", [0.0078125]), zeros(21), z.floats(3))
    return (logits, choices(), old) + rest + (3, 2, 5, 9)


def q_learning(name, z):
    q = z.floats(21, 2.0)
    if name == "epsilon_greedy":
        return (q, array("f", [0.5]), rng(), choices(), 3, 2, 5)
    if name == "dqn_target":
        return (z.floats(7), array("f", z.bits(7)), q, z.floats(21), array("f", [0.9921875]), zeros(7), 3, 2, 5)
    action, scaling = array("f", (0, 0, 0, 0, 0, -1, 0, 0, 0, 1, 0, 0.25, 0, -0.75)), array("f", (1, 1))
    return (q, action, scaling, z.floats(7), array("f", [1]), zeros(21), z.floats(1), 3, 2, 1, 2, 5, 9)


def supervised(name, z):
    if name == "cross_entropy_delta":
        return (z.floats(21, 2.0), choices(), zeros(21), z.floats(1), 3, 2, 5, 9)
    if name == "huber_delta":
        return (z.floats(9), z.floats(9), array("f", [0.5]), zeros(9), z.floats(1), 2, 7, 9)
    return (z.floats(38), z.floats(38), array("f", (0.0078125, 0.90625)), 3, 35)


def values(name, z):
    if name == "value_delta":
        clip = array("f", [0.203125])
        return (z.floats(9), z.floats(9), z.floats(9), clip, zeros(9), z.floats(1), 2, 7, 9)
    if name == "rollout_observe":
        ended = bytearray((0, 2, 1))
        return (z.floats(3), z.floats(6), ended, z.floats(6), zeros(6), zeros(8), bytearray(8), 3, 2, 5)
    ended = bytearray((0, 0, 1, 0, 0, 2, 2, 0, 0, 0, 1, 0))
    coeffs = array("f", (0.9921875, 0.953125))
    return (z.floats(12), ended, z.floats(15), z.floats(12), coeffs, zeros(12), zeros(12), 3, 4)


def statistics(name, z):
    if name == "standardise":
        return (z.floats(37, 3.0), 37)
    if name == "add_squares":
        return (z.floats(40), z.positive(1), 3, 37)
    if name == "norm_scale":
        return (array("f", [5.0625]), array("f", [0.5]), zeros(1))
    if name == "scale":
        return (z.floats(9), z.floats(1), 2, 7)
    if name == "linear_schedule":
        return (z.floats(2), zeros(3), 2, 5, 16)
    x, moments = z.floats(10, 2.0), array("f", (8, 0.5, -0.25, 4, 2))
    if name == "moments_update":
        return (x, moments, 2, 5)
    return (x, moments, zeros(10), 2, 1, 4)  # moments_apply, moments_restore


def minibatches(name, z):
    if name == "permutation":
        return (rng(), array("i", [0] * 37), 37)
    indices = array("i", (9, 4, 0, 2, 2, 1))
    if name == "gather_rows":
        return (z.floats(15), indices, zeros(15), 5, 3, 1, 5)
    return (array("i", (7, -8, 9, 2147483647, -2147483648)), indices, array("i", [0] * 5), 5, 1, 5)


def cartpole(name, z):
    state = z.floats(20, 2.0)
    for i in range(2, 20, 4):
        state[i] *= 0.125
    if name == "cartpole_reset":
        return (rng(), state, 1, 4)
    return (state, array("i", (0, 1, 0, 1, 1)), bytearray(5), 1, 4)


def mountain_car(name, z):
    state = z.floats(10, 1.25)
    for i in range(1, 10, 2):
        state[i] *= 0.0625
    if name == "mountain_car_reset":
        return (rng(), state, 1, 4)
    return (state, z.floats(5, 1.5), zeros(5), bytearray(5), 1, 4)


def acrobot(name, z):
    state = z.floats(20, 3.125)
    if name == "acrobot_reset":
        return (rng(), state, zeros(30), 1, 4)
    if name == "acrobot_observe":
        return (state, zeros(30), 1, 4)
    if name == "acrobot_step":
        return (state, array("i", (0, 1, 2, 0, 2)), zeros(30), zeros(5), bytearray(5), 1, 4)
    return (state, z.floats(5, 1.5), zeros(30), zeros(5), 1, 4)


def quadrotor(name, z):
    state = z.floats(51)
    if name == "quadrotor_reset":
        return (rng(), state, 1, 2)
    for i in range(6, 51, 17):
        state[i] += 2
    return (state, z.floats(12, 1.5), zeros(3), bytearray(3), 1, 2)


def moves(name, z):
    if name == "copy_columns":
        return (z.floats(20), 4, 1, 1, z.floats(18), 3, 0, 2, 2, 4)
    if name == "copy":
        return (z.floats(8), 1, z.floats(9), 2, 7)
    if name == "fill":
        return (z.floats(9), z.floats(1), 2, 7)
    if name == "accumulate":
        return (z.floats(3), 2, z.floats(1))
    if name == "crc32":
        return (z.floats(9), array("I", [0xDEADBEEF]))
    if name == "telemetry_line":
        line = bytearray(b'{"a":           ,"b":               ,"c":               ,"check":"????????"}\n')
        numbers = array("f", (z.floats(1)[0] * 2**-20, -145.25))
        return (line, array("i", (5, 21, 41)), array("i", (-2147483648,)), numbers, len(line), 1, 2)
    return (z.floats(9), 2, 7)


def pendulum(name, z):
    state = z.floats(10, 3.125)
    if name == "pendulum_reset":
        return (rng(), state, zeros(15), 1, 4)
    if name == "pendulum_observe":
        return (state, zeros(15), 1, 4)
    return (state, z.floats(5, 3.0), zeros(15), zeros(5), 1, 4)


def streaming(name, z):
    gamma = array("f", (0.9921875,))
    if name == "sparse_init":
        return (layout(), zeros(PARAMS), array("f", (0.75,)), rng(7))
    if name == "scale_reward":
        return (z.floats(1), gamma, z.positive(4, 8.0), zeros(1))
    if name == "td_error":
        return (z.floats(1), z.floats(1), z.floats(1), gamma, zeros(1), 0)
    if name == "q_error":
        return (z.floats(1), z.floats(3), z.floats(3), array("i", (1,)), gamma, zeros(3), zeros(1), 3, 0)
    head, scaling = z.floats(10, 2.0), z.positive(10)
    if name == "softplus_action":
        return (head, z.floats(5), scaling, zeros(5), zeros(5), 5)
    if name == "taken_action":
        return (z.floats(5), z.floats(5), scaling, zeros(5), 5)
    return (head, z.floats(5), z.floats(1), z.positive(1), zeros(10), 5)


def obgd(name, z):
    hyper = array("f", (1, 2, 0.984375, 0.8125))
    if name == "obgd_norm":
        return (z.floats(44), z.positive(16), 3, 41)
    if name == "obgd_scale":
        return (z.positive(16), z.floats(1, 3.0), hyper, zeros(1))
    return (z.floats(44), z.floats(44), z.floats(1), hyper, 3, 41)


def sequences(name, z):
    """Three steps of sequences 1 and 2: after the second one episode ends and the other goes on."""
    if name == "replay_gather_sequences":
        obs, action, reward, flags = z.floats(18), z.floats(12), z.floats(6), bytearray((1, 2, 0, 0, 1, 1))
        outs = tuple(z.floats(n) for n in (30, 12, 6, 6, 6))
        return (obs, action, reward, flags, array("i", (5, 0))) + outs + (3, 2, 6, 2, 3, 1)
    if name == "weigh_rows":
        return (array("f", (1, 1, 0, 1.5, 0.75)), z.floats(15), 3, 2, 3)
    keep, gates = array("f", (0, 1, 1, 0, 1, 0, 0, 1, 1)), z.floats(54)
    if name == "gru_cell":
        return (keep, gates, z.floats(18), z.floats(6), zeros(18), zeros(18), zeros(45), 3, 5, 3, 1, 1, 2)
    rest = (z.floats(6), z.floats(6), zeros(18), zeros(54), 3, 5, 3, 1, 1, 2)
    return (keep, gates, z.floats(18), z.floats(18), z.floats(30), z.floats(30)) + rest


def one_gradient(name, z):
    """gru_cell_backward at the last step, for one user of the output."""
    args = list(sequences(name, z))
    args[5], args[13] = None, 2
    return tuple(args)


GROUPS = (
    (network, ("forward", "backward")),
    (other_network, ("forward", "backward", "init_params")),
    (lambda name, z: (layout(), zeros(PARAMS), rng(7)), ("init_params",)),
    (optimiser, ("adam_advance", "adam", "adam_delta", "apply_delta", "polyak")),
    (lambda name, z: (rng(), zeros(37), 37), ("uniform", "normal")),
    (lambda name, z: (rng(), array("f", (0.9375,)), z.floats(37), 37), ("coloured_normal",)),
    (replay, ("replay_begin", "replay_observe", "replay_sample", "replay_gather")),
    (acting, ("uniform_action", "deterministic_action", "gaussian_action")),
    (policy, ("gaussian_head", "gaussian_head_backward", "smoothed_action")),
    (losses, ("td_target", "mse_delta", "policy_delta", "temperature_grad", "temperature", "log_temperature")),
    (moves, ("copy_columns", "copy", "fill", "accumulate", "all_finite", "crc32", "telemetry_line")),
    (pendulum, ("pendulum_reset", "pendulum_observe", "pendulum_step")),
    (gaussian_policy, ("policy_action", "gaussian_log_prob", "ppo_gaussian_delta")),
    (categorical_policy, ("categorical_sample", "argmax", "categorical_log_prob", "ppo_categorical_delta")),
    (q_learning, ("epsilon_greedy", "dqn_target", "choice_delta")),
    (supervised, ("cross_entropy_delta", "huber_delta", "sgd_delta")),
    (values, ("value_delta", "rollout_observe", "gae")),
    (streaming, ("sparse_init", "scale_reward", "td_error", "q_error")),
    (streaming, ("softplus_action", "taken_action", "softplus_delta")),
    (obgd, ("obgd_norm", "obgd_scale", "obgd_step")),
    (statistics, ("standardise", "add_squares", "norm_scale", "scale")),
    (statistics, ("linear_schedule", "moments_update", "moments_apply", "moments_restore")),
    (minibatches, ("permutation", "gather_rows", "gather_ints")),
    (cartpole, ("cartpole_reset", "cartpole_step")),
    (mountain_car, ("mountain_car_reset", "mountain_car_step")),
    (acrobot, ("acrobot_reset", "acrobot_observe", "acrobot_step", "acrobot_swing_up_step")),
    (quadrotor, ("quadrotor_reset", "quadrotor_step")),
    (sequences, ("replay_gather_sequences", "weigh_rows", "gru_cell", "gru_cell_backward")),
)

if MODE == "numbers":  # noqa: F821
    GROUPS += ((tiny_network, ("forward", "backward")), (one_gradient, ("gru_cell_backward",)))


def is_buffer(x):
    return isinstance(x, (array, bytearray))


def text(x):
    return hexlify(bytes(x)).decode()


def typecode(x):
    return "B" if isinstance(x, bytearray) else repr(x)[7]


def print_numbers(name, args):
    result = getattr(k, name)(*args)
    print("result", name, result)
    for i, x in enumerate(args):
        if is_buffer(x):
            print("buffer", name, i, typecode(x), text(x))


def print_errors(name, args):
    """Each argument wrong in turn: too short, another type, no buffer, out of range. Buffers must stay as they are."""
    before = [text(x) for x in args if is_buffer(x)]
    for i, x in enumerate(args):
        bad = bad_buffers(x) if is_buffer(x) else (-1, 0x1000000, "7")
        if name == "crc32" and i == 0:
            bad = bad[2:]  # any length is right
        for wrong in bad:
            changed = list(args)
            changed[i] = wrong
            try:
                getattr(k, name)(*changed)
                said = "nothing"
            except ValueError as error:
                said = str(error)
            print("error", name, i, said)
    print("untouched", name, before == [text(x) for x in args if is_buffer(x)])


def bad_buffers(x):
    # No str among them: MicroPython's are buffers of bytes.
    return (x[:-1], x[:0], array("d", [1] * len(x)), array("h", [1] * len(x)), 5, {}, [1.5] * len(x))


def call_without_heap(name, args):
    """A direct call, because *args would allocate."""
    import micropython

    scope = {"f": getattr(k, name), "a": args}
    exec("def call():\n    f(%s)" % ", ".join("a[%d]" % i for i in range(len(args))), scope)
    call = scope["call"]
    micropython.heap_lock()
    try:
        call()
    finally:
        micropython.heap_unlock()
    print("heap", name, "untouched")


print("backend", kernels.name, k.variant(), k.fused(), k.ABI)
work = {"numbers": print_numbers, "errors": print_errors, "heap": call_without_heap}[MODE]  # noqa: F821
for make, names in GROUPS:
    for name in names:
        work(name, make(name, Numbers(len(name))))
print("done")
