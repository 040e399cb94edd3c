"""The parts of the benchmarks that read what other programs print."""

import json
import os
import struct
import threading

import numpy as np
import pytest
from rich.console import Console

from picorl_host import boards, runner
from picorl_host.bench import (
    counting,
    emulated,
    growth,
    import_memory,
    kernel_speed,
    loops,
    m7_code,
    m7_forward,
    m7_training,
    pico,
    spread,
    timing,
)
from picorl_host.bench.report import Report, thousands

# As objdump prints it; the loops were written by hand: a 2 x 2 tile, and a row times a column with a load of four words.
DISASSEMBLY = """
firmware.elf:     file format elf32-littlearm


Disassembly of section .text:

00000100 <tile>:
     100:\tb510      \tpush\t{r4, lr}
     102:\tecf1 0a02 \tvldmia\tr1!, {s1-s2}
     106:\ted90 1a00 \tvldr\ts2, [r0]
     10a:\tedd0 1a01 \tvldr\ts3, [r0, #4]
     10e:\teea0 2a81 \tvfma.f32\ts4, s1, s2
     112:\teee0 2aa1 \tvfma.f32\ts5, s1, s3
     116:\teea1 3a01 \tvfma.f32\ts6, s2, s2
     11a:\teee1 3a21 \tvfma.f32\ts7, s2, s3
     11e:\t3b01      \tsubs\tr3, #1
     120:\td1ef      \tbne.n\t102 <tile+0x2>
     122:\teec1 0a82 \tvdiv.f32\ts1, s3, s4
     126:\tbd10      \tpop\t{r4, pc}

00000128 <row>:
     128:\tecb1 0a04 \tvldmia\tr1!, {s0-s3}
     12c:\ted90 2a00 \tvldr\ts4, [r0]
     130:\teea0 3a02 \tvfma.f32\ts6, s0, s4
     134:\teee0 3a82 \tvfma.f32\ts7, s1, s4
     138:\teea1 4a02 \tvfma.f32\ts8, s2, s4
     13c:\teee1 4a82 \tvfma.f32\ts9, s3, s4
     140:\te8b2 00f0 \tldmia.w\tr2!, {r4, r5, r6, r7}
     144:\te9d3 4500 \tldrd\tr4, r5, [r3]
     148:\tf1a3 0301 \tsub.w\tr3, r3, #1
     14c:\tb90b      \tcbnz\tr3, 128 <row>
     14e:\teef1 0ac0 \tvsqrt.f32\ts1, s0
     152:\tfbb0 f0f1 \tudiv\tr0, r0, r1
     156:\tf7ff ffd3 \tbl\t100 <tile>
     15a:\te7e5      \tb.n\t128 <row>
"""


def test_innermost_loops_are_found_and_counted():
    found = {loop.function: loop for loop in loops.innermost(loops.parse(DISASSEMBLY))}
    assert set(found) == {"tile", "row"}
    # vldmia of two counts 2: 2 + 2 vldr + 4 vfma + subs + bne
    assert (found["tile"].count, found["tile"].multiply_adds, found["tile"].floats) == (10, 4, 4)
    # vldmia of four, vldr, 4 vfma, ldmia of four, ldrd of two, sub, cbnz; the branch back behind them is no innermost loop
    assert (found["row"].count, found["row"].multiply_adds, found["row"].floats) == (17, 4, 5)
    assert found["row"].per_multiply_add == 17 / 4


def test_divisions_are_found():
    body = [one for body in loops.parse(DISASSEMBLY).values() for one in body]
    assert [one.address for one in body if loops.DIVISION.match(one.name)] == [0x122, 0x14E, 0x152]


@pytest.mark.parametrize(
    ("name", "operands", "words"),
    [
        ("vldmia", "r1!, {s1-s2}", 2),
        ("vldmia", "r1!, {d0-d7}", 16),
        ("vpush", "{d8}", 2),
        ("push", "{r4, r5, r6, lr}", 4),
        ("ldmia.w", "r2, {r4-r7, r9}", 5),
        ("ldrd", "r4, r5, [r3]", 2),
        ("vldr", "d7, [r0]", 2),
        ("vldr", "s7, [r0]", 1),
        ("vfma.f32", "s6, s0, s4", 1),
    ],
)
def test_an_instruction_counts_the_words_it_moves(name, operands, words):
    assert loops.Instruction(0, name, operands).count == words


def loop(multiply_adds, loads):
    body = [loops.Instruction(0, "vldr", "s0, [r0]")] * loads
    return loops.Loop("f", (*body, *[loops.Instruction(0, "vfma.f32", "s0, s1, s2")] * multiply_adds))


