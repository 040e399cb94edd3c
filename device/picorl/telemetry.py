"""Lines that a program sends to the desktop while it runs: one JSON object a line, with a checksum.

    {"event":"tick","step":       1200,"reward":        -0.8125,"check":"5f0c12ab"}

`event` says what it is; `check` is the CRC-32 of all that comes before `,"check"`, so that a line in which bytes were lost, or which
another output has cut in two, is not taken for a record. `picorl run` and `picorl train` read them; other output passes through.
"""

import sys
from array import array

from . import kernels, memory

_INT = 11  # bytes of a whole number, to the right
_FLOAT = 15


def report(event, **record):
    """Print a record of any values that JSON knows. Allocates: for what is said once in a while. ValueError for a `check`."""
    import json

    if "check" in record:
        raise ValueError("report: check is the line's checksum, give the value another name")
    record["event"] = event
    text = json.dumps(record)[:-1]
    crc = array("I", (0,))
    kernels.backend.crc32(text.encode(), crc)
    # In halves: a large integer would be made, and some boards have none.
    print('%s,"check":"%04x%04x"}' % (text, crc[0] >> 16, crc[0] & 0xFFFF))


class Telemetry:
    """A record with the same fields every time, formatted by a kernel: `send` allocates nothing.

    event   its name
    ints    names of the whole numbers; they are read from the array `ints` ('i')
    floats  names of the float32 numbers; they are read from the array `floats` ('f'), not finite ones arrive as null
    write   takes the line, a bytearray, instead of standard output

    ValueError when a name is used twice, is "check", or wants escaping in JSON.
    """

    def __init__(self, event, ints=(), floats=(), write=None):
        names = ("event",) + tuple(ints) + tuple(floats)
        for name in (event,) + names:
            if not isinstance(name, str) or '"' in name or "\\" in name or min(name.encode() or b"\0") < 32:
                raise ValueError(
                    "Telemetry: %r cannot be a name, must be text without quotes and backslashes" % (name,)
                )
        for name in names[1:]:
            if name == "check" or names.count(name) > 1:
                raise ValueError("Telemetry: name %r is there already" % (name,))
        self.ints = memory.zeros("i", len(ints))
        self.floats = memory.zeros("f", len(floats))
        self._fields = memory.zeros("i", len(names) - 1)
        line = '{"event":"%s"' % event
        for i in range(len(names) - 1):
            line += ',"%s":' % names[i + 1]
            self._fields[i] = len(line.encode())
            line += " " * (_INT if i < len(ints) else _FLOAT)
        self._line = bytearray((line + ',"check":"????????"}\n').encode())
        self._fill = kernels.backend.telemetry_line
        self._write = write or _standard_output()

    def send(self):
        """Send what `ints` and `floats` hold."""
        line, ints, floats = self._line, self.ints, self.floats
        self._fill(line, self._fields, ints, floats, len(line), len(ints), len(floats))
        self._write(line)


def _standard_output():
    if sys.implementation.name == "cpython":
        return lambda line: sys.stdout.write(line.decode())
    return sys.stdout.write  # MicroPython's and CircuitPython's take bytes, and need no text made of them
