"""Random arguments for any kernel, made from the tables in native_modules/kernels/, and their comparison."""

import math
import random as random_module
from array import array

import kernels as table
import numpy as np
import reference_kernels as reference

SIZES = (1, 2, 3, 4, 5, 17, 64)
ROWS = (1, 3, 16, 20)
ROW_OFFSETS = (0, 1, 5)
GUARD = 3  # elements behind each buffer that no kernel may touch
DTYPES = {"f": np.float32, "i": np.int32, "I": np.uint32, "B": np.uint8}
WIDE = {"f": np.float64, "i": np.int64, "I": np.int64, "B": np.uint8}
KERNELS = {kernel.name: kernel for kernel in table.KERNELS}
DENSE, LAYER_NORM, NORMALIZE, ELEMENTWISE = table.KINDS.values()
ACTIVATIONS = tuple(table.ACTIVATIONS.values())
INPUT_ACTIVATIONS = tuple(table.INPUT_ACTIVATIONS.values())


class Random(random_module.Random):
    def floats(self, n, scale=1.0):
        return [self.gauss(0, scale) for _ in range(n)]

    def layout(self):
        """Dense layers, half of the time with other kinds between, before and behind them."""
        widths = [self.choice(SIZES) for _ in range(self.randint(2, 4))]
        mixed = self.random() < 0.5
        layout = array("i")
        for i, width in enumerate(widths):
            if i:
                layout.extend(array("i", (DENSE, widths[i - 1], width, self.choice(ACTIVATIONS))))
            if mixed and width > 3 and self.random() < 0.5:  # of few numbers it comes close to 1 / 0
                kind = self.choice((LAYER_NORM, NORMALIZE))
                layout.extend(array("i", (kind, width, width, self.choice(ACTIVATIONS))))
            if mixed and self.random() < 0.5:
                layout.extend(array("i", (ELEMENTWISE, width, width, self.choice(INPUT_ACTIVATIONS))))
        return layout


def network(*records):
    """A layout of records (kind, inputs, outputs, activation)."""
    return array("i", [number for record in records for number in record])


def dense(widths, activations):
    return network(*((DENSE, *record) for record in zip(widths[:-1], widths[1:], activations, strict=True)))


def shape(layout):
    records = [layout[i : i + 4] for i in range(0, len(layout), 4)]
    params = {DENSE: lambda n, m: (n + 1) * m, LAYER_NORM: lambda n, m: 2 * n}
    return {
        "n_params": sum(params[kind](n, m) for kind, n, m, _ in records if kind in params),
        "n_in": layout[1],
        "n_out": layout[-2],
        "n_hidden": sum(m for _, _, m, _ in records[:-1]),
    }


def size(buffer, args):
    """How many elements a kernel needs of a buffer."""
    names = {name: value for name, value in args.items() if isinstance(value, int)}
    names |= {f"len_{name}": len(value) for name, value in args.items() if hasattr(value, "__len__")}
    if "layout" in args:
        names |= shape(args["layout"])
    return eval(buffer.size, {}, names)


def integers(kernel, r):
    row, rows = r.choice(ROW_OFFSETS), r.choice(ROWS)
    act_size = r.choice((1, 2, 3, 5))
    columns = r.choice((1, 2, 5))
    column = r.choice((0, 1, 3))
    src_column, dst_column = r.choice((0, 2)), r.choice((0, 1))
    columns_here = columns if kernel.name == "copy_columns" else act_size
    n_ints, n_floats = r.choice((1, 3)), r.choice((1, 4))
    values = {
        "n_ints": n_ints,
        "n_floats": n_floats,
        "length": 16 * (n_ints + n_floats) + 21 + r.choice((0, 5)),
        "row": row,
        "rows": rows,
        "start": r.choice((0, 1, 7)),
        "count": r.choice((1, 2, 3, 16, 17, 100)),
        "obs_size": r.choice((1, 2, 3, 17)),
        "act_size": act_size,
        "capacity": r.choice((2, 3, 5, 40)),
        "terminated": r.randrange(2),
        "ended": r.randrange(2),
        "column": column,
        "width": column + act_size + r.choice((0, 1, 4)),
        "batch": row + rows + r.choice((0, 7)),
        "columns": columns,
        "src_column": src_column,
        "src_width": src_column + columns_here + r.choice((0, 3)),
        "src_row": r.choice(ROW_OFFSETS),
        "dst_column": dst_column,
        "dst_width": dst_column + columns_here + r.choice((0, 2)),
        "dst_row": r.choice(ROW_OFFSETS),
        "src_start": r.choice((0, 3)),
        "dst_start": r.choice((0, 2)),
        "index": r.randrange(4),
        "n": r.choice((1, 2, 3, 17)),
        "envs": r.choice((1, 2, 5, 16, 19)),
        "steps": r.choice((1, 2, 9, 30)),
        "step": r.choice((0, 1, 8, 30, 1000)),
        "limit": r.choice((1, 2, 50)),
        "burn_in": r.choice((0, 1, 4)),
    }
    if kernel.name == "replay_gather_sequences":
        values["count"] = r.choice((1, 2, 17))
        values["steps"] = r.randint(1, min(values["capacity"], 9))
    if "gru" in kernel.name:
        values["units"] = r.choice((1, 3, 8, 16, 21))
        values["width"] = values["units"] + r.choice((0, 1, 3))
        values["step"] = r.randrange(values["steps"])
    if kernel.name in ("gather_rows", "moments_update", "moments_apply"):
        values["width"] = r.choice((1, 2, 3, 16, 21))
    return {arg.name: values[arg.name] for arg in kernel.args if isinstance(arg, table.Int)}


