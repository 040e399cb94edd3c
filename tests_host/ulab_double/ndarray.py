"""The double's ndarray: a NumPy array inside, ulab's rules of types, shapes and views around it."""

import numpy

UINT8, INT8, UINT16, INT16, BOOL = (ord(code) for code in "BbHh?")
INTEGERS = {UINT8: numpy.uint8, INT8: numpy.int8, UINT16: numpy.uint16, INT16: numpy.int16}
_CODES = {numpy.dtype(kind): code for code, kind in INTEGERS.items()}
MAX_DIMS = 2


class Undefined(AssertionError):
    """ulab accepts this and answers with garbage, a crash, or differently from build to build: nothing to rely on."""


class NDArray:
    """What functions of ulab.numpy return. `Numpy` derives one class a float width from it."""

    __slots__ = ("_values",)
    __hash__ = None
    _float = None  # NumPy's type of ulab's float

    def __init__(self, values, /, *, dtype=None):
        self._values = copy(self.__class__, values, dtype)._values

    # --- what it is -------------------------------------------------------------------------------------------------

    @property
    def shape(self):
        return self._values.shape

    @property
    def size(self):
        return self._values.size

    @property
    def itemsize(self):
        return self._values.itemsize

    @property
    def strides(self):
        return self._values.strides

    @property
    def dtype(self):
        code = self._code
        return (
            UINT8 if code == BOOL else code
        )  # as ulab has it: a flag beside the type says that values are truth values

    @property
    def T(self):
        return self.transpose()

    @property
    def _code(self):
        kind = self._values.dtype
        return BOOL if kind.kind == "b" else _CODES.get(kind) or ord(kind.char)

    def __buffer__(self, flags, /):  # asked for from Python 3.12 on
        return contents(self)

    def __bytes__(self):
        if not _dense(self._values):
            raise Undefined("bytes of a view with gaps")
        return contents(self).tobytes()

    def __contains__(self, value):
        raise Undefined("`in`: it compares Python's floats, which are 32 bits on boards and 64 here")

    def __len__(self):
        return self._values.shape[0]

    def __repr__(self):
        return f"array({self.tolist()}, dtype={self._values.dtype})"

    def __bool__(self):
        raise Undefined("the truth of an ndarray: ulab says that it has elements")

    # --- copies and views -------------------------------------------------------------------------------------------

    def copy(self):
        return self._new(used(self).copy())

    def flatten(self, *, order="C"):
        if order not in ("C", "F"):
            raise ValueError("flattening order must be either 'C', or 'F'")
        return self._new(_numbers(used(self)).flatten(order))  # truth values come out as numbers

    def tolist(self):
        return self._values.tolist()

    def transpose(self):
        return self if self._values.ndim == 1 else self._new(self._values.T)

    def reshape(self, shape, /):
        if type(shape) is int:
            shape = (shape,)
        if type(shape) is not tuple:
            raise TypeError("shape must be integer or tuple of integers")
        if len(shape) > MAX_DIMS:
            raise ValueError(f"maximum number of dimensions is {MAX_DIMS}")
        values = used(self)
        if not shape:
            raise Undefined("an array without axes")
        if not _dense(values):
            return self._new(values.copy().reshape(shape))
        if not values.flags.c_contiguous:
            raise Undefined("reshape of a view that runs backwards")
        return self._new(values.reshape(shape))

    def __iter__(self):
        if self._values.ndim == 1:
            return (scalar(value) for value in self._values)
        return (self._new(row) for row in self._values)

    def __getitem__(self, index):
        if isinstance(index, NDArray):
            values = _chosen(self, index)
            if not values.size:
                raise Undefined("a choice of no elements: ulab's result has no axis")
            return self._new(_numbers(values))
        values = self._values[_index(self._values, index)]
        return self._new(values) if values.ndim else scalar(values)

    def __setitem__(self, index, value):
        value = operand(self.__class__, value)._values
        if isinstance(index, NDArray):
            where = _truths(self, index, value)
        else:
            where, value = _places(self._values, index, value)
        floats = value.dtype.kind == "f" and self._values.dtype.kind != "f"
        if self._code == BOOL and not numpy.isin(value, (0, 1)).all():
            raise Undefined("other values than 0 and 1 in a bool array")
        if floats and isinstance(index, NDArray) and self._code != BOOL:
            raise Undefined("floats for chosen elements of an integer array: ulab does not round them")
        convert = rounded if floats and self._code != BOOL else fitting
        self._values[where] = convert(value.copy(), self._values.dtype)

    def __delitem__(self, index):
        raise ValueError("cannot delete array elements")

    # --- operators --------------------------------------------------------------------------------------------------

    def __add__(self, other):
        return arithmetic(self, other, "+")

    def __sub__(self, other):
        return arithmetic(self, other, "-")

    def __mul__(self, other):
        return arithmetic(self, other, "*")

    def __truediv__(self, other):
        return arithmetic(self, other, "/")

    def __pow__(self, other):
        return arithmetic(self, other, "**")

    def __radd__(self, other):
        return arithmetic(operand(self.__class__, other), self, "+")

    def __rsub__(self, other):
        return arithmetic(operand(self.__class__, other), self, "-")

    def __rmul__(self, other):
        return arithmetic(operand(self.__class__, other), self, "*")

    def __rtruediv__(self, other):
        return arithmetic(operand(self.__class__, other), self, "/")

    def __rpow__(self, other):
        return arithmetic(operand(self.__class__, other), self, "**")

    def __iadd__(self, other):
        return in_place(self, other, "+")

    def __isub__(self, other):
        return in_place(self, other, "-")

    def __imul__(self, other):
        return in_place(self, other, "*")

    def __itruediv__(self, other):
        return in_place(self, other, "/")

    def __ipow__(self, other):
        return in_place(self, other, "**")

    def __eq__(self, other):
        return compared(self, other, numpy.equal)

    def __ne__(self, other):
        return compared(self, other, numpy.not_equal)

    def __lt__(self, other):
        return compared(operand(self.__class__, other, self._code), self, numpy.greater)

    def __le__(self, other):
        return compared(operand(self.__class__, other, self._code), self, numpy.greater_equal)

    def __gt__(self, other):
        return compared(self, other, numpy.greater)

    def __ge__(self, other):
        return compared(self, other, numpy.greater_equal)

    def __neg__(self):
        if self._code == BOOL:
            raise Undefined("-a of a bool array: ulab's result is a bool array that holds 255")
        return self._new(-used(self))

    def __pos__(self):
        return self.copy()

    def __abs__(self):
        if self._values.dtype.kind in "bu":
            raise Undefined("abs of an array without a sign: ulab takes its bytes for floats")
        return self._new(abs(used(self)))

    def __invert__(self):
        if self._values.dtype.kind == "f":
            raise ValueError("operation is not supported for given type")
        return self._new(~used(self))

    # --- inside -----------------------------------------------------------------------------------------------------

    @classmethod
    def _new(cls, values):
        """An ndarray around a NumPy array, which it shares."""
        made = cls.__new__(cls)
        made._values = values
        return made


