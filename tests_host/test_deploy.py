"""Deployment to a real MicroPython (the stock unix port) behind a pty, with a file system of its own in an image file."""

import io
import json
import os
import pty
import subprocess
import threading
import time
import tty
import zlib

import pytest
import serial
from rich.console import Console
from serial_board import MICROPYTHON, SerialBoard, started

import picorl
from picorl_host import cli, deploy, mpy, serial_port
from picorl_host.deploy import kernels, library
from picorl_host.runner import REPOSITORY, Problem

# Of sys.implementation: firmware that loads .mpy files, but no native code. The x64 module takes long to send.
NO_NATIVE = {"implementation": {"_mpy": 6 | 3 << 8}}
X64 = REPOSITORY / "build/natmod/x64_6.3/_picorl.mpy"
OURS = REPOSITORY / "build/unix/micropython"  # firmware that holds _picorl and picorl


@pytest.fixture(autouse=True)
def micropython_is_there():
    if not MICROPYTHON.exists():
        pytest.fail("no build/stock/micropython: make setup")


@pytest.fixture
def image(tmp_path):
    return tmp_path / "flash"


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "main.py"
    path.write_text("print('hello')\n")
    return path


def deployed(port, *programs, **options):
    """The Report, and what was printed."""
    out = io.StringIO()
    report = deploy.deploy(port, programs, console=Console(file=out, width=500), **options)
    return report, out.getvalue()


def files(port):
    with serial_port.Device(port) as device:
        return device.files("/")


def test_library_and_program_arrive_and_import(image, program):
    with SerialBoard(image, changes=NO_NATIVE) as board:
        report, said = deployed(board.port, program)
        there = files(board.port)
    sources = library.needed(report.board)
    assert set(there) == {f"/lib/{name.removesuffix('.py')}.mpy" for name in sources} | {"/main.py"}
    assert sorted(report.sent) == sorted(there) and not report.unchanged
    assert report.imported == (picorl.__version__, "/lib/picorl/__init__.mpy", "python")
    assert report.board.frozen is None and report.board.native is None and report.board.heap > 1_000_000
    assert "loads no native modules" in said and f"/lib/picorl/ ({len(sources)} files), /main.py" in said


def test_only_what_changed_is_sent_again_and_what_does_not_belong_goes(image, program, tmp_path):
    other = tmp_path / "other.py"
    other.write_text("x = 1\n")
    with SerialBoard(image, changes=NO_NATIVE) as board:
        deployed(board.port, program, other)
        report, said = deployed(board.port, program, other)
        assert report.sent == [] and len(report.unchanged) > 10 and "sent" not in said
        with serial_port.Device(board.port) as device:
            device.put("/lib/picorl/sac.py", b"raise ValueError('old')\n")  # would win over sac.mpy
            device.put("/lib/picorl/td3.mpy.new", b"half of it")
            device.put("/lib/picorl/notes.txt", b"the user's own")
            content = device.get("/lib/picorl/network.mpy")
            device.put("/lib/picorl/network.mpy", content[:-1] + bytes([content[-1] ^ 1]))  # the same size
        program.write_text("print('HELLO')\n")  # the same size
        report, _ = deployed(board.port, program, other)
        assert sorted(report.sent) == ["/lib/picorl/network.mpy", "/main.py"]
        assert sorted(report.removed) == ["/lib/picorl/sac.py", "/lib/picorl/td3.mpy.new"]
        assert "/lib/picorl/notes.txt" in files(board.port)


def test_stock_firmware_gets_the_native_module_of_its_architecture(image):
    if not X64.exists():
        pytest.fail("no build/natmod/x64_6.3/_picorl.mpy: make natmod ARCH=x64")
    with SerialBoard(image) as board:
        report, _ = deployed(board.port)
    assert "/lib/_picorl.mpy" in report.sent and report.imported[2] == "_picorl"


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda content: content[:2] + bytes([7 << 2 | 3]) + content[3:], "is for armv7emsp, the board is x64"),
        (lambda content: content[:-1], "is cut off"),
        (lambda content: content[: len(content) // 2], "is cut off"),
        (lambda content: b"", "is not a .mpy file"),
        (lambda content: b"C" + content[1:], "is CircuitPython's kind"),
    ],
)
def test_a_wrong_native_module_is_named_and_the_board_untouched(image, monkeypatch, tmp_path, spoil, said):
    (tmp_path / "x64_6.3").mkdir()
    (tmp_path / "x64_6.3/_picorl.mpy").write_bytes(spoil(X64.read_bytes()))
    monkeypatch.setattr(kernels, "NATIVE", tmp_path)
    with SerialBoard(image) as board:
        with pytest.raises(Problem, match=f"_picorl.mpy {said}.*make natmod ARCH=x64. Nothing was changed"):
            deployed(board.port)
        assert files(board.port) == {}


