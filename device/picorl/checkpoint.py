"""Checkpoints: safetensors files (8-byte length, JSON header, little-endian tensors) with a checksum.

A policy file holds the actor, the action scaling and the hyper-parameters; a full one everything that training needs to go on to
the same bits. A file is written as NAME.new, read back, and only then renamed to NAME.
"""

import os
from array import array

from . import kernels, network
from .memory import HYPER, POLICY, WORK

FORMAT = "picorl 1"
READ_ONLY = 30  # number of the OSError

_DTYPE = {"f": "F32", "i": "I32", "I": "U32", "B": "U8"}
_TYPECODE = {"F32": "f", "I32": "i", "U32": "I", "U8": "B"}
ITEM = {"F32": 4, "I32": 4, "U32": 4, "U8": 1}  # bytes
_BLOCK = 128  # items read at a time while a file is checked
_MAX_HEADER = 16384
# The header begins with the checksum, at a fixed place; while it is computed, zeros stand there.
_OPENING = '{"__metadata__":{"checksum":"'
_CHECKSUM_AT = 8 + len(_OPENING)


def hex8(crc):
    """The CRC in crc (1) as 8 hex digits."""
    return "%08x" % crc[0]


def _entries(agent, full, env, rows):
    """What a checkpoint holds, in order: (buffer, items, dtype, [(tensor name, shape), …]).

    The replay contributes its first `rows` rows, the ones ever used.
    """
    entries = []
    for name, typecode, length, kind in agent.declare():
        if kind == WORK or not (full or kind in (POLICY, HYPER)):
            continue
        items = length
        if name == "actor":
            tensors = [("actor." + one, shape) for one, shape in network.tensors(agent.actor_layout)]
        elif name == "scaling":
            tensors = [("action_scaling", [2, agent.act_size])]
        else:
            items, shape = agent.stored(name, length, rows)
            tensors = [(name, shape)]
        entries.append((getattr(agent, name), items, _DTYPE[typecode], tensors))
    if full and env is not None:
        for name, buffer, typecode in env.buffers():
            entries.append((buffer, len(buffer), _DTYPE[typecode], [("env." + name, [len(buffer)])]))
    # Bytes last: what comes before stays aligned to 4 bytes, as readers that map a file want it.
    return [one for one in entries if one[2] != "U8"] + [one for one in entries if one[2] == "U8"]


def _metadata(agent, full):
    """Facts beside the tensors, all text, as safetensors wants them."""
    facts = [
        ("format", FORMAT),
        ("contents", "full" if full else "policy"),
        ("algorithm", type(agent).__name__),
        ("head", agent.HEAD),
        ("layout", ",".join(str(i) for i in agent.actor_layout)),
    ]
    if agent.units:
        facts.append(("units", str(agent.units)))
    if full:
        facts.append(("critic_layout", ",".join(str(i) for i in agent.critic_layout)))
        facts.extend([(key, str(value)) for key, value in agent.facts()])
    return facts


def _header_parts(agent, full, entries):
    yield _OPENING + '00000000"'
    for key, value in _metadata(agent, full):
        yield ',"%s":"%s"' % (key, value)
    yield "}"
    offset = 0
    for _, _, dtype, tensors in entries:
        for name, shape in tensors:
            items = 1
            for size in shape:
                items *= size
            end = offset + items * ITEM[dtype]
            yield ',"%s":{"dtype":"%s","shape":%s,"data_offsets":[%d,%d]}' % (name, dtype, shape, offset, end)
            offset = end
    yield "}"


def _header(agent, full, entries):
    # Small parts, and one piece of memory for all: a full heap has no room for a text that grows, nor for copies of it.
    length = sum([len(part) for part in _header_parts(agent, full, entries)])
    length += -length % 8
    header = bytearray(8 + length)
    view = memoryview(header)
    view[:8] = length.to_bytes(8, "little")
    at = 8
    for part in _header_parts(agent, full, entries):
        view[at : at + len(part)] = part.encode()
        at += len(part)
    while at < len(header):
        header[at] = 32
        at += 1
    return header


def _check_room(path, needed):
    try:
        found = os.statvfs(path[: path.rfind("/") + 1] or ".")
    except (AttributeError, OSError):  # not every port tells
        return
    free = (found[1] or found[0]) * found[4]
    if free < needed:
        raise OSError(28, "save: %s needs %d bytes, %d are free" % (path, needed, free))


def _settle(path, new):
    """Deal with what an earlier save left at `new`: the only copy, where it was cut off before its renaming, or rubbish."""
    try:
        os.stat(new)
    except OSError:
        return
    try:
        os.stat(path)
    except OSError:
        try:
            verify(new)
            os.rename(new, path)
            return
        except ValueError:
            pass
    os.remove(new)