def contents(kernel, name, n, args, r):
    """Plausible contents of buffer `name` with n elements."""
    if name == "fields":
        return r.sample(range(0, 16 * n, 16), n)
    if name == "ints":
        return [r.randint(-(2**31), 2**31 - 1) >> r.randrange(32) for _ in range(n)]
    if name == "floats":
        return [r.gauss(0, 10.0 ** r.randrange(-30, 30)) for _ in range(n)]
    if name == "line":
        return list(b" " * n)
    if name == "rng":
        return [r.getrandbits(32), r.getrandbits(32), r.choice((0, 1, 12345, 2**32 - 1, r.getrandbits(32))), 0]
    if name == "crc":
        return [r.choice((0, r.getrandbits(32)))]
    if name == "hyper" and kernel.name == "sgd_delta":
        return [r.choice((0.1, 1e-3)), r.choice((0.9, 0))]
    if name == "hyper" and "obgd" in kernel.name:
        return [r.choice((1, 0.01)), r.choice((2, 3)), 0.99, 0.8]
    if name == "lanes":
        return [abs(x) for x in r.floats(n, r.choice((0.001, 1)))]
    if name == "sparsity":
        return [r.choice((0, 0.5, 0.9, 1, -1, 3, math.inf, math.nan))]
    if name == "stats" and kernel.name == "scale_reward":
        count = r.choice((0, 1, 2, 1000))
        return [count, r.gauss(0, 1), *((r.gauss(0, 1), count * r.uniform(0.1, 3)) if count else (0, 0))]
    if name == "hyper":
        return [r.choice((1e-3, 3e-4)), 0.9, 0.999, r.choice((1e-7, 1e-8))]
    if name == "state" and "adam" in kernel.name:
        if kernel.name == "adam_advance" and r.random() < 0.3:
            return [1, 1, 0, 0]
        t = r.randint(1, 50)
        return [0.9**t, 0.999**t, 1e-3 / (1 - 0.9**t), 1 / math.sqrt(1 - 0.999**t)]
    if name == "state" and "cartpole" in kernel.name:
        return [r.gauss(0, (2, 1, 0.2, 1)[i % 4]) for i in range(n)]
    if name == "state" and "mountain_car" in kernel.name:
        near = ((-1.2, -0.06), (0.6, 0.05), (0.44, 0.03), (-0.5, 0))  # both ends, the goal, the valley
        return [r.choice(near)[i % 2] + r.gauss(0, (0.04, 0.03)[i % 2]) for i in range(n)]
    if name == "state" and "acrobot" in kernel.name:
        return [r.gauss(0, 5) if i % 4 > 1 else r.uniform(-math.pi, math.pi) for i in range(n)]
    if name == "action" and kernel.name == "acrobot_step":
        return [r.randrange(3) for _ in range(n)]
    if name == "state" and "quadrotor" in kernel.name:
        return [value for _ in range(n // 17) for value in quadrotor(r)]
    if name == "action" and kernel.name == "cartpole_step":
        return [r.randrange(2) for _ in range(n)]
    if name in ("ended", "rollout_ended"):
        return [r.choice((0, 0, 0, 0, 0, 0, 1, 2)) for _ in range(n)]
    if name == "choice":
        return [r.randrange(args["n"]) for _ in range(n)]
    if name == "scaling" and kernel.name == "choice_delta":
        return [(args["n"] - 1) / 2] * 2  # half, middle
    if name == "action" and kernel.name == "choice_delta":
        return [r.uniform(-1.2, 1.2) for _ in range(n)]
    if name == "limit":
        return [r.choice((0.5, 1))]
    if name == "epsilon":
        return [r.choice((0, 0.5, 1))]
    if name in ("clip", "entropy", "max_norm"):
        return [r.choice((0.2, 0.1, 0.01))]
    if name == "total" and kernel.name == "norm_scale":
        return [r.choice((0, 2e-5, 1, 200))]
    if name == "log_std":
        return [r.uniform(-0.7, 1) for _ in range(n)]
    if name == "moments":
        width = n // 2
        count = r.choice((0, 1, 9, 1000))
        return [count, *r.floats(width), *(count * r.uniform(0.1, 3) for _ in range(width))] if count else [0] * n
    if name in ("src", "dst") and kernel.name == "gather_ints":
        return [r.randint(-(2**31), 2**31 - 1) for _ in range(n)]
    if name == "state":
        return [r.uniform(-8, 8) if i % 2 else r.uniform(-math.pi, math.pi) for i in range(n)]
    if name == "v":
        return [x * x for x in r.floats(n, 0.1)]
    if name == "params":
        return r.floats(n, 0.3)
    if name == "correlation":
        return [r.choice((0, 0.5, 0.95, 0.999))]
    if name == "tau":
        return [0.005]
    if name in ("sigma", "smoothing"):
        return [0.2, 0.25][:n]
    if name == "coeffs":
        return [0.99, 0.2][:n]
    if name == "scaling":
        return [r.uniform(0.3, 3) if i < n // 2 else r.gauss(0, 1) for i in range(n)]
    if name == "weight":
        return [r.choice((0, 1.25)) for _ in range(n)]
    if name == "gates" and kernel.name == "gru_cell_backward":
        thirds = args["units"]
        return [r.uniform(-1, 1) if i // thirds % 3 == 2 else r.random() for i in range(n)]
    if name in ("not_terminated", "keep"):
        return [r.randrange(2) for _ in range(n)]
    if name == "head":
        per = 2 * args["act_size"]
        return [r.gauss(0, 1) if i % per < per // 2 else r.choice((r.uniform(-3, 2), -25, 2.5)) for i in range(n)]
    if name == "action" and kernel.name == "taken_action":
        return [r.choice((0, r.gauss(0, 1))) for _ in range(n)]  # those that are 0 become what was meant, in make()
    if name == "action" and kernel.name == "gaussian_head_backward":
        return [math.tanh(x) for x in r.floats(n)]
    if name == "action":
        return r.floats(n, 2)
    if name == "indices":
        return [r.randrange(args.get("capacity") or args.get("limit") or n) for _ in range(n)]
    if name == "replay_state":
        return [0] * n  # made last, by replay()
    if name == "replay_flags":
        flags = [r.randrange(3) for _ in range(n)]
        flags[r.randrange(n)] = 1
        return flags
    return r.floats(n)


def quadrotor(r):
    """A quadrotor in any attitude, some of them about to leave the room or turning too fast."""
    attitude = r.floats(4)
    length = math.sqrt(sum(x * x for x in attitude))
    flying = r.floats(6, 0.5) + [x / length for x in attitude] + r.floats(3, r.choice((2, 15)))
    return flying + [r.random() for _ in range(4)]


def replay(args, r):
    """A state that fits the flags, and flags that fit a state: none at head nor behind size."""
    flags, capacity = args["replay_flags"], args["capacity"]
    used = r.randint(2, capacity)
    head = r.randrange(used)
    for i in range(capacity):
        if i == head or i >= used:
            flags[i] = 0
    other = r.choice([i for i in range(used) if i != head])
    flags[other] = flags[other] or 1
    valid = sum(map(bool, flags[:capacity]))
    return array("i", (head, used, r.choice((0, 1, 1)), valid, r.randrange(9), 0))


def make(name, r, **fixed):
    """Arguments of kernel `name` by name, in order, each buffer as long as it must be."""
    kernel = KERNELS[name]
    args = {arg.name: None for arg in kernel.args}
    args |= integers(kernel, r)
    args |= {key: value for key, value in fixed.items() if key in args}
    for arg in kernel.args:
        if isinstance(arg, table.Layout) and args[arg.name] is None:
            args[arg.name] = r.layout()
    for arg in kernel.args:
        if isinstance(arg, table.AnyBuffer):
            code = r.choice("fiIB")
            data = bytes(r.getrandbits(8) for _ in range(4 * r.choice((0, 1, 2, 33))))
            args[arg.name] = array(code, data) if r.random() < 0.8 else bytearray(data)
        elif isinstance(arg, table.Buffer) and arg.name not in fixed:
            n = size(arg, args)
            filled = contents(kernel, arg.name, n, args, r)
            code = arg.typecode
            args[arg.name] = bytearray(filled) if code == "B" and r.random() < 0.5 else array(code, filled)
    if "replay_state" in args:
        args["replay_state"] = replay(args, r)
    if name == "backward":
        keep = {key: args[key] for key in ("layout", "params", "x", "out", "cache", "row", "rows")}
        wide = as_arrays(keep)
        reference.forward(**wide)
        for key in ("out", "cache"):
            args[key] = array("f", np.asarray(wide[key], np.float32).tobytes())
    if name == "taken_action":
        for j, meant in enumerate(np.clip(args["raw"], -1, 1)):
            args["action"][j] = args["action"][j] or meant * args["scaling"][j] + args["scaling"][args["act_size"] + j]
    if "old_log_prob" in args:
        args["old_log_prob"] = old_log_prob(name, args, r)
    absent = [arg.name for arg in kernel.args if getattr(arg, "optional", False) and arg.name not in fixed]
    if absent:
        chosen = [name for name in absent if r.random() < 0.3]
        if name == "policy_delta":
            chosen = absent if chosen else []
        for key in chosen:
            args[key] = None
    return args


def old_log_prob(name, args, r):
    """Near the log-density of today's policy, so that ratios lie on both sides of the range's ends, but none on them."""
    now = {key: value for key, value in args.items() if key in ("mean", "raw", "log_std", "logits", "choice")}
    wide = as_arrays(now | {"log_prob": array("f", args["old_log_prob"])})
    size = args["act_size" if "mean" in args else "n"]
    density = reference.gaussian_log_prob if "mean" in args else reference.categorical_log_prob
    density(**wide, **{"act_size" if "mean" in args else "n": size}, row=0, rows=args["row"] + args["rows"])
    return array("f", [x + r.choice((-0.5, -0.003, 0, 0.003, 0.5)) for x in wide["log_prob"]])


def as_arrays(args):
    """The arguments for a reference: NumPy arrays of float64 and int64."""
    wide = {}
    for name, value in args.items():
        if name == "data":
            wide[name] = bytes(value)
        elif isinstance(value, (array, bytearray)):
            wide[name] = np.array(value, WIDE[getattr(value, "typecode", "B")])
        else:
            wide[name] = value
    return wide


def with_guards(name, args, r):
    """Copies of the arguments with GUARD more elements in each buffer."""
    copies = dict(args)
    for arg in KERNELS[name].args:
        value = args[arg.name]
        if isinstance(arg, table.Buffer) and value is not None:
            behind = [r.choice((1, 2, 77)) for _ in range(GUARD)]
            copies[arg.name] = value + (
                bytearray(behind) if isinstance(value, bytearray) else array(value.typecode, behind)
            )
    return copies


def snapshot(args):
    return {key: bytes(value) for key, value in args.items() if isinstance(value, (array, bytearray))}


def compare(name, args, wide, before, rtol, exact=()):
    """Buffers `args` after a kernel against `wide` after its reference; `before`: a snapshot of the buffers."""
    for arg in KERNELS[name].args:
        value = args[arg.name]
        if not isinstance(arg, table.Buffer) or value is None:
            continue
        where = f"{name}: {arg.name}"
        was = np.frombuffer(before[arg.name], DTYPES[arg.typecode])
        now = np.frombuffer(bytes(value), DTYPES[arg.typecode])
        if not arg.writes:
            assert bytes(value) == before[arg.name], f"{where} is an input and was written"
            continue
        wanted = wide[arg.name]
        if arg.typecode != "f" or arg.name in exact:
            np.testing.assert_array_equal(now, wanted.astype(now.dtype), where)
            continue
        kept = wanted == was.astype(np.float64)
        np.testing.assert_array_equal(now[kept], was[kept], f"{where}: something else was written")
        atol = rtol * 0.1 * max(1e-3, np.abs(wanted).max(initial=0))
        np.testing.assert_allclose(now, wanted, rtol, atol, err_msg=where)