def test_without_a_native_module_python_kernels_work_and_the_remedy_is_named(image, monkeypatch, tmp_path):
    monkeypatch.setattr(kernels, "NATIVE", tmp_path)
    with SerialBoard(image) as board:
        report, said = deployed(board.port)
    assert report.imported[2] == "python"
    assert "make natmod ARCH=x64" in said and "hundred times slower" in said


@pytest.mark.parametrize("number", [None, 7 | 2 << 10])
def test_firmware_that_loads_no_mpy_of_ours_gets_sources(image, number):
    with SerialBoard(image, changes={"implementation": {"_mpy": number}}) as board:
        report, said = deployed(board.port)
    assert "sending sources" in said and report.imported[1] == "/lib/picorl/__init__.py"


def test_full_flash_is_told_before_anything_is_written(image, program):
    with SerialBoard(image, blocks=16, changes=NO_NATIVE) as board:
        with pytest.raises(Problem, match=r"flash is too full: \d+ KB are needed, \d+ KB are free") as problem:
            deployed(board.port, program)
        assert "Nothing was changed" in str(problem.value) and files(board.port) == {}


def test_flash_that_fills_up_all_the_same_keeps_whole_files_only(image, monkeypatch):
    monkeypatch.setattr(deploy, "check_space", lambda *_: None)
    with SerialBoard(image, blocks=16, changes=NO_NATIVE) as board:
        with pytest.raises(Problem, match="flash is full at /lib/picorl/.*; the board keeps its old one"):
            deployed(board.port)
        there = files(board.port)
    assert there and not [path for path in there if path.endswith(".new")]


def test_unplugged_in_the_middle_and_repaired_by_the_next_deployment(image, program):
    with SerialBoard(image, changes=NO_NATIVE, unplug_after=40_000) as board:
        with pytest.raises(Problem, match="lost the connection.*\n.*deploy again"):
            deployed(board.port, program)
    with SerialBoard(image, changes=NO_NATIVE) as board:
        half = files(board.port)
        assert half and "/main.py" not in half
        report, _ = deployed(board.port, program)
        assert report.unchanged and report.sent and report.imported[0] == picorl.__version__
        assert not [path for path in files(board.port) if path.endswith(".new")]
        assert deployed(board.port, program)[0].sent == []


@pytest.mark.parametrize("stage", ["look", "check_space", "send", "check_import"])
def test_unplugged_at_any_stage_says_to_deploy_again(image, monkeypatch, stage):
    whole = getattr(deploy, stage)
    with SerialBoard(image, changes=NO_NATIVE) as board:

        def unplugged(*args):
            board.unplug()
            return whole(*args)

        monkeypatch.setattr(deploy, stage, unplugged)
        with pytest.raises(Problem, match="lost the connection.*\n.*deploy again"):
            deployed(board.port)


def test_files_that_are_not_there_are_not_compared(image, program, monkeypatch):
    asked = []
    holds = serial_port.Device.holds
    monkeypatch.setattr(
        serial_port.Device, "holds", lambda self, path, content: asked.append(path) or holds(self, path, content)
    )
    with SerialBoard(image, changes=NO_NATIVE) as board:
        report, _ = deployed(board.port, program)
        # Once each when it has arrived; a program may lie there already.
        assert sorted(asked) == sorted(["/main.py", *(f"{path}.new" for path in report.sent)])


def test_what_arrives_damaged_is_not_kept(image, program, monkeypatch):
    whole = serial_port.Device.put
    monkeypatch.setattr(
        serial_port.Device,
        "put",
        lambda self, path, content, *how: whole(self, path, content[:-1] + b"\0", *how),
    )
    with SerialBoard(image, changes=NO_NATIVE) as board:
        with pytest.raises(Problem, match="arrived damaged"):
            deployed(board.port, program)
        assert files(board.port) == {}


@pytest.fixture
def ours(image):
    """Firmware with _picorl and picorl of this version inside."""
    if not OURS.exists():
        pytest.fail("no build/unix/micropython: make micropython")
    with SerialBoard(image, firmware=OURS) as board:
        yield board


def test_firmware_that_holds_picorl_gets_the_program_only(ours, program):
    report, said = deployed(ours.port, program)
    assert report.sent == ["/main.py"] and report.imported[2] == "_picorl"
    assert report.board.frozen == picorl.__version__ and report.board.native == picorl.kernels.ABI
    assert "is in the firmware: not uploaded" in said


