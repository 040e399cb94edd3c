"""Telemetry."""

import zlib

import numpy as np

from .contract import INT, Buffer, F, integer, kernel


def _float_text(x):
    if not np.isfinite(x):
        return "null"
    digits, power = f"{x:.8e}".split("e")
    power = int(power)
    if -4 <= power < 9:
        text = np.format_float_positional(float(f"{x:.8e}"), trim="0")
    else:
        text = f"{digits.rstrip('0').rstrip('.')}e{power:+03d}"
    return text


@kernel
def telemetry_line(
    line: Buffer("length", "B", True),
    fields: Buffer("n_ints + n_floats", "i"),
    ints: Buffer("n_ints", "i"),
    floats: F("n_floats"),
    length: INT,
    n_ints: INT,
    n_floats: INT,
):
    integer("telemetry_line", "length", length, 21)
    end = length - 21  # ,"check":"????????"} and a newline
    for i, at in enumerate(fields[: n_ints + n_floats].tolist()):
        integer("telemetry_line", f"fields[{i}]", at, 0, end - (11 if i < n_ints else 15))
    texts = [f"{value:11d}" for value in ints[:n_ints].tolist()]
    texts += [f"{_float_text(value):>15}" for value in floats[:n_floats].tolist()]
    for at, text in zip(fields, texts, strict=False):
        line[at : at + len(text)] = np.frombuffer(text.encode(), np.uint8)
    line[end + 10 : end + 18] = np.frombuffer(b"%08x" % zlib.crc32(line[:end]), np.uint8)
