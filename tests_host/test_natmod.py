"""The native .mpy modules that were built, and the arithmetic they bring for CPUs that cannot do it."""

import ctypes
import importlib.util
import subprocess
import sys
from pathlib import Path

import kernels as contract
import numpy as np
import pytest
import targets

ROOT = Path(__file__).parent.parent
NATIVE = ROOT / "native_modules"
BUILT = sorted((ROOT / "build/natmod").glob("*/_picorl.mpy"))

# Numbers of MicroPython's py/persistentcode.h, and the bytes that a module with everything may have: a quarter of a Pico's heap.
# With ALGORITHMS="sac" it has half of them.
ARCHS = {
    "x64": (2, 1_000_000),
    "armv6m": (4, 59_000),
    "armv7m": (5, 59_000),
    "armv7emsp": (7, 59_000),
    "armv7emdp": (8, 59_000),
    "xtensawin": (10, 72_000),
    "rv32imc": (11, 72_000),
}


def load(name, path):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


IN_ALL_FIRMWARE = load("natmod_qstrs", ROOT / "build/micropython-src/py/makeqstrdata.py").static_qstr_list


class Module:
    """What an .mpy file says of itself, before its code."""

    def __init__(self, path):
        self.arch, _, self.abi = path.parent.name.partition("_")
        self.data = path.read_bytes()
        self.header = tuple(self.data[:4])
        self.position = 4
        count = self.number()
        self.number()  # of other constants
        self.file_name, *self.names = [self.name() for _ in range(count)]

    def number(self):
        value = 0
        while True:
            byte = self.data[self.position]
            self.position += 1
            value = value << 7 | byte & 0x7F
            if byte < 0x80:
                return value

    def name(self):
        length = self.number()
        if length & 1:  # a name that all firmware holds, by its number
            return IN_ALL_FIRMWARE[(length >> 1) - 1]
        start = self.position
        self.position += (length >> 1) + 1
        return self.data[start : self.position - 1].decode()


@pytest.fixture(params=BUILT, ids=lambda path: path.parent.name)
def module(request):
    # `make test` builds x64 anew, others stay as they are.
    if request.param.parent.name != "x64_6.3" and request.param.stat().st_mtime < newest_source():
        pytest.skip("older than its sources: make natmod")
    return Module(request.param)


def newest_source():
    files = [*NATIVE.glob("kernels/*.py"), *NATIVE.glob("core/*.[ch]"), *NATIVE.glob("templates/*")]
    return max(path.stat().st_mtime for path in files)


def test_there_is_one_for_the_desktop():
    assert "x64_6.3" in [path.parent.name for path in BUILT], "make natmod-x64"


def test_header_names_the_cpu_and_the_version(module):
    number, _ = ARCHS[module.arch]
    # "M", version, architecture and sub-version, bits of a small integer
    assert module.header == (ord("M"), 6, number << 2 | 3, 31)
    assert module.abi == "6.3"


def test_every_kernel_is_a_name_in_it(module):
    wanted = {kernel.name for kernel in contract.KERNELS}
    wanted |= {"variants", "variant", "select", "fused", "ABI", "RECORD"}
    assert wanted - set(module.names) - set(IN_ALL_FIRMWARE) == set()


def test_no_folder_of_this_machine_is_in_it(module):
    assert module.file_name == "_picorl.mpy"
    assert str(ROOT).encode() not in module.data


def test_size_is_what_a_board_can_spare(module):
    _, most = ARCHS[module.arch]
    assert len(module.data) <= most


def test_desktop_module_works_at_any_address_and_outlives_collections():
    """Its variants read vectors of constants where they must be aligned, and a static pointer holds the variant."""
    out = targets.StockNativeTarget().run("""
import gc, sys
from array import array
places, results = set(), {}
for i in range(40):
    sys.modules.pop("_picorl", None)
    import _picorl
    places.add(id(_picorl.normal))
    chosen = _picorl.variant()
    for n in range(50):
        bytearray(1000 * (n + i))
    gc.collect()
    assert _picorl.variant() == chosen == _picorl.variants()[0]
    for name in _picorl.variants():
        _picorl.select(name)
        x, y = array("f", [0] * 301), array("f", [0] * 43)
        _picorl.normal(array("I", [1, 2, 3, 0]), x, 301)
        layout = array("i", [1, 7, 9, 1, 1, 9, 1, 2])
        params = array("f", x[:82])
        _picorl.forward(layout, params, x, y, array("f", [0] * 387), 0, 43)
        results.setdefault(name, set()).add(bytes(x) + bytes(y))
print(len(places), [len(found) for found in results.values()])
""")
    places, _, counts = out.strip().partition(" ")
    assert int(places) == 40
    assert set(counts.strip("[]").split(", ")) == {"1"}


