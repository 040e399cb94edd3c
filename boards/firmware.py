"""Build MicroPython firmware for a board, with `_picorl` and picorl inside or (--stock) without.

    build/venv/bin/python boards/firmware.py QEMU_CORTEX_M7            # build/firmware/QEMU_CORTEX_M7/
    build/venv/bin/python boards/firmware.py QEMU_CORTEX_M7 --stock    # build/firmware/QEMU_CORTEX_M7-stock/
    build/venv/bin/python boards/firmware.py QEMU_CORTEX_M7 --arena 512K    # build/firmware/QEMU_CORTEX_M7-arena/

What is up to date is left alone. Recipes are by MicroPython's port; boards/<NAME>/board.toml says which one it is.
"""

import argparse
import fcntl
import os
import struct
import sys

import debian
import micropython
from debian import Missing
from micropython import BUILD, ROOT

from picorl_host import boards
from picorl_host.emulator import size

FIRMWARE = BUILD / "firmware"


def qemu(board, stock, arena, algorithms, tree, cross, build):
    """The port takes boards from outside the tree."""
    manifest = "boards/qemu/stock_manifest.py" if stock else "boards/qemu/manifest.py"
    variables = {"USER_C_MODULES": ""} if stock else {"PICORL_ARENA": arena or "", "PICORL_ALGORITHMS": algorithms}
    micropython.port_make("qemu", tree, cross, build, manifest, BOARD=board.name, BOARD_DIR=board.folder, **variables)


def rp2(board, stock, arena, algorithms, tree, cross, build):
    """Raspberry Pi's microcontrollers: CMake, and three libraries that a Debian tree does not hold."""
    sdk = rp2_libraries(tree)
    variables = {
        "CMAKE_BUILD_TYPE": "MinSizeRel",
        "MICROPY_BOARD": board.name,
        "MICROPY_FROZEN_MANIFEST": ROOT / ("boards/rp2/stock_manifest.py" if stock else "boards/rp2/manifest.py"),
        "MICROPY_LIB_DIR": tree,  # nothing of it is used
        "PICO_CLIB": "newlib",
        "PICO_NO_PICOTOOL": 1,
        "PICO_SDK_PATH_OVERRIDE": sdk,
        "Python3_EXECUTABLE": sys.executable,
    }
    if not stock:
        variables["USER_C_MODULES"] = ROOT / "native_modules/micropython.cmake"
        variables["PICORL_ARENA"] = arena
        variables["PICORL_ALGORITHMS"] = algorithms
    # The scan for QSTRs does not know where this header is.
    includes = sorted(sdk.glob("src/rp2_common/pico_platform_*/include"))
    env = ["env", f"MICROPY_MPYCROSS={cross}", "CPATH=" + ":".join(map(str, includes))]
    run = micropython.logged(build.name)
    defines = [f"-D{key}={value}" for key, value in variables.items()]
    run([*env, "cmake", "-S", tree / "ports/rp2", "-B", build, *defines])
    run([*env, "cmake", "--build", build, f"-j{os.cpu_count()}"])
    family = {"RPI_PICO": 0xE48BFF56, "RPI_PICO2": 0xE48BFF59}[board.name]
    (build / "firmware.uf2").write_bytes(uf2((build / "firmware.bin").read_bytes(), 0x10000000, family))


def rp2_libraries(tree):
    """Put what is missing into lib/ of a tree that came from Debian; the folder of the Pico SDK."""
    library = tree / "lib"
    missing = [name for name in ("pico-sdk", "tinyusb", "mbedtls") if not any((library / name).glob("*"))]
    if missing and tree.is_symlink():
        raise Missing(f"MICROPY_DIR lacks {', '.join(missing)}: make -C {tree.resolve()}/ports/rp2 submodules")
    if missing:
        debian.install(["dpkg-dev"], BUILD / "logs/apt-install.log")
        with (
            micropython.step(f"{', '.join(missing)} from Debian {micropython.SUITE}"),
            micropython.download("rp2") as (folder, run),
        ):
            found = debian.fetch(
                micropython.SUITE,
                folder,
                run,
                sources=[name for name in missing if name == "mbedtls"],
                packages=[f"{name}-source" for name in missing if name != "mbedtls"],
            )
            for name in missing:
                files = folder / name
                if name == "mbedtls":
                    files = micropython.unpack(found[name], files)
                else:
                    run(["dpkg-deb", "-x", found[f"{name}-source"], files])
                    files = files / "usr/src" / name
                micropython.remove(library / name)
                files.rename(library / name)
    return library / "pico-sdk"