def contents(agent, full, env):
    """The pieces of a checkpoint of agent (and, in a full one, of env), in order: (buffer, items, dtype, name). The header is the first."""
    if full and env is not None and not hasattr(env, "buffers"):
        raise ValueError(
            "save: env has no buffers(), so it cannot be stored; leave env out to begin a new episode on resuming"
        )
    entries = _entries(agent, full, env, agent.used_rows())
    header = _header(agent, full, entries)
    crc = array("I", (0,))
    crc32 = kernels.backend.crc32
    crc32(header, crc)
    for buffer, items, _, _ in entries:
        crc32(memoryview(buffer)[:items], crc)
    header[_CHECKSUM_AT : _CHECKSUM_AT + 8] = hex8(crc).encode()
    return [(header, len(header), "U8", "header")] + [(one[0], one[1], one[2], one[3][0][0]) for one in entries]


def size_of(pieces):
    """Bytes of a checkpoint of these `contents`."""
    return sum([items * ITEM[dtype] for _, items, dtype, _ in pieces])


def _open_new(path, new):
    """The file at new, empty, beside path."""
    try:
        _settle(path, new)
        return open(new, "wb")
    except OSError as error:
        text = "save: %s cannot be written" % new
        if error.args[0] == READ_ONLY:
            text += (
                ", programs may only read this drive. CircuitPython lets either the computer or the program write it:"
                ' storage.remount("/", False) in boot.py, or agent.save_or_send() and `picorl listen` on the computer'
            )
        raise OSError(error.args[0], text)


def save(path, agent, full, env):
    """Write the checkpoint of agent (and, in a full one, of env) to path; see Agent.save."""
    pieces = contents(agent, full, env)
    new = path + ".new"
    file = _open_new(path, new)
    try:
        with file:
            _check_room(path, size_of(pieces))
            for buffer, items, _, _ in pieces:
                file.write(memoryview(buffer)[:items])
        verify(new)
    except (OSError, ValueError):
        try:
            os.remove(new)
        except OSError:  # not even that could be opened: the first error tells why
            pass
        raise
    # On a desktop rename() refuses an existing target on some systems, replace() does not; boards have only the first.
    getattr(os, "replace", os.rename)(new, path)


class Checkpoint:
    """A checked file: path, metadata and tensors as name → (dtype, shape, first byte in the file)."""

    def __init__(self, path, metadata, tensors):
        self.path = path
        self.metadata = metadata
        self.tensors = tensors

    def fail(self, text):
        raise ValueError("load: %s %s" % (self.path, text))

    def expect(self, key, value):
        """Require one fact of the metadata."""
        found = self.metadata.get(key)
        if found != value:
            self.fail("has %s %s, must be %s" % (key, found, value))

    def require(self, name, dtype, shape):
        """Require a tensor's type and shape; returns the position of its first byte."""
        if name not in self.tensors:
            self.fail("holds no tensor %s" % name)
        found_dtype, found_shape, first = self.tensors[name]
        if found_dtype != dtype or found_shape != shape:
            self.fail("holds %s as %s %s, must be %s %s" % (name, found_dtype, found_shape, dtype, shape))
        return first


def _parse(path, text):
    import json

    try:
        header = json.loads(text)
        metadata = header.pop("__metadata__")
        if metadata["format"] != FORMAT:
            raise ValueError("load: %s has format %s, must be %s" % (path, metadata["format"], FORMAT))
        tensors = [(one["data_offsets"], one["dtype"], one["shape"], name) for name, one in header.items()]
        tensors.sort(key=lambda one: (one[0][0], one[0][1]))
        end = 0
        for (first, last), dtype, shape, _ in tensors:
            items = 1
            for size in shape:
                items *= size
            if first != end or last - first != items * ITEM[dtype]:
                raise KeyError
            end = last
        return metadata, tensors
    except (KeyError, TypeError, IndexError, AttributeError):
        raise ValueError("load: %s has a header that is not a picorl checkpoint's" % path)
    except ValueError as error:
        if str(error).startswith("load:"):
            raise
        raise ValueError("load: %s has a damaged header" % path)


