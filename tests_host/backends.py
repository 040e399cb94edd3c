"""The kernel backends that can be tested here, found without importing the rest of the library."""

import importlib
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


def _on_the_double(width):
    """The ulab kernels on a double of ulab whose floats are `width`: a copy of their own, since they look at it when imported."""
    name = f"picorl.kernels.ulab_{width}"
    folder = ROOT / "device/picorl/kernels/ulab"
    spec = importlib.util.spec_from_file_location(
        name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    module = importlib.util.module_from_spec(spec)
    with ulab_double.installed(ulab_double.make(width)):
        sys.modules[name] = module
        spec.loader.exec_module(module)
        parts = [importlib.import_module(f"{name}.{path.stem}") for path in folder.glob("[!_]*.py")]
    for part in (module, *parts):
        part.memoryview = ulab_double.memoryview
    return module


MODULES = {name: _load(module) for name, module in _NAMES.items()}
MODULES.update({f"ulab-{width}": _on_the_double(width) for width in ulab_double.WIDTHS})
BACKENDS = [(name, variant) for name, module in MODULES.items() if module for variant in module.variants()]
