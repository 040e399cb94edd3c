"""Telemetry."""

from array import array

from . import buffers, checks


def _float_text(x):
    """Nine significant digits; the last may be off where Python's floats are 32 bits."""
    if x - x != 0:
        return "null"
    digits, exponent = ("%.8e" % abs(x)).split("e")
    power = int(exponent)
    digits = (digits[0] + digits[2:]).rstrip("0") or "0"
    if -4 <= power < 0:
        text = "0." + "0" * (-power - 1) + digits
    elif 0 <= power < 9:
        digits += "0" * (power + 2 - len(digits))
        text = digits[: power + 1] + "." + digits[power + 1 :]
    else:
        text = digits[0] + ("." if len(digits) > 1 else "") + digits[1:]
        text += "e%s%02d" % ("-" if power < 0 else "+", abs(power))
    return "-" + text if x < 0 or str(x)[0] == "-" else text


def telemetry_line(line, fields, ints, floats, length, n_ints, n_floats):
    kernel = "telemetry_line"
    for name, value in (("length", length), ("n_ints", n_ints), ("n_floats", n_floats)):
        checks.integer(kernel, name, value)
    checks.need(kernel, "line", line, length, "B")
    checks.need(kernel, "fields", fields, n_ints + n_floats, "i")
    checks.need(kernel, "ints", ints, n_ints, "i")
    checks.need(kernel, "floats", floats, n_floats)
    end = length - 21  # ,"check":"????????"} and a newline
    checks.integer(kernel, "length", length, 21)
    for i in range(n_ints + n_floats):
        checks.integer(kernel, "fields[%d]" % i, fields[i], 0, end - (11 if i < n_ints else 15))
    for i in range(n_ints + n_floats):
        text = "%11d" % ints[i] if i < n_ints else "%15s" % _float_text(floats[i - n_ints])
        for j in range(len(text)):
            line[fields[i] + j] = ord(text[j])
    crc = array("I", (0,))
    buffers.crc32(bytes(line[:end]), crc)
    text = "%04x%04x" % (crc[0] >> 16, crc[0] & 0xFFFF)
    for j in range(8):
        line[end + 10 + j] = ord(text[j])