def verify(path):
    """Read a checkpoint through; a Checkpoint, or ValueError that says what is wrong. Nothing of it is kept."""
    try:
        size = os.stat(path)[6]
        file = open(path, "rb")
    except OSError:
        raise OSError(2, "load: no file %s" % path)
    with file:
        start = file.read(8)
        length = int.from_bytes(start, "little")
        if len(start) < 8 or length > _MAX_HEADER or size < 8 + length:
            raise ValueError("load: %s is not a checkpoint, or was cut off: %d bytes" % (path, size))
        header = bytearray(start + file.read(length))
        checksum = bytes(header[_CHECKSUM_AT : _CHECKSUM_AT + 8])
        try:
            text = bytes(header[8:]).decode()
        except UnicodeError:
            raise ValueError("load: %s has a damaged header" % path)
        if not text.startswith(_OPENING):
            raise ValueError("load: %s is not a picorl checkpoint: no checksum" % path)
        metadata, listed = _parse(path, text)
        end = 8 + length + (listed[-1][0][1] if listed else 0)
        if size != end:
            raise ValueError("load: %s has %d bytes, its header says %d" % (path, size, end))
        header[_CHECKSUM_AT : _CHECKSUM_AT + 8] = b"00000000"
        crc = array("I", (0,))
        kernels.backend.crc32(header, crc)
        tensors = {}
        infinite = None
        for (first, last), dtype, shape, name in listed:
            tensors[name] = (dtype, shape, 8 + length + first)
            if not _read_through(file, dtype, (last - first) // ITEM[dtype], crc):
                infinite = name
        if hex8(crc).encode() != checksum:
            raise ValueError("load: %s is damaged: checksum %s, its header says %s" % (path, hex8(crc), text[28:36]))
        if infinite is not None:
            raise ValueError("load: %s holds values that are not finite in %s" % (path, infinite))
    return Checkpoint(path, metadata, tensors)


def _read_through(file, dtype, items, crc):
    """Continue crc over the next items of a file; whether they are finite."""
    k = kernels.backend
    block = bytearray(_BLOCK) if dtype == "U8" else array(_TYPECODE[dtype], [0] * _BLOCK)
    finite = True
    while items > 0:
        count = min(items, _BLOCK)
        piece = memoryview(block)[:count]
        if file.readinto(piece) != count * ITEM[dtype]:
            raise ValueError("load: the file ended while it was read")
        k.crc32(piece, crc)
        if dtype == "F32" and not k.all_finite(block, 0, count):
            finite = False
        items -= count
    return finite


def open_checked(path):
    """verify(path), or path.new where a save was cut off between removing the old file and renaming the new one."""
    try:
        os.stat(path)
    except OSError:
        try:
            os.stat(path + ".new")
        except OSError:
            raise OSError(2, "load: no file %s" % path)
        path = path + ".new"
    return verify(path)


def read_into(checkpoint, wanted):
    """Fill buffers from a checked file: wanted is [(first byte, buffer, items, bytes), …]. OSError when it changed meanwhile."""
    views = [(first, memoryview(buffer)[:items], size) for first, buffer, items, size in wanted]
    with open(checkpoint.path, "rb") as file:
        for first, view, size in views:
            file.seek(first)
            if file.readinto(view) != size:
                raise OSError(5, "load: %s ended while it was read" % checkpoint.path)


def consecutive(checkpoint, dtype, tensors):
    """The first byte and the bytes of tensors, [(name, shape), …], that must follow each other in the file."""
    first = end = None
    for name, shape in tensors:
        at = checkpoint.require(name, dtype, shape)
        if end is None:
            first = end = at
        if at != end:
            checkpoint.fail("holds %s out of order" % name)
        size = ITEM[dtype]
        for one in shape:
            size *= one
        end += size
    return first, end - first  # type: ignore[operator]  # there is a tensor at least


def open_fitting(path, agent, env):
    """The checked checkpoint at path, if it fits agent and env: (Checkpoint, full, rows, [(first, buffer, items, bytes), …])."""
    found = open_checked(path)
    full = found.metadata.get("contents") == "full"
    for key, value in _metadata(agent, full):
        found.expect(key, value)
    rows = 0
    if full and hasattr(agent, "replay_capacity"):
        rows = found.tensors.get("replay_flags", (0, [-1]))[1][0]
        if not 0 <= rows <= agent.replay_capacity:
            found.fail("holds %d rows of replay, must be 0 to %d" % (rows, agent.replay_capacity))
    wanted = []
    for buffer, items, dtype, tensors in _entries(agent, full, env, rows):
        name = tensors[0][0]
        if not full and name not in ("action_scaling", "moments", "target_moments") and not name.startswith("actor."):
            continue  # a policy brings its hyper-parameters along for the reader, not for another agent
        first, size = consecutive(found, dtype, tensors)
        wanted.append((first, buffer, items, size))
    return found, full, rows, wanted


def read(fitting, agent):
    """Fill agent and its environment from what `open_fitting` found; whether it was a full checkpoint."""
    found, full, rows, wanted = fitting
    read_into(found, wanted)
    if full:
        agent.rows_loaded(rows)
    return full