def test_kinds_of_loops():
    assert m7_code.kind(loop(24, 10)) == "blocked product"
    assert m7_code.kind(loop(16, 17)) == "matrix times vector"
    assert m7_code.kind(loop(16, 32)) == "dot product (up to 4 outputs)"


def test_the_kernels_have_a_blocked_loop_and_a_matvec(tmp_path):
    """Of what a compiler makes of the kernels, if there is one for Cortex-M."""
    compiled = boards.load("QEMU_CORTEX_M7").firmware().parent / "native_modules/core/single.o"
    if not compiled.exists():
        pytest.skip("no firmware for the Cortex-M7 was built")
    found = [m7_code.kind(one) for one in m7_code.main_loops(loops.disassemble(compiled))]
    assert {"blocked product", "matrix times vector"} <= set(found)


def bits(x):
    return struct.unpack("I", struct.pack("f", x))[0]


def test_counts_of_several_networks_are_averaged():
    said = f"a-b first 100 200 {bits(1e-6)} {bits(0.5)} 10 40\na-b first 110 202 {bits(0.0)} {bits(0.5)} 20 40\n"
    said += f"a-b other 7 8 {bits(0.0)} {bits(1.0)} 0 40\n"
    first, other = m7_forward.read_forward(said)
    assert (first["net"], first["weights"], first["ours"], first["cmsis"]) == ("a-b", "first", 105, 201)
    assert first["difference"] == pytest.approx(2e-6) and first["zeros"] == 0.375
    assert (other["ours"], other["cmsis"], other["zeros"]) == (7, 8, 0)


def test_divisions_are_counted_between_marks():
    mark = 9
    log = [1, mark, 1, 1, mark, 1, mark, mark, 1, 1, 1, mark, mark, 1, mark]  # the last two stand around a collection
    # Marks around the last three pieces: 1, 0 and 3 divisions.
    assert m7_training.between_marks(log, mark, 3) == [1, 0, 3]


def test_a_trace_reads_what_qemu_logs():
    seen = []
    with counting.Trace([(0xC7A8, 2), (0x100, 2)], seen.append) as trace:
        options = list(trace.options)
        assert options[options.index("-dfilter") + 1] == "0xc7a8+0x2,0x100+0x2"

        def write():
            with open(options[options.index("-D") + 1], "w") as log:
                log.write("Trace 0: 0x7f2c4017a100 [00800400/0000c7a8/00000110/ff021201] mp_hal_ticks_cpu\n")
                log.write("Linking TBs 0x7f index 0 -> 0x7f\n")
                log.write("Trace 0: 0x7f2c4017a240 [00800400/00000100/00000110/ff021201] \n")

        writer = threading.Thread(target=write)
        writer.start()
        writer.join()
    assert seen == [0xC7A8, 0x100]


def test_a_trace_ends_though_nobody_wrote():
    with counting.Trace([(0, 2)], print) as trace:
        pipe = trace.options[-1]
    assert not os.path.exists(pipe)


def test_functions_are_found_by_address():
    symbols = counting.Symbols.__new__(counting.Symbols)
    symbols.functions = [(0x100, 0x28, "tile"), (0x128, 0x34, "row")]
    assert [symbols.function(pc) for pc in (0xFE, 0x100, 0x126, 0x128, 0x15A, 0x15C)] == [
        None,
        "tile",
        "tile",
        "row",
        "row",
        None,
    ]
    assert symbols.address("row") == 0x128
    with pytest.raises(runner.Problem, match="no function absent"):
        symbols.address("absent")


def test_options_go_to_the_emulator_of_this_board_alone():
    board = boards.load("QEMU_CORTEX_M7")
    changed = emulated.with_options(board, "-icount", "shift=0")
    assert changed.get("emulate.command") == [*board.get("emulate.command"), "-icount", "shift=0"]
    assert changed.firmware() == board.firmware()
    assert "-icount" not in board.get("emulate.command")


def test_the_cost_of_a_multiply_add_is_a_difference():
    # 128 and 1152 multiply-adds; what both calls cost beside them, 50 us, does not count.
    assert pico.per_multiply_add([[[2, 8, 8], 50 + 256], [[2, 24, 24], 50 + 2304]]) == 2


def test_doublings_compare_with_half_the_work():
    speed = {(16, 16): 10.0, (16, 32): 20.0, (32, 16): 5.0, (32, 32): 30.0}
    found = {(cell, what): kept for cell, what, kept in growth.doublings(speed)}
    assert found == {
        ((16, 32), "the batch"): 2.0,
        ((32, 16), "hidden"): 0.5,
        ((32, 32), "hidden"): 1.5,
        ((32, 32), "the batch"): 6.0,
    }


