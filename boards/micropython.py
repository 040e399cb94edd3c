"""Bring MicroPython's source into build/, and build mpy-cross and the unix port with picorl inside.

    python3 boards/micropython.py              # everything below
    python3 boards/micropython.py source       # build/micropython-src
    python3 boards/micropython.py mpy-cross    # build/mpy-cross/mpy-cross
    python3 boards/micropython.py unix         # build/unix/micropython

The source is the folder that MICROPY_DIR names, otherwise Debian's package. What is up to date is left alone.
Standard library only: this runs before there is a virtual environment.
"""

import argparse
import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import debian
from debian import Missing

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
SOURCE = BUILD / "micropython-src"
MPY_CROSS = BUILD / "mpy-cross/mpy-cross"
UNIX = BUILD / "unix"

SUITE = "trixie"
VERSION = "1.25."

# Bytes outside of the collector's heap for agents' buffers, as boards/UNIX/board.toml has it (a Python without tomllib runs this).
UNIX_ARENA = 1_048_576

# Debian strips the submodules, so nothing that needs one may be switched on.
WITHOUT_SUBMODULES = {"MICROPY_PY_SSL": 0, "MICROPY_SSL_MBEDTLS": 0, "MICROPY_PY_BTREE": 0, "MICROPY_PY_FFI": 0}


@contextlib.contextmanager
def step(what):
    """Say what is being done, and how long it took."""
    print(f"{what} ... ", end="", flush=True)
    start = time.monotonic()
    try:
        yield
    except BaseException:
        print("failed", flush=True)
        raise
    print(f"{time.monotonic() - start:.1f} s", flush=True)


def logged(name):
    """A function that runs a command in a folder, its output going to build/logs/NAME.log."""
    log = BUILD / f"logs/{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("")
    # A make above us must not pass its own variables and job slots down.
    environment = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    if not (SOURCE / ".git").exists() and (SOURCE / "py/mpconfig.h").exists():
        # Otherwise MicroPython would take picorl's own git tag for its version.
        environment["MICROPY_GIT_TAG"] = "v" + version(SOURCE)

    def run(command, folder=ROOT):
        command = [str(word) for word in command]
        with log.open("a") as out:
            print("$", " ".join(command), file=out, flush=True)
            try:
                status = subprocess.run(
                    command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out
                ).returncode
            except FileNotFoundError:
                raise Missing(f"there is no command {command[0]} on this machine") from None
        if status:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
            raise Missing(f"{command[0]} failed:\n{tail}\nwhole log: {log.relative_to(ROOT)}")

    return run


def make(name, folder, **variables):
    words = [f"{key}={value}" for key, value in variables.items()]
    logged(name)(["make", f"-j{os.cpu_count()}", "-C", folder, f"PYTHON={sys.executable}", *words])


def version(tree):
    parts = {}
    for line in (tree / "py/mpconfig.h").read_text().splitlines():
        if line.startswith("#define MICROPY_VERSION_M"):
            _, name, value = line.split()[:3]
            parts[name.rpartition("_")[2]] = value
    return "{MAJOR}.{MINOR}.{MICRO}".format(**parts)


def digest(*paths):
    """A hash of the content of files, and of all files in folders, less what builds leave there."""
    total = hashlib.sha256()
    for path in paths:
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            ours = not {"generated", "cpython", "natmod", "__pycache__"} & set(file.relative_to(path).parts)
            if ours and file.is_file() and file.suffix not in (".so", ".pyc", ".o"):
                total.update(f"{file.relative_to(ROOT)}\0{file.stat().st_size}\0".encode())
                total.update(file.read_bytes())
    return total.hexdigest()


def up_to_date(product, *state):
    """Whether `product` was built from `state`; `done()` is for afterwards."""
    stamp = product.parent / f".{product.name}.stamp"
    text = "\n".join(map(str, state)) + "\n"

    def done():
        stamp.write_text(text)

    return product.exists() and stamp.exists() and stamp.read_text() == text, done


def source():
    """The source tree, at build/micropython-src in any case."""
    wanted = os.environ.get("MICROPY_DIR")
    if wanted:
        tree = Path(wanted).expanduser().resolve()
        if not (tree / "py/mpconfig.h").exists():
            raise Missing(f"MICROPY_DIR={wanted} is not a MicroPython source tree (it has no py/mpconfig.h)")
        if SOURCE.resolve() != tree:
            remove(SOURCE)
            SOURCE.symlink_to(tree)
            print(f"MicroPython {version(tree)} source: {tree}")
    elif SOURCE.is_symlink() or not (SOURCE / "py/mpconfig.h").exists():
        remove(SOURCE)
        debian_source()
    return SOURCE


