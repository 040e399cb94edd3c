"""What the kernels say about arrays as `arithmetic` does about numbers. Numbers beside arrays are arrays of one: ulab makes one of any other, which
takes as long as the operation on 80 elements.
"""

from ulab import numpy as np

from ..python import arithmetic
from .views import BLOCK, FLOAT32


def scalar(x):
    return np.array([x])


ZERO = scalar(0.0)
ONE = scalar(1.0)
MINUS_ONE = scalar(-1.0)
_LEAST = scalar(arithmetic.FLT_MIN)
_MINUS_LEAST = scalar(-arithmetic.FLT_MIN)
_DOWN = scalar(5.960464477539063e-08)  # 2^-24
_UP = scalar(16777216.0)

# With fewer elements plain Python is as fast: an operation costs 1000 to 2000 instructions and 10 to 35 an element.
FEW = 4


def _flush(x):
    # Beneath 2^-126 nothing is left after the first; beneath 2^-102 some digits go. Comparing takes four times as long.
    x *= _DOWN
    x *= _UP


def _flush64(x):
    normal = x >= _LEAST
    normal += x <= _MINUS_LEAST
    x *= normal


# Make subnormal numbers of x zero, in place.
flush = _flush if FLOAT32 else _flush64


def total(x):
    """The sum of a vector. np.sum divides once an element."""
    return np.dot(x, np.ones(len(x)))


def rows_total(x, columns):
    """The sums of the rows of a matrix, of which only the order matters: with one column it is a matrix."""
    return x if columns == 1 else np.dot(x, np.ones(columns))


def few(rows, columns=1):
    """Whether so many elements are better left to plain Python, as are numbers that are none."""
    return not (isinstance(rows, int) and isinstance(columns, int) and rows * columns >= FEW)


def block_rows(columns):
    """How many rows of a matrix make a block."""
    return max(1, BLOCK // columns)
