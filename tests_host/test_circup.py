"""circup itself, offline, installs picorl from the bundle that `make dist` makes, onto a folder that acts as the drive CIRCUITPY.

Where PICORL_CIRCUITPYTHON and PICORL_CIRCUITPYTHON_MPY_CROSS name them, CircuitPython imports from there what its own mpy-cross made.
"""

import hashlib
import importlib
import importlib.util
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import build_scripts
import pytest

import picorl
from picorl_host import deploy, mpy
from picorl_host.deploy import cross

ROOT = Path(__file__).parent.parent
MICROPYTHON = ROOT / "build/stock/micropython"
VERSION = picorl.__version__
OWNER = "someone/picorl"
GIVEN = os.environ.get("PICORL_CIRCUITPYTHON")

# What circup does with a release that it has downloaded, by its own names: unpack the zip, note the tag.
UNPACK = """
import json, os, sys, zipfile
from circup.bundle import Bundle
from circup.shared import BUNDLE_CONFIG_LOCAL, BUNDLE_CONFIG_OVERWRITE, BUNDLE_DATA, PLATFORMS
owner, tag, folder = sys.argv[1:]
bundle = Bundle(owner)
for platform, name in PLATFORMS.items():
    file = os.path.join(folder, bundle.urlzip.format(platform=name, tag=tag))
    if os.path.exists(file):
        zipfile.ZipFile(file).extractall(bundle.dir.format(platform=platform))
        print(platform)
for path, content in (BUNDLE_CONFIG_LOCAL, {owner: owner}), (BUNDLE_CONFIG_OVERWRITE, {}), (BUNDLE_DATA, {owner: [tag]}):
    with open(path, "w") as file:
        json.dump(content, file)
"""


@pytest.fixture(scope="module")
def bundle():
    with build_scripts.imported("bundle") as module:
        yield module


@pytest.fixture
def drive(tmp_path):
    folder = tmp_path / "CIRCUITPY"
    (folder / "lib").mkdir(parents=True)
    return folder


