"""tanh for boards whose math has none: CircuitPython's."""

from math import exp


def tanh(x):
    """tanh(x), to 2e-7 of it where floats have 24 bits or more."""
    z = x * x
    if z < 0.390625:
        # A minimax polynomial for |x| < 0.625 (Moshier, Cephes), where the quotient below would lose digits.
        p = (((-5.70498872745e-3 * z + 2.06390887954e-2) * z - 5.37397155531e-2) * z + 1.33314422036e-1) * z
        return x + x * z * (p - 3.33332819422e-1)
    if x < 0:
        return -tanh(-x)
    # Beyond that there is no float between it and 1; exp may raise an error.
    return 1.0 - 2.0 / (exp(2.0 * x) + 1.0) if x < 20.0 else 1.0 if x == x else x
