"""Buffers: declared as (name, typecode, length, kind) before any is taken, then taken biggest first.

Kinds say what a buffer is for: a policy file holds POLICY and HYPER (the hyper-parameters), a full checkpoint STATE too; WORK holds
nothing between two updates.
"""

from array import array

POLICY = 0
HYPER = 1
STATE = 2
WORK = 3

_ITEM = {"f": 4, "i": 4, "I": 4, "B": 1}
_GROW = 64  # items added at a time, at least
_EXTENSIONS = 64


def nbytes(typecode, length):
    """Bytes of the contents of a buffer."""
    return _ITEM[typecode] * length


def zeros(typecode, length):
    """An array of zeros. Grown in pieces: array(typecode, [0] * length) would need the memory twice."""
    buffer = array(typecode)
    # Each extension may move what is there: a bounded number of them, so that a large buffer is not a matter of seconds.
    grow = max(_GROW, length // _EXTENSIONS)
    piece = array(typecode, [0] * min(grow, length))
    for _ in range(length // grow):
        buffer.extend(piece)
    if length % grow:
        buffer.extend(array(typecode, [0] * (length % grow)))
    return buffer


def take(owner, declared):
    """Make every declared buffer an attribute of owner, biggest first so that a fragmented heap still fits them."""
    for name, typecode, length, _ in sorted(declared, key=lambda one: -nbytes(one[1], one[2])):
        setattr(owner, name, zeros(typecode, length))


def spans(total, piece):
    """((start, count), …) that cut total items into pieces; a tuple, because iterating one allocates nothing."""
    return tuple((start, min(piece, total - start)) for start in range(0, total, piece))
