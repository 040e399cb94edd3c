"""What `make dist` puts together, here for the desktop's kind of CPU: complete, told right, and a stock MicroPython runs it."""

import hashlib
import json
import os
import subprocess
from pathlib import Path

import build_scripts
import pytest

import picorl
from picorl_host import boards, mpy

ROOT = Path(__file__).parent.parent
NATIVE = ROOT / "build/natmod/x64_6.3/_picorl.mpy"
CROSS = ROOT / "build/mpy-cross/mpy-cross"


@pytest.fixture(scope="module")
def dist():
    with build_scripts.imported("dist") as module:
        yield module


@pytest.fixture(scope="module")
def firmware():
    """Boards whose firmware lies in build/: `make test` builds it."""
    return [board for board in map(boards.load, ("QEMU_CORTEX_M7", "RPI_PICO")) if board.firmware().exists()]


@pytest.fixture(scope="module")
def out(dist, firmware, tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist") / "dist"
    dist.assemble(folder, {"x64": NATIVE}, firmware, CROSS, {})
    return folder


def files(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_package_json_lists_all_that_goes_onto_a_board(out):
    package = json.loads((out / "x64/package.json").read_text())
    assert package["version"] == picorl.__version__ and package["deps"] == []
    modules = {f"{name.removesuffix('.py')}.mpy" for name in files(ROOT / "device") if name.startswith("picorl/")}
    listed = [url for _, url in package["urls"]]
    assert sorted(listed) == sorted(name for name in modules | {"_picorl.mpy"} if "__pycache__" not in name)
    assert all(target == url for target, url in package["urls"])
    assert set(listed) == {name for name in files(out / "x64") if name.endswith(".mpy")}


def test_the_examples_are_there(out):
    examples = {path.name for path in (ROOT / "device/examples").glob("*.py")}
    assert examples and {name for name in files(out / "x64") if name.startswith("examples/")} == {
        f"examples/{name}" for name in examples
    }


def test_headers_name_version_and_cpu(out):
    for path in (out / "x64").rglob("*.mpy"):
        native = path.name == "_picorl.mpy"
        # Plain bytecode has no sub-version: that is of the native code's interface.
        assert mpy.read(path.read_bytes()) == (mpy.Mpy((6, 3), "x64") if native else mpy.Mpy((6, 0), None)), path


def test_a_native_module_for_another_cpu_is_refused(dist, tmp_path):
    with pytest.raises(dist.Missing, match="is for x64 .*, must be for armv6m"):
        dist.package(tmp_path, "armv6m", NATIVE, CROSS)


def test_checksums_cover_every_file(out):
    sums = dict(line.split("  ")[::-1] for line in (out / "SHA256SUMS").read_text().splitlines())
    assert set(sums) == files(out) - {"SHA256SUMS"}
    for name, digest in sums.items():
        assert hashlib.sha256((out / name).read_bytes()).hexdigest() == digest, name


def test_readme_tells_of_every_file_with_its_size(out, firmware):
    text = (out / "README.txt").read_text()
    size = sum((out / "x64" / name).stat().st_size for name in files(out / "x64"))
    assert f"x64/  ({size:,} bytes)" in text and "mpremote mip install x64/package.json" in text
    assert "circup/  (" in text and f"picorl-py-{picorl.__version__}.zip" in text and "circup bundle-add" in text
    assert "(2) UNIX" in text  # the number that sys.implementation._mpy holds
    for board in firmware:
        name = f"picorl-{picorl.__version__}-{board.name}{board.firmware().suffix}"
        assert f"{name}  ({(out / name).stat().st_size:,} bytes)" in text
        assert (out / name).read_bytes() == board.firmware().read_bytes()
    assert {path.name for path in out.iterdir() if path.suffix in (".uf2", ".elf")} == {
        f"picorl-{picorl.__version__}-{board.name}{board.firmware().suffix}" for board in firmware
    }
    assert max(map(len, text.splitlines())) <= 200


def test_no_folder_of_this_machine_is_in_it(out):
    for name in files(out):
        assert str(ROOT).encode() not in (out / name).read_bytes(), name


def test_a_stock_micropython_runs_what_the_folder_holds(out, tmp_path):
    program = "import picorl\nassert picorl.__file__.endswith('.mpy')\nassert picorl.selftest()\n"
    done = subprocess.run(
        [ROOT / "build/stock/micropython", "-c", program],
        cwd=tmp_path,
        env={**os.environ, "MICROPYPATH": str(out / "x64")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "kernels _picorl" in done.stdout and "passed" in done.stdout
