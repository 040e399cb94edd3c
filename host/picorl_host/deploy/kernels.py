"""The best kernels for a board, and why these: C in the firmware, the native module, ulab, plain Python."""

from dataclasses import dataclass

from .. import mpy
from ..runner import REPOSITORY, Problem

NATIVE = REPOSITORY / "build/natmod"

_SLOW = "plain Python, some hundred times slower than C"


@dataclass(frozen=True)
class Choice:
    """name: the backend in picorl.kernels; None when the board could not be asked. module: the bytes of its _picorl.mpy, if it needs one."""

    name: str | None
    why: str  # a sentence
    module: bytes | None = None

    @property
    def slow(self):
        return self.name == "python"


def choose(board):
    """The Choice for a board. Raises Problem when its native module is there but is not what it should be."""
    if board.native is not None:
        return Choice("_picorl", "C, which the firmware holds")
    module, without = _native_module(board)
    if module is not None:
        return Choice("_picorl", f"C, the native module for {board.architecture}", module)
    if not board.asked:
        return Choice(
            None,
            f"those on ulab where the firmware has it, otherwise {_SLOW}, because {without}; with --port the board is asked",
        )
    if board.ulab is not None:
        return Choice("ulab", f"those on ulab {board.ulab}, which the firmware holds; {without}")
    return Choice("python", f"{_SLOW}: {without}, and the firmware has no ulab")


def _native_module(board):
    """(content, None), or (None, why there is none)."""
    if board.circuitpython:
        return None, "CircuitPython loads no native modules"
    if board.architecture is None:
        return None, "this firmware loads no native modules"
    if board.mpy.version != (6, 3):
        return None, "native modules need MicroPython 1.23 or newer"
    path = NATIVE / f"{board.architecture}_6.3/_picorl.mpy"
    shown = path.relative_to(REPOSITORY) if path.is_relative_to(REPOSITORY) else path
    remedy = f"make natmod ARCH={board.architecture}"
    if not path.exists():
        return None, f"there is no native module {shown} here ({remedy})"
    content = path.read_bytes()
    try:
        found = mpy.read(content)
    except mpy.BadMpy as bad:
        raise Problem(f"{shown} {bad}: remove it, then {remedy}. Nothing was changed.") from None
    if found != board.mpy:
        raise Problem(
            f"{shown} is for {found.architecture}, the board is {board.architecture}: remove it, then {remedy}. Nothing was changed."
        )
    return content, None