def test_a_frozen_copy_that_would_shadow_the_upload_is_named_with_the_remedy(ours, program, monkeypatch):
    monkeypatch.setattr(picorl, "__version__", "99.0")
    with pytest.raises(Problem, match=f"firmware holds picorl {'.'.join('0')}.*this is 99.0.*make firmware") as problem:
        deployed(ours.port, program)
    assert "--firmware-free" in str(problem.value) and files(ours.port) == {}


def test_firmware_free_wins_over_the_frozen_copy_and_is_named_later(ours, program):
    report, _ = deployed(ours.port, program, firmware_free=True)
    assert "/picorl/__init__.mpy" in report.sent and report.imported[1] == "picorl/__init__.mpy"
    with pytest.raises(
        Problem, match="/picorl on the board would be imported instead of the copy in the firmware.*rm -r"
    ):
        deployed(ours.port, program)
    assert deployed(ours.port, program, firmware_free=True)[0].sent == []


def test_kernels_in_the_firmware_of_another_abi_are_named(ours, monkeypatch):
    monkeypatch.setattr(library, "ABI", 99)
    with pytest.raises(Problem, match=r"firmware's own _picorl has kernel ABI \d+, .* needs 99.*make firmware"):
        deployed(ours.port)


def test_an_uploaded_copy_that_would_shadow_is_named(image):
    with SerialBoard(image, changes=NO_NATIVE) as board:
        with serial_port.Device(board.port) as device:
            device.mkdir("/picorl")
            device.put("/picorl/__init__.py", b"")
        with pytest.raises(Problem, match="/picorl on the board would be imported instead of the copy in /lib"):
            deployed(board.port)
        report, _ = deployed(board.port, target="/")
        assert report.imported[1] == "picorl/__init__.mpy" and report.removed == ["/picorl/__init__.py"]
        with pytest.raises(Problem, match="/elsewhere is not in the board's sys.path"):
            deployed(board.port, target="/elsewhere")


@pytest.mark.parametrize(
    ("names", "said"),
    [(["missing.py"], "no file"), (["picorl.py"], "hide the library"), (["a/x.py", "b/x.py"], "two .* called x.py")],
)
def test_programs_that_cannot_be_sent_are_refused(tmp_path, names, said):
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        if name != "missing.py":
            (tmp_path / name).write_text("")
    with pytest.raises(Problem, match=said):
        deploy.deploy("/dev/no-such-port", [tmp_path / name for name in names])