def used(array):
    """The values of an array about to be used: one without elements is read and written beyond its end."""
    if not array._values.size:
        raise Undefined("an array without elements")
    return array._values


def kind(cls, code):
    """NumPy's type for a type code of ulab."""
    if code == BOOL:
        return numpy.bool_
    if code == ord(cls._float().dtype.char):
        return cls._float
    if code not in INTEGERS:
        raise Undefined(f"no type has the code {code!r}: ulab does not check it")
    return INTEGERS[code]


def scalar(value):
    """A Python number for one element."""
    return value.item()


def rounded(values, target):
    """Floats as integers: halves away from zero, then the low bits."""
    return fitting(numpy.trunc(values + numpy.copysign(0.5, values)), target)


def fitting(values, target):
    """Whole numbers as another type: one that does not fit wraps around under MicroPython and raises under CircuitPython."""
    limits = numpy.iinfo(target) if numpy.dtype(target).kind in "iu" else None
    if limits and not ((limits.min <= values) & (values <= limits.max)).all():
        raise Undefined(f"numbers beyond {numpy.dtype(target)}")
    return values.astype(target)


def copy(cls, source, code=None):
    """array(): a copy of an ndarray as another type, or the numbers of a sequence of sequences."""
    target = cls._float if code is None else kind(cls, code)
    if isinstance(source, NDArray):
        values = used(source)
        if target == numpy.bool_:
            raise Undefined("an ndarray as bool: ulab keeps numbers, and turns True into False")
        if values.dtype == bool and target == numpy.uint8:
            return cls._new(values.copy())  # stays bool: the two types differ by a flag only
        if values.dtype.kind == "f" and numpy.dtype(target).kind in "iu":
            return cls._new(rounded(values, target))
        return cls._new(fitting(values, target))
    return cls._new(_from_sequence(source, target))


