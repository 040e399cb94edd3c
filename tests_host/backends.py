"""The kernel backends that can be tested here, found without importing the rest of the library."""

import importlib
import importlib.machinery
import importlib.util
import sys
from pathlib import Path

import ulab_double

ROOT = Path(__file__).resolve().parent.parent
if importlib.util.find_spec("picorl_numpy") is None:
    sys.path.append(str(ROOT / "host"))


def _load(name):
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        return None  # test_c_kernels_are_there_if_a_compiler_is says whether that is all right


_NAMES = {"_picorl": "_picorl", "picorl_numpy": "picorl_numpy", "python": "picorl.kernels.python"}


class _OnTheDouble:
    """Imports the ulab kernels on a double of ulab whose floats are `width`: a copy of their own, since they look at it when imported."""

    folder = ROOT / "device/picorl/kernels/ulab"

    def __init__(self, width):
        self.package = f"picorl.kernels.ulab_{width}"
        sys.meta_path.insert(0, self)
        try:
            with ulab_double.installed(ulab_double.make(width)):
                self.module = importlib.import_module(self.package)
                for path in self.folder.glob("[!_]*.py"):
                    importlib.import_module(f"{self.package}.{path.stem}")
        finally:
            sys.meta_path.remove(self)

    def find_spec(self, name, path=None, target=None):
        package, _, part = name[len("picorl.kernels.") :].partition(".")
        if name.startswith("picorl.kernels.") and self.package == f"picorl.kernels.{package}":
            file = str(self.folder / f"{part or '__init__'}.py")
            places = None if part else [str(self.folder)]
            return importlib.util.spec_from_file_location(
                name, file, loader=_WithItsMemoryview(name, file), submodule_search_locations=places
            )


class _WithItsMemoryview(importlib.machinery.SourceFileLoader):
    """Gives modules a memoryview that knows the double's arrays, before they run and perhaps keep it under a shorter name."""

    def exec_module(self, module):
        module.memoryview = ulab_double.memoryview
        super().exec_module(module)


MODULES = {name: _load(module) for name, module in _NAMES.items()}
MODULES.update({f"ulab-{width}": _OnTheDouble(width).module for width in ulab_double.WIDTHS})
BACKENDS = [(name, variant) for name, module in MODULES.items() if module for variant in module.variants()]