def ends_with_1(capsys, *arguments):
    """What `picorl` says when it fails."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["picorl", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
    assert stopped.value.code == 1
    return " ".join(capsys.readouterr().err.split())


def test_no_such_port(capsys):
    assert "there is no port /dev/ttyNOPE" in ends_with_1(capsys, "deploy", "--port", "/dev/ttyNOPE")


def test_busy_port(capsys, image):
    with SerialBoard(image) as board, serial.Serial(board.port, exclusive=True):
        assert f"{board.port} is busy" in ends_with_1(capsys, "deploy", "--port", board.port)


@pytest.mark.parametrize("echo", [True, False])
def test_a_port_that_is_no_micropython(capsys, monkeypatch, echo):
    monkeypatch.setattr(serial_port, "PATIENCE", 2)
    master, slave = pty.openpty()
    tty.setraw(slave)
    other = subprocess.Popen(["cat"] if echo else ["sleep", "60"], stdin=master, stdout=master)
    try:
        said = ends_with_1(capsys, "deploy", "--port", os.ttyname(slave))
    finally:
        other.kill()
        other.wait()
        os.close(master)
        os.close(slave)
    assert "does not answer as MicroPython does" in said


def test_nobody_listens_at_a_socket(capsys):
    assert "socket://127.0.0.1:9" in ends_with_1(capsys, "deploy", "--port", "socket://127.0.0.1:9")


NO_SHA256 = "import sys\nsys.modules['hashlib'] = 0\n"
NO_CRC32 = "class b:\n from binascii import a2b_base64\nsys.modules['binascii'] = b\n"


@pytest.mark.parametrize(("lacks", "kind"), [("", "sha256"), (NO_SHA256, "crc32"), (NO_SHA256 + NO_CRC32, "None")])
def test_files_are_compared_by_what_the_board_can_compute(image, lacks, kind):
    content = bytes(range(256)) * 9
    with SerialBoard(image) as board, serial_port.Device(board.port) as device:
        device.put("/x", content)
        device.ask(lacks)
        assert device.ask(f"{serial_port._CHECKSUM}print(_sum('/x')[0])").strip() == kind
        assert device.holds("/x", content)
        assert not device.holds("/x", content[:-1] + b"\0")
        assert not device.holds("/y", content)
        assert device.get("/x") == content


def test_a_device_error_knows_its_number():
    for text, number in (("OSError: 28", 28), ("OSError: [Errno 2] ENOENT", 2), ("OSError: (110, 'x')", None)):
        assert serial_port.DeviceError("", f"Traceback\r\n{text}\r\n").errno == number


def test_every_truncation_of_a_mpy_file_is_found():
    content = X64.read_bytes()
    assert mpy.read(content) == mpy.Mpy((6, 3), "x64")
    for length in (*range(0, len(content), 997), len(content) - 1):
        with pytest.raises(mpy.BadMpy):
            mpy.read(content[:length])
    with pytest.raises(mpy.BadMpy, match="2 bytes too many"):
        mpy.read(content + b"\0\0")


def test_compiled_library_is_read_to_its_end():
    board = deploy.Board("micropython", "1.25.0", "", mpy.of_firmware(6 | 3 << 8))
    compiled = library.content(board, print)
    assert len(compiled) > 10
    for content in compiled.values():
        assert mpy.read(content).architecture is None
        with pytest.raises(mpy.BadMpy, match="cut off"):
            mpy.read(content[:-1])


def test_architectures_of_firmware():
    assert mpy.of_firmware(2822) == mpy.Mpy((6, 3), "x64")
    assert mpy.of_firmware(6 | 3 << 8 | 7 << 10) == mpy.Mpy((6, 3), "armv7emsp")
    assert mpy.of_firmware(6 | 3 << 8).architecture is None


def test_package_json_lists_the_library():
    package = json.loads((library.LIBRARY.parent / "package.json").read_text())
    tree = [path.relative_to(library.LIBRARY.parent).as_posix() for path in sorted(library.LIBRARY.rglob("*.py"))]
    assert package["urls"] == [[name, name] for name in tree]
    assert package["version"] == picorl.__version__


# --- picorl run ---------------------------------------------------------------------------------------------------


def test_run_streams_records_and_everything_else(image, tmp_path):
    program = tmp_path / "talk.py"
    program.write_text(
        "import sys\n"
        'print(\'{"event": "progress", "step": 1}\')\n'
        "print('half a ', end='')\nprint('line, é', sys.argv[1:])\n"
    )
    with SerialBoard(image) as board:
        process = started("run", "--port", board.port, program, "a b", "--c")
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert out == '{"event": "progress", "step": 1}\nhalf a line, é [\'a b\', \'--c\']\n'


def test_run_keeps_records_with_the_time_and_tells_of_damaged_ones(image, tmp_path):
    program = tmp_path / "talk.py"
    program.write_text(
        'print(\'{"event": "start"}\')\n'
        'print(\'{"event":"tick","step":1,"check":"%08x"}\')\n'
        'print(\'{"event":"tick","step":2,"check":"00000000"}\')\n' % zlib.crc32(b'{"event":"tick","step":1')
    )
    log = tmp_path / "records.jsonl"
    before = time.time()
    with SerialBoard(image) as board:
        process = started("run", "--port", board.port, "--log", log, program)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert out.splitlines()[-2:] == ['{"event":"tick","step":2,"check":"00000000"}', "1 records arrived damaged"]
    records = [json.loads(line) for line in log.read_text().splitlines()]
    assert all(before - 1 < record.pop("time") < time.time() + 1 for record in records)
    assert records == [{"event": "start"}, {"event": "tick", "step": 1}]


def test_run_shows_the_boards_traceback_and_fails(image, tmp_path):
    program = tmp_path / "broken.py"
    program.write_text("print('before')\nraise ValueError('hidden is 0')\n")
    with SerialBoard(image) as board:
        process = started("run", "--port", board.port, program)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 1 and out == "before\n"
    assert "line 2" in err and err.endswith("ValueError: hidden is 0\n")


def test_ctrl_c_stops_the_program_on_the_board(image, tmp_path):
    program = tmp_path / "endless.py"
    program.write_text("import time\nprint('running')\nwhile True:\n    time.sleep(0.01)\n")
    with SerialBoard(image) as board:
        process = started("run", "--port", board.port, program)
        assert process.stdout.readline() == "running\n"
        process.send_signal(2)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 130 and "stopped endless.py" in out, err
        with serial_port.Device(board.port) as device:
            assert device.eval("1 + 1") == 2


def test_unplugged_while_a_program_runs(image, tmp_path, capsys):
    program = tmp_path / "endless.py"
    program.write_text("while True: pass\n")
    with SerialBoard(image) as board:
        threading.Timer(2, board.unplug).start()
        said = ends_with_1(capsys, "run", "--port", board.port, program)
    assert "lost the connection" in said
