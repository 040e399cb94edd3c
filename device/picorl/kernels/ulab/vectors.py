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

# Thousands of instructions of a Cortex-M7 for so many elements, ulab and plain Python, which looks at its arguments longer:
#             1          2          4          8
# polyak      52, 69     55, 66     55, 74     44, 90
# mse_delta   77, 110    74, 86     74, 95     58, 109
# td_target   113, 130   116, 136   118, 146   90, 171
# adam        168, 133   174, 150   174, 178   163, 234
# forward of one row through a dense layer of 1, 4, 9 and 16 weights: 40, 101; 43, 112; 52, 126; 55, 142.
_FEW_FOR_ADAM = 4


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


def few(rows, columns=1, least=1):
    """Whether so many elements are better left to plain Python, as are none, and numbers that are no numbers."""
    return not (isinstance(rows, int) and isinstance(columns, int) and rows * columns >= least)


def few_for_adam(count):
    return few(count, least=_FEW_FOR_ADAM)


def block_rows(columns):
    """How many rows of a matrix make a block."""
    return max(1, BLOCK // columns)
