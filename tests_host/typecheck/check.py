"""Type-checks device/ against the official stubs of CircuitPython and of MicroPython (make typecheck).

It finds what an interpreter would miss: functions, arguments, and modules that it has not. The stubs take the place of CPython's,
`time` and `os` included. What a `try` guards may be missing: `import x` and `from x import y` with `except ImportError`, `x.y`
with `except AttributeError`; `hasattr` is understood by mypy. Every other exception carries a `type: ignore` and a reason.
"""

import ast
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILD = ROOT / "build/typecheck"  # where the Makefile installs mypy and the stubs
ULAB = HERE.parent / "ulab_double/additions.pyi"

# interpreter: (our stubs, official ones, those of the standard library, modules whose users it does not run).
# circuitpython-stubs leave out what CPython has too, and micropython-stdlib-stubs have more than an interpreter: ours, in stubs/,
# stand before both. The rest of the language is MicroPython's for CircuitPython as well.
INTERPRETERS = {
    "CircuitPython 9": ("circuitpython", "circuitpython9", "rp2", ("machine",)),
    "CircuitPython 10": ("circuitpython", "circuitpython10", "rp2", ("machine",)),
    "MicroPython rp2": ("micropython", "rp2", "rp2", ("board",)),
    "MicroPython unix": ("micropython", "unix", "unix", ("board", "machine")),
}
GUARDS = {
    "import-not-found": {"ImportError"},
    "attr-defined": {"AttributeError", "ImportError"},
    "operator": {"TypeError"},
}
ERROR = re.compile(r"(?P<path>[^:]+):(?P<line>\d+): error: .*\[(?P<code>[\w-]+)\]$")


def complete_ulab(text):
    """The stub of ulab.numpy with the members of ndarray, frombuffer and `out=`, which it lacks."""
    added = "\n".join(line for line in ULAB.read_text().splitlines() if not line.startswith(("#", "from ")))
    text, classes = re.subn(r"^class ndarray: \.\.\.$", lambda _: added, text, flags=re.M)
    # An array gives an array, a number a number.
    functions = re.compile(r"^def (\w+)\(a: _ScalarOrArrayLike\) -> _ScalarOrNdArray:$", re.M)
    overloads = r"@overload\ndef \1(a: _float) -> _float: ...\n@overload\ndef \1(a: _ArrayLike, *, out: Optional[ndarray] = None) -> ndarray:"
    text, found = functions.subn(overloads, text)
    if classes != 1 or found < 20:
        raise SystemExit("typecheck: the stub of ulab.numpy is not what it was: complete_ulab() must follow it")
    return "from collections.abc import Iterator\n" + text


def prepare():
    """Lay the stubs out as mypy's path wants them, packages without the `-stubs` of an installation; the folder. Once for all processes."""
    inputs = [Path(__file__), ULAB, *sorted((HERE / "stubs/both").glob("*.pyi"))]
    layout = BUILD / f"layout-{zlib.crc32(b''.join(path.read_bytes() for path in inputs)):08x}"
    if layout.exists():
        return layout
    new = Path(tempfile.mkdtemp(dir=BUILD))
    for name in ("circuitpython9", "circuitpython10"):
        modules = new / name
        for source in (BUILD / name).glob("*-stubs"):
            shutil.copytree(source, modules / source.name.removesuffix("-stubs"))
        stub = modules / "ulab/numpy/__init__.pyi"
        stub.write_text(complete_ulab(stub.read_text()))
    for name in ("rp2", "unix"):
        shutil.copytree(BUILD / name, new / name, ignore=shutil.ignore_patterns("stdlib", "stubs", "*.dist-info"))
        shutil.copytree(modules / "ulab", new / name / "ulab")
        library = new / "typeshed" / name
        for part in ("stdlib", "stubs"):
            shutil.copytree(BUILD / name / part, library / part)
        for stub in (HERE / "stubs/both").glob("*.pyi"):  # mypy has no other place for a sys of one's own
            shutil.rmtree(library / "stdlib" / stub.stem, ignore_errors=True)
            shutil.copy(stub, library / "stdlib")
    try:
        new.rename(layout)
    except OSError:  # another process was faster
        shutil.rmtree(new)
    return layout


def sources(device, others):
    """The package and the examples, without examples that import one of other modules."""
    found = [device / "picorl"]
    for path in sorted((device / "examples").glob("*.py")):
        imported = {name for node in ast.walk(ast.parse(path.read_text())) for name in _imports(node)}
        if not imported & set(others):
            found.append(path)
    return found


def _imports(node):
    if isinstance(node, ast.Import):
        return [alias.name.partition(".")[0] for alias in node.names]
    return [node.module] if isinstance(node, ast.ImportFrom) and node.module else []


def guarded(path, line, code):
    """Whether a line lies in a `try` whose handlers take what the error would raise."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Try) and node.body[0].lineno <= line <= node.body[-1].end_lineno:
            kinds = [handler.type for handler in node.handlers if handler.type]
            caught = {name.id for kind in kinds for name in ast.walk(kind) if isinstance(name, ast.Name)}
            if caught & GUARDS.get(code, set()):
                return True
    return False


def check(interpreter, device, cache=BUILD / "cache"):
    """What mypy finds in device/ for one interpreter, as lines."""
    ours, official, library, others = INTERPRETERS[interpreter]
    layout = prepare()
    path = [HERE / "stubs" / ours, layout / official, device]
    cache = Path(cache) / interpreter.replace(" ", "-")
    options = {
        "--config-file": HERE / "mypy.ini",
        "--cache-dir": cache,
        "--custom-typeshed-dir": layout / "typeshed" / library,
    }
    command = [BUILD / "venv/bin/python", "-m", "mypy", "--no-error-summary", "--hide-error-context"]
    done = subprocess.run(
        [*command, *(part for option in options.items() for part in option), *sources(device, others)],
        env={**os.environ, "MYPYPATH": os.pathsep.join(map(str, path))},
        cwd=HERE,  # mypy.ini names the plugin beside it
        capture_output=True,
        text=True,
    )
    if done.returncode not in (0, 1) or done.stderr:
        raise SystemExit(f"typecheck: mypy failed for {interpreter}:\n{done.stdout}{done.stderr}")
    errors = []
    for line in done.stdout.splitlines():
        match = ERROR.match(line)
        if not match:
            continue  # a note
        path = (HERE / match["path"]).resolve()
        if path.is_relative_to(device.resolve()) and not guarded(path, int(match["line"]), match["code"]):
            errors.append(f"{path.relative_to(device.resolve().parent)}{line[len(match['path']) :]}")
    return errors


def main(device=ROOT / "device"):
    failed = False
    for interpreter in INTERPRETERS:
        for error in check(interpreter, Path(device)):
            failed = True
            print(f"{interpreter}: {error}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
