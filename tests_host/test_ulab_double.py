"""The double of ulab: it has what the official stubs list and nothing else, and it does what real ulab does."""

import ast
import inspect
import os
import re
from array import array
from pathlib import Path

import pytest
import targets
import ulab_programs
from ulab_double import WIDTHS, Undefined, installed, make, memoryview

HERE = Path(__file__).resolve().parent
STUBS = HERE.parent / "build/typecheck/circuitpython10/ulab-stubs/numpy/__init__.pyi"
ADDITIONS = HERE / "ulab_double/additions.pyi"
OUTCOMES = HERE / "ulab_outcomes"  # of real ulab: a line of program, a line of outcome
TAKES_OUT = set(ulab_programs.ROUGH + ulab_programs.EXACT) - {"arctan2"}


@pytest.fixture(params=WIDTHS)
def width(request):
    return request.param


@pytest.fixture
def np(width):
    return make(width).numpy


def outcomes(np, lines):
    """Program and outcome of each line that has a defined one."""
    names = {"memoryview": memoryview}
    exec(ulab_programs.HARNESS, names)
    found = ((line, names["outcome"](line, np)) for line in lines)
    return [(line, outcome) for line, outcome in found if outcome != "Undefined"]


def disagreements(ours, theirs):
    assert len(ours) == len(theirs)
    pairs = [(line, mine, real) for (line, mine), real in zip(ours, theirs, strict=True)]
    return [pair for pair in pairs if not ulab_programs.agree(*pair)]


# --- beside real ulab -------------------------------------------------------------------------------------------


def test_does_what_real_ulab_did(np, width):
    """Outcomes that an interpreter with ulab gave: `python tests_host/ulab_programs.py INTERPRETER` wrote them."""
    lines = (OUTCOMES / f"{width}.txt").read_text().splitlines()
    ours = outcomes(np, lines[::2])
    assert len(ours) > 250
    assert disagreements(ours, lines[1::2]) == []


@pytest.mark.parametrize("target", [targets.UlabTarget, targets.CircuitPythonTarget], ids=lambda target: target.name)
def test_does_what_an_interpreter_with_ulab_does(target):
    if not os.environ.get(target.variable):
        pytest.skip(f"{target.variable} names no interpreter")
    run = target()
    found = run.run("from ulab import numpy as np\nprint(np.zeros(1).itemsize)")
    np = make({size: width for width, size in WIDTHS.items()}[int(found)]).numpy
    ours = outcomes(np, ulab_programs.programs(6000, seed=found))
    assert len(ours) > 3000
    text = "".join(line + "\n" for line, _ in ours).encode()
    theirs = run.run(ulab_programs.ON_TARGET, [("programs.txt", text)]).splitlines()
    assert disagreements(ours, theirs) == []


# --- beside the official stubs ----------------------------------------------------------------------------------


def declared(path):
    """Functions of a stub file as name → arguments, its class ndarray likewise, and its variables."""
    tree = ast.parse(path.read_text())
    functions, members, variables = {}, {}, set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            functions.setdefault(node.name, []).append(node.args)
        elif isinstance(node, ast.ClassDef):
            found = {part.name: part.args for part in node.body if isinstance(part, ast.FunctionDef)}
            members.update(found)
        elif isinstance(node, ast.AnnAssign):
            variables.add(node.target.id)
    return functions, members, variables


def fits(function, arguments):
    """Whether every call that a function of the double takes is one that the stub allows."""
    positional = [a.arg for a in arguments.posonlyargs + arguments.args if a.arg != "self"]
    by_name = {a.arg for a in arguments.kwonlyargs + arguments.args}
    parameters = [p for p in inspect.signature(function).parameters.values() if p.name != "self"]
    ours = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    others = [p for p in parameters if p.kind == p.KEYWORD_ONLY and p.name != "out"]
    return (
        [p.name for p in ours] == positional[: len(ours)]
        and all(p.kind == p.POSITIONAL_ONLY for p in ours)
        and {p.name for p in others} <= by_name
        and all(p.kind in (p.POSITIONAL_ONLY, p.KEYWORD_ONLY) for p in parameters)
    )


