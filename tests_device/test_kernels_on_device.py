"""The kernels on a target against the same kernels on the desktop: the same bits, the same words about bad input."""

import functools
import importlib.util
import json
import os
import subprocess
import sys
from array import array
from pathlib import Path

import kernels as table
import pytest
import targets

SCRIPT = (Path(__file__).parent / "device_kernels.py").read_text()


# Without a C compiler there are no C kernels on the desktop either.
DESKTOP = "_picorl" if importlib.util.find_spec("_picorl") else "picorl_numpy"


def program(mode, backend=None, variant=None):
    return f"BACKEND = {backend!r}; VARIANT = {variant!r}; MODE = {mode!r}\n" + SCRIPT


@functools.cache
def numbers(target):
    """Run once for several tests: it takes a slow target half a minute."""
    return target.run(program("numbers"))


def on_desktop(mode, backend, variant=None):
    paths = os.pathsep.join(str(targets.ROOT / folder) for folder in ("device", "host"))
    done = subprocess.run(
        [sys.executable, "-c", program(mode, backend, variant)],
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return parse(done.stdout)


def parse(output):
    """({(kind, kernel, …): …}, the backend's line) of what device_kernels.py printed."""
    lines = output.splitlines()
    assert lines[-1] == "done"
    return lines[0].split()[1:], lines[1:-1]


def same_class(fused):
    """A desktop variant with, or without, fused multiply-add."""
    code = "import _picorl\nfor n in _picorl.variants():\n    _picorl.select(n); print(n, _picorl.fused())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    for line in done.stdout.splitlines():
        name, is_fused = line.split()
        if is_fused == fused:
            return name
    pytest.fail(f"no desktop kernels with fused={fused}: {done.stderr}")


def test_target_has_the_backend_it_should(target):
    (name, _, _, abi), _ = parse(numbers(target))
    assert name == target.backend
    assert int(abi) == table.ABI


def test_script_runs_every_kernel(target):
    _, lines = parse(numbers(target))
    ran = {line.split()[1] for line in lines if line.startswith("result")}
    assert ran == {kernel.name for kernel in table.KERNELS}


def test_native_kernels_give_the_desktops_bits(native):
    (_, _, fused, _), lines = parse(numbers(native))
    assert lines == on_desktop("numbers", "_picorl", same_class(fused))[1]


@pytest.mark.size("medium")
@pytest.mark.parametrize("backend", ["ulab", "python"])
def test_kernels_in_python_agree_with_the_desktop(target, backend):
    if backend == "ulab" != target.backend:
        pytest.skip("no ulab on this target")
    _, lines = parse(target.run(program("numbers", backend)))
    _, wanted = on_desktop("numbers", DESKTOP)
    assert len(lines) == len(wanted)
    for got, right in zip(lines, wanted, strict=True):
        kind, name, *rest = got.split()
        if name == "telemetry_line" and kind == "buffer" and rest[0] == "0":
            # Where Python's floats have 32 bits, so has the text that it makes of them.
            got, right = (json.loads(bytes.fromhex(line.split()[-1])) for line in (got, right))
            assert [got[key] for key in "abc"] == pytest.approx([right[key] for key in "abc"], rel=1e-6)
            continue
        if kind == "result" or rest[1] != "f":
            assert got == right
            continue
        xs, ys = (array("f", bytes.fromhex(line.split()[-1])) for line in (got, right))
        scale = max(1e-3, *map(abs, ys))
        for x, y in zip(xs, ys, strict=True):
            assert x == pytest.approx(y, rel=3e-5, abs=3e-6 * scale), got


@pytest.mark.size("medium")
@pytest.mark.parametrize("backend", ["_picorl", "ulab", "python"])
def test_bad_arguments_are_refused_in_the_desktops_words(target, backend):
    if backend not in (target.backend, "python"):
        pytest.skip("no such kernels on this target")
    _, lines = parse(target.run(program("errors", backend)))
    _, wanted = on_desktop("errors", "python" if backend == "ulab" else backend)
    assert [line for line in lines if line.startswith("untouched") and not line.endswith("True")] == []
    assert lines == wanted
    sayings = [line.split(maxsplit=3) for line in lines if line.startswith("error")]
    assert [words for words in sayings if not words[3].startswith(words[1] + ": ")] == []


def test_native_kernels_allocate_nothing(native):
    _, lines = parse(native.run(program("heap")))
    assert {line.split()[1] for line in lines} == {kernel.name for kernel in table.KERNELS}


def test_failing_program_raises_with_what_it_said(target):
    with pytest.raises(targets.TargetError, match="(?s)said before.*ZeroDivisionError"):
        target.run("print('said before')\n1 / 0")


def test_files_lie_beside_the_program(target):
    assert target.run("print(open('numbers.txt').read())", files=[("numbers.txt", b"1 2 3")]).strip() == "1 2 3"
    assert target.fetch("numbers.txt") == b"1 2 3"


def test_info_says_why_these_kernels(target):
    name, why = target.run(
        "import picorl\nprint(picorl.kernels.name)\nprint(picorl.kernels.info()['why'])"
    ).splitlines()
    if name == "_picorl":
        assert why == "the first choice"
    else:
        missing = ["_picorl"] if name == "ulab" else ["_picorl", "ulab"]
        assert why.lower() == "; ".join(f"no {one} (no module named '{one}')" for one in missing)
