"""Build the C kernels as the CPython extension `_picorl`. Without a compiler picorl is installed all the same."""

import os
import subprocess
import sys
from pathlib import Path

from setuptools.command.build_ext import build_ext

NATIVE = Path("native_modules")
FLAGS = [
    *("-O3", "-g0", "-std=gnu99", "-ffp-contract=off", "-fno-math-errno", "-fno-strict-aliasing"),
    *("-fvisibility=hidden", "-Wno-psabi", "-Wno-error"),
]


def core_sources():
    """Every variant where the CPU is chosen at run time; one where there are none."""
    core = NATIVE / "core"
    variants = sorted(core.glob("variants/*.c"))
    if not variants:
        return [core / "single.c"]
    return sorted(set(core.glob("*.c")) - {core / "single.c"}) + variants


def say(message):
    """On the terminal if there is one: pip shows a build's own output only when it failed or with -v."""
    print(message, file=sys.stderr)
    try:
        with open("/dev/tty", "w") as terminal:
            print(message, file=terminal)
    except OSError:
        pass


class BuildKernels(build_ext):
    def build_extension(self, ext):
        try:
            generated = NATIVE / "generated"
            subprocess.run([sys.executable, NATIVE / "generate.py", "--out", generated], check=True)
            ext.sources = [str(path) for path in [generated / "cpython.c", *core_sources()]]
            ext.depends = [str(path) for path in NATIVE.rglob("*.[ch]")]
            ext.include_dirs = [str(NATIVE)]
            ext.extra_compile_args = FLAGS
            super().build_extension(ext)
        except Exception as error:  # no compiler, no Python.h: NumPy does it too, only slower
            if os.environ.get("PICORL_REQUIRE_KERNELS"):
                raise
            say(f"picorl: no C kernels: {error}; falling back to NumPy")
