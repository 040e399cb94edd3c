"""float32 numbers to the last bit where Python's floats have fewer bits, more bits, or read decimals in their own way.

CircuitPython and the ESP8266's MicroPython keep floats in the object word, without their last two bits; bytecode in .mpy files brings decimals
along as text of many digits, of which float32 arithmetic makes a neighbour. So what feeds learning comes here: it is calculated with whole numbers.
"""

from array import array

_DIGITS = "%.5g"  # of a decimal that someone writes into a program; 22 bits tell 6 of them apart
_NEAR = 3  # steps of float32 that a board's float may lie beside it


def _of_bits(bits):
    return array("f", bits.to_bytes(4, "little"))


def _bits(numbers, index):
    """The bits of numbers[index] as float32."""
    one = numbers[index : index + 1]
    if not (isinstance(one, (array, memoryview)) and isinstance(one[0], float) and len(bytes(one)) == 4):
        one = array("f", (numbers[index],))
    return int.from_bytes(bytes(one), "little")


def _rounded(numerator, denominator):
    """The bits of the float32 that is nearest, of two the even one. Subnormal numbers become 0, as in kernels."""
    sign = 0
    if numerator < 0:
        numerator, sign = -numerator, 1 << 31
    if not numerator:
        return 0
    exponent = 149
    while numerator < denominator << 23:
        numerator <<= 1
        exponent -= 1
    while numerator >= denominator << 24:
        denominator <<= 1
        exponent += 1
    mantissa, rest = divmod(numerator, denominator)
    if 2 * rest + (mantissa & 1) > denominator:
        mantissa += 1
    bits = (exponent << 23) + mantissa
    return sign | (0 if bits < 1 << 23 else min(bits, 0x7F800000))


def _set(buffer, index, bits):
    memoryview(buffer)[index : index + 1] = _of_bits(bits)


def ratio(numbers, index):
    """numbers[index], an array('f') or any sequence of numbers, as (numerator, denominator); None unless it is finite."""
    bits = _bits(numbers, index)
    exponent = bits >> 23 & 0xFF
    if exponent == 0xFF:
        return None
    mantissa = (bits & 0x7FFFFF | 0x800000) if exponent else 0
    if bits >> 31:
        mantissa = -mantissa
    return (mantissa << exponent - 150, 1) if exponent >= 150 else (mantissa, 1 << 150 - exponent)


def put(buffer, index, numerator, denominator):
    """buffer[index] ('f') = numerator / denominator, whole numbers; correctly rounded."""
    _set(buffer, index, _rounded(numerator, denominator))


def multiply(buffer, index, by):
    """buffer[index] ('f') *= by, a whole number; what is not finite stays."""
    found = ratio(buffer, index)
    if found:
        put(buffer, index, found[0] * by, found[1])


def divide(buffer, index, by):
    """buffer[index] ('f') /= by, a whole number but 0; what is not finite stays."""
    found = ratio(buffer, index)
    if found:
        put(buffer, index, found[0] if by > 0 else -found[0], found[1] * abs(by))


def store(buffer, index, value):
    """buffer[index] ('f') = value, a user's number: the decimal of up to five digits that it stands for, where there is one."""
    buffer[index] = value
    mantissa, _, exponent = (_DIGITS % value).partition("e")
    whole, _, fraction = mantissa.partition(".")
    try:
        digits, tens = int(whole + fraction), int(exponent or 0) - len(fraction)
    except ValueError:  # not finite
        return
    bits = _rounded(digits * 10 ** max(tens, 0), 10 ** max(-tens, 0))
    if abs(bits - _bits(buffer, index)) <= _NEAR:
        _set(buffer, index, bits)


def scaling(buffer, low, high):
    """buffer (2 n, 'f') = half the distance of each low and high (n), then their middle."""
    n = len(low)
    for i in range(n):
        a, b = ratio(low, i), ratio(high, i)
        down, up, denominator = a[0] * b[1], b[0] * a[1], 2 * a[1] * b[1]
        put(buffer, i, up - down, denominator)
        put(buffer, n + i, up + down, denominator)
