"""Checkpoints that a board sends over its serial port (device/picorl/sending.py): put together, checked, written."""

import binascii
import os
import zlib
from pathlib import Path, PurePath

from picorl import checkpoint

EVENTS = ("checkpoint", "checkpoint_piece", "checkpoint_end")
_OPENING = b'{"__metadata__":'  # behind the 8 bytes of a length


class _Transfer:
    """A file that is on its way. `problem` says what is wrong with it, once something is."""

    def __init__(self, size):
        self.size = size
        self.content = bytearray()
        self.problem = None

    def add(self, at, data):
        if self.problem:
            return
        if at != len(self.content):
            self.problem = f"bytes {len(self.content)} to {at - 1} did not arrive"
            return
        try:
            self.content += binascii.a2b_base64(data, strict_mode=True)
        except binascii.Error:
            self.problem = f"what arrived behind byte {at} is no base64"

    def end(self, crc):
        if not self.problem and len(self.content) != self.size:
            self.problem = f"{len(self.content)} of {self.size} bytes arrived"
        if not self.problem and f"{zlib.crc32(self.content):08x}" != crc:
            self.problem = "its checksum is wrong"


class Receiver:
    """Writes the checkpoints among a board's records into a folder; what it did, and what was damaged, goes to say(line).

    A file is written as NAME.new, verified as `Agent.load` would, and renamed to NAME. It takes the place of an older checkpoint, but of no
    other file. A transfer that is damaged or cut off writes nothing.
    """

    def __init__(self, folder, say):
        self.folder = Path(folder)
        self._say = say
        self._transfers = {}
        self.received = []  # paths, in the order in which they came
        self.lost = set()  # names of files whose last transfer failed

    def take(self, record):
        """Use a record; False when it has nothing to do with files."""
        if record["event"] not in EVENTS or not isinstance(record.get("name"), str):
            return False
        name = record["name"]
        try:
            if record["event"] == "checkpoint":
                self._begin(name, record["bytes"])
            elif name not in self._transfers:
                self._begin(name, 0)
                self._transfers[name].problem = "its beginning did not arrive"
            if record["event"] == "checkpoint_piece":
                self._transfers[name].add(record["at"], record["data"])
            elif record["event"] == "checkpoint_end":
                self._end(name, record["crc"])
        except (KeyError, TypeError):  # another program's record of the same name
            return False
        return True

    def close(self):
        """The board says no more: what is still on its way has been cut off."""
        for name in list(self._transfers):
            self._cut_off(name)

    def _begin(self, name, size):
        if name in self._transfers:
            self._cut_off(name)
        self._transfers[name] = _Transfer(int(size))

    def _cut_off(self, name):
        transfer = self._transfers.pop(name)
        self._fail(name, transfer.problem or f"cut off after {len(transfer.content)} of {transfer.size} bytes")

    def _fail(self, name, problem):
        self.lost.add(name)
        self._say(f"{name!r} was not received: {problem}; nothing was written")

    def _end(self, name, crc):
        transfer = self._transfers.pop(name)
        transfer.end(crc)
        if not transfer.problem and (PurePath(name).name != name or name in ("", ".", "..") or "\\" in name):
            transfer.problem = "this is no name of a file"
        if transfer.problem:
            return self._fail(name, transfer.problem)
        path = self.folder / name
        try:
            contents = self._write(path, transfer.content)
        except (OSError, ValueError) as error:
            return self._fail(name, error)
        self.lost.discard(name)
        self.received.append(path)
        self._say(f"received {path}: {transfer.size} bytes, {contents}")

    def _write(self, path, content):
        """What the checkpoint holds; ValueError when it is none, or would replace something else."""
        if path.exists() and not is_checkpoint(path):
            raise ValueError(f"{path} is there, and is no checkpoint")
        self.folder.mkdir(parents=True, exist_ok=True)
        new = path.with_name(path.name + ".new")
        try:
            new.write_bytes(content)
            metadata = checkpoint.verify(str(new)).metadata
            os.replace(new, path)
        finally:
            new.unlink(missing_ok=True)
        kind = "a full checkpoint" if metadata["contents"] == "full" else "a policy"
        return f"{kind} of {metadata['algorithm']}"


def is_checkpoint(path):
    """Whether a file begins as one, whole or not."""
    with path.open("rb") as file:
        return file.read(8 + len(_OPENING))[8:] == _OPENING
