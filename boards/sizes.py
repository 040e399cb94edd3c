"""What `_picorl` and the frozen library cost in the firmware of each board that was built: flash and RAM, as a table.

    build/venv/bin/python boards/sizes.py                  # all in build/firmware/
    build/venv/bin/python boards/sizes.py QEMU_CORTEX_M7

Bytes. `code` and `tables` are what the object files of `_picorl` have in the linker's map, kernels and binding together; `library`
is frozen bytecode and names; `writable` is what either keeps in RAM before a program starts. `import` is the heap that `import picorl` takes,
measured on the emulated board, as is `heap`, what is free afterwards.
"""

import argparse
import re
import sys

from elftools.elf.elffile import ELFFile

from picorl_host import boards, emulator, serial_port

# " .text.picorl_adam\n   0x4518   0x110 …/native_modules/core/single.o", on one line where the name is short.
PLACED = re.compile(r"^ (\.\S+|COMMON)\s+0x([0-9a-f]+)\s+0x([0-9a-f]+) (\S+)$", re.MULTILINE)
STRINGS = re.compile(r"\.str\d+\.\d+$")
WRITABLE = (".data", ".sdata", ".bss", ".sbss", "COMMON")

MEASURE = """
import gc
gc.collect()
before = gc.mem_free()
import picorl
gc.collect()
print(before - gc.mem_free(), gc.mem_free())
"""


def placed(map_file):
    """(section, bytes, object file) of all that the linker put somewhere."""
    text = map_file.read_text(errors="replace")
    text = text[text.index("Linker script and memory map") :]
    text = re.sub(r"\n( \S+)\n\s+0x", r"\n\1 0x", text)
    for section, address, size, path in PLACED.findall(text):
        if int(address, 16) and int(size, 16) and not section.startswith((".debug", ".comment", ".ARM.attr")):
            yield section, int(size, 16), path


def foreign(elf_file):
    """Bytes of frozen modules that are not picorl's: _boot.py, asyncio."""
    with elf_file.open("rb") as file:
        symbols = ELFFile(file).get_section_by_name(".symtab").iter_symbols()
        frozen = re.compile(
            r"(fun_data|children|const_\w+_data|raw_code|proto_fun|frozen_module|const_obj)_(?!.*picorl)"
        )
        return sum(symbol["st_size"] for symbol in symbols if frozen.match(symbol.name))


def strings(path):
    """Bytes of the strings in an object file. The linker merges those of all files, and its map gives them to any of these."""
    with path.open("rb") as file:
        return sum(one["sh_size"] for one in ELFFile(file).iter_sections() if STRINGS.search(one.name))


def sizes(board):
    """(code, tables, library, writable) in bytes."""
    elf = board.firmware().with_name("firmware.elf")
    maps = [path for path in (elf.with_suffix(".map"), elf.with_suffix(".elf.map")) if path.exists()]
    code = tables = library = writable = 0
    objects = set()
    for section, size, path in placed(maps[0]):
        ours = "native_modules" in path or path.endswith("picorl_kernels.o")
        frozen = "frozen_content" in path
        if not (ours or frozen):
            continue
        objects.add((elf.parent / path, frozen))
        if STRINGS.search(section):
            continue
        if section.startswith(WRITABLE):
            writable += size
        elif frozen:
            library += size
        elif section.startswith(".text"):
            code += size
        else:
            tables += size
    for path, frozen in objects:
        if frozen:
            library += strings(path)
        else:
            tables += strings(path)
    return code, tables, library - foreign(elf), writable


def measured(board):
    """(heap that `import picorl` takes, heap free afterwards), or dashes for a board that no emulator knows."""
    if board.get("emulate") is None:
        return "-", "-"
    heap = board.data["heap"] if board.get("emulate.heap") else None
    with emulator.Emulator(board, heap=heap) as running, serial_port.Device(running.port, reset=True) as device:
        return device.exec(MEASURE).split()


def main():
    parser = argparse.ArgumentParser(description="What picorl costs in firmware.")
    parser.add_argument("boards", nargs="*", metavar="BOARD")
    wanted = parser.parse_args().boards or boards.names()
    rows = [("board", "mcu", "code", "tables", "library", "writable", "import", "heap")]
    for board in map(boards.load, wanted):
        if board.get("firmware.file") and board.firmware().exists():
            rows.append((board.name, board.data["mcu"], *map(str, sizes(board)), *measured(board)))
    if len(rows) == 1:
        sys.exit("picorl: nothing in build/firmware/ yet: make firmware BOARD=QEMU_CORTEX_M7")
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        left = [text.ljust(width) for text, width in zip(row[:2], widths[:2], strict=True)]
        right = [text.rjust(width) for text, width in zip(row[2:], widths[2:], strict=True)]
        print("  ".join(left + right))


if __name__ == "__main__":
    main()