def uf2(image, address, family):
    """What a Pico's USB drive takes: blocks of 256 bytes, each with its address."""
    total = -(-len(image) // 256)
    blocks = bytearray()
    for i in range(total):
        part = image[i * 256 : i * 256 + 256].ljust(476, b"\0")
        head = struct.pack("<8I", 0x0A324655, 0x9E5D5157, 0x2000, address + i * 256, 256, i, total, family)
        blocks += head + part + struct.pack("<I", 0x0AB16F30)
    return bytes(blocks)


RECIPES = {"qemu": qemu, "rp2": rp2}
# What makes a build begin anew, or go on, when its content has changed. Besides RECIPE: the board's folder, and its port's.
SHARED = {"qemu": "boards/qemu", "rp2": "boards/rp2"}
RECIPE = (
    "boards/firmware.py",
    "boards/micropython.py",
    "native_modules/micropython.mk",
    "native_modules/micropython.cmake",
)
CONTENT = ("native_modules", "device/picorl", "device/manifest.py")


def firmware(board, tree, cross, stock=False, arena=None, algorithms=""):
    """Build it; the path of the file that goes onto the board. arena: bytes, instead of what board.toml says. algorithms: those that
    its kernels can, with blanks between; none named: every one."""
    port = board.data["port"]
    if port not in RECIPES or "file" not in board.get("firmware", {}):
        why = board.get("firmware.not_here", "it needs no firmware")
        raise Missing(f"{board.name} is not built here: {why}.\n{board.get('firmware.build', '').strip()}")
    product = board.firmware("stock" if stock else None if arena is None else "arena")
    arena = board.get("firmware.arena", 0) if arena is None else arena
    build = product.parent
    own = [path for path in sorted(board.folder.iterdir()) if path.name != "board.toml"]
    recipe = micropython.digest(*own, *(ROOT / path for path in (*RECIPE, SHARED[port])))
    content = "" if stock else micropython.digest(*(ROOT / path for path in CONTENT))
    built_as, remember = micropython.up_to_date(
        build / "recipe", tree.resolve(), micropython.version(tree), recipe, arena, algorithms
    )
    fresh, done = micropython.up_to_date(product, recipe, content)
    # What runs it, too: a board that is only emulated is of no use without.
    packages = board.get("firmware.packages", []) + board.get("emulate.packages", [])
    debian.install(packages, BUILD / "logs/apt-install.log")
    if not (built_as and fresh):
        if not built_as:
            micropython.remove(build)  # make does not see a change of flags
        build.mkdir(parents=True, exist_ok=True)
        with micropython.step(f"firmware {build.name}"):
            RECIPES[port](board, stock, arena, algorithms, tree, cross, build)
        (build / "recipe").touch()
        remember()
        done()
    return product


def main():
    parser = argparse.ArgumentParser(description="Build firmware for a board, into build/firmware/.")
    parser.add_argument("boards", nargs="*", metavar="BOARD")
    parser.add_argument("--quiet", action="store_true", help="say nothing of what is up to date")
    parser.add_argument("--stock", action="store_true", help="without picorl, as MicroPython's own firmware")
    parser.add_argument("--arena", type=size, help="bytes of memory that the collector does not scan, such as 512K")
    parser.add_argument(
        "--algorithms",
        default="",
        metavar="NAMES",
        help='such as "sac ppo", or "sac norm activations" for its optional layers; default: all there are',
    )
    arguments = parser.parse_args()
    algorithms = " ".join(sorted(arguments.algorithms.split()))
    try:
        if not arguments.boards:
            raise Missing(f"for which board? make firmware BOARD=... with one of {', '.join(boards.names())}")
        wanted = [boards.load(name) for name in arguments.boards]
        with (BUILD / ".micropython.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # two builds at once would spoil each other
            tree = micropython.source()
            cross = micropython.mpy_cross(tree)
            for board in wanted:
                product = firmware(board, tree, cross, arguments.stock, arguments.arena, algorithms)
                if not arguments.quiet:
                    print(f"{product.relative_to(ROOT)}: {product.stat().st_size} bytes")
    except (Missing, boards.UnknownBoard) as problem:
        sys.exit(f"picorl: {problem}")


if __name__ == "__main__":
    main()
