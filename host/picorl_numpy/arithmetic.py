"""What the contract says about numbers, for whole arrays."""

import numpy as np

_FLT_MIN = np.finfo(np.float32).tiny
ZERO = np.float32(0)
PI = np.float32(np.pi)
TWO_PI = np.float32(2 * np.pi)
LOG_2 = np.float32(np.log(2))
HALF_LOG_2_PI = np.float32(np.log(2 * np.pi) / 2)


def flush(x):
    """Subnormals to zero, in place. Only Adam's moments get there, when a unit is dead; they make a CPU slow."""
    np.multiply(x, np.abs(x) >= _FLT_MIN, out=x)


def exp(x):
    with np.errstate(over="ignore", under="ignore"):
        return np.exp(x)


def log_softmax(logits, n, row, rows):
    x = logits[row * n : (row + rows) * n].reshape(rows, n)
    x = x - x.max(axis=1, keepdims=True)
    return x - np.log(np.add.reduce(exp(x), axis=1, keepdims=True))


def huber(error, clipped, limit):
    """The sum of the losses; clipped is the error within the limit."""
    return (np.float32(0.5) * clipped * clipped + (np.abs(error) - np.abs(clipped)) * limit[0]).sum()
