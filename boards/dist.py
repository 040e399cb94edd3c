"""Build what makers download, into build/dist/: firmware, and for other boards' firmware the library as .mpy files.

    build/venv/bin/python boards/dist.py

One folder a kind of CPU holds all that goes onto a board, with the package.json that `mpremote mip install` takes; circup/ is for
CircuitPython. README.txt says what each file is for. What lies in build/dist/ is replaced as a whole, and only when everything was built.
"""

import argparse
import fcntl
import hashlib
import json
import shutil
import sys
import textwrap

import bundle
import debian
import firmware
import micropython
import natmod
from debian import Missing
from micropython import BUILD, ROOT

import picorl
from picorl_host import boards, mpy
from picorl_host.deploy import cross as compilers
from picorl_host.runner import Problem

DIST = BUILD / "dist"
LIBRARY = ROOT / "device/picorl"
EXAMPLES = ROOT / "device/examples"
VERSION = picorl.__version__


def assemble(out, native, boards_built, cross, circuitpython):
    """Fill the folder `out`, which must not exist yet.

    native: {architecture: path of its _picorl.mpy}; boards_built: boards.Board whose firmware is there; cross: path of mpy-cross;
    circuitpython: {major version: path of CircuitPython's mpy-cross}.
    """
    out.mkdir(parents=True)
    for arch, module in native.items():
        package(out / arch, arch, module, cross)
    bundle.bundle(out / "circup", circuitpython)
    for board in boards_built:
        source = board.firmware()
        shutil.copyfile(source, out / firmware_name(board))
    shutil.copyfile(ROOT / "LICENSE", out / "LICENSE.txt")
    shutil.copyfile(micropython.SOURCE / "LICENSE", out / "LICENSE-MicroPython.txt")
    (out / "README.txt").write_text(readme(out, list(native), boards_built, sorted(circuitpython)))
    files = sorted(path for path in out.rglob("*") if path.is_file())
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(out).as_posix()}" for path in files]
    (out / "SHA256SUMS").write_text("\n".join(sums) + "\n")


def firmware_name(board):
    return f"picorl-{VERSION}-{board.name}{board.firmware().suffix}"


def package(folder, arch, module, cross):
    """All that boards of an architecture need, with a package.json for mip; the examples lie beside it."""
    content = {"_picorl.mpy": module.read_bytes(), **mpy.compiled(cross, mpy.modules(LIBRARY), arch)}
    found = mpy.read(content["_picorl.mpy"])
    if found != mpy.Mpy((6, 3), arch):
        raise Missing(f"{module} is for {found.architecture} {found.version}, must be for {arch}: remove it")
    for name, data in content.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    facts = {"version": VERSION, "urls": [[name, name] for name in sorted(content)], "deps": []}
    (folder / "package.json").write_text(json.dumps(facts, indent=2) + "\n")
    (folder / "examples").mkdir()
    for path in sorted(EXAMPLES.glob("*.py")):
        shutil.copyfile(path, folder / "examples" / path.name)


def readme(out, archs, boards_built, circuitpythons):
    """The text of README.txt, with the sizes of what lies in `out`."""
    real, emulated = (
        [b for b in boards_built if bool(b.get("firmware.flash")) is flashed] for flashed in (True, False)
    )
    parts = [
        f"picorl {VERSION}: deep reinforcement learning that trains on a microcontroller. Nothing here wants a compiler.",
        "`sha256sum -c SHA256SUMS` checks what was downloaded.",
    ]
    if real:
        parts.append("FIRMWARE with picorl inside, MicroPython otherwise:")
        parts += [listing(out / firmware_name(b), f"{b.data['mcu']}: {b.get('firmware.flash')}.") for b in real]
    parts.append(
        "FOLDERS, one a kind of CPU, for firmware that you have: MicroPython 1.23 or newer, as micropython.org has it."
        " Which one your board wants is the number that this prints, in brackets below:"
    )
    parts.append('    mpremote exec "import sys; print(sys.implementation._mpy >> 10 & 15)"')
    parts += [listing(out / arch, f"({mpy.ARCHITECTURES.index(arch)}) {used_by(arch)}") for arch in archs]
    parts.append("Onto the board, with mpremote 1.24 or newer, and a look whether it computes what it should:")
    parts.append(
        f'    mpremote mip install {archs[0]}/package.json\n    mpremote exec "import picorl; picorl.selftest()"'
    )
    parts.append("examples/ in each folder holds programs to begin with; `mpremote run` tries one.")
    if missing := sorted(set(natmod.COMPILERS) - set(archs)):
        parts.append(f"Not built, for want of a compiler: {', '.join(missing)}.")
    parts += for_circuitpython(out / "circup", circuitpythons)
    if emulated:
        parts.append(
            "FIRMWARE FOR AN EMULATOR, to try picorl without a board; it says which port mpremote is to connect to:"
        )
        parts += [f"{listing(out / firmware_name(b), b.data['mcu'])}\n        {emulation(b)}" for b in emulated]
    if boards_built:
        parts.append(
            "LICENCES: picorl's is in LICENSE.txt. Firmware holds MicroPython (LICENSE-MicroPython.txt) with the C library of its"
            " compiler (newlib or picolibc), that for Raspberry Pi's boards also the Pico SDK, Copyright (c) 2020 Raspberry Pi"
            " (Trading) Ltd. (BSD-3-Clause), TinyUSB (MIT) and Mbed TLS (Apache-2.0)."
        )
    return "\n\n".join(part if part.startswith("    ") else textwrap.fill(part, 100) for part in parts) + "\n"