# --- arithmetic -------------------------------------------------------------------------------------------------------


def compiled(folder, source):
    """A C text as a library; it sees native_modules/."""
    (folder / "code.c").write_text(source)
    library = folder / "code.so"
    flags = "-O2 -std=gnu99 -ffp-contract=off -fno-builtin -shared -fPIC -Wall -Werror".split()
    subprocess.run(["cc", *flags, f"-I{NATIVE}", folder / "code.c", "-o", library], check=True)
    return ctypes.CDLL(str(library))


def pointer(array):
    return array.ctypes.data_as(ctypes.c_void_p)


def same_floats(got, right):
    """The same bits, or not a number both."""
    return (got.view(np.uint32) == right.view(np.uint32)) | (np.isnan(got) & np.isnan(right))


def test_division_without_fpu_is_correctly_rounded(tmp_path):
    library = compiled(
        tmp_path,
        """
        #include "natmod/divide.c"
        void divide(const float *x, const float *y, float *z, int n) {
            for (int i = 0; i < n; i++) z[i] = __aeabi_fdiv(x[i], y[i]);
        }
        """,
    )
    special = [0, 1, 2, 0x7FFFFF, 0x800000, 0x800001, 0xFFFFFF, 0x3F7FFFFF, 0x3F800000, 0x3F800001, 0x40400000]
    special += [0x7F000000, 0x7F7FFFFF, 0x7F800000, 0x7F800001, 0x7FC00000]
    special = np.array([sign | bits for bits in special for sign in (0, 1 << 31)], np.uint32)
    random = np.random.default_rng(0)
    any_bits = random.integers(0, 2**32, (2, 3_000_000), np.uint32)
    # Quotients near and below the least normal number, where ties occur.
    small = random.integers(0, 2**12, (2, 500_000), np.uint32)
    small[0] = small[0] << 11 | random.integers(0, 30, 500_000, np.uint32) << 23
    small[1] = small[1] << 11 | random.integers(100, 150, 500_000, np.uint32) << 23
    for x, y in (np.meshgrid(special, special), any_bits, small):
        x, y = np.ravel(x).view(np.float32), np.ravel(y).view(np.float32)
        x, y = np.ascontiguousarray(x), np.ascontiguousarray(y)
        got = np.empty_like(x)
        library.divide(pointer(x), pointer(y), pointer(got), len(x))
        with np.errstate(all="ignore"):
            assert same_floats(got, x / y).all()


def test_square_root_without_fpu_is_correctly_rounded(tmp_path):
    library = compiled(
        tmp_path,
        """
        #include <stdint.h>
        #undef __x86_64__
        #undef __aarch64__
        #define PICORL_W 1
        #define PICORL_FUSED 0
        #include "core/vec.h"
        #ifdef PICORL_HAS_SQRT
        #error "this is the instruction"
        #endif
        void root(const float *x, float *y, int n) {
            for (int i = 0; i < n; i++) y[i] = v_sqrt(x[i]);
        }
        """,
    )
    mantissas = np.arange(0x3F800000, 0x40800000, 5, np.uint32)  # 1 to 4, where all cases are
    special = [0, 1 << 31, 1, 2, 3, 0x7FFFFF, 0x800000, 0x7F7FFFFF, 0x7F800000, 0x7FC00000, 0xBF800000, 0xFF800000]
    others = np.random.default_rng(0).integers(0, 2**32, 500_000, np.uint32)
    for bits in (mantissas, np.array(special, np.uint32), others):
        x = bits.view(np.float32)
        got = np.empty_like(x)
        library.root(pointer(x), pointer(got), len(x))
        with np.errstate(all="ignore"):
            assert same_floats(got, np.sqrt(x)).all()
