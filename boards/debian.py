"""Debian packages: install the ones that are missing, fetch the source of others.

    python3 boards/debian.py build-essential python3-venv     # install what is missing

Standard library only: this runs before there is a virtual environment.
"""

import argparse
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

APT = ["apt-get", "-o", "DPkg::Lock::Timeout=300"]


class Missing(Exception):
    """Something the build needs is not there; the message says what to do about it."""


def _importable(*modules):
    return all(importlib.util.find_spec(module) for module in modules)


def _python_header():
    return Path(sysconfig.get_path("include"), "Python.h").exists()


def _command(name):
    return lambda: shutil.which(name) is not None


def _library(compiler, name):
    """Whether a cross compiler knows a library: otherwise it prints the bare name."""

    def known():
        if not shutil.which(compiler):
            return False
        found = subprocess.run([compiler, f"-print-file-name={name}"], capture_output=True, text=True).stdout.strip()
        return os.path.isabs(found)

    return known


# What shows that a package is there. Anything else that provides it will do: a compiler of the
# user's own, a Python that is not Debian's. Other packages are there when dpkg says so.
PROBES = {
    "build-essential": lambda: all(map(shutil.which, ("make", "gcc"))),
    # Debian's python3 has `venv` but no `ensurepip` without this package.
    "python3-venv": lambda: _importable("venv", "ensurepip"),
    "python3-dev": _python_header,
    "cmake": _command("cmake"),
    "gcc-arm-none-eabi": _command("arm-none-eabi-gcc"),
    "libnewlib-arm-none-eabi": _library("arm-none-eabi-gcc", "libc.a"),
    "libstdc++-arm-none-eabi-newlib": _library("arm-none-eabi-gcc", "libstdc++.a"),
    "gcc-riscv64-unknown-elf": _command("riscv64-unknown-elf-gcc"),
    "qemu-system-arm": _command("qemu-system-arm"),
    "qemu-system-misc": _command("qemu-system-riscv32"),
}


def release():
    """The fields of /etc/os-release, empty on a machine that has none."""
    try:
        lines = Path("/etc/os-release").read_text().splitlines()
    except OSError:
        return {}
    return {k: v.strip('"') for k, _, v in (line.partition("=") for line in lines)}


def is_debian():
    return release().get("ID") == "debian" and shutil.which("apt-get") is not None


def present(package):
    if package in PROBES:
        return PROBES[package]()
    query = ["dpkg-query", "--show", "--showformat=${db:Status-Status}", package]
    return subprocess.run(query, capture_output=True, text=True).stdout == "installed"


def _root_command():
    """What to put before a command that needs root, or None when we may not."""
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") and subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode == 0:
        return ["sudo", "-n"]
    return None


def install(packages, log):
    """Install those of `packages` that are missing, or raise Missing with the line to type."""
    missing = [package for package in packages if not present(package)]
    if not missing:
        return
    names = " ".join(missing)
    if not shutil.which("apt-get"):
        raise Missing(f"this machine lacks what Debian calls: {names}")
    by_hand = f"sudo apt-get install {names}"
    root = _root_command()
    if root is None:
        raise Missing(f"missing Debian packages, please type:\n    {by_hand}")
    print(f"installing Debian packages: {names}", flush=True)
    # DEBIAN_FRONTEND goes through env(1) because sudo drops it.
    apt = [*root, "env", "DEBIAN_FRONTEND=noninteractive", *APT, "-q", "-y", "--no-install-recommends"]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as out:

        def run(*arguments):
            return subprocess.run([*apt, *arguments], stdin=subprocess.DEVNULL, stdout=out, stderr=out).returncode

        # A new machine has no package lists yet, an old one may have lists that name files long gone.
        if run("install", *missing) and (run("update") or run("install", *missing)):
            raise Missing(f"apt-get failed, see {log}; by hand:\n    {by_hand}")


