"""Build MicroPython firmware for a board, with `_picorl` and picorl inside or (--stock) without.

    build/venv/bin/python boards/firmware.py QEMU_CORTEX_M7            # build/firmware/QEMU_CORTEX_M7/
    build/venv/bin/python boards/firmware.py QEMU_CORTEX_M7 --stock    # build/firmware/QEMU_CORTEX_M7-stock/

What is up to date is left alone. Recipes are by MicroPython's port; boards/<NAME>/board.toml says which one it is.
"""

import argparse
import fcntl
import sys

import debian
import micropython
from debian import Missing
from micropython import BUILD, ROOT

from picorl_host import boards

FIRMWARE = BUILD / "firmware"


def qemu(board, stock, tree, cross, build):
    """The port takes boards from outside the tree."""
    manifest = "boards/qemu/stock_manifest.py" if stock else "boards/qemu/manifest.py"
    variables = {"USER_C_MODULES": ""} if stock else {}
    micropython.port_make(
        "qemu", tree, cross, build, manifest, BOARD=board.name, BOARD_DIR=board.folder, **variables
    )


RECIPES = {"qemu": qemu}
# Folders whose content decides whether a firmware has to be built anew, by port.
SHARED = {"qemu": "boards/qemu"}


def firmware(board, stock, tree, cross):
    port = board.data["port"]
    if port not in RECIPES or "file" not in board.get("firmware", {}):
        by_hand = board.get("firmware.build", "")
        raise Missing(f"{board.name} is not built here. By hand:\n{by_hand}")
    product = board.firmware(stock)
    build = product.parent
    recipe = micropython.digest(
        board.folder, ROOT / SHARED[port], ROOT / "boards/firmware.py", ROOT / "boards/micropython.py"
    )
    content = "" if stock else micropython.digest(*(ROOT / path for path in CONTENT))
    built_as, remember = micropython.up_to_date(build / "recipe", tree.resolve(), micropython.version(tree), recipe)
    fresh, done = micropython.up_to_date(product, recipe, content)
    if not (built_as and fresh):
        debian.install(board.get("firmware.packages", []), BUILD / "logs/apt-install.log")
        if not built_as:
            micropython.remove(build)  # make does not see a change of flags
        build.mkdir(parents=True, exist_ok=True)
        with micropython.step(f"firmware {build.name}"):
            RECIPES[port](board, stock, tree, cross, build)
        (build / "recipe").touch()
        remember()
        done()
    return product


CONTENT = ("native_modules", "device/picorl", "device/manifest.py")


def main():
    parser = argparse.ArgumentParser(description="Build firmware for a board, into build/firmware/.")
    parser.add_argument("boards", nargs="+", metavar="BOARD")
    parser.add_argument("--stock", action="store_true", help="without picorl, as MicroPython's own firmware")
    arguments = parser.parse_args()
    try:
        wanted = [boards.load(name) for name in arguments.boards]
        with (BUILD / ".micropython.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # two builds at once would spoil each other
            tree = micropython.source()
            cross = micropython.mpy_cross(tree)
            for board in wanted:
                product = firmware(board, arguments.stock, tree, cross)
                print(f"{product.relative_to(ROOT)}: {product.stat().st_size} bytes")
    except (Missing, boards.UnknownBoard) as problem:
        sys.exit(f"picorl: {problem}")


if __name__ == "__main__":
    main()