def for_circuitpython(folder, majors):
    """Paragraphs about the bundle."""
    compiled = "".join(
        f" picorl-{major}.x-mpy-{VERSION}.zip holds compiled files, for CircuitPython {major} only: less flash, heap and time."
        for major in majors
    )
    return [
        "CIRCUITPYTHON 9 or newer: unpack a zip, then copy its lib/picorl into the folder lib of the drive CIRCUITPY.",
        listing(folder, f"picorl-py-{VERSION}.zip holds sources, for every CircuitPython.{compiled}"),
        f"Put onto a GitHub release of a repository called picorl, with the tag {VERSION}, the files are a bundle of circup's:",
        "    circup bundle-add OWNER/picorl\n    circup install picorl\n    circup example picorl/train_pendulum",
    ]


def listing(path, text):
    """One file, or one folder with all that is in it, as an indented paragraph."""
    size = sum(one.stat().st_size for one in [path, *path.rglob("*")] if one.is_file())
    name = path.name + "/" * path.is_dir()
    lines = textwrap.fill(text, 92, break_on_hyphens=False)
    return f"    {name}  ({size:,} bytes)\n" + textwrap.indent(lines, " " * 8)


def used_by(arch):
    """The boards that load native code of an architecture."""
    loaded = [b for b in map(boards.load, boards.names()) if b.data["mpy_arch"] == arch]
    return (
        "; ".join(f"{b.name} ({b.data['mcu']})" for b in loaded if b.get("emulate.heap") is None)
        or "other boards with such a CPU"
    )


def emulation(board):
    return " ".join(board.get("emulate.command")).format(firmware=firmware_name(board))


def build(archs, names):
    """What `assemble` wants after its folder; what no compiler is found for is left out, and told."""
    tree = micropython.source()
    cross = micropython.mpy_cross(tree)
    native = {}
    for arch in archs:
        try:
            natmod.bring_compiler(arch)
        except Missing as missing:
            print(f"left out: {missing}", flush=True)
            continue
        native[arch] = natmod.build(arch, tree)
    built = [boards.load(name) for name in names]
    for board in built:
        firmware.firmware(board, tree, cross)
    circuitpython = compilers.circuitpython()
    if not circuitpython:
        print(f"left out: .mpy files for CircuitPython, whose own mpy-cross {compilers.VARIABLE} names", flush=True)
    return native, built, cross, circuitpython


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.parse_args()
    names = [name for name in boards.names() if boards.load(name).get("firmware.file")]
    try:
        with (BUILD / ".micropython.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # two builds at once would spoil each other
            debian.install(["build-essential"], BUILD / "logs/apt-install.log")
            # The desktop's last: it is the least of a maker's boards.
            parts = build(sorted(natmod.COMPILERS, key=lambda arch: arch == "x64"), names)
        new = DIST.with_name("dist.new")
        shutil.rmtree(new, ignore_errors=True)
        assemble(new, *parts)
        shutil.rmtree(DIST, ignore_errors=True)
        new.rename(DIST)
    except (Missing, Problem, mpy.CompileError, mpy.BadMpy) as problem:
        sys.exit(f"picorl: {problem}")
    for path in sorted(DIST.iterdir()):
        size = sum(one.stat().st_size for one in [path, *path.rglob("*")] if one.is_file())
        print(f"{size:10,}  {path.relative_to(ROOT)}{'/' * path.is_dir()}")


if __name__ == "__main__":
    main()
