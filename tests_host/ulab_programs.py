"""Random programs for ulab, and what came of them as text: real ulab and its double must say the same."""

import math
import random
import struct

# Runs under MicroPython, CircuitPython and CPython. Every program starts from the same arrays and leaves its result in r.
HARNESS = """
from array import array

ARRAYS = ("f", "m", "n", "g", "one", "row", "col", "x", "b", "c", "mb", "u8", "i8", "u16", "i16")

def fresh(np):
    f = np.array([1.5, -2.25, 0.0, 4.0, 1e-3, 7.0])
    m = np.array([[1.0, -2.5, 3.25], [0.5, 1e6, -0.125]])
    n = np.array([[2.0, 0.25], [-1.0, 3.0], [0.5, 0.75]])
    inf = 1e30 * 1e30 * 1e30 * 1e30 * 1e30 * 1e30 * 1e30 * 1e30 * 1e30 * 1e30 * 1e30
    return {
        "np": np, "array": array, "f": f, "m": m, "n": n,
        "g": np.array([3.0, -1.0, 0.75]), "one": np.array([2.5]), "row": np.array([[1.0, 2.0, -3.0]]),
        "col": np.array([[0.5], [-4.0]]), "x": np.array([1.0, inf - inf, inf, -inf, 2.0, 0.0]),
        "b": f > 0.5, "c": np.array([1, 0, 2], dtype=np.bool), "mb": m > 0.0,
        "u8": np.array([1, 200, 7], dtype=np.uint8), "i8": np.array([-3, 100, 7], dtype=np.int8),
        "u16": np.array([1, 60000, 9], dtype=np.uint16), "i16": np.array([-300, 5, 9], dtype=np.int16),
        "memoryview": memoryview, "w": array("f", [1.0, -2.0, 0.5, 8.0]), "bytes8": bytes(range(8)), "r": None,
    }

def words(code, values):
    return code + ":" + "".join(["%02x" % byte for byte in bytes(array(code, values))])

def say(value, np):
    if isinstance(value, np.ndarray):
        numbers = value.tolist()
        if len(value.shape) == 2:
            numbers = [number for row in numbers for number in row]
        if numbers and isinstance(numbers[0], bool):
            return "ndarray %s bool %s" % (value.shape, numbers)
        return "ndarray %s %s" % (value.shape, words(chr(value.dtype), numbers))
    if isinstance(value, float):
        return "float " + words(chr(np.float), [value])
    if isinstance(value, array):
        return "array " + words("f", value)
    if isinstance(value, (tuple, list)):
        return type(value).__name__ + " " + " | ".join([say(part, np) for part in value])
    return "%s %r" % (type(value).__name__, value)

def outcome(program, np):
    names = fresh(np)
    try:
        exec(program, names)
        untouched = fresh(np)
        parts = [say(names["r"], np), words("f", names["w"])]
        for name in ARRAYS:
            if say(names[name], np) != say(untouched[name], np):
                parts.append(name + " = " + say(names[name], np))
        return " ; ".join(parts)
    except Exception as error:
        return type(error).__name__
"""
ON_TARGET = (
    HARNESS
    + """
from ulab import numpy as np
with open("programs.txt") as file:
    for line in file:
        print(outcome(line.rstrip(), np))
"""
)
ROUGH = "arctan2 exp expm1 log log10 log2 sin cos tan sinh cosh tanh sinc acos asin atan acosh asinh atanh degrees radians".split()
EXACT = "sqrt floor ceil".split()

ARRAYS = "f m n g one row col x b c mb u8 i8 u16 i16".split()
VIEWS = [
    *("f[1:4]", "f[::2]", "f[::-1]", "f[-2:]", "m[0]", "m[:, 1]", "m[1:, :2]", "m.T", "n.T", "m[:, ::2]", "m[::-1]"),
    *(
        "f.reshape((2, 3))",
        "m.reshape((3, 2))",
        "m.reshape((6,))",
        "m.T.reshape((6, 1))",
        "f.reshape((3, -1))",
        "b[1:]",
    ),
    *(
        "f[b]",
        "m.flatten()",
        "m.copy()",
        "row.T",
        "u8[1:]",
        "i16[::2]",
        "np.frombuffer(w)",
        "np.ones((2, 3))",
        "i16[:2]",
    ),
    *("np.zeros(3)", "np.full((2, 3), 1.5)", "np.array(m)", "np.array(u8)", "np.array([[1, 2, 3], [4, 5, 6]])"),
]
SCALARS = "0 1 2 -1 3 127 -128 200 -200 300 40000 2.5 -0.5 1e-3 True False".split()
OPERATORS = "+ - * / **".split()
COMPARISONS = "== != < <= > >=".split()


