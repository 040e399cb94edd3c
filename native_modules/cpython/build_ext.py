"""Build the C kernels as the CPython extension `_picorl`. Without a compiler picorl is installed all the same."""

import os
import platform
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from setuptools.command.build_ext import build_ext
from setuptools.modified import newer_group

NATIVE = Path("native_modules")
FLAGS = [
    *("-O3", "-g0", "-std=gnu99", "-ffp-contract=off", "-fno-math-errno", "-fno-strict-aliasing"),
    *("-fvisibility=hidden", "-Wno-psabi", "-Wno-error"),
]
# Where the CPU can be asked what it runs, every variant is built and one chosen at run time.
DISPATCH = platform.machine().lower() in ("x86_64", "amd64", "aarch64", "arm64")
CORE = ["core/dispatch.c", "core/variants/*.c"] if DISPATCH else ["core/single.c"]


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
            core = sorted(str(path) for pattern in CORE for path in NATIVE.glob(pattern))
            ext.sources = [str(generated / "cpython.c")]
            ext.depends = [__file__, *map(str, NATIVE.rglob("*.[ch]"))]
            ext.include_dirs = [str(NATIVE)]
            ext.define_macros = [("PICORL_DISPATCH", None)] if DISPATCH else []
            ext.extra_compile_args = FLAGS
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                ext.extra_objects = list(pool.map(lambda source: self.core_object(source, ext), core))
            super().build_extension(ext)
        except Exception as error:  # no compiler, no Python.h: NumPy does it too, only slower
            for stale in Path("host").glob("_picorl*.so"):
                stale.unlink()
            say(f"picorl: no C kernels: {error}; falling back to NumPy")

    def core_object(self, source, ext):
        """Compile one file of the core, unless it was; setuptools would compile one after the other, every time."""
        folder = f"build/{sys.implementation.cache_tag}-kernels"
        (target,) = self.compiler.object_filenames([source], output_dir=folder)
        if newer_group([source, *ext.depends], target):
            self.compiler.compile([source], folder, ext.define_macros, ext.include_dirs, extra_postargs=FLAGS)
        return target
