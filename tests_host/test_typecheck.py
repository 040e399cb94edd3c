"""The check of device/ against the official stubs finds what an interpreter has not, and lets pass what a program guards."""

import ast
import importlib.util
import os
import shutil
from pathlib import Path

import pytest
import targets

ROOT = Path(__file__).resolve().parent.parent
spec = importlib.util.spec_from_file_location("typecheck", ROOT / "tests_host/typecheck/check.py")
typecheck = importlib.util.module_from_spec(spec)
spec.loader.exec_module(typecheck)
pytestmark = pytest.mark.skipif(
    not (ROOT / "build/typecheck/.installed").exists(), reason="no stubs: make typecheck installs them"
)
EVERYWHERE = tuple(typecheck.INTERPRETERS)
CIRCUITPYTHON, MICROPYTHON = EVERYWHERE[:2], EVERYWHERE[2:]
FAULTS = [
    ("import time\n\ntime.ticks_ms()", "attr-defined", CIRCUITPYTHON),
    ("import time\n\ntime.monotonic_ns()", "attr-defined", MICROPYTHON),
    ("import os\n\nos.replace('a', 'b')", "attr-defined", EVERYWHERE),
    ("import os\n\nos.ilistdir('/')", "attr-defined", CIRCUITPYTHON),
    ("import gc\n\ngc.threshold(4096)", "attr-defined", CIRCUITPYTHON),
    ("import sys\n\nsys.setrecursionlimit(100)", "attr-defined", EVERYWHERE),
    ("from math import tanh", "attr-defined", CIRCUITPYTHON),
    ("import threading", "import-not-found", EVERYWHERE),
    ("import machine", "import-not-found", CIRCUITPYTHON),
    ("import supervisor", "import-not-found", MICROPYTHON),
    (
        "try:\n    import supervisor\nexcept ImportError:\n    pass\nsupervisor.get_setting('A')",
        "attr-defined",
        CIRCUITPYTHON[:1],
    ),
    ("from ulab import numpy as np\n\nnp.outer(np.zeros(2), np.zeros(2))", "attr-defined", EVERYWHERE),
    ("from ulab import numpy as np\n\nnp.sum(np.zeros(2), out=np.zeros(2))", "call-arg", EVERYWHERE),
    ("from ulab import numpy as np\n\nnp.zeros(2) @ np.zeros(2)", "operator", EVERYWHERE),
    ("from ulab import numpy as np\n\nnp.exp(np.zeros(2)).sum()", "attr-defined", EVERYWHERE),
    ("from ulab import numpy as np\n\nnp.dot([1.0], np.zeros(1))", "arg-type", EVERYWHERE),
    ("def late():\n    import time\n\n    return time.ticks_us()", "attr-defined", CIRCUITPYTHON),
]
GUARDED = """
import sys
import time

from ulab import numpy as np

try:
    import machine
    import supervisor
except ImportError:
    pass
try:
    from math import tanh
except ImportError:
    tanh = None
try:
    time.ticks_ms()
    time.monotonic_ns()
except AttributeError:
    pass
if hasattr(time, "ticks_us"):
    time.ticks_us()
view = np.frombuffer(bytearray(8), dtype=np.float)
view *= 2.0
np.exp(view, out=view).reshape((1, 2)).T[0] += np.sum(view)
print(sys.implementation.name, np.dot(view, view), view > 1.0)
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """All faults at once in a copy of device/: [(file, code, interpreter), …]."""
    folder = tmp_path_factory.mktemp("faults")
    device = folder / "device"
    shutil.copytree(ROOT / "device", device)
    for i, (fault, _, _) in enumerate(FAULTS):
        (device / f"picorl/fault_{i}.py").write_text(fault + "\n")
    (device / "picorl/guarded.py").write_text(GUARDED)
    errors = []
    for interpreter in EVERYWHERE:
        for line in typecheck.check(interpreter, device, folder):
            path, _, text = line.partition(":")
            errors.append((Path(path).stem, text.rsplit("[", 1)[1].rstrip("]"), interpreter))
    return errors


@pytest.mark.parametrize("i", range(len(FAULTS)), ids=lambda i: FAULTS[i][0].splitlines()[-1].strip())
def test_a_fault_is_found_where_it_is_one(found, i):
    _, code, interpreters = FAULTS[i]
    mine = [(error, where) for file, error, where in found if file == f"fault_{i}"]
    assert mine == [(code, interpreter) for interpreter in interpreters]


def test_nothing_else_is_found(found):
    assert [error for error in found if not error[0].startswith("fault_")] == []


def promised(*folders):
    """module → names, of our own stubs."""
    found = {}
    for folder in folders:
        for path in sorted((ROOT / "tests_host/typecheck/stubs" / folder).glob("*.pyi")):
            body = ast.parse(path.read_text()).body
            named = [node.name for node in body if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
            found[path.stem] = named + [node.target.id for node in body if isinstance(node, ast.AnnAssign)]
    return found


@pytest.mark.parametrize("target", [targets.StockTarget, targets.CircuitPythonTarget], ids=lambda target: target.name)
def test_our_own_stubs_promise_what_is_there(target):
    variable = getattr(target, "variable", None)
    if variable and not os.environ.get(variable):
        pytest.skip(f"{variable} names no interpreter")
    names = promised("both", "circuitpython" if variable else "micropython")
    if variable:
        del names["os"], names["time"]  # a board's; on a desktop they are MicroPython's
    assert names["array"] == ["array"] and "implementation" in names["sys"]
    script = f"for module, names in {names!r}.items():\n    for name in names:\n        if not hasattr(__import__(module), name): print(module, name)"
    assert target().run(script) == ""