def _from_sequence(source, target):
    if not hasattr(source, "__len__"):
        iter(source)  # TypeError for what is no iterable
        raise Undefined("an array of an iterable without a length: ulab's result has no axis")
    rows = [list(row) if hasattr(row, "__len__") else row for row in source]
    if any(hasattr(value, "__len__") for row in rows if type(row) is list for value in row):
        raise ValueError("too many dimensions")
    if not rows or rows[0] == []:
        raise Undefined("an array without elements")
    if any(type(row) is list for row in rows):
        if any(type(row) is not list or len(row) != len(rows[0]) for row in rows):
            raise Undefined("rows of different lengths: ulab does not check them")
        return numpy.array([[_number(value, target) for value in row] for row in rows], target)
    return numpy.array([_number(value, target) for value in rows], target)


def _number(value, target):
    if target == numpy.bool_:
        return bool(value)
    if type(value) not in (int, float, bool):
        raise TypeError("can't convert %s to float" % type(value).__name__)
    if numpy.dtype(target).kind in "iu":
        if type(value) is float:
            raise TypeError("can't convert float to int")
        if not numpy.iinfo(target).min <= value <= numpy.iinfo(target).max:
            raise Undefined(f"{value} as {target.__name__}")
    return value


def operand(cls, value, other=0):
    """The other side of an operator as an ndarray. An integer takes the smallest type beside `other`'s sign, as in ulab."""
    if isinstance(value, NDArray):
        return value
    if type(value) is bool:
        return cls._new(numpy.array([value]))
    if type(value) is float:
        return cls._new(numpy.array([value], cls._float))
    if type(value) is int:
        return cls._new(numpy.array([value], _kind_of_integer(cls, value, other)))
    return copy(cls, value)


def _kind_of_integer(cls, value, other):
    if not -32767 <= value <= 32767:
        return cls._float
    if value < 0:
        return numpy.int8 if value > -128 else numpy.int16
    if other in (INT8, INT16):
        return numpy.int8 if value < 128 else numpy.int16
    return numpy.uint8 if value < 256 else numpy.uint16


def broadcast(left, right):
    """ValueError when two shapes do not go together."""
    try:
        return numpy.broadcast_shapes(left.shape, right.shape)
    except ValueError:
        raise ValueError("operands could not be broadcast together") from None


def _numbers(values):
    return values.view(numpy.uint8) if values.dtype == bool else values


def _result_kind(cls, left, right, sign):
    """ulab's promotion: floats win, 8 bits go to 16 where signs differ, uint16 with int16 is float."""
    left, right = left.dtype, right.dtype
    if left == right:
        return left
    if "f" in (left.kind, right.kind):
        return cls._float
    pair = {left.name, right.name}
    if pair == {"uint16", "int16"}:
        return cls._float
    if pair == {"uint8", "uint16"}:
        return numpy.uint16
    if pair == {"int8", "uint16"}:
        return numpy.uint16 if sign == "-" and left.name == "uint16" else numpy.int16
    return numpy.int16


_OPERATIONS = {
    "+": numpy.add,
    "-": numpy.subtract,
    "*": numpy.multiply,
    "/": numpy.divide,
    "**": numpy.power,
}


def arithmetic(left, right, sign):
    """left OPERATOR right as a new array. Integers divide as in C, towards zero, into floats."""
    cls = left.__class__
    right = operand(cls, right, left._code)
    a, b = _numbers(used(left)), _numbers(used(right))
    broadcast(a, b)
    floats = "f" in (a.dtype.kind, b.dtype.kind)
    if sign in ("-", "**") and a.dtype == numpy.int16 and b.dtype.kind == "f":
        a = a.view(numpy.uint16)  # ulab reads the left side so
    with numpy.errstate(all="ignore"):
        if sign == "**" and numpy.isinf(a).any():
            raise Undefined("powers of infinity: NumPy's are not C's")
        if sign == "**" or floats:
            return cls._new(_OPERATIONS[sign](a.astype(cls._float), b.astype(cls._float)))
        a, b = numpy.broadcast_arrays(a.astype(numpy.int32), b.astype(numpy.int32))
        if sign == "/":
            if not b.all():
                raise Undefined("an integer divided by zero: ulab's process ends")
            return cls._new(numpy.trunc(a / b).astype(numpy.int32).astype(cls._float))
        target = _result_kind(cls, _numbers(left._values), _numbers(right._values), sign)
        return cls._new(_OPERATIONS[sign](a, b).astype(target))


