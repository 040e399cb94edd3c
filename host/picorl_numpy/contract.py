"""What the kernels ask of their arguments: annotations that repeat the table, and `kernel`, which makes checks of them."""

from array import array
from typing import NamedTuple

import numpy as np

RECORD = 4
_MAX_INT = 0xFFFFFF
F32 = np.dtype(np.float32)
_NAMES = {"f": "array('f')", "i": "array('i')", "I": "array('I')", "B": "bytearray or array('B')"}
_ANY_NAMES = ", ".join(_NAMES.values())
_UNITS = {"f": "floats", "i": "int32s", "I": "uint32s", "B": "bytes"}
_DTYPES = {"f": F32, "i": np.dtype(np.int32), "I": np.dtype(np.uint32), "B": np.dtype(np.uint8)}


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


def integer(kernel, name, value, least=0, most=_MAX_INT):
    try:
        number = value.__index__()
    except AttributeError:
        raise ValueError(f"{kernel}: {name} is not an integer, must be {least} to {most}") from None
    if not least <= number <= most:
        bounds = f"{least} to {most}" if least != most else least
        raise ValueError(f"{kernel}: {name} is {number}, must be {bounds}")
    return number


DENSE, LAYER_NORM, NORMALIZE, ELEMENTWISE = 1, 2, 3, 4
_ACTIVATIONS, _INPUT_ACTIVATIONS = (0, 4), (5, 7)


class Layer(NamedTuple):
    """A record of a layout, and where its weights or gains, its biases and the next layer's params start."""

    kind: int
    inputs: int
    outputs: int
    activation: int
    start: int
    bias: int
    end: int


class _Shape:
    """What a layout means."""

    def __init__(self, kernel, records):
        if not len(records) or len(records) % RECORD:
            raise ValueError(f"{kernel}: layout holds {len(records)} int32s, must be records of {RECORD}")
        self.layers = []
        start = hidden = 0
        least, most = 1, _MAX_INT
        for index, (kind, n, m, activation) in enumerate(records.reshape(-1, RECORD).tolist()):
            at = index * RECORD
            integer(kernel, f"layout[{at}] (kind)", kind, DENSE, ELEMENTWISE)
            integer(kernel, f"layout[{at + 1}] (inputs)", n, least, most)
            integer(kernel, f"layout[{at + 2}] (outputs)", m, *((1,) if kind == DENSE else (n, n)))
            lowest, highest = _INPUT_ACTIVATIONS if kind == ELEMENTWISE else _ACTIVATIONS
            if not lowest <= activation <= highest:
                complaint = (
                    f"layout[{at + 3}] (activation) is {activation}, must be {lowest} to {highest} for kind {kind}"
                )
                raise ValueError(f"{kernel}: {complaint}")
            bias = start + (n * m if kind == DENSE else n if kind == LAYER_NORM else 0)
            end = bias + (m if kind in (DENSE, LAYER_NORM) else 0)
            self.layers.append(Layer(kind, n, m, activation, start, bias, end))
            start = end
            if index:
                hidden += n
            if start > _MAX_INT or hidden + (m if at + RECORD < len(records) else 0) > _MAX_INT:
                what = "params" if start > _MAX_INT else "hidden units"
                raise ValueError(f"{kernel}: layout has more than {_MAX_INT} {what}")
            least = most = m
        self.n_in, self.n_out, self.n_hidden, self.n_params = int(records[1]), m, hidden, start


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
    scope = {"_call": function, "array": array, "frombuffer": np.frombuffer, "F32": F32, "_DTYPES": _DTYPES}
    scope |= {"_view": _view, "integer": integer, "_shape": _shape, "_any": _bytes}
    integers, buffers = [], []
    for arg, spec in specs.items():
        scope[f"_{arg}"] = spec
        if isinstance(spec, Int):
            bounds = f"{spec.least} <= {arg} <= {_MAX_INT}"
            integers.append(f"if {arg}.__class__ is not int or not {bounds}:")
            integers.append(f"    {arg} = integer({name!r}, {arg!r}, {arg}, {spec.least})")
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


def fits(kernel, start, column, count, columns, limit, width):
    if column + columns > width:
        raise ValueError(f"{kernel}: {start} + {count} is {column + columns}, must be at most {width} ({limit})")


def within(kernel, name, x, start, count, limit):
    """x[start : start + count], all of them in 0 to limit - 1."""
    part = x[start : start + count]
    outside = (part < 0) | (part >= limit)
    if outside.any():
        k = int(outside.argmax())
        integer(kernel, f"{name}[{start + k}]", int(part[k]), 0, limit - 1)
    return part
