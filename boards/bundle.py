"""The library as circup, CircuitPython's installer of libraries, wants it: zip files and an index, in the layout of Adafruit's bundles.

A release of a repository OWNER/picorl with these files, under the tag VERSION, is a bundle: `circup bundle-add OWNER/picorl`, then
`circup install picorl`.
"""

import json
import zipfile

from debian import Missing

import picorl
from picorl_host import mpy
from picorl_host.boards import ROOT

LIBRARY = ROOT / "device/picorl"
EXAMPLES = ROOT / "device/examples"
VERSION = picorl.__version__

# The same bytes whenever it is built.
_TIME = (1980, 1, 1, 0, 0, 0)


def bundle(out, compilers):
    """Write the bundle into the folder `out`. compilers: {major version: CircuitPython's mpy-cross}; there are .mpy files for these."""
    out.mkdir(parents=True)
    sources = mpy.modules(LIBRARY)
    _zip(out, "py", {name: path.read_bytes() for name, path in sources.items()})
    for major, compiler in sorted(compilers.items()):
        compiled = mpy.compiled(compiler, sources)
        try:
            for content in compiled.values():
                mpy.read(content, mpy.CIRCUITPYTHON)
        except mpy.BadMpy as bad:
            raise Missing(f"what {compiler} makes {bad}") from None
        _zip(out, f"{major}.x-mpy", compiled)
    facts = {
        "package": True,
        "path": "lib/picorl",
        "pypi_name": "picorl",
        "pypi_description": picorl.__doc__,
        "version": VERSION,
        "repo": "",
        "dependencies": [],
        "external_dependencies": [],
    }
    (out / f"picorl-{VERSION}.json").write_text(json.dumps({"picorl": facts}, sort_keys=True) + "\n")


def _zip(out, platform, library):
    top = f"picorl-{platform}-{VERSION}"
    files = {f"lib/{name}": content for name, content in library.items()}
    files |= {f"examples/picorl/{path.name}": path.read_bytes() for path in EXAMPLES.glob("*.py")}
    files["requirements/picorl/requirements.txt"] = b"# picorl needs no other library.\n"
    files["LICENSE"] = (ROOT / "LICENSE").read_bytes()
    with zipfile.ZipFile(out / f"{top}.zip", "w", compression=zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(f"{top}/{name}", _TIME)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
