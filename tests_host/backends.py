"""The kernel backends that can be tested here, found without importing the rest of the library."""

import importlib
import importlib.util
import sys
from pathlib import Path

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
MODULES = {name: _load(module) for name, module in _NAMES.items()}
BACKENDS = [(name, variant) for name, module in MODULES.items() if module for variant in module.variants()]
