"""Records: JSON objects with an "event", one a line, that a program prints; with a checksum when picorl.telemetry made them."""

import json
import zlib


def damaged(line):
    """Whether a line has a checksum that is not its own: bytes were lost or added on the way."""
    line = line.rstrip()
    at = line.rfind(',"check":')
    return at >= 0 and line[at:] != f',"check":"{zlib.crc32(line[:at].encode()):08x}"}}'


def parse(line):
    """The record that a line holds, without its checksum, or None: then it is for the user to read."""
    if not line.startswith("{") or damaged(line):
        return None
    try:
        record = json.loads(line)
    except ValueError:
        return None
    if not isinstance(record.get("event"), str):
        return None
    record.pop("check", None)
    return record
