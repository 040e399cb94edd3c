"""Runs on a target and on the desktop: what becomes of decimals, means and bounds, printed as hexadecimal text.

The host puts `CASE = {...}` before this text: decimals; divisions, (bits of a float32, divisor); bounds, (bits of low, bits of high).
"""

from array import array
from binascii import hexlify

from picorl import float32


def floats(bits):
    return array("f", bytes(array("I", bits)))


def text(buffer):
    return hexlify(bytes(buffer)).decode()


found = array("f", (0,))
for value in CASE["decimals"]:  # noqa: F821
    float32.store(found, 0, value)
    print("decimal", text(found))
for bits, by in CASE["divisions"]:  # noqa: F821
    found = floats((bits,))
    float32.divide(found, 0, by)
    print("quotient", text(found))
for low, high in CASE["bounds"]:  # noqa: F821
    found = array("f", (0, 0))
    float32.scaling(found, floats((low,)), floats((high,)))
    print("scaling", text(found))