def debian_source():
    if not debian.is_debian():
        raise Missing(
            "this machine is not Debian, so there is no package to take MicroPython's source from.\n"
            "Get a checkout of MicroPython (1.24 or newer) and point to it: make MICROPY_DIR=/path/to/micropython ..."
        )
    with step(f"MicroPython source from Debian {SUITE}"), download("micropython") as (folder, run):
        tree = unpack(debian.fetch(SUITE, folder, run, sources=["micropython"])["micropython"], folder / "unpacked")
        if not version(tree).startswith(VERSION):
            raise Missing(f"Debian {SUITE} has MicroPython {version(tree)}, picorl knows {VERSION}x; set MICROPY_DIR")
        tree.rename(SOURCE)


@contextlib.contextmanager
def download(name):
    """A folder for what comes from Debian, gone afterwards, and a function that runs commands."""
    folder = BUILD / f"{name}-download"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    yield folder, logged(f"{name}-source")
    shutil.rmtree(folder)


def unpack(tarball, folder):
    """Unpack the archive of a source package into `folder`; the one folder that it holds."""
    with tarfile.open(tarball) as archive:
        # Pythons from 3.12 on (and patched older ones) ask how much the archive is trusted.
        archive.extractall(folder, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    (tree,) = folder.iterdir()
    return tree


def remove(path):
    if path.is_symlink():
        path.unlink()
    else:
        shutil.rmtree(path, ignore_errors=True)


def mpy_cross(tree):
    fresh, done = up_to_date(MPY_CROSS, tree.resolve(), version(tree))
    if not fresh:
        with step("mpy-cross"):
            remove(MPY_CROSS.parent)
            # A newer gcc warns of more than MicroPython's authors saw, and -Werror is theirs.
            make("mpy-cross", tree / "mpy-cross", BUILD=MPY_CROSS.parent, CFLAGS_EXTRA="-Wno-error", USER_C_MODULES="")
        done()
    return MPY_CROSS


def unix(tree, cross):
    """The unix port with `_picorl` as a user module and picorl frozen in."""
    program = UNIX / "micropython"
    recipe = digest(ROOT / "native_modules/micropython.mk", ROOT / "boards/micropython.py", ROOT / "boards/UNIX")
    content = digest(ROOT / "native_modules", ROOT / "device/picorl", ROOT / "device/manifest.py")
    built_as, remember = up_to_date(UNIX / "recipe", tree.resolve(), version(tree), recipe)
    fresh, done = up_to_date(program, recipe, content)
    if not (built_as and fresh):
        if not built_as:
            remove(UNIX)  # make does not see a change of flags
        with step("MicroPython unix port with picorl"):
            port_make(
                "unix", tree, cross, UNIX, "boards/UNIX/manifest.py", PICORL_ARENA=UNIX_ARENA, **WITHOUT_SUBMODULES
            )
        (UNIX / "recipe").touch()
        remember()
        done()
    return program


def port_make(port, tree, cross, build, manifest, **variables):
    """Run make in a port, with our user module and frozen modules; nothing is written outside `build`."""
    defaults = {
        "BUILD": build,
        "FROZEN_MANIFEST": ROOT / manifest,
        "USER_C_MODULES": ROOT,
        "MICROPY_MPYCROSS": cross,
        "MICROPY_MPYCROSS_DEPENDENCY": cross,
        "MPY_LIB_DIR": tree,  # nothing of it is used, but make insists on a README.md in it
        "CFLAGS_EXTRA": "-Wno-error",
    }
    make(build.name, tree / "ports" / port, **{**defaults, **variables})


def main():
    parser = argparse.ArgumentParser(description="Bring and build MicroPython, into build/.")
    parser.add_argument("target", nargs="?", default="unix", choices=["source", "mpy-cross", "unix"])
    target = parser.parse_args().target
    BUILD.mkdir(exist_ok=True)
    try:
        with (BUILD / ".micropython.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # two builds at once would spoil each other
            tree = source()
            if target != "source":
                debian.install(["build-essential"], BUILD / "logs/apt-install.log")
                cross = mpy_cross(tree)
            if target == "unix":
                unix(tree, cross)
    except Missing as missing:
        sys.exit(f"picorl: {missing}")


if __name__ == "__main__":
    main()