def _deb822_source(text, suite, kinds):
    """Stanzas of a `.sources` file that serve this Debian release, pointed at another suite."""
    stanzas = []
    for stanza in re.split(r"\n\s*\n", text):
        lines = [line for line in stanza.splitlines() if not line.startswith("#")]
        fields, name = {}, None
        for line in lines:
            if line[:1].isspace() and name:
                fields[name] += "\n" + line  # a key may be written out over several lines
            elif ":" in line:
                name, _, value = line.partition(":")
                name = name.strip().lower()
                fields[name] = value.strip()
        if "deb" in fields.get("types", "").split() and fields.get("enabled", "yes").lower() not in ("no", "false"):
            if _serves_release(fields.get("suites", "").split()):
                fields.update({"types": " ".join(kinds), "suites": suite, "components": "main"})
                stanzas.append("\n".join(f"{k.title()}: {v}" for k, v in fields.items()))
    return stanzas


def _one_line_source(text, suite, kinds):
    """The same for the lines of a `sources.list`; `[options]` are kept."""
    lines = []
    for line in text.splitlines():
        match = re.match(r"\s*deb\s+(\[[^]]*\]\s+)?(\S+)\s+(\S+)\s", line + " ")
        if match and _serves_release([match[3]]) and not match[2].startswith("cdrom:"):
            lines += [f"{kind} {match[1] or ''}{match[2]} {suite} main" for kind in kinds]
    return lines


def _serves_release(suites):
    names = {release().get("VERSION_CODENAME"), "oldstable", "stable", "testing", "unstable", "sid"}
    return bool(names & set(suites))


def private_apt(folder, suite, kinds=("deb-src",)):
    """apt-get options with which apt knows `suite` through the machine's own mirror, and nothing of it outside `folder`."""
    etc = Path("/etc/apt")
    deb822, one_line = [], []
    for path in sorted(etc.glob("sources.list.d/*.sources")):
        deb822 += _deb822_source(path.read_text(), suite, kinds)
    for path in [etc / "sources.list", *sorted(etc.glob("sources.list.d/*.list"))]:
        if path.exists():
            one_line += _one_line_source(path.read_text(), suite, kinds)
    if not deb822 and not one_line:
        raise Missing(f"found no Debian mirror in {etc} to take {suite} from")
    for name in ("sources", "lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "sources/picorl.sources").write_text("\n\n".join(dict.fromkeys(deb822)) + "\n")
    (folder / "sources/picorl.list").write_text("\n".join(dict.fromkeys(one_line)) + "\n")
    options = {
        "Dir::Etc::SourceList": "/dev/null",
        "Dir::Etc::SourceParts": folder / "sources",
        "Dir::State::Lists": folder / "lists",
        "Dir::Cache": folder / "cache",
        "APT::Sandbox::User": "",  # the _apt user may not be able to reach this folder
    }
    return [word for key, value in options.items() for word in ("-o", f"{key}={value}")]


def fetch(suite, folder, run, sources=(), packages=()):
    """Bring source packages and binary packages of `suite` into `folder` without installing anything; `run` runs a command, given its folder.

    Returns {name: what came}: the upstream tarball of a source package, the .deb of a binary one.
    """
    options = private_apt(folder / "apt", suite, ("deb", "deb-src"))
    run([*APT, *options, "update"], folder)
    if sources:
        run([*APT, *options, "source", "--download-only", *sources], folder)
    if packages:
        run([*APT, *options, "download", *packages], folder)
    found = {}
    for name, pattern in [(one, "_*.orig.tar.*") for one in sources] + [(one, "_*.deb") for one in packages]:
        files = sorted(folder.glob(name + pattern), key=lambda path: path.stat().st_mtime)
        if not files:
            raise Missing(f"apt-get brought no {name}{pattern} from {suite}")
        found[name] = files[-1]
    return found


def main():
    parser = argparse.ArgumentParser(description="Install the Debian packages that are missing.")
    parser.add_argument("packages", nargs="+")
    parser.add_argument("--optional", action="store_true", help="only say so when they cannot be installed")
    arguments = parser.parse_args()
    log = Path(__file__).resolve().parent.parent / "build/logs/apt-install.log"
    try:
        install(arguments.packages, log)
    except Missing as missing:
        print(f"picorl: {missing}", file=sys.stderr)
        sys.exit(0 if arguments.optional else 1)


if __name__ == "__main__":
    main()
