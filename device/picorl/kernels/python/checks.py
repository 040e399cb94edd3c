"""What the kernels ask of their arguments: all of a kernel's checks come before its first write."""

from array import array

RECORD = 4
_MAX_INT = 0xFFFFFF

# MicroPython looks a builtin up among all of them, one after the other: 700 instructions.
_int = int
_isinstance = isinstance
_len = len
_array = array
_repr = repr


def integer(kernel, name, value, least=0, most=_MAX_INT):
    if not _isinstance(value, _int) or value < least or value > most:
        bounds = "%d to %d" % (least, most) if most != least else str(least)
        if not isinstance(value, int):
            value = "not an integer"
        raise ValueError("%s: %s is %s, must be %s" % (kernel, name, value, bounds))


def row_range(kernel, row, rows):
    if _isinstance(row, _int) and _isinstance(rows, _int) and 0 <= row <= _MAX_INT and 0 <= rows <= _MAX_INT:
        return row + rows
    integer(kernel, "row", row)
    integer(kernel, "rows", rows)


def span(kernel, start, count):
    if _isinstance(start, _int) and _isinstance(count, _int) and 0 <= start <= _MAX_INT and 0 <= count <= _MAX_INT:
        return start + count
    integer(kernel, "start", start)
    integer(kernel, "count", count)


def _typecode(x):
    if _isinstance(x, _array):
        return _repr(x[:0])[7]  # MicroPython's arrays have no .typecode
    if isinstance(x, (bytearray, bytes)):
        return "B"
    if isinstance(x, memoryview):
        return getattr(x, "format", "?")  # MicroPython's views do not tell
    return None


def need(kernel, name, x, size, code="f"):
    have = _typecode(x)
    if have is None or (have not in code and have != "?"):
        have = "array('%s')" % have if have else "not a buffer"
        want = ", ".join(["bytearray or array('B')" if c == "B" else "array('%s')" % c for c in code])
        raise ValueError("%s: %s is %s, must be %s" % (kernel, name, have, want))
    if _len(x) < size:
        unit = {"f": "floats", "i": "int32s", "I": "uint32s", "B": "bytes"}[code]
        raise ValueError("%s: %s holds %d %s, needs %d" % (kernel, name, len(x), unit, size))


def rng_state(kernel, rng):
    need(kernel, "rng", rng, 4, "I")


def fits(kernel, start, column, count, columns, limit, width):
    if column + columns > width:
        args = (kernel, start, count, column + columns, width, limit)
        raise ValueError("%s: %s + %s is %d, must be at most %d (%s)" % args)


def within(kernel, name, x, start, end, limit):
    if end > start and 0 <= min(x[start:end]) and max(x[start:end]) < limit:
        return
    for i in range(start, end):
        if not 0 <= x[i] < limit:
            integer(kernel, "%s[%d]" % (name, i), x[i], 0, limit - 1)


DENSE = 1
LAYER_NORM = 2
ELEMENTWISE = 4


def layer_params(layout, at):
    """How many params the layer whose record is at `at` has."""
    n = layout[at + 1]
    kind = layout[at]
    return (n + 1) * layout[at + 2] if kind == DENSE else 2 * n if kind == LAYER_NORM else 0


def shape(kernel, layout, params):
    """n_in, n_out and n_hidden of a layout, and how many params it has."""
    need(kernel, "layout", layout, 0, "i")
    if not len(layout) or len(layout) % RECORD:
        raise ValueError("%s: layout holds %d int32s, must be records of %d" % (kernel, len(layout), RECORD))
    n_params = n_hidden = 0
    width = layout[1]
    for at in range(0, len(layout), RECORD):
        kind = layout[at]
        outputs = layout[at + 2]
        if (
            not DENSE <= kind <= ELEMENTWISE
            or layout[at + 1] != width
            or not 1 <= width <= _MAX_INT
            or not 1 <= outputs <= _MAX_INT
            or (kind != DENSE and outputs != width)
            or not (5 if kind == ELEMENTWISE else 0) <= layout[at + 3] <= (7 if kind == ELEMENTWISE else 4)
        ):
            integer(kernel, "layout[%d] (kind)" % at, kind, DENSE, ELEMENTWISE)
            least, most = (width, width) if at else (1, _MAX_INT)
            integer(kernel, "layout[%d] (inputs)" % (at + 1), layout[at + 1], least, most)
            least, most = (1, _MAX_INT) if kind == DENSE else (width, width)
            integer(kernel, "layout[%d] (outputs)" % (at + 2), outputs, least, most)
            args = (kernel, at + 3, layout[at + 3], "5 to 7" if kind == ELEMENTWISE else "0 to 4", kind)
            raise ValueError("%s: layout[%d] (activation) is %d, must be %s for kind %d" % args)
        n_params += layer_params(layout, at)
        if at:
            n_hidden += width
        if n_params > _MAX_INT or n_hidden + (outputs if at + RECORD < len(layout) else 0) > _MAX_INT:
            what = "params" if n_params > _MAX_INT else "hidden units"
            raise ValueError("%s: layout has more than %d %s" % (kernel, _MAX_INT, what))
        width = outputs
    need(kernel, "params", params, n_params)
    return layout[1], width, n_hidden, n_params


def finite(x, n, start=0):
    for i in range(start, start + n):
        if x[i] - x[i] != 0:
            return False
    return True


def columns(kernel, name, x, n, row, rows):
    integer(kernel, "n", n, 1)
    end = row_range(kernel, row, rows)
    need(kernel, name, x, end * n)
    return end
