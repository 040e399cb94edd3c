"""Deployment to CircuitPython: onto drives (folders here), and over the serial port to an interpreter behind a pty.

The interpreter is a stock MicroPython that calls itself CircuitPython and lacks what boards with it lack; and, where the variable
PICORL_CIRCUITPYTHON names one, a real CircuitPython as well, with its FAT file system in an image file.
"""

import errno
import io
import os
import re
import shutil
import subprocess
import sys
import types
from pathlib import Path

import pytest
import serial
from rich.console import Console
from serial.tools import list_ports
from serial_board import MICROPYTHON, SerialBoard

import picorl
from picorl_host import deploy, mpy, serial_port
from picorl_host.deploy import cross, drive, kernels, library
from picorl_host.runner import Problem

GIVEN = os.environ.get("PICORL_CIRCUITPYTHON")
GIVEN_ULAB = os.environ.get("PICORL_MICROPYTHON_ULAB")
GIVEN_CROSS = os.environ.get(cross.VARIABLE)
UID = b"\x0e\xc9\x12\xab"
BOOT_OUT = "Adafruit CircuitPython {version} on 2024-11-20; Raspberry Pi Pico with rp2040\nBoard ID:raspberry_pi_pico\nUID:{uid}\n"


@pytest.fixture(autouse=True)
def nothing_else_is_plugged_in(monkeypatch):
    monkeypatch.setattr(drive, "PLACES", ())
    monkeypatch.setattr(list_ports, "comports", list)
    monkeypatch.setattr(cross, "_COMMANDS", ())
    monkeypatch.delenv(cross.VARIABLE, raising=False)


def make_drive(folder, version="9.2.1", uid=UID.hex().upper()):
    folder.mkdir(parents=True)
    (folder / "boot_out.txt").write_text(BOOT_OUT.format(version=version, uid=uid))
    (folder / "lib").mkdir()
    return folder


@pytest.fixture
def folder(tmp_path):
    return make_drive(tmp_path / "CIRCUITPY")


@pytest.fixture
def code(tmp_path):
    path = tmp_path / "code.py"
    path.write_text("print('hello')\n")
    return path


@pytest.fixture(params=["emulated", "given"])
def board(request):
    """Starts a SerialBoard with CircuitPython: board(image, changes)."""
    if request.param == "given" and not GIVEN:
        pytest.skip("no PICORL_CIRCUITPYTHON")
    pretended = {"name": "circuitpython", "version": (9, 2, 1), "_machine": "Raspberry Pi Pico with rp2040"}
    rest = {"implementation": pretended} if request.param == "emulated" else {}
    firmware = MICROPYTHON if request.param == "emulated" else Path(GIVEN).expanduser()
    return lambda image, **changes: SerialBoard(image, changes={"uid": UID, **rest, **changes}, firmware=firmware)


def deployed(*programs, **options):
    """The Report, and what was printed."""
    out = io.StringIO()
    report = deploy.deploy(programs=programs, console=Console(file=out, width=500), **options)
    return report, out.getvalue()


