"""Make .mpy files, and look into them: which architecture one is for, and whether all of it is there.

A board takes a file that was cut off for what it is not; MicroPython's own loader does not notice the end. The format is that of
MicroPython's py/persistentcode.c, version 6; CircuitPython's files have another first byte, and their own numbers for names.
"""

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

VERSION = 6

# How the files of each begin. Neither loads the other's.
MICROPYTHON, CIRCUITPYTHON = b"M", b"C"
_KINDS = {MICROPYTHON: "MicroPython's", CIRCUITPYTHON: "CircuitPython's"}

# By the number in a .mpy file and in sys.implementation._mpy.
ARCHITECTURES = (
    None,
    "x86",
    "x64",
    "armv6",
    "armv6m",
    "armv7m",
    "armv7em",
    "armv7emsp",
    "armv7emdp",
    "xtensa",
    "xtensawin",
    "rv32imc",
)


class BadMpy(ValueError):
    """The bytes are no .mpy file, or none of the kind that is wanted; the message says why."""


class CompileError(Exception):
    """mpy-cross refused a file; the message names the file and says why."""


@dataclass(frozen=True)
class Mpy:
    """The head of a .mpy file: version (6, 3), and the architecture of its native code, None when it has none."""

    version: tuple[int, int]
    architecture: str | None


def architecture(number):
    """The name of an architecture, or None for plain bytecode and for numbers younger than this file."""
    return ARCHITECTURES[number] if number < len(ARCHITECTURES) else None


def of_firmware(number):
    """The Mpy that firmware whose sys.implementation._mpy is `number` takes."""
    return Mpy((number & 0xFF, number >> 8 & 3), architecture(number >> 10 & 15))


def read(content, kind=MICROPYTHON):
    """The Mpy of the bytes of a file. Raises BadMpy when they are something else, of another kind, or not all there."""
    if len(content) < 4 or content[:1] not in _KINDS:
        raise BadMpy("is not a .mpy file")
    if content[:1] != kind:
        raise BadMpy(f"is {_KINDS[content[:1]]} kind of .mpy, must be {_KINDS[kind]}")
    if content[1] != VERSION:
        raise BadMpy(f"is of .mpy version {content[1]}, must be {VERSION}")
    reader = _Reader(content)
    try:
        reader.file()
    except IndexError:
        raise BadMpy(f"is cut off: its {len(content)} bytes are not all of it") from None
    if reader.at != len(content):
        raise BadMpy(f"has {len(content) - reader.at} bytes too many")
    return Mpy((content[1], content[2] & 3), architecture(content[2] >> 2 & 15))


# Kinds of code.
_BYTECODE, _NATIVE, _VIPER, _ASSEMBLER = range(4)
# Kinds of constants: one byte and nothing more (the table of functions, None, False, True, ...), bytes and str, tuple.
_BARE, _BYTES, _TUPLE = (0, 1, 2, 3, 4), (5, 6), 10
# Of a native function, in its flags: what it brings along.
_RODATA, _BSS, _RELOCATIONS = 0x20, 0x40, 0x10


def modules(package):
    """{name: path} of the Python files of a package in the folder `package`, names such as "picorl/sac.py"."""
    return {path.relative_to(package.parent).as_posix(): path for path in sorted(package.rglob("*.py"))}


def compiled(compiler, sources, architecture=None):
    """{name.mpy: content} of `sources`, {name.py: path}, by the mpy-cross at `compiler`. Raises CompileError.

    architecture matters to functions that are marked as native code only.
    """
    march = [f"-march={architecture}"] if architecture else []
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        product = Path(folder, "product.mpy")
        for name, path in sources.items():
            command = [compiler, *march, "-s", name, "-o", product, path]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                raise CompileError(f"mpy-cross refused {path}:\n{done.stderr.strip()}")
            found[name.removesuffix(".py") + ".mpy"] = product.read_bytes()
    return found


class _Reader:
    """Walks through a file; IndexError where it ends too early."""

    def __init__(self, content):
        self.content = content
        self.at = 4

    def skip(self, count):
        self.at += count
        if self.at > len(self.content):
            raise IndexError

    def byte(self):
        self.skip(1)
        return self.content[self.at - 1]

    def number(self):
        value = 0
        while True:
            byte = self.byte()
            value = value << 7 | byte & 0x7F
            if byte < 0x80:
                return value

    def file(self):
        names, constants = self.number(), self.number()
        for _ in range(names):
            length = self.number()
            if length & 1 == 0:  # odd: one that every firmware knows
                self.skip((length >> 1) + 1)
        for _ in range(constants):
            self.constant()
        self.code()

    def constant(self):
        kind = self.byte()
        if kind in _BARE:
            return
        length = self.number()
        if kind == _TUPLE:
            for _ in range(length):
                self.constant()
        else:
            self.skip(length + (kind in _BYTES))

    def code(self):
        head = self.number()
        kind = head & 3
        self.skip(head >> 3)
        flags = 0
        if kind != _BYTECODE:
            flags = self.number()  # of native Python code: where its prelude is
        if kind == _ASSEMBLER:
            self.number(), self.number()
        if kind == _VIPER:
            rodata = self.number() if flags & _RODATA else 0
            if flags & _BSS:
                self.number()
            self.skip(rodata)
        if head & 4:
            for _ in range(self.number()):
                self.code()
        if kind == _VIPER and flags & _RELOCATIONS:
            self.relocations()

    def relocations(self):
        while (op := self.byte()) != 0xFF:
            if op & 1:
                self.number()
            if op >> 1 <= 5 and op >> 1 & 1:
                self.number()