class Circup:
    """circup with a home of its own, and a drive of a board with CircuitPython `version`."""

    def __init__(self, home, drive, version):
        self.environment = {**os.environ, "XDG_DATA_HOME": str(home / "data"), "XDG_CACHE_HOME": str(home / "cache")}
        self.home, self.drive = home, drive
        (drive / "boot_out.txt").write_text(
            f"Adafruit CircuitPython {version} on 2024-11-20; Raspberry Pi Pico with rp2040\nBoard ID:raspberry_pi_pico\n"
        )

    def unpack(self, folder):
        return self._python(UNPACK, OWNER, VERSION, folder).split()

    def __call__(self, *arguments):
        return self._python("from circup import main; main()", "--offline", "--path", self.drive, *arguments)

    def _python(self, program, *arguments):
        done = subprocess.run(
            [sys.executable, "-c", program, *map(str, arguments)],
            cwd=self.home,
            env=self.environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def circup(tmp_path, drive):
    if importlib.util.find_spec("circup") is None:
        pytest.skip("no circup: pip install circup")
    return lambda version: Circup(tmp_path, drive, version)


def files(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def selftest(interpreter, drive):
    """The interpreter imports picorl from the drive, and it computes what it should."""
    program = "import picorl\nassert picorl.selftest()\nprint(picorl.__file__)\n"
    done = subprocess.run(
        [interpreter, "-X", "heapsize=16m", "-c", program],
        cwd=drive,
        env={**os.environ, "MICROPYPATH": str(drive / "lib")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()[-1]


def pretended_cross(tmp_path):
    """MicroPython's mpy-cross, with files of CircuitPython's kind."""
    theirs = cross.micropython() or pytest.fail("no mpy-cross: make micropython")
    path = tmp_path / "cross"
    path.write_text(
        f'#!/bin/sh\n{theirs} "$@" || exit\nwhile [ "$1" != -o ]; do shift; done\n'
        'printf C | dd of="$2" conv=notrunc status=none\n'
    )
    path.chmod(0o755)
    return str(path)


def test_sources_from_the_bundle(bundle, circup, drive, tmp_path):
    bundle.bundle(tmp_path / "dist", {})
    run = circup("9.2.1")
    assert run.unpack(tmp_path / "dist") == ["py"]
    assert "picorl\n" in run("show", "picorl")
    assert "Installed 'picorl'" in run("install", "picorl")
    assert files(drive / "lib") == set(mpy.modules(ROOT / "device/picorl"))
    assert f"picorl=={VERSION}\n" in run("freeze") and "up to date" in run("list")
    assert selftest(MICROPYTHON, drive).endswith("lib/picorl/__init__.py")
    run("example", "picorl/train_pendulum")
    assert (drive / "train_pendulum.py").read_bytes() == (ROOT / "device/examples/train_pendulum.py").read_bytes()


def test_what_picorl_deploy_wrote_is_recognised(bundle, circup, drive, tmp_path):
    bundle.bundle(tmp_path / "dist", {})
    run = circup("9.2.1")
    run.unpack(tmp_path / "dist")
    deploy.deploy(drive=drive)
    assert f"picorl=={VERSION}\n" in run("freeze") and "up to date" in run("list")


def test_an_older_copy_on_the_drive_is_recognised_and_updated(bundle, circup, drive, tmp_path):
    bundle.bundle(tmp_path / "dist", {})
    run = circup("9.2.1")
    run.unpack(tmp_path / "dist")
    run("install", "picorl")
    init = drive / "lib/picorl/__init__.py"
    newest = init.read_text()
    init.write_text(newest.replace(VERSION, "0.0.1"))
    assert ["picorl", "0.0.1", VERSION] in [line.split()[:3] for line in run("list").splitlines()]
    run("update", "--all")
    assert init.read_text() == newest


@pytest.mark.parametrize("major", [9, 10])
def test_compiled_files_for_the_version_of_the_board(bundle, circup, drive, tmp_path, major):
    bundle.bundle(tmp_path / "dist", {major: pretended_cross(tmp_path)})
    run = circup(f"{major}.0.3")
    assert run.unpack(tmp_path / "dist") == ["py", f"{major}mpy"]
    run("install", "picorl")
    assert files(drive / "lib") == {f"{name.removesuffix('.py')}.mpy" for name in mpy.modules(ROOT / "device/picorl")}
    assert f"picorl=={VERSION}\n" in run("freeze") and "up to date" in run("list")


def test_a_given_circuitpython_imports_what_circup_installed(bundle, circup, drive, tmp_path):
    compilers = cross.circuitpython()
    if not (GIVEN and compilers):
        pytest.skip(f"no PICORL_CIRCUITPYTHON and {cross.VARIABLE}")
    interpreter = Path(GIVEN).expanduser()
    program = "import sys; print('.'.join(map(str, sys.implementation.version[:3])))"
    version = subprocess.run([interpreter, "-c", program], capture_output=True, text=True).stdout.strip()
    bundle.bundle(tmp_path / "dist", compilers)
    run = circup(version)
    run.unpack(tmp_path / "dist")
    for arguments, name in (("--py",), "__init__.py"), ((), "__init__.mpy"):
        run("install", "picorl", "--upgrade", *arguments)
        assert selftest(interpreter, drive) == f"{drive}/lib/picorl/{name}"


def test_the_bundle_is_the_same_whenever_it_is_built(bundle, tmp_path):
    for name in ("a", "b"):
        bundle.bundle(tmp_path / name, {9: pretended_cross(tmp_path)})
    digests = [
        {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (tmp_path / name).iterdir()}
        for name in "ab"
    ]
    assert digests[0] == digests[1] and len(digests[0]) == 3


def test_what_is_no_circuitpythons_compiler_is_refused(bundle, tmp_path):
    theirs = cross.micropython() or pytest.fail("no mpy-cross: make micropython")
    with pytest.raises(bundle.Missing, match="is MicroPython's kind of .mpy, must be CircuitPython's"):
        bundle.bundle(tmp_path / "dist", {9: theirs})


def test_the_index_tells_where_what_is(bundle, tmp_path):
    bundle.bundle(tmp_path / "dist", {})
    facts = json.loads((tmp_path / f"dist/picorl-{VERSION}.json").read_text())["picorl"]
    assert facts["version"] == VERSION and facts["package"] and not facts["dependencies"]
    with zipfile.ZipFile(tmp_path / f"dist/picorl-py-{VERSION}.zip") as archive:
        names = archive.namelist()
    top = f"picorl-py-{VERSION}"
    assert f"{top}/{facts['path']}/__init__.py" in names and f"{top}/requirements/picorl/requirements.txt" in names
    assert {f"{top}/examples/picorl/{name}.py" for name in ("train_pendulum", "code")} <= set(names)
    assert all(name.startswith(top + "/") for name in names)
