"""Build picorl's kernels as native modules for stock firmware: build/natmod/<arch>_6.3/_picorl.mpy.

    build/venv/bin/python boards/natmod.py x64 armv7emsp      # these; with nothing named, all that have a compiler

The folder names the CPU and the version of the .mpy format, which MicroPython 1.23 to 1.29 share. What is up to date is
left alone.
"""

import argparse
import fcntl
import re
import shutil
import sys

import debian
import micropython
from debian import Missing
from micropython import BUILD, ROOT

FOLDER = ROOT / "native_modules/natmod"
PRODUCTS = BUILD / "natmod"

# The compiler, and Debian's packages that bring it and its headers.
ARM = ("arm-none-eabi-gcc", ["gcc-arm-none-eabi", "libnewlib-arm-none-eabi"])
RISCV = ("riscv64-unknown-elf-gcc", ["gcc-riscv64-unknown-elf", "picolibc-riscv64-unknown-elf"])
COMPILERS = {
    "x64": ("gcc", ["build-essential"]),
    "armv6m": ARM,
    "armv7m": ARM,
    "armv7emsp": ARM,
    "armv7emdp": ARM,
    "rv32imc": RISCV,
    "xtensawin": ("xtensa-esp32-elf-gcc", []),  # neither Debian nor PyPI has it
}


def bring_compiler(arch):
    """Install a compiler that Debian has; raise Missing when there is none in the end."""
    command, packages = COMPILERS[arch]
    # A compiler of the user's own is left to have what it needs.
    if shutil.which("apt-get") and shutil.which(command) in (None, f"/usr/bin/{command}"):
        debian.install(packages, BUILD / "logs/apt-install.log")
    if shutil.which(command) is None:
        origin = f" (Debian: {' '.join(packages)})" if packages else ", which comes with Espressif's ESP-IDF"
        raise Missing(f"native modules for {arch} need {command}{origin}")


def build(arch, tree, algorithms="", suffix=""):
    """The path of the module for arch; algorithms, with blanks between, are all it can: none named, it can every one."""
    product = PRODUCTS / f"{arch}_6.3{suffix}/_picorl.mpy"
    recipe = micropython.digest(FOLDER / "Makefile", ROOT / "boards/natmod.py")
    built_as, remember = micropython.up_to_date(product, tree.resolve(), micropython.version(tree), recipe, algorithms)
    if not built_as:
        micropython.remove(product.parent)  # make does not see a change of flags
    micropython.make(
        f"natmod-{arch}{suffix}", FOLDER, ARCH=arch, MPY_DIR=tree, OUT=product.parent, ALGORITHMS=algorithms
    )
    remember()
    product.touch()  # newer than its sources, even where those that changed are not in it
    return product


def sizes(product):
    """Bytes of (code, constants, static variables), as the linker told, and of the file."""
    log = (product.parent / "objects/link.log").read_text()
    constants = sum(int(n) for n in re.findall(r"^  \w+ \.(?:rodata|data\.rel\.ro)\S* size=(\d+)$", log, re.M))
    loaded, variables = (int(re.search(rf"^{name} size: +(\d+)$", log, re.M)[1]) for name in ("text", "bss"))
    return loaded - constants, constants, variables, product.stat().st_size


def main():
    parser = argparse.ArgumentParser(description="Build native modules for stock firmware, into build/natmod/.")
    parser.add_argument("archs", nargs="*", metavar="ARCH", help=f"{', '.join(COMPILERS)}; default: all that can be")
    parser.add_argument(
        "--algorithms",
        default="",
        metavar="NAMES",
        help='such as "sac ppo", or "sac norm activations" for its optional layers; default: all there are',
    )
    parser.add_argument("--suffix", default="", metavar="TEXT", help="of the folders' names, to have several builds")
    arguments = parser.parse_args()
    wanted, algorithms = arguments.archs, " ".join(sorted(arguments.algorithms.split()))
    unknown = set(wanted) - set(COMPILERS)
    if unknown:
        parser.error(f"ARCH is {', '.join(unknown)}, must be one of {', '.join(COMPILERS)}")
    try:
        with (BUILD / ".micropython.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # two builds at once would spoil each other
            tree = micropython.source()
            print("native module         code  constants  static     file  (bytes; on a board all of it is RAM)")
            for arch in wanted or COMPILERS:
                try:
                    bring_compiler(arch)
                except Missing as missing:
                    if wanted:
                        raise
                    print(f"{arch:16}  left out: {missing}", flush=True)
                    continue
                code, constants, variables, file = sizes(build(arch, tree, algorithms, arguments.suffix))
                print(f"{arch:16}{code:10}{constants:11}{variables:8}{file:9}", flush=True)
    except Missing as missing:
        sys.exit(f"picorl: {missing}")


if __name__ == "__main__":
    main()
