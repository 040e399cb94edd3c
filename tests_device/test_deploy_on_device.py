"""`picorl deploy` and `picorl run` against emulated boards of their own: each test starts one, because it also kills it."""

import io

import pytest
import targets
from rich.console import Console

import picorl
from picorl_host import board_run, boards, deploy, emulator, serial_port
from picorl_host.runner import Problem

PROGRAM = """
import json, picorl
print("kernels", picorl.kernels.name)
print(json.dumps({"event": "end", "passed": picorl.selftest()}))
"""


def pytest_generate_tests(metafunc):
    if "emulated" in metafunc.fixturenames:
        names = [name for name in targets.wanted(metafunc.config) if name in targets.EMULATED]
        metafunc.parametrize("emulated", names, indirect=True)


@pytest.fixture
def emulated(request):
    """(an emulator, whether its firmware is without picorl); the test may stop it."""
    kind = targets.EMULATED[request.param]
    stock = kind.func.stock
    with emulator.Emulator(boards.load(kind.args[1]), stock=stock) as running:
        yield running, stock


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "check.py"
    path.write_text(PROGRAM)
    return path


def deployed(running, *programs, **options):
    out = io.StringIO()
    return deploy.deploy(running.port, programs, console=Console(file=out, width=500), **options), out.getvalue()


def test_deployed_board_runs_the_native_kernels_and_passes_its_selftest(emulated, program):
    running, stock = emulated
    report, said = deployed(running, program)
    assert report.imported[0] == picorl.__version__ and report.imported[2] == "_picorl", said
    assert (report.board.native is None) == stock and (report.board.frozen is None) == stock
    assert ("/lib/_picorl.mpy" in report.sent) == stock and "/check.py" in report.sent
    assert deployed(running, program)[0].sent == []
    records, text = [], []
    board_run.run(running.port, program, on_record=lambda record, _: records.append(record), on_text=text.append)
    assert records == [{"event": "end", "passed": True}]
    assert "kernels _picorl\n" in "".join(text)


@pytest.mark.size("medium")
def test_emulator_killed_while_the_library_is_sent(emulated, monkeypatch):
    running, _ = emulated
    sent = []

    def kill_at_the_fifth(self, path, *how, put=serial_port.Device.put):
        sent.append(path)
        if len(sent) == 5:
            running.stop()
        put(self, path, *how)

    monkeypatch.setattr(serial_port.Device, "put", kill_at_the_fifth)
    with pytest.raises(Problem, match="(?s)lost the connection|fell silent|does not answer"):
        deployed(running, firmware_free=True)
    assert len(sent) == 5


def test_exception_on_the_board_is_the_programs_end(emulated, tmp_path):
    running, _ = emulated
    path = tmp_path / "broken.py"
    path.write_text("print('before')\nraise ValueError('hidden is 0')\n")
    text = []
    with pytest.raises(serial_port.DeviceError, match="hidden is 0"):
        board_run.run(running.port, path, on_text=text.append)
    assert text == ["before\n"]