def program(r):
    """One line of Python that leaves something in r; most are legal, some are not."""

    def array():
        return r.choice(ARRAYS if r.random() < 0.6 else VIEWS)

    def value():
        return array() if r.random() < 0.7 else r.choice(SCALARS + ["[1, 2, 3]", "(1.5, -2.0)"])

    axis = r.choice(["", "", ", axis=0", ", axis=1", ", axis=-1", ", axis=None"])
    target = r.choice(["f", "m", "g", "i16", "u8", "f[1:4]", "f[::2]", "m[0]", "m[:, 1]", "m[1:, :2]", "m.T", "w2"])
    place = r.choice(
        ["0", "-1", "5", "1:3", "::2", "::-1", ":", "0, 1", "1, 0:2", ":, 1", ":, 0:1", "2:", "7", "0, 0, 0", "b"]
    )
    step = r.choice([""] * 9 + [f"m[{place}] *= 2.0; ", "f[1:3] += 0.5; ", "g -= f[:3]; "])
    forms = [
        lambda: f"r = {array()} {r.choice(OPERATORS)} {value()}",
        lambda: f"r = {value()} {r.choice(OPERATORS)} {array()}",
        lambda: f"r = {array()} {r.choice(COMPARISONS)} {value()}",
        lambda: f"r = {target}; r {r.choice(OPERATORS)}= {value()}",
        lambda: f"w2 = np.frombuffer(w); w2 {r.choice(OPERATORS)}= {r.choice(SCALARS)}; r = w2[0]",
        lambda: f"r = np.{r.choice(ROUGH[1:] + EXACT)}({value()})",
        lambda: f"r = np.{r.choice(ROUGH[1:] + EXACT)}({array()}, out={array()})",
        lambda: f"r = f[:3]; np.{r.choice(EXACT)}({r.choice(['g', 'f[:3]', 'u8', 'm[0]'])}, out=r)",
        lambda: f"r = np.{r.choice(['sum', 'mean', 'std', 'min', 'max', 'argmin', 'argmax'])}({value()}{axis})",
        lambda: f"r = np.dot({array()}, {array()})",
        lambda: f"r = np.{r.choice(['maximum', 'minimum', 'equal', 'not_equal'])}({value()}, {value()})",
        lambda: f"r = np.clip({value()}, {r.choice(SCALARS)}, {value()})",
        lambda: f"r = np.where({value()}, {value()}, {value()})",
        lambda: f"r = np.{r.choice(['isfinite', 'isinf'])}({value()})",
        lambda: f"r = np.nonzero({array()})",
        lambda: f"r = np.concatenate(({array()}, {array()}){axis})",
        lambda: (
            f"r = np.array({value()}{r.choice(['', ', dtype=np.float', ', dtype=np.int16', ', dtype=np.uint8', ', dtype=np.bool'])})"
        ),
        lambda: f"r = {array()}[{place}]",
        lambda: f"{r.choice(ARRAYS)}[{place}] = {value()}",
        lambda: f"r = {array()}[{place}]; r += 1; f[0] = 9",
        lambda: f"r = {r.choice(['-', '+', 'abs', '~', 'len', 'list', 'bool'])}({array()})",
        lambda: f"v = {array()}; r = (v.shape, v.size, v.itemsize, v.dtype)",
        lambda: f"r = {array()}.{r.choice(['T', 'transpose()', 'tolist()', 'flatten()', 'copy()', 'outer()'])}",
        lambda: (
            f"r = {array()}.reshape({r.choice(['6', '(6,)', '(2, 3)', '(3, 2)', '(1, -1)', '(-1, 1)', '(2, 2)', '(1, 2, 3)'])})"
        ),
        lambda: (
            f"r = np.frombuffer({r.choice(['w', 'bytes8'])}{r.choice(['', ', dtype=np.uint8', ', dtype=np.int16', ', offset=4', ', count=1', ', count=9', ', offset=3'])})"
        ),
        lambda: (
            f"r = np.{r.choice(['zeros', 'ones', 'empty'])}({r.choice(['2', '(2,)', '(2, 3)', '[2, 2]', '(1, 2, 3)', '2.0'])}{r.choice(['', ', dtype=np.uint8', ', dtype=np.bool'])})"
        ),
        lambda: f"r = np.full({r.choice(['2', '(2, 1)'])}, {r.choice(SCALARS)}{r.choice(['', ', dtype=np.int16'])})",
        lambda: (
            f"r = np.arange({r.choice(['5.0', '1.0, 4.0', '0.0, 1.0, 0.25', '3, 0, -1', '3'])}{r.choice(['', ', dtype=np.uint8', ', dtype=np.float'])})"
        ),
        lambda: f"r = np.arctan2({value()}, {value()})",
        lambda: f"r = {r.choice(['max', 'min', 'tuple', 'list', 'bytes', 'all', 'any'])}({array()})",
        lambda: f"r = array('f', {array()})",
        lambda: f"r = list(memoryview({array()}))",
        lambda: (
            f"memoryview(w)[1:3] = memoryview({r.choice(['f[1:3]', 'm[0, :2]', 'm[:, 1]', 'np.zeros(2)', 'b[:2]', 'f[:3]', 'f[::2]'])})"
        ),
        lambda: f"r = {r.choice(SCALARS)} in {array()}",
        lambda: f"r = [np.sum(v * v) for v in {r.choice(['m', 'n', 'm.T'])}]",
        lambda: f"a, b = {r.choice(['m', 'n', 'col', 'f[:2]', 'g'])}; r = a",
        lambda: (
            f"r = {r.choice(['np.outer(f, g)', 'g @ g', 'np.matmul(m, n)', 'f % 2', 'np.sum(f, out=g)', 'np.dot(m, n, out=g)', 'np.exp(f, g)', 'f.outer(g)', 'np.sum(array=f)', 'np.zeros(shape=2)', 'f.sum()', 'f.mean()', 'np.stack((f, f))', 'np.abs(f)', 'np.float32', 'f.astype(np.float)', 'f[0, 0]', 'np.array([[[1]]])', 'np.einsum', 'np.power(f, 2)', 'del f[0]'])}"
        ),
    ]
    return step + r.choice(forms)()