def files(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def refused(said, *programs, **options):
    """deploy raises a Problem that says this, and leaves the drive as it is."""
    folder = options.get("drive")
    before = folder and {name: (folder / name).read_bytes() for name in files(folder)}
    with pytest.raises(Problem, match=re.compile(said, re.DOTALL)) as problem:
        deployed(*programs, **options)
    assert "Nothing was changed" in str(problem.value) or folder is None
    assert before == (folder and {name: (folder / name).read_bytes() for name in files(folder)})


def imported(folder, interpreter=MICROPYTHON):
    """An interpreter imports picorl from the drive's lib."""
    program = "import picorl\nprint(picorl.__version__, picorl.__file__, picorl.kernels.name)\n"
    done = subprocess.run(
        [interpreter, "-X", "heapsize=8m", "-c", program],
        env={**os.environ, "MICROPYPATH": str(folder / "lib")},
        cwd=folder.parent,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    version, file, active = done.stdout.split()
    assert (version, active) == (picorl.__version__, active_kernels(interpreter))
    return file


def active_kernels(interpreter):
    """Those that an interpreter without _picorl has."""
    has_ulab = subprocess.run([interpreter, "-c", "import ulab"], capture_output=True).returncode == 0
    return "ulab" if has_ulab and "ulab" in picorl.kernels.names() else "python"


# --- the drive ------------------------------------------------------------------------------------------------------


def test_library_and_program_arrive_on_the_drive_the_program_last(folder, code, monkeypatch):
    written = []
    put = drive.Drive.put
    monkeypatch.setattr(drive.Drive, "put", lambda self, path, *rest: written.append(path) or put(self, path, *rest))
    report, said = deployed(code, drive=folder)
    sources = {f"lib/{name}" for name in mpy.modules(library.LIBRARY)}
    assert files(folder) == sources | {"boot_out.txt", "code.py"}
    assert written[-1] == "/code.py.new" and report.imported is None
    assert "CircuitPython 9.2.1 on Raspberry Pi Pico with rp2040 (raspberry_pi_pico)" in said
    assert "no mpy-cross of CircuitPython 9" in said and "sending sources" in said
    assert "those on ulab where the firmware has it, otherwise plain Python" in said
    assert "not proven: that the board imports it" in said and "code.py starts by itself" in said
    assert imported(folder).endswith("lib/picorl/__init__.py")


def test_only_what_changed_is_written_again_and_what_does_not_belong_goes(folder, code):
    deployed(code, drive=folder)
    report, said = deployed(code, drive=folder)
    assert report.sent == [] and len(report.unchanged) > 10 and "sent" not in said.replace("sending", "")
    package = folder / "lib/picorl"
    (package / "old.mpy").write_bytes(b"C\x06")
    (package / "sac.py.new").write_text("half of it")
    (package / "notes.txt").write_text("the user's own")
    network = package / "network.py"
    network.write_bytes(network.read_bytes()[:-1] + b"#")  # the same size
    report, _ = deployed(code, drive=folder)
    assert report.sent == ["/lib/picorl/network.py"]
    assert sorted(report.removed) == ["/lib/picorl/old.mpy", "/lib/picorl/sac.py.new"]
    assert (package / "notes.txt").exists()


@pytest.mark.parametrize(
    "text", [None, "", "MicroPython v1.25.0 on 2025-04-15; Raspberry Pi Pico with RP2040\n", "some\ntext\n"]
)
def test_a_folder_that_is_no_such_drive_is_refused(tmp_path, code, text):
    other = tmp_path / "other"
    other.mkdir()
    if text is not None:
        (other / "boot_out.txt").write_text(text)
    refused("is no drive of a CircuitPython board", code, drive=other)


def test_an_old_circuitpython_is_refused(tmp_path, code):
    refused("has CircuitPython 8.2.6, picorl needs 9", code, drive=make_drive(tmp_path / "old", "8.2.6"))


def test_a_version_between_releases_is_understood(tmp_path):
    made = drive.Drive(make_drive(tmp_path / "new", "10.0.0-beta.2-11-g1234567"))
    assert made.board().major == 10 and drive.plain(made.version) == "10.0.0"


def test_a_copy_that_would_be_imported_first_is_named(folder, code):
    (folder / "picorl").mkdir()
    (folder / "picorl/__init__.py").write_text("")
    refused(f"/picorl on the board would be imported.*remove it, {folder}/picorl", code, drive=folder)
    report, _ = deployed(code, drive=folder, target="/")
    assert "/picorl/sac.py" in report.sent


def test_a_full_drive_is_told_before_anything_is_written(folder, code, monkeypatch):
    monkeypatch.setattr(drive.Drive, "space", lambda *_: (512, 200))
    refused(r"too full: \d+ KB are needed, 100 KB are free", code, drive=folder)


def test_cut_off_in_the_middle_and_gone_on_with_by_the_next(folder, code, monkeypatch):
    def put(self, path, content, *rest):
        if path == "/lib/picorl/network.py.new":
            self._path(path).write_bytes(content[:100])
            raise OSError(errno.EIO, "Input/output error")
        return whole(self, path, content, *rest)

    whole = drive.Drive.put
    with (
        monkeypatch.context() as patch,
        pytest.raises(Problem, match="network.py could not be .*deploy again to go on"),
    ):
        patch.setattr(drive.Drive, "put", put)
        patch.setattr(drive.Drive, "remove", lambda *_: None)  # who pulls it out removes nothing any more
        deployed(code, drive=folder)
    there = files(folder)
    assert "lib/picorl/network.py.new" in there and "lib/picorl/network.py" not in there and "code.py" not in there
    report, _ = deployed(code, drive=folder)
    assert report.unchanged and report.sent and not [name for name in files(folder) if name.endswith(".new")]
    assert imported(folder)


@pytest.mark.parametrize("stage", ["compare", "check_space", "send"])
def test_pulled_out_at_any_stage_says_to_deploy_again(folder, code, monkeypatch, stage):
    whole = getattr(deploy, stage)

    def pulled_out(*args):
        shutil.rmtree(folder, ignore_errors=True)
        folder.write_text("")  # nothing can be made below it
        return whole(*args)

    monkeypatch.setattr(deploy, stage, pulled_out)
    with pytest.raises(Problem, match="deploy again to go on"):
        deployed(code, drive=folder)


def on_mounted(folder, options, *arguments, before="true"):
    """`picorl deploy --drive` onto a file system that is mounted for it alone, with these options; None where that is not allowed."""
    command = [sys.executable, "-m", "picorl_host.cli", "deploy", "--drive", str(folder), *map(str, arguments)]
    script = f'mount -t tmpfs -o {options} none "$0" || exit 77; cp -r "$1"/. "$0" && {before} || exit 77; shift; "$@"'
    filled = folder.with_name("filled")
    folder.rename(filled)
    folder.mkdir()
    try:
        done = subprocess.run(
            ["unshare", "-rm", "sh", "-c", script, folder, filled, *command], capture_output=True, text=True
        )
    except FileNotFoundError:
        pytest.skip("no unshare")
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip(f"this machine lets no user mount: {done.stderr}")
    return done.returncode, " ".join(done.stderr.split())


def test_a_drive_that_the_system_mounted_read_only(folder, code):
    status, said = on_mounted(folder, "size=4m", code, before='mount -o remount,ro "$0"')
    assert status == 1 and "the drive is read-only for this computer" in said and "Nothing was changed" in said


def test_a_drive_too_small(folder, code):
    status, said = on_mounted(folder, "size=200k", code)
    assert status == 1 and "the board's flash is too full" in said and "Nothing was changed" in said


def test_a_drive_that_fills_up_all_the_same_keeps_whole_files_only(folder, code, monkeypatch):
    def put(self, path, content, *rest):
        if path.startswith("/lib/picorl/o"):
            self._path(path).write_bytes(content[:100])
            raise OSError(errno.ENOSPC, "No space left on device")
        return whole(self, path, content, *rest)

    whole = drive.Drive.put
    monkeypatch.setattr(drive.Drive, "put", put)
    with pytest.raises(Problem, match="flash is full at /lib/picorl/o.*; the board keeps its old one"):
        deployed(code, drive=folder)
    assert not [name for name in files(folder) if name.endswith(".new")]


# --- which drive ----------------------------------------------------------------------------------------------------


def test_the_one_drive_is_found(folder, code, monkeypatch):
    monkeypatch.setattr(drive, "PLACES", (str(folder.parent / "*"),))
    assert "/code.py" in deployed(code)[0].sent and (folder / "code.py").exists()


def test_no_drive_and_several_are_told(tmp_path, code, monkeypatch):
    with pytest.raises(Problem, match="Give --port.*or --drive.*no CIRCUITPY drive is mounted"):
        deployed(code)
    for name in ("A", "B"):
        make_drive(tmp_path / "media" / name)
    monkeypatch.setattr(drive, "PLACES", (str(tmp_path / "media/*"),))
    with pytest.raises(Problem, match=r"(?s)several.*choose one with --drive.*media/A \(Rasp.*media/B \(Rasp"):
        deployed(code)


def test_a_micropython_is_refused_on_a_drive(folder, code, tmp_path):
    with SerialBoard(tmp_path / "flash") as other:
        refused("has MicroPython, which shows no drive", code, port=other.port, drive=folder)


def test_the_drive_of_another_board_is_refused(folder, code, board, tmp_path):
    with board(tmp_path / "flash", uid=b"\x01\x02") as other:
        refused("the drive of another board", code, port=other.port, drive=folder)


# --- drive and port -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["port", "drive", "both"])
def test_with_drive_and_port_the_import_is_proven(folder, code, board, monkeypatch, given):
    with board(str(folder), read_only=True) as serial_board:
        ports = [types.SimpleNamespace(device=serial_board.port, serial_number=UID.hex().upper())]
        monkeypatch.setattr(list_ports, "comports", lambda: ports)
        monkeypatch.setattr(drive, "PLACES", (str(folder.parent / "*"),))
        options = {"port": serial_board.port, "drive": folder}
        options = options if given == "both" else {given: options[given]}
        report, said = deployed(code, **options)
    assert f"its files are on {folder}" in said and "the board imports picorl" in said and "not proven" not in said
    assert report.imported[1] == "/lib/picorl/__init__.py" and (folder / "code.py").exists()
    assert "code.py is running again" in said


def test_a_port_that_a_terminal_has_is_left_alone(folder, code, tmp_path, monkeypatch):
    with SerialBoard(tmp_path / "flash") as other, serial.Serial(other.port, exclusive=True):
        ports = [types.SimpleNamespace(device=other.port, serial_number=UID.hex().upper())]
        monkeypatch.setattr(list_ports, "comports", lambda: ports)
        report, said = deployed(code, drive=folder)
    assert "cannot be asked" in said and "is busy" in said and "not proven" in said and "/code.py" in report.sent


@pytest.mark.parametrize("others", [[], ["another"]])
def test_read_only_for_code_and_no_drive_here_says_what_to_do(tmp_path, code, board, monkeypatch, others):
    for name in others:
        make_drive(tmp_path / "media" / name, uid="0102")
    monkeypatch.setattr(drive, "PLACES", (str(tmp_path / "media/*"),))
    (tmp_path / "inside").mkdir()
    with board(str(tmp_path / "inside"), read_only=True) as serial_board:
        refused(r"--drive FOLDER.*storage.remount\(.*boot.py", code, port=serial_board.port)
    assert not files(tmp_path / "inside") and all(files(tmp_path / "media" / one) == {"boot_out.txt"} for one in others)


# --- the port alone -------------------------------------------------------------------------------------------------


def test_a_board_that_may_write_takes_files_over_its_port(tmp_path, code, board):
    with board(tmp_path / "flash") as serial_board:
        report, said = deployed(code, port=serial_board.port)
        assert report.imported[:2] == (picorl.__version__, "/lib/picorl/__init__.py")
        assert "CircuitPython loads no native modules" in said and "code.py is running again" in said
        assert report.sent[-1] == "/code.py" and deployed(code, port=serial_board.port)[0].sent == []
    assert report.board.uid == UID.hex().upper()


def test_a_board_whose_program_runs_is_reached(tmp_path, board, monkeypatch):
    monkeypatch.setattr(serial_port, "PATIENCE", 3)
    with board(tmp_path / "flash", running=True) as serial_board, serial_port.Device(serial_board.port, True) as device:
        assert device.eval("6 * 7") == 42


def test_a_board_that_speaks_german_is_reset(tmp_path, board):
    with board(tmp_path / "flash", reboot="weicher reboot") as serial_board:
        with serial_port.Device(serial_board.port) as device:
            device.ask("x = 1")
            device.soft_reset()
            with pytest.raises(serial_port.DeviceError, match="NameError"):
                device.eval("x")


def test_a_board_that_is_read_only_and_does_not_say_so(tmp_path, code, board):
    (tmp_path / "inside").mkdir()
    with board(str(tmp_path / "inside"), read_only=True, tells_read_only=False) as serial_board:
        with pytest.raises(Problem, match="does not let /lib/.* be written.*read-only.*--drive"):
            deployed(code, port=serial_board.port)


def test_an_old_circuitpython_behind_a_port(tmp_path, code):
    changes = {"implementation": {"name": "circuitpython", "version": (8, 2, 6), "_machine": "Feather"}}
    with SerialBoard(tmp_path / "flash", changes=changes) as old:
        refused("has CircuitPython 8.2.6, picorl needs 9", code, port=old.port)


# --- which files ----------------------------------------------------------------------------------------------------


@pytest.fixture
def pretended_cross(tmp_path):
    """pretended_cross(major): MicroPython's mpy-cross under the name of CircuitPython's, with files of its kind."""
    theirs = cross.micropython() or pytest.fail("no mpy-cross: make micropython")

    def make(major):
        path = tmp_path / f"cross-{major}"
        path.write_text(
            f'#!/bin/sh\n[ "$1" = --version ] && echo "CircuitPython {major}.2.1 on 2024-11-20; mpy-cross emitting mpy v6.3" && exit\n'
            f'{theirs} "$@" || exit\nwhile [ "$1" != -o ]; do shift; done\nprintf C | dd of="$2" conv=notrunc status=none\n'
        )
        path.chmod(0o755)
        return str(path)

    return make


def test_compiled_files_where_there_is_circuitpythons_mpy_cross(folder, code, monkeypatch, pretended_cross):
    deployed(code, drive=folder)
    monkeypatch.setenv(cross.VARIABLE, f"{pretended_cross(10)}{os.pathsep}{pretended_cross(9)}")
    report, said = deployed(code, drive=folder)
    assert "sending sources" not in said and "/lib/picorl/sac.mpy" in report.sent
    assert "/lib/picorl/sac.py" in report.removed  # it would win
    names = {name for name in files(folder) if name.startswith("lib/")}
    assert names == {f"lib/{name.removesuffix('.py')}.mpy" for name in mpy.modules(library.LIBRARY)}
    for name in names:
        assert mpy.read((folder / name).read_bytes(), mpy.CIRCUITPYTHON).version[0] == 6
        with pytest.raises(mpy.BadMpy, match="CircuitPython's kind of .mpy, must be MicroPython's"):
            mpy.read((folder / name).read_bytes())


def test_an_mpy_cross_of_another_version_is_not_taken(folder, code, monkeypatch, pretended_cross):
    monkeypatch.setenv(cross.VARIABLE, pretended_cross(10))
    report, said = deployed(code, drive=folder)
    assert "no mpy-cross of CircuitPython 9" in said and "only CircuitPython 10's" in said
    assert "/lib/picorl/sac.py" in report.sent


def test_micropythons_mpy_cross_is_not_taken(folder, code, monkeypatch):
    theirs = cross.micropython()
    monkeypatch.setenv(cross.VARIABLE, theirs)
    refused_words = f"{cross.VARIABLE}={theirs} is no mpy-cross of CircuitPython's"
    with pytest.raises(Problem, match=re.escape(refused_words)):
        deployed(code, drive=folder)
    assert files(folder) == {"boot_out.txt"}
    monkeypatch.delenv(cross.VARIABLE)
    monkeypatch.setattr(cross, "_COMMANDS", (theirs,))  # as if in PATH
    assert cross.circuitpython() == {}


def test_one_in_the_path_is_found(monkeypatch, pretended_cross):
    path = pretended_cross(9)
    monkeypatch.setattr(cross, "_COMMANDS", (path,))
    assert cross.circuitpython() == {9: path}


@pytest.mark.skipif(not (GIVEN and GIVEN_CROSS), reason=f"no PICORL_CIRCUITPYTHON and {cross.VARIABLE}")
def test_a_real_circuitpython_imports_what_its_mpy_cross_made(tmp_path, code, monkeypatch):
    monkeypatch.setenv(cross.VARIABLE, GIVEN_CROSS)
    with SerialBoard(tmp_path / "flash", changes={"uid": UID}, firmware=Path(GIVEN).expanduser()) as real:  # FAT
        report, said = deployed(code, port=real.port)
        assert report.imported[1] == "/lib/picorl/__init__.mpy" and "sending sources" not in said
        assert deployed(code, port=real.port)[0].sent == []
    folder = make_drive(tmp_path / "CIRCUITPY", report.board.version)
    deployed(code, drive=folder)
    assert imported(folder, Path(GIVEN).expanduser()).endswith("lib/picorl/__init__.mpy")
    with pytest.raises(AssertionError, match="incompatible .mpy"):
        imported(folder)  # a MicroPython does not


# --- which kernels --------------------------------------------------------------------------------------------------

CIRCUITPYTHON = deploy.Board("circuitpython", "9.2.1", "Pico", None)


def micropython(number, **facts):
    return deploy.Board("micropython", "1.25.0", "Board", mpy.of_firmware(number), **facts)


XTENSAWIN = 6 | 3 << 8 | 10 << 10


@pytest.mark.parametrize(
    ("board", "name", "why"),
    [
        (micropython(XTENSAWIN, native=4, ulab="6.5.3"), "_picorl", "^C, which the firmware holds$"),
        (
            micropython(XTENSAWIN, ulab="6.5.3"),
            "ulab",
            r"ulab 6.5.3.*no native module .*xtensawin_6.3/_picorl.mpy here \(make natmod ARCH=xtensawin\)",
        ),
        (
            micropython(XTENSAWIN),
            "python",
            "plain Python, some hundred times slower.*no native module .*xtensawin.*no ulab",
        ),
        (
            micropython(6 | 3 << 8),
            "python",
            "plain Python, some hundred times slower.*loads no native modules.*no ulab",
        ),
        (micropython(6 | 1 << 8 | 7 << 10, ulab="6"), "ulab", "native modules need MicroPython 1.23"),
        (
            CIRCUITPYTHON,
            "python",
            "plain Python, .*CircuitPython loads no native modules, and the firmware has no ulab",
        ),
        (
            deploy.Board("circuitpython", "9.2.1", "Pico", None, ulab="6.5"),
            "ulab",
            "ulab 6.5, which the firmware holds; CircuitPython loads no native modules",
        ),
        (deploy.Board("circuitpython", "9.2.1", "Pico", None, asked=False), None, "with --port the board is asked"),
    ],
)
def test_the_best_kernels_are_chosen_and_the_sentence_says_why(board, name, why, monkeypatch, tmp_path):
    monkeypatch.setattr(kernels, "NATIVE", tmp_path)
    choice = kernels.choose(board)
    assert choice.name == name and re.search(why, choice.why) and choice.module is None


@pytest.mark.skipif(not GIVEN_ULAB, reason="no PICORL_MICROPYTHON_ULAB")
@pytest.mark.parametrize("has_module", [True, False])
def test_firmware_with_ulab_gets_the_native_module_or_computes_with_ulab(tmp_path, monkeypatch, has_module):
    if not has_module:
        monkeypatch.setattr(kernels, "NATIVE", tmp_path)
    with SerialBoard(tmp_path / "flash", firmware=Path(GIVEN_ULAB).expanduser()) as board:
        report, said = deployed(port=board.port)
    assert report.board.ulab and report.imported[2] == ("_picorl" if has_module else active_kernels(GIVEN_ULAB))
    assert ("the native module for x64" if has_module else f"those on ulab {report.board.ulab}") in said


def test_kernels_on_ulab_go_where_ulab_may_be():
    on_ulab = {name for name in mpy.modules(library.LIBRARY) if name.startswith("picorl/kernels/ulab/")}
    assert on_ulab.isdisjoint(library.needed(CIRCUITPYTHON))
    for board in (micropython(XTENSAWIN, ulab="6.5"), deploy.Board("circuitpython", "9.2.1", "", None, asked=False)):
        assert on_ulab <= set(library.needed(board))
