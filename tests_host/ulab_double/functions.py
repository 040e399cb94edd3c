"""The double's `ulab.numpy`: functions as in circuitpython-stubs, arguments without a name where ulab has none."""

import numpy

from .ndarray import (
    BOOL,
    INT8,
    INT16,
    INTEGERS,
    UINT8,
    UINT16,
    NDArray,
    Undefined,
    _numbers,
    arithmetic,
    broadcast,
    compared,
    copy,
    kind,
    operand,
    overlaps,
    scalar,
    used,
)

_LISTS = (tuple, list, range)


class Numpy:
    """One float width's functions; an instance stands in for the module."""

    int8, uint8, int16, uint16, bool = INT8, UINT8, INT16, UINT16, BOOL

    def __init__(self, width):
        type_of_float = {"float32": numpy.float32, "float64": numpy.float64}[width]
        self.ndarray = type("ndarray", (NDArray,), {"__slots__": (), "_float": type_of_float})
        self.float = ord(type_of_float().dtype.char)

    def __getattr__(self, name):
        raise AttributeError(
            f"the double of ulab.numpy has no {name!r}: the stubs do not list it, or no kernel needs it"
        )

    # --- new arrays -------------------------------------------------------------------------------------------------

    def array(self, values, /, *, dtype=None):
        return copy(self.ndarray, values, dtype)

    def zeros(self, shape, /, *, dtype=None):
        return self._filled(shape, 0, dtype)

    def empty(self, shape, /, *, dtype=None):
        return self._filled(shape, 0, dtype)

    def ones(self, shape, /, *, dtype=None):
        return self._filled(shape, 1, dtype)

    def full(self, shape, fill_value, /, *, dtype=None):
        if type(fill_value) is float and dtype not in (None, self.float, BOOL):
            raise TypeError("can't convert float to int")
        return self._filled(shape, fill_value, dtype)

    def arange(self, start, stop=None, step=1, /, *, dtype=None):
        if stop is None:
            start, stop = 0, start
        if dtype is None and all(type(value) is int for value in (start, stop, step)):
            raise Undefined("arange of integers without dtype: the stubs promise floats, ulab makes int16")
        if not step:
            raise ZeroDivisionError("divide by zero")
        values = numpy.arange(start, stop, step).astype(kind(self.ndarray, self.float if dtype is None else dtype))
        return self._made(values)

    def frombuffer(self, buffer, /, *, dtype=None, count=-1, offset=0):
        """A view of the buffer's memory. Where float is 8 bytes, an array('f') comes out as pairs of its words."""
        target = numpy.dtype(kind(self.ndarray, self.float if dtype is None else dtype))
        values = numpy.frombuffer(memoryview(buffer).cast("B"), numpy.uint8)
        if len(values) < offset:
            raise ValueError("offset must be non-negative and no greater than buffer length")
        values = values[offset:]
        if len(values) % target.itemsize:
            raise ValueError("buffer size must be a multiple of element size")
        values = values.view(target)
        if count > len(values):
            raise ValueError("buffer is smaller than requested size")
        if target.kind == "b" and values.view(numpy.uint8).max(initial=0) > 1:
            raise Undefined("bytes other than 0 and 1 as bool")
        return self._made(values[:count] if count > 0 else values)

    def concatenate(self, arrays, /, *, axis=0):
        if type(arrays) is not tuple:
            raise TypeError("first argument must be a tuple of ndarrays")
        if any(not isinstance(array, NDArray) for array in arrays):
            raise ValueError("only ndarrays can be concatenated")
        parts = [used(array) for array in arrays]
        if not -parts[0].ndim <= axis < parts[0].ndim:
            raise ValueError("wrong axis specified")
        parts = [_numbers(part) for part in parts]
        if any(part.dtype != parts[0].dtype for part in parts):
            raise ValueError("input arrays are not compatible")
        return self._made(numpy.concatenate(parts, axis))  # ValueError for other shapes

    # --- sums and extremes ------------------------------------------------------------------------------------------

    def dot(self, m1, m2, /):
        if not isinstance(m1, NDArray) or not isinstance(m2, NDArray):
            raise TypeError("arguments must be ndarrays")
        floats = self.ndarray._float
        a, b = used(m1).astype(floats), used(m2).astype(floats)
        if a.shape[-1] != b.shape[0]:
            raise ValueError("dimensions do not match")
        left, right = numpy.atleast_2d(a), b if b.ndim == 2 else b[:, None]
        total = numpy.zeros((left.shape[0], right.shape[1]), floats)
        with numpy.errstate(all="ignore"):
            for k in range(a.shape[-1]):  # ulab's order: one sum an element, k ascending
                total += left[:, k : k + 1] * right[k]
        if a.ndim == b.ndim == 1:
            return scalar(total[0, 0])
        return self._made(total if a.ndim == b.ndim == 2 else total.ravel())

    def sum(self, array, /, *, axis=None):
        values, axis = self._reduced(array, axis)
        if values.dtype.kind == "f" or axis is None:
            if values.ndim == 1 and axis is not None:
                raise Undefined("the sum of a vector of floats along an axis: ulab answers with its mean")
            total, _ = self._moments(values, axis)
            with numpy.errstate(all="ignore"):
                total = total * total.dtype.type(values.size if axis is None else values.shape[axis])
            if values.dtype.kind == "f" or type(array) in _LISTS:
                return self._result(total)
            return int(numpy.trunc(total + numpy.copysign(0.5, total)))
        return self._result(values.sum(axis, dtype=numpy.int32).astype(values.dtype))

    def mean(self, array, /, *, axis=None):
        return self._result(self._moments(*self._reduced(array, axis))[0])

    def std(self, array, /, *, axis=None, ddof=0):
        if axis not in (None, 0, 1):
            raise ValueError("axis must be None, or an integer")
        values, axis = self._reduced(array, axis)
        count = values.size if axis is None else values.shape[axis]
        if ddof >= count:
            raise Undefined("std of too few elements")
        squares = self._moments(values, axis)[1]
        with numpy.errstate(all="ignore"):
            return self._result(numpy.sqrt(squares / squares.dtype.type(count - ddof)))

    def min(self, array, /, *, axis=None):
        return self._best(array, axis, -1, False)

    def max(self, array, /, *, axis=None):
        return self._best(array, axis, 1, False)

    def argmin(self, array, /, *, axis=None):
        return self._best(array, axis, -1, True)

    def argmax(self, array, /, *, axis=None):
        return self._best(array, axis, 1, True)

    # --- element by element -----------------------------------------------------------------------------------------

    def maximum(self, x1, x2, /):
        return self._choice(x1, x2, numpy.greater)

    def minimum(self, x1, x2, /):
        return self._choice(x1, x2, numpy.less)

    def clip(self, a, a_min, a_max, /):
        if type(a) in (int, float):
            if any(type(value) not in (int, float, bool) for value in (a_min, a_max)):
                raise TypeError("can't convert ndarray to float")
            return a_min if a < a_min else a_max if a > a_max else a
        return self._choice(a_min, self._choice(a, a_max, numpy.less), numpy.greater)

    def equal(self, x, y, /):
        return self._truth(x, y, numpy.equal)

    def not_equal(self, x, y, /):
        return self._truth(x, y, numpy.not_equal)

    def isfinite(self, x, /):
        return self._finiteness(x, numpy.isfinite)

    def isinf(self, x, /):
        return self._finiteness(x, numpy.isinf)

    def where(self, condition, x, y, /):
        parts = [_numbers(used(operand(self.ndarray, part))) for part in (condition, x, y)]
        for i, j in ((0, 1), (0, 2), (1, 2)):
            broadcast(parts[i], parts[j])
        chosen = numpy.where(parts[0] != 0, *(part.astype(self.ndarray._float) for part in parts[1:]))
        return self._made(chosen.astype(self._common(*parts[1:])))

    def nonzero(self, x, /):
        where = numpy.nonzero(used(operand(self.ndarray, x)))
        if not len(where[0]):
            raise Undefined("no element is set: ulab's result has no axis")
        return tuple(self._made(indices.astype(numpy.uint16)) for indices in where)

    def arctan2(self, ya, xa, /):
        if all(type(value) in (int, float) for value in (ya, xa)):
            return scalar(numpy.arctan2(self.ndarray._float(ya), self.ndarray._float(xa)))
        y, x = (used(operand(self.ndarray, value)).astype(self.ndarray._float) for value in (ya, xa))
        broadcast(y, x)
        return self._made(numpy.arctan2(y, x))

    # --- inside -----------------------------------------------------------------------------------------------------

    def _made(self, values):
        return self.ndarray._new(values)

    def _result(self, values):
        """A scalar for a contraction to nothing, an array for the rest."""
        return self._made(values) if values.ndim else scalar(values)

    def _filled(self, shape, value, dtype):
        if type(shape) not in (int, tuple, list):
            raise TypeError("input argument must be an integer, a tuple, or a list")
        shape = (shape,) if type(shape) is int else tuple(shape)
        if len(shape) > 2:
            raise TypeError("too many dimensions")
        if not shape or min(shape) < 1:
            raise Undefined(f"an array of shape {shape}")
        target = kind(self.ndarray, self.float if dtype is None else dtype)
        if dtype in INTEGERS and not numpy.iinfo(target).min <= value <= numpy.iinfo(target).max:
            raise Undefined(f"{value} as {target.__name__}")
        return self._made(numpy.full(shape, value, target))

    def _reduced(self, array, axis):
        """The numbers to contract, and the axis from the front or None."""
        if axis is not None and type(axis) is not int:
            raise TypeError("axis must be None, or an integer")
        if type(array) in _LISTS:
            if axis is not None:
                raise Undefined("an axis of a list")
            return used(copy(self.ndarray, list(array))), None
        if not isinstance(array, NDArray):
            raise TypeError("input must be tuple, list, range, or ndarray")
        values = _numbers(used(array))
        if axis is not None:
            axis += values.ndim if axis < 0 else 0
            if not 0 <= axis < values.ndim:
                raise ValueError("index out of range")
        return values, axis

    def _moments(self, values, axis):
        """Running mean and sum of squares around it along an axis or of all, as ulab has them: a sum is its mean times the count."""
        floats = self.ndarray._float
        rows = values.reshape(-1) if axis is None else numpy.moveaxis(values, axis, 0)
        mean = numpy.zeros(rows.shape[1:], floats)
        squares = numpy.zeros(rows.shape[1:], floats)
        with numpy.errstate(all="ignore"):
            for count, row in enumerate(rows.astype(floats), 1):
                new = mean + (row - mean) / floats(count)
                squares = squares + (row - mean) * (row - new)
                mean = new
        return mean, squares

    def _best(self, array, axis, sign, position):
        values, axis = self._reduced(array, axis)
        rows = values.reshape(-1) if axis is None else numpy.moveaxis(values, axis, 0)
        # A NaN never wins and never loses: one in front stays.
        wide = rows.astype(numpy.float64) * sign
        wide = numpy.where(numpy.isnan(wide), -numpy.inf, wide)
        where = numpy.where(numpy.isnan(rows[0].astype(numpy.float64)), 0, wide.argmax(0))
        if position:
            found = where.astype(numpy.int16 if axis is not None else numpy.int64)
        else:
            found = numpy.take_along_axis(rows, where[None], 0)[0] if rows.ndim > 1 else rows[int(where)]
        if type(array) in _LISTS and not position:
            return array[int(where)]
        return scalar(numpy.asarray(found)) if numpy.size(found) == 1 else self._made(found)

    def _common(self, left, right):
        """The type of where(): as in sums, but int8 with uint16 is uint16."""
        names = {left.dtype.name, right.dtype.name}
        if names == {"int8", "uint16"}:
            return numpy.uint16
        one = self._made(numpy.ones(1, left.dtype))
        return arithmetic(one, self._made(numpy.ones(1, right.dtype)), "+")._values.dtype

    def _choice(self, x1, x2, better):
        scalars = all(type(value) in (int, float) for value in (x1, x2))
        left, right = (operand(self.ndarray, value) for value in (x1, x2))
        a, b = _numbers(used(left)), _numbers(used(right))
        broadcast(a, b)
        if {a.dtype.name, b.dtype.name} == {"int8", "uint16"}:
            raise Undefined("int8 beside uint16: the result's type depends on their order")
        target = self._common(a, b)
        wide = numpy.float64 if "f" in (a.dtype.kind, b.dtype.kind) else numpy.int32
        values = numpy.where(better(a.astype(wide), b.astype(wide)), a.astype(target), b.astype(target))
        return scalar(values[0]) if scalars else self._made(values)

    def _truth(self, x, y, function):
        result = compared(operand(self.ndarray, x), operand(self.ndarray, y), function)
        return result[0] if all(type(value) in (int, float) for value in (x, y)) else result

    def _finiteness(self, x, function):
        if type(x) in (int, float):
            return bool(function(float(x)))
        if not isinstance(x, NDArray):
            raise TypeError("wrong input type")
        return self._made(function(used(x)))

    def _elementwise(self, function, a, out):
        floats = self.ndarray._float
        with numpy.errstate(all="ignore"):
            if type(a) in (int, float):
                return scalar(function(floats(a)))
            if type(a) is bool:
                raise Undefined("a function of a bool: ulab takes its byte for a float")
            if not isinstance(a, NDArray):
                return self._made(function(used(copy(self.ndarray, a))).astype(floats))
            values = used(a)
            result = function(_numbers(values).astype(floats)).astype(floats)
        if out is None:
            return self._made(result)
        if not isinstance(out, NDArray):
            raise ValueError("out must be an ndarray")
        target = out._values
        if target.dtype != floats:
            raise ValueError("out must be of float dtype")
        if target.shape != values.shape:
            raise ValueError("input and output shapes differ")
        if not target.flags.c_contiguous:
            raise Undefined("out= is a view with gaps: ulab writes its elements one after the other")
        overlaps(target, values)
        target[...] = result
        return out


def _elementwise(name, ufunc):
    def function(self, a, /, *, out=None):
        return self._elementwise(ufunc, a, out)

    function.__name__ = name
    return function


def _add_elementwise():
    """The functions of one array, which take `out=`."""
    same = "exp expm1 log log10 log2 sqrt sin cos tan sinh cosh tanh floor ceil degrees radians sinc".split()
    others = {"acos": "arccos", "asin": "arcsin", "atan": "arctan"}
    others.update({"acosh": "arccosh", "asinh": "arcsinh", "atanh": "arctanh"})
    for name, source in (dict(zip(same, same, strict=True)) | others).items():
        setattr(Numpy, name, _elementwise(name, getattr(numpy, source)))


_add_elementwise()
