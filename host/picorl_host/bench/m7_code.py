"""The machine code of the kernels in the Cortex-M7's firmware: innermost loops, bytes."""

import importlib.util

from .. import boards
from . import loops
from .report import table

BARS = {"blocked product": 1.6, "matrix times vector": 2.2}


def kind(loop):
    """What an innermost loop computes, told by how often what it loads is used."""
    if loop.blocked:
        return "blocked product"
    return "matrix times vector" if loop.floats < 1.5 * loop.multiply_adds else "dot product (up to 4 outputs)"


def main_loops(functions):
    """The loop with the most multiply-adds of each function; the others do what is left over. Elementary functions are none."""
    largest = {}
    for loop in loops.innermost(functions):
        if loop.per_multiply_add <= 4 and loop.multiply_adds > largest.get(loop.function, ((), 0))[1]:
            largest[loop.function] = (loop, loop.multiply_adds)
    return [loop for loop, _ in largest.values()]


def inner_loops(report, console, board):
    compiled_kernels = board.firmware().parent / "native_modules/core/single.o"
    found = sorted(main_loops(loops.disassemble(compiled_kernels)), key=lambda one: (kind(one), one.function))
    shown = table(
        "Innermost loops of the firmware; a load of k words counts k",
        "loop", "kind", "multiply-adds", "instructions", "per multiply-add", "llvm-mca, cycles",
    )  # fmt: skip
    report.data["loops"] = []
    for loop in found:
        modelled = loops.cycles(loop)
        bar = BARS.get(kind(loop)) if loop.multiply_adds >= 16 else None
        per = report.at_most(f"loop {loop.function}", round(loop.per_multiply_add, 3), bar)
        shown.add_row(
            loop.function,
            kind(loop),
            str(loop.multiply_adds),
            str(loop.count),
            per,
            f"{modelled:.0f}" if modelled else "-",
        )
        report.data["loops"].append(
            {"function": loop.function, "kind": kind(loop), "multiply_adds": loop.multiply_adds}
            | {"instructions": loop.count, "llvm_mca_cycles": modelled}
        )
    console.print(shown)


def size(report, console, board):
    spec = importlib.util.spec_from_file_location("sizes", boards.FOLDER / "sizes.py")
    sizes = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sizes)
    code, tables, library, writable = sizes.sizes(board)
    report.data["size"] = {"code": code, "tables": tables, "library": library, "static_ram": writable}
    console.print(
        f"In the firmware: _picorl {code:,} bytes of code and {tables:,} of tables (RLtools' .text: 30 to 38 KB);"
        f" frozen library {library:,}; static RAM {writable:,}.",
        highlight=False,
    )
