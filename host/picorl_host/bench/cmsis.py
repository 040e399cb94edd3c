"""CMSIS-DSP, ARM's library for microcontrollers: its C sources as PyPI's `cmsisdsp` has them. Only to compare with; nothing of it is kept."""

import subprocess
import sys
import tarfile
from pathlib import Path

from .. import runner

VERSION = "1.10.3"
# What a Cortex-M7 takes of arm_mat_vec_mult_f32; the others are for MVE and NEON.
PRODUCT = "Source/MatrixFunctions/arm_mat_vec_mult_f32.c"
# The sources want CMSIS-Core's headers, which are not in the package, unless built as for Python: then they do
# without its intrinsics, none of which this function uses.
DEFINES = ("-D__GNUC_PYTHON__",)
INCLUDES = ("Include", "PrivateInclude")


def sources(folder: Path):
    """The folder of the unpacked sources, downloaded into `folder` where they are missing."""
    tree = folder / f"cmsisdsp-{VERSION}"
    if not (tree / PRODUCT).exists():
        folder.mkdir(parents=True, exist_ok=True)
        pip = [sys.executable, "-m", "pip", "download", "-qq", "--disable-pip-version-check", "--no-deps"]
        # Without isolation: pip would build NumPy only to read the package's name.
        pip += ["--no-build-isolation", "--no-binary", ":all:", "--dest", str(folder), f"cmsisdsp=={VERSION}"]
        done = subprocess.run(pip, capture_output=True, text=True)
        if done.returncode:
            raise runner.Problem(f"pip did not bring cmsisdsp {VERSION}:\n{done.stderr.strip()}")
        with tarfile.open(folder / f"cmsisdsp-{VERSION}.tar.gz") as archive:
            archive.extractall(folder, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    return tree