def test_missed_bars_are_told_and_kept(tmp_path):
    report = Report()
    assert "≤ 5" in report.at_most("small", 4, 5) and "≥ 5" in report.at_least("large", 6, 5)
    assert report.missed == []
    report.at_most("small", 6, 5)
    report.at_least("large", 0.5, 0.9, "{:.0%}".format)
    assert report.at_most("free", 12_000, None) == "12,000"
    report.data["answer"] = 42
    report.finish(Console(quiet=True), tmp_path / "deep/file.json")
    kept = json.loads((tmp_path / "deep/file.json").read_text())
    assert kept == {"answer": 42, "missed": ["small: 6, must be at most 5", "large: 50%, must be at least 90%"]}


def test_thousands_keep_three_digits():
    assert [thousands(count) for count in (940, 15_840, 306_000, 14_041_000)] == ["0.9", "15.8", "306", "14,041"]


@pytest.mark.parametrize("name", ["_picorl", "picorl_numpy"])
def test_every_measured_kernel_runs(name):
    backend = pytest.importorskip(name)
    cases = [*kernel_speed.networks(), *kernel_speed.others()]
    assert {"forward", "backward", "adam", "polyak", "normal", "replay_gather", "gaussian_head"} <= {
        case.kernel for case in cases
    }
    for case in cases:
        function, *arguments = case.of(backend)
        function(*arguments)


@pytest.mark.parametrize("size", kernel_speed.PRODUCTS)
def test_products_are_compared_with_the_same_products(size):
    """NumPy's side of the table computes what the kernel's side computes."""
    backend = pytest.importorskip("picorl_numpy")
    rows, inputs, outputs = size
    for name, case, numpy_call, numpy_arguments in kernel_speed.products(*size):
        function, *arguments = case.of(backend)
        function(*arguments)
        wanted = numpy_call(*numpy_arguments)
        layout, params, x, out, cache, *rest = arguments
        if name == "forward":
            found = np.frombuffer(out, np.float32).reshape(rows, outputs)
            wanted = wanted + np.frombuffer(params, np.float32)[inputs * outputs :]
        elif name == "backward, weights":
            found = np.frombuffer(rest[1], np.float32)[: inputs * outputs].reshape(inputs, outputs)
        else:
            found = np.frombuffer(rest[2], np.float32).reshape(rows, inputs)
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("work", "told"),
    [
        (lambda folder: loops.disassemble(folder / "a.elf"), "no arm-none-eabi-objdump here: apt-get install"),
        (
            lambda folder: counting.run_bare(folder / "a.elf"),
            "no qemu-system-arm here: apt-get install qemu-system-arm",
        ),
        (lambda folder: counting.Trace([(0, 2)], print), "no qemu-system-arm here"),
        (lambda folder: m7_forward.compiled(("-O3",), folder), "no arm-none-eabi-gcc here: apt-get install"),
    ],
)
def test_missing_tools_are_named(monkeypatch, tmp_path, work, told):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(runner.Problem, match=told):
        work(tmp_path)


def test_without_a_compiler_there_is_no_peak(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    assert timing.peak("avx2", tmp_path) is None


@pytest.mark.parametrize("value,missed", ((-145.0, 0), (-146.4, 0), (-146.5, 1), (-144.9, 1)))
def test_a_boards_return_is_judged_by_the_spread_of_the_seeds(value, missed):
    here = [{"return": one, "crc": "00000000"} for one in (-145.3, -146.4, -145.0)]
    table, found = spread.report("BOARD", "python", {"return": value, "crc": "12345678"}, here)
    assert table.row_count == 4
    assert len(found.missed) == missed
    assert found.data["on_board"]["return"] == value


def test_heap_of_an_import_is_judged_by_how_the_library_came():
    said = {"made": 40_000, "trained": 41_000}
    found = {
        ("C", "source"): {**said, "imported": 60_000},
        ("C", ".mpy"): {**said, "imported": 30_001},
        ("C", "frozen"): {**said, "imported": 70_000},
    }
    table, report = import_memory.tabulate(found)
    assert table.row_count == 3
    assert [line.split(":")[0] for line in report.missed] == ["import picorl, C, .mpy"]


def test_every_kind_of_kernels_is_imported_from_a_firmware_of_its_own(tmp_path):
    board = boards.load("QEMU_CORTEX_M7")
    found = {case.name: case for case in import_memory.cases(board, tmp_path / "ulab.elf")}
    assert [case.backend for case in found.values()] == ["_picorl", "_picorl", "_picorl", "python", "ulab"]
    assert found["C, in the firmware"].firmware == board.firmware()
    assert found["plain Python"].firmware == board.firmware("stock")
    assert found["ulab"].firmware == tmp_path / "ulab.elf"
    assert len({case.native for case in found.values()}) == 3
