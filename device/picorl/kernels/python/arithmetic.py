"""What the contract says about single numbers."""

from math import exp, log

try:
    from math import tanh
except ImportError:  # CircuitPython's boards
    from .elementary import tanh

FLT_MIN = 1.1754943508222875e-38  # the smallest normal float32
_INFINITY = float("inf")
PI = 3.1415927410125732  # float32, like every constant of the contract


def flush(x):
    return 0.0 if -FLT_MIN < x < FLT_MIN else x


def clip(x, low, high):
    return low if x < low else high if x > high else x


def flushed_exp(x):
    # Beyond, it is infinity as float32, but exp itself may raise.
    return flush(exp(x)) if x < 88.722 or x != x else _INFINITY


LEAK = 0.009999999776482582  # 0.01


def activated(x, activation):
    """What a layer's output is of its sum x."""
    if activation == 1:
        return x if x >= FLT_MIN else 0.0
    if activation == 2:
        x = tanh(x)
    elif activation == 3:
        x = x if x >= 0 else LEAK * x
    elif activation == 4:
        x = 1 / (1 + flushed_exp(-x))
    return flush(x)


def slope(y, activation):
    """The derivative of an activation whose output is y."""
    if activation == 1:
        return 1.0 if y > 0 else 0.0
    if activation == 2:
        return 1 - y * y
    if activation == 3:
        return 1.0 if y > 0 else LEAK
    if activation == 4:
        return y * (1 - y)
    return 1.0


def largest(x, at, n):
    """The index of the largest of x[at : at + n], the first of equals."""
    best = 0
    for k in range(1, n):
        if x[at + k] > x[at + best]:
            best = k
    return best


def log_sum_exp(logits, at, n):
    """log(sum of exp(logits[at : at + n]))"""
    most = logits[at + largest(logits, at, n)]
    total = 0.0
    for k in range(n):
        total += flushed_exp(logits[at + k] - most)
    return most + log(total)