def programs(count, seed):
    r = random.Random(seed)
    return sorted({program(r) for _ in range(count)})


def agree(line, one, other):
    """Whether two outcomes are the same: to the bit, or to a few units in the last place where a program is ROUGH; any NaN is a NaN."""
    pieces, others = one.split(), other.split()
    return len(pieces) == len(others) and all(map(lambda a, b: _same(line, a, b), pieces, others))


def _same(line, a, b):
    if a == b:
        return True
    code, _, words = a.partition(":")
    if code not in ("f", "d") or b[:2] != a[:2] or len(a) != len(b):
        return False
    wanted, got = (
        struct.unpack(f"<{len(words) // (8 if code == 'f' else 16)}{code}", bytes.fromhex(text[2:])) for text in (a, b)
    )
    rough = "**" in line or any(f"np.{name}(" in line for name in ROUGH)
    tolerance = (1e-6 if code == "f" else 1e-14) if rough else 0.0
    return all(
        x == y or (math.isnan(x) and math.isnan(y)) or (rough and math.isclose(x, y, rel_tol=tolerance))
        for x, y in zip(wanted, got, strict=True)
    )


if __name__ == "__main__":
    import subprocess
    import sys
    from pathlib import Path

    from ulab_double import WIDTHS, make, memoryview

    # Writes ulab_outcomes/: what an interpreter with ulab makes of some programs.
    interpreter = Path(sys.argv[1]).resolve()
    folder = Path(__file__).resolve().parent / "ulab_outcomes"
    size = subprocess.check_output([interpreter, "-c", "from ulab import numpy as np; print(np.zeros(1).itemsize)"])
    width = {size: width for width, size in WIDTHS.items()}[int(size)]
    names = {"memoryview": memoryview}
    exec(HARNESS, names)
    lines = [line for line in programs(500, width) if names["outcome"](line, make(width).numpy) != "Undefined"]
    (folder / "programs.txt").write_text("".join(line + "\n" for line in lines))
    found = subprocess.check_output([interpreter, "-c", ON_TARGET], cwd=folder, text=True).splitlines()
    (folder / "programs.txt").unlink()
    (folder / f"{width}.txt").write_text(
        "".join(f"{line}\n{outcome}\n" for line, outcome in zip(lines, found, strict=True))
    )
