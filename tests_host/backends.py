"""The kernel backends that can be tested here, found without importing the rest of the library."""

import importlib
import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if importlib.util.find_spec("picorl_numpy") is None:
    sys.path.append(str(ROOT / "host"))


def _load(name):
    if name == "python":
        path = ROOT / "device/picorl/kernels/python.py"
        spec = importlib.util.spec_from_file_location("plain_python_kernels", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        return None  # test_c_kernels_are_there_if_a_compiler_is says whether that is all right


MODULES = {name: _load(name) for name in ("_picorl", "picorl_numpy", "python")}
BACKENDS = [(name, variant) for name, module in MODULES.items() if module for variant in module.variants()]