@pytest.mark.skipif(not STUBS.exists(), reason="no stubs: make typecheck installs them")
def test_offers_only_what_the_stubs_list(np):
    functions, members, variables = declared(STUBS)
    added_functions, added_members, _ = declared(ADDITIONS)
    assert not set(functions) & set(added_functions) and not members
    functions.update(added_functions)
    offered = [name for name in dir(np) if not name.startswith("_")]
    assert {"dot", "exp", "frombuffer", "int8", "float"} <= set(offered)
    for name in offered:
        found = getattr(np, name)
        if name == "ndarray" or isinstance(found, int):
            assert name == "ndarray" or name in variables
        else:
            assert any(fits(found, arguments) for arguments in functions[name]), name
            assert ("out" in inspect.signature(found).parameters) == (name in TAKES_OUT)
    ours = set(dir(np.ndarray)) - set(dir(object)) | {
        "__init__",
        "__eq__",
        "__ne__",
        "__lt__",
        "__le__",
        "__gt__",
        "__ge__",
    }
    hidden = {name for name in ours if re.match("_[^_]", name)} | {
        "__slots__",
        "__module__",
        "__hash__",
        "__bool__",
        "__contains__",
        "__delitem__",
    }
    assert ours - hidden == set(added_members)
    for name, arguments in added_members.items():
        if not name.startswith("__") and callable(getattr(np.ndarray, name)):
            assert fits(getattr(np.ndarray, name), arguments), name


def test_is_not_importable_outside_its_block(np, width):
    with installed(make(width)) as ulab:
        import ulab as inside
        from ulab import numpy

        assert inside is ulab and numpy is ulab.numpy
    with pytest.raises(ImportError):
        import ulab  # noqa: F811


# --- the facts that kernels depend on ---------------------------------------------------------------------------


def test_frombuffer_shares_memory_both_ways():
    np = make("float32").numpy
    buffer = array("f", [1, 2, 3, 4])
    view = np.frombuffer(buffer, dtype=np.float)
    view *= 2.0
    buffer[3] = 9
    part = view.reshape((2, 2))[1]
    part += 1.0
    assert buffer.tolist() == [2, 4, 7, 10] and view.tolist() == [2, 4, 7, 10]


def test_frombuffer_takes_pairs_of_floats_for_one_where_float_is_double():
    np = make("float64").numpy
    assert len(np.frombuffer(array("f", [1, 2, 3, 4]))) == 2
    with pytest.raises(ValueError, match="multiple of element size"):
        np.frombuffer(array("f", [1, 2, 3]))


@pytest.mark.parametrize(
    "program, error",
    [
        ("np.outer(v, v)", AttributeError),
        ("np.matmul(m, m)", AttributeError),
        ("np.all(v)", AttributeError),
        ("v @ v", TypeError),
        ("v.sum()", AttributeError),
        ("np.dot(m, m, out=m)", TypeError),
        ("np.sum(v, out=v)", TypeError),
        ("np.exp(v, v)", TypeError),
        ("np.zeros((1, 2, 3))", TypeError),
        ("m[0, 0, 0]", IndexError),
        ("m.__iadd__(np.ones((3, 2)))", ValueError),
        ("v.__iadd__(m)", ValueError),
        ("(v > 1.0).__iadd__(v)", TypeError),
        ("np.exp(v, out=m[:, 0])", Undefined),
        ("np.sum(v, axis=0)", Undefined),
        ("m.__iadd__(m.T)", Undefined),
        ("v[5:]", None),
        ("v[5:] + 1", Undefined),
        ("v == v", Undefined),
        ("bool(v)", Undefined),
        ("v[[0, 1]]", Undefined),
        ("setattr(v, 'name', 1)", AttributeError),
    ],
)
def test_refuses_what_ulab_has_not_or_gets_wrong(np, program, error):
    names = {"np": np, "v": np.array([1.0, 2.0]), "m": np.array([[1.0, 2.0], [3.0, 4.0]])}
    if error is None:
        eval(program, names)
    else:
        with pytest.raises(error):
            eval(program, names)


def test_types_of_results(np, width):
    v, m = np.array([3.0, -1.5]), np.array([[1.0, 2.0], [3.0, 4.0]])
    assert type(np.dot(v, v)) is float and np.dot(m, v).shape == np.dot(v, m).shape == (2,)
    assert (v > 0.0).tolist() == [True, False] and np.sum(v > 0.0) == 1
    assert (np.array([-7, 7], dtype=np.int16) / 2).tolist() == [-3.0, 3.0]  # as C divides
    assert np.where(v > 0.0, 1, 0).dtype == np.uint8 and np.where(v > 0.0, v, 0).dtype == np.float
    assert v.itemsize == WIDTHS[width] and (0.1 * v).tolist() != [0.1 * 3.0, 0.1 * -1.5] or width == "float64"


def test_float32_rounds_in_the_order_of_ulab():
    np = make("float32").numpy
    big = np.array([2.0**24, 1.0, 1.0])
    assert np.dot(big, np.ones(3)) == 2.0**24  # one sum, from the left
    assert np.sum(big) != np.dot(big, np.ones(3))  # a running mean times the count
