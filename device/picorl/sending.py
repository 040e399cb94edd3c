"""Checkpoints over the serial port, where programs cannot write the drive: records of telemetry that carry the file in pieces.

    {"event":"checkpoint","name":"run.safetensors","bytes":5104,"check":"5f0c12ab"}
    {"event":"checkpoint_piece","name":"run.safetensors","at":0,"data":"6AMAAAAAAAB7Il9fbWV0...","check":"0d1f03c4"}
    {"event":"checkpoint_end","name":"run.safetensors","crc":"8c2a90b1","check":"77e4d1f0"}

at is the piece's first byte in the file, data its bytes in base64, crc the CRC-32 of the whole file. Each line has a checksum of its own as
every record has, and the name tells files and other output apart. The receiver is picorl_host/receiving.py.
"""

from array import array
from binascii import b2a_base64

from . import kernels
from .checkpoint import ITEM, contents, hex8, size_of
from .telemetry import report

PIECE = 384  # bytes of the file in a line, which then has some 600


def _listened():
    """Whether something is connected that could receive; CircuitPython tells, and throws away what is printed while nothing is."""
    try:
        import supervisor

        return supervisor.runtime.serial_connected
    except (ImportError, AttributeError):
        return True


def send(path, agent, full, env):
    """Print the checkpoint of agent as a file with the last part of path as its name; see Agent.send."""
    name = path[path.rfind("/") + 1 :]
    if not name:
        raise ValueError("send: %r has no name of a file" % (path,))
    if not _listened():
        raise OSError(107, "send: nothing is connected that could receive %s: type `picorl listen` there" % name)
    pieces = contents(agent, full, env)
    k = kernels.backend
    for buffer, items, dtype, tensor in pieces:
        if dtype == "F32" and not k.all_finite(buffer, 0, items):
            raise ValueError("send: %s would hold values that are not finite in %s" % (name, tensor))
    report("checkpoint", name=name, bytes=size_of(pieces))
    crc = array("I", (0,))
    at = 0
    for buffer, items, dtype, _ in pieces:
        view, step = memoryview(buffer), PIECE // ITEM[dtype]
        for first in range(0, items, step):
            piece = view[first : min(first + step, items)]
            k.crc32(piece, crc)
            report("checkpoint_piece", name=name, at=at, data=b2a_base64(bytes(piece))[:-1].decode())
            at += len(piece) * ITEM[dtype]
    report("checkpoint_end", name=name, crc=hex8(crc))
