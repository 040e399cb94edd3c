"""The inline assembly of native_modules/core/words.inc.h gives the bits of the C beside it, on emulated Cortex-M4F and M7."""

import shutil
import subprocess
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
NATIVE = TESTS.parent / "native_modules"
CC = "arm-none-eabi-gcc"
FLAGS = "-O2 -std=gnu99 -ffp-contract=off -fno-math-errno -fno-strict-aliasing -ffreestanding -Wno-psabi".split()

CPUS = {
    "m4f": ("mps2-an386", "-mcpu=cortex-m4 -mfpu=fpv4-sp-d16"),
    "m7": ("mps2-an500", "-mcpu=cortex-m7 -mfpu=fpv5-sp-d16"),
    "m7-double": ("mps2-an500", "-mcpu=cortex-m7 -mfpu=fpv5-d16"),
}

# Code in the first memory, all else in the second.
LAYOUT = """
SECTIONS {
    .text 0 : { KEEP(*(.vectors)) *(.text*) *(.rodata*) }
    .data 0x20000000 : { *(.data*) *(.bss*) *(COMMON) }
}
"""

pytestmark = pytest.mark.skipif(
    not (shutil.which(CC) and shutil.which("qemu-system-arm")), reason="needs arm-none-eabi-gcc and qemu-system-arm"
)


def build(folder, cpu, *defines):
    layout = folder / "layout.ld"
    layout.write_text(LAYOUT)
    program = folder / "loops.elf"
    command = [CC, *FLAGS, "-mthumb", "-mfloat-abi=hard", *CPUS[cpu][1].split(), *defines, f"-I{NATIVE}"]
    sources = [TESTS / "assembly_loops.c", NATIVE / "core/single.c"]
    libraries = ["-nostartfiles", "-T", layout, "-Wl,--no-warn-rwx-segments", "-lgcc", "-lc", "-lnosys"]
    subprocess.run([*command, *sources, *libraries, "-o", program], check=True, capture_output=True, text=True)
    return program


def instructions(program):
    done = subprocess.run(["arm-none-eabi-objdump", "-d", program], check=True, capture_output=True, text=True)
    return done.stdout


def run(program, cpu):
    command = ["qemu-system-arm", "-machine", CPUS[cpu][0], "-nographic", "-monitor", "none", "-serial", "none"]
    done = subprocess.run(
        [*command, "-semihosting", "-kernel", program], capture_output=True, text=True, timeout=120, check=True
    )
    return (done.stdout + done.stderr).splitlines()


@pytest.mark.parametrize("cpu", CPUS)
def test_inline_assembly_gives_the_bits_of_plain_c(cpu, tmp_path):
    (tmp_path / "c").mkdir()
    (tmp_path / "assembly").mkdir()
    plain = build(tmp_path / "c", cpu, "-DPICORL_PLAIN_C")
    assembly = build(tmp_path / "assembly", cpu)
    assert "{s24-s31}" in instructions(assembly) and "{s24-s31}" not in instructions(plain)
    expected = run(plain, cpu)
    assert expected[-1] == "done"
    assert len(set(expected)) > 500  # numbers that tell
    assert run(assembly, cpu) == expected
