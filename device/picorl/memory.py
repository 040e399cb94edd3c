"""Buffers: declared as (name, typecode, length, kind) before any is taken, then taken biggest first.

Kinds say what a buffer is for: a policy file holds POLICY and HYPER (the hyper-parameters), a full checkpoint STATE too; WORK holds
nothing between two updates.
"""

import gc
from array import array

from . import kernels

POLICY = 0
HYPER = 1
STATE = 2
WORK = 3

_ITEM = {"f": 4, "i": 4, "I": 4, "B": 1}
_CLEARED = 16  # items set to zero one by one; the others are copied from them
_ARENA_BLOCK = 16  # native_modules/arena.h


def nbytes(typecode, length):
    """Bytes of the contents of a buffer."""
    return _ITEM[typecode] * length


try:
    _multiplies = bool(array("i", (0,)) * 2)
except TypeError:  # MicroPython's arrays do not
    _multiplies = False


def zeros(typecode, length):
    """A buffer of zeros, an array or (typecode "B") a bytearray. Its memory is taken in one go."""
    if typecode == "B":
        return bytearray(length)
    if _multiplies:
        return array(typecode, (0,)) * length
    # MicroPython asks the range for its length first. array(typecode, [0] * length) would need the memory twice, and so would
    # an array that grows, whenever it has to move.
    buffer = array(typecode, range(length))
    cleared = min(_CLEARED, length)
    for i in range(cleared):
        buffer[i] = 0
    view = memoryview(buffer)
    while cleared < length:
        n = min(cleared, length - cleared)
        view[cleared : cleared + n] = view[:n]
        cleared += n
    return buffer


def take(owner, declared):
    """Make every declared buffer an attribute of owner, biggest first so that a fragmented heap still fits them.

    The firmware's arena, where it has one, serves first: its buffers are memoryviews, good as long as owner lives, and their
    memory comes back when a collection finds owner gone. What does not fit there goes to the heap.
    """
    if not _multiplies:
        gc.collect()  # garbage would split the pieces that are free, and an agent that is gone would keep its part of the arena
    lease = None
    if arena():
        lease = owner.lease = kernels.backend.Lease(sum(arena_bytes(one[1], one[2]) for one in declared))
    for name, _, _, _ in declared:
        setattr(owner, name, None)  # so that its table of attributes, too, has grown before the heap is full
    for name, typecode, length, _ in sorted(declared, key=lambda one: -nbytes(one[1], one[2])):
        buffer = lease.take(typecode, length) if lease else None
        setattr(owner, name, zeros(typecode, length) if buffer is None else buffer)


def arena():
    """Bytes of the firmware's arena; 0 where it has none."""
    return getattr(kernels.backend, "ARENA", 0)


def arena_bytes(typecode, length):
    """Bytes that a buffer takes of an arena."""
    return (nbytes(typecode, length) + _ARENA_BLOCK - 1) // _ARENA_BLOCK * _ARENA_BLOCK


def spans(total, piece):
    """((start, count), …) that cut total items into pieces; a tuple, because iterating one allocates nothing."""
    return tuple((start, min(piece, total - start)) for start in range(0, total, piece))