def in_place(left, right, sign):
    """left OPERATOR= right: the right side may be broadcast, the left one keeps its type and its memory."""
    right = operand(left.__class__, right, left._code)
    a, b = used(left), _numbers(used(right))
    rows = (1,) * (a.ndim - b.ndim) + b.shape
    if b.ndim > a.ndim:
        rows = b.shape[1:] if b.shape[0] == 1 else None
    if rows is None or any(n not in (1, m) for n, m in zip(rows, a.shape, strict=True)):
        raise ValueError("operands could not be broadcast together")
    if a.dtype.kind != "f" and (b.dtype.kind == "f" or sign in ("/", "**")):
        raise TypeError("cannot cast output with casting rule")
    overlaps(a, b)
    with numpy.errstate(all="ignore"):
        b = b.reshape(rows)
        wide = a.dtype if a.dtype.kind == "f" else numpy.int32
        result = _OPERATIONS[sign](a.astype(wide), b.astype(wide))
        if a.dtype == bool and not numpy.isin(result, (0, 1)).all():
            raise Undefined("other values than 0 and 1 in a bool array")
        a[...] = result.astype(a.dtype)
    return left


def overlaps(target, source):
    """Undefined when a loop over elements would read what it has just written."""
    same = target.ctypes.data == source.ctypes.data and target.strides == source.strides
    if not (same and target.shape == source.shape) and numpy.shares_memory(target, source):
        raise Undefined("source and target overlap: the result depends on the order of the loop")


def compared(left, right, function):
    """Element by element, as a bool array."""
    if left is right:
        raise Undefined("an array beside itself: == and != answer with one truth value")
    cls = left.__class__
    right = operand(cls, right, left._code)
    a, b = _numbers(used(left)), _numbers(used(right))
    broadcast(a, b)
    if function in (numpy.greater, numpy.greater_equal) and a.dtype == numpy.int16 and b.dtype.kind == "f":
        a = a.view(numpy.uint16)  # ulab reads the left side so
    if a.dtype.kind != b.dtype.kind and "f" in (a.dtype.kind, b.dtype.kind):
        a, b = a.astype(cls._float), b.astype(cls._float)
    return cls._new(function(a, b))


def contents(array):
    """memoryview(array): all elements in a row. TypeError for a view with gaps."""
    values = used(array)
    if not _dense(values) or not values.flags.c_contiguous:
        raise TypeError("object with buffer protocol required")
    return memoryview(_numbers(values).reshape(-1))


def _dense(values):
    """ulab's idea of it: the first stride fits the shape."""
    return values.strides[0] == values.itemsize * (values.shape[1] if values.ndim == 2 else 1)


def _index(values, index):
    """A NumPy index for integers and slices; IndexError as in ulab, which has nothing else."""
    if not values.size:
        raise Undefined("an array without elements")
    parts = index if type(index) is tuple else (index,)
    if any(type(part) not in (int, slice) for part in parts):
        if type(index) is tuple:
            raise IndexError("indices must be integers, slices, or Boolean lists")
        raise Undefined(f"an index of type {type(index).__name__}: ulab reads None and writes nothing")
    if len(parts) > values.ndim:
        raise IndexError("too many indices")
    for part, length in zip(parts, values.shape, strict=False):
        if type(part) is int and not -length <= part < length:
            raise IndexError("index is out of bounds")
    return parts + (Ellipsis,)


def _chosen(array, index):
    if index._code != BOOL or index._values.ndim > 1:
        raise NotImplementedError("operation is implemented for 1D Boolean arrays only")
    if array._values.ndim > 1:
        raise Undefined("a matrix and a row of truth values: ulab walks along the last axis only")
    if array.size != index.size:
        raise ValueError("array and index length must be equal")
    return array._values[index._values]


def _truths(array, index, value):
    """NumPy's index for an assignment to the elements that a bool array chooses."""
    if index._values.ndim == 1 and index.size != array.size:
        raise Undefined("truth values of another length: ulab does not check it")
    count = _chosen(array, index).size
    if not count or value.ndim != 1 or value.size not in (1, count):
        raise Undefined(f"{value.size} values for {count} chosen elements")
    if numpy.shares_memory(value, array._values):
        raise Undefined("source and target overlap: the result depends on the order of the loop")
    return index._values


def _places(values, index, value):
    """NumPy's index for an assignment to a slice, and the values without axes that the slice has not."""
    where = _index(values, index)
    target = values[where]
    if not target.size or not value.size:
        raise Undefined("assignment to or from a slice without elements: ulab writes one all the same")
    broadcast(target, value)
    while value.ndim > target.ndim and value.shape[0] == 1:
        value = value[0]
    if broadcast(target, value) != target.shape:
        raise Undefined("more values than elements: ulab drops the rest")
    return where, value
