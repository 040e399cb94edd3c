"""Checkpoints that arrive as records: put together and written, or refused with the reason and nothing written."""

import contextlib
import json
import os
import pty
import random
import signal
import subprocess
import sys
import threading
import tty
from pathlib import Path

import pytest
from serial_board import MICROPYTHON, SerialBoard, started

import picorl
from picorl import checkpoint
from picorl.envs import Pendulum
from picorl_host import board_run, receiving, telemetry
from picorl_host.runner import REPOSITORY

OURS = REPOSITORY / "build/unix/micropython"  # with picorl inside
TINY = dict(hidden=(8, 8), batch_size=4, replay_capacity=100, warmup_steps=4)


def trained(seed=0, algorithm=picorl.SAC):
    env = Pendulum(seed=seed)
    agent = algorithm(env, seed=seed, **TINY)
    for _ in picorl.train(agent, env, 60, evaluate_every=60, evaluate_episodes=0):
        pass
    return agent, env


@pytest.fixture(scope="module")
def agent():
    return trained()


@pytest.fixture
def lines(agent, capsys):
    """What a full checkpoint is on the wire."""
    agent[0].send("some/folder/run.safetensors", full=True, env=agent[1])
    return capsys.readouterr().out.splitlines(keepends=True)


class Desk:
    """A computer that listens: a folder, and what was said."""

    def __init__(self, folder):
        self.folder = folder
        self.said, self.text, self.records = [], [], []
        self.receiver = receiving.Receiver(folder, self.said.append)
        self.lines = board_run.Lines(self._record, self.text.append)

    def _record(self, record, line):
        if not self.receiver.take(record):
            self.records.append(record)

    def hear(self, text):
        for start in range(0, len(text), 97):
            self.lines.feed(text[start : start + 97].encode())
        self.lines.feed(b"", final=True)
        self.receiver.close()
        return self

    def files(self):
        return sorted(path.name for path in self.folder.rglob("*"))


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


def test_a_checkpoint_arrives_as_save_would_have_written_it(agent, lines, desk, tmp_path):
    desk.hear("".join(lines))
    saved = tmp_path / "saved.safetensors"
    agent[0].save(str(saved), full=True, env=agent[1])
    assert (tmp_path / "run.safetensors").read_bytes() == saved.read_bytes()
    assert desk.said == [
        f"received {tmp_path / 'run.safetensors'}: {saved.stat().st_size} bytes, a full checkpoint of SAC"
    ]
    assert desk.files() == ["run.safetensors", "saved.safetensors"] and not desk.text and not desk.receiver.lost


@pytest.mark.parametrize("algorithm", (picorl.PPO, picorl.RecurrentSAC, picorl.StreamAC, picorl.Regressor))
def test_policies_of_other_algorithms_arrive_too(algorithm, desk, tmp_path, capsys):
    made = algorithm(2) if algorithm is picorl.Regressor else algorithm(Pendulum())
    made.send("p.safetensors")
    desk.hear(capsys.readouterr().out)
    made.save(str(tmp_path / "saved"))
    assert (tmp_path / "p.safetensors").read_bytes() == (tmp_path / "saved").read_bytes()


def test_lines_are_short_whatever_the_size(lines):
    assert len(lines) > 30 and max(map(len, lines)) < 700


def test_two_files_and_other_output_may_come_in_turns(agent, lines, desk, tmp_path, capsys):
    trained(1, picorl.TD3)[0].send("other.safetensors")
    other = capsys.readouterr().out.splitlines(keepends=True)
    mixed = []
    for i in range(max(len(lines), len(other))):
        mixed += [*lines[i : i + 1], "a line of the program\n", *other[i : i + 1], '{"event":"tick","step":1}\n']
    desk.hear("".join(mixed))
    assert desk.files() == ["other.safetensors", "run.safetensors"]
    assert checkpoint.verify(str(tmp_path / "other.safetensors")).metadata["algorithm"] == "TD3"
    assert "".join(desk.text) == "a line of the program\n" * max(len(lines), len(other))
    assert len(desk.records) == max(len(lines), len(other))


def test_any_line_that_is_lost_or_damaged_writes_nothing(lines, tmp_path):
    numbers = random.Random(0)
    for i, line in enumerate(lines):
        at = numbers.randrange(line.rindex(',"check"'))  # the word itself may go: what it guards is right then
        flipped = line[:at] + chr(ord(line[at]) ^ 1) + line[at + 1 :]
        for j, changed in enumerate(([], [flipped], [line, line], [line[: len(line) // 2] + "\n"])):
            folder = tmp_path / f"{i}-{j}"
            folder.mkdir()
            desk = Desk(folder).hear("".join(lines[:i] + changed + lines[i + 1 :]))
            if i == 0 and j == 2:  # a file that begins anew, before any of it came
                assert desk.files() == ["run.safetensors"] and "cut off after 0 of" in desk.said[0]
                continue
            if i == len(lines) - 1 and j == 2:  # of its end only one counts
                assert desk.files() == ["run.safetensors"] and "its beginning did not arrive" in desk.said[-1]
                continue
            assert desk.files() == [], (line, changed)
            assert any("was not received" in line and "nothing was written" in line for line in desk.said)
            assert desk.receiver.lost == {"run.safetensors"}


def test_the_reason_is_named(lines, tmp_path):
    size = json.loads(lines[0])["bytes"]
    piece = 384
    for changed, reason in (
        (lines[:5], f"cut off after {4 * piece} of {size} bytes"),
        (lines[:3] + lines[4:], f"bytes {2 * piece} to {3 * piece - 1} did not arrive"),
        (lines[1:], "its beginning did not arrive"),
        (lines[:-2] + lines[-1:], f"of {size} bytes arrived"),
        (
            lines[:-1] + ['{"event":"checkpoint_end","name":"run.safetensors","crc":"01234567"}\n'],
            "its checksum is wrong",
        ),
        (lines[:1] + ['{"event":"checkpoint_piece","name":"run.safetensors","at":0,"data":"*"}\n'], "no base64"),
    ):
        assert reason in Desk(tmp_path).hear("".join(changed)).said[0]


def test_the_next_transfer_makes_good_for_one_that_failed(lines, desk):
    desk.hear("".join(lines[:7] + lines))
    assert "cut off after" in desk.said[0] and desk.said[1].startswith("received")
    assert desk.files() == ["run.safetensors"] and not desk.receiver.lost


def test_a_transfer_that_fails_leaves_an_older_checkpoint(lines, desk, tmp_path):
    desk.hear("".join(lines))
    before = (tmp_path / "run.safetensors").read_bytes()
    desk.hear("".join(lines[:9] + lines[10:]))
    assert (tmp_path / "run.safetensors").read_bytes() == before and desk.files() == ["run.safetensors"]


def test_only_checkpoints_are_written_and_replaced(lines, tmp_path):
    (tmp_path / "run.safetensors").write_text("notes")
    desk = Desk(tmp_path).hear("".join(lines))
    assert "is there, and is no checkpoint" in desk.said[0]
    assert (tmp_path / "run.safetensors").read_text() == "notes"
    crc, data = "d202ef8d", "AA=="  # a byte 0
    records = [{"event": "checkpoint", "bytes": 1}, {"event": "checkpoint_piece", "at": 0, "data": data}]
    records.append({"event": "checkpoint_end", "crc": crc})
    desk = Desk(tmp_path).hear("".join(json.dumps({**one, "name": "x"}) + "\n" for one in records))
    assert "is not a checkpoint" in desk.said[0] and desk.files() == ["run.safetensors"]


@pytest.mark.parametrize("name", ("", ".", "..", "../out.safetensors", "/out.safetensors", "a/b", "a\\b", "a\0b"))
def test_a_board_cannot_write_elsewhere(name, lines, tmp_path):
    folder = tmp_path / "into"
    folder.mkdir()
    changed = "".join(json.dumps({**telemetry.parse(line), "name": name}) + "\n" for line in lines)
    desk = Desk(folder).hear(changed)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert len(desk.said) == 1 and "was not received" in desk.said[0]


def test_records_of_the_same_name_that_are_none_pass(desk):
    text = '{"event":"checkpoint"}\n{"event":"checkpoint","name":3}\n{"event":"checkpoint","name":"x"}\n'
    desk.hear(text)
    assert len(desk.records) == 3 and not desk.said


# --- the sender -----------------------------------------------------------------------------------------------------


def test_what_is_not_finite_or_has_no_name_is_not_sent(agent, capsys):
    other, _ = trained(2)
    other.actor[3] = float("nan")
    with pytest.raises(ValueError, match="send: x would hold values that are not finite in actor.0.weight"):
        other.send("x")
    with pytest.raises(ValueError, match="send: 'folder/' has no name of a file"):
        agent[0].send("folder/")
    assert capsys.readouterr().out == ""


class Supervisor:
    """CircuitPython's, as far as it is asked."""

    class runtime:
        serial_connected = False


def test_circuitpython_with_nothing_connected_says_so(agent, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "supervisor", Supervisor)
    with pytest.raises(OSError, match="nothing is connected that could receive run.safetensors"):
        agent[0].send("run.safetensors")
    assert capsys.readouterr().out == ""
    monkeypatch.setattr(Supervisor.runtime, "serial_connected", True)
    agent[0].send("run.safetensors")
    assert "checkpoint_end" in capsys.readouterr().out


@pytest.fixture
def read_only(tmp_path):
    """A file system that nobody may write, root neither."""
    folder = tmp_path / "drive"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "ro", "none", str(folder)]
    if os.geteuid() or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("no file system may be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_read_only_file_system_gets_advice_or_a_transfer(agent, read_only, tmp_path, monkeypatch, capsys):
    path = str(read_only / "run.safetensors")
    with pytest.raises(OSError, match="programs may only read this drive.*save_or_send.*picorl listen") as told:
        agent[0].save(path)
    assert told.value.errno == 30
    assert agent[0].save_or_send(path) is False
    desk = Desk(tmp_path).hear(capsys.readouterr().out)
    assert [one.name for one in desk.receiver.received] == ["run.safetensors"]
    monkeypatch.setitem(sys.modules, "supervisor", Supervisor)
    with pytest.raises(OSError, match="programs may only read this drive.*; send: nothing is connected") as told:
        agent[0].save_or_send(path)
    assert told.value.errno == 30


def test_a_folder_that_can_be_written_is(agent, tmp_path, capsys):
    assert agent[0].save_or_send(str(tmp_path / "run.safetensors")) is True
    assert (tmp_path / "run.safetensors").exists() and capsys.readouterr().out == ""


# --- over a serial port ---------------------------------------------------------------------------------------------

DISK = (REPOSITORY / "tests_device/device_disk.py").read_text()
PROGRAM = (
    DISK
    + """
import picorl
from picorl.envs import Pendulum

disk = Disk()
vfs.VfsFat.mkfs(disk)
vfs.mount(vfs.VfsFat(disk), "/drive", readonly=True)
env = Pendulum(seed=0)
agent = picorl.SAC(env, hidden=(16, 16), batch_size=4, replay_capacity=2000, warmup_steps=4, seed=0)
for _ in picorl.train(agent, env, 100, evaluate_every=100, evaluate_episodes=0):
    pass
picorl.report("start", crc=agent.crc())
print("saved", agent.save_or_send("/drive/run.safetensors", full=True, env=env))
"""
)


@pytest.fixture
def board(tmp_path):
    if not OURS.exists():
        pytest.fail("no build/unix/micropython: make micropython")
    with SerialBoard(tmp_path / "flash", firmware=OURS) as board:
        yield board


def test_run_receives_what_a_board_with_a_read_only_drive_sends(board, tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    process = started("run", "--port", board.port, "--into", tmp_path / "new/here", tmp_path / "program.py")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    start, received, saved = out.splitlines()
    path = tmp_path / "new/here/run.safetensors"
    assert saved == "saved False" and received.startswith(f"received {path}: ") and received.endswith("of SAC")
    env = Pendulum(seed=0)
    agent = picorl.SAC(env, hidden=(16, 16), batch_size=4, replay_capacity=2000, warmup_steps=4, seed=5)
    assert agent.load(str(path), env=env) and agent.crc() == json.loads(start)["crc"] and agent.steps == 100


def test_run_fails_when_the_program_stops_in_mid_transfer(board, tmp_path):
    text = 'import picorl\npicorl.report("checkpoint", name="run.safetensors", bytes=5000)\n'
    (tmp_path / "program.py").write_text(text)
    process = started("run", "--port", board.port, "--into", tmp_path, tmp_path / "program.py")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert out == "'run.safetensors' was not received: cut off after 0 of 5000 bytes; nothing was written\n"


@pytest.fixture
def wire():
    """The board's end of a serial port, and the name of the computer's."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    yield master, os.ttyname(slave)
    os.close(slave)
    os.close(master)


@contextlib.contextmanager
def listening(wire, *arguments):
    """`picorl listen` at a port, when it has begun to listen."""
    process = started("listen", "--port", wire[1], *arguments)
    heard = threading.Thread(target=process.stdout.readline)
    heard.start()
    while heard.is_alive():
        os.write(wire[0], b"x\n")
        heard.join(0.3)
        assert process.poll() is None, process.stderr.read()
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)


def typed(wire):
    """What has been sent to the board."""
    os.set_blocking(wire[0], False)
    try:
        return os.read(wire[0], 100)
    except BlockingIOError:
        return b""
    finally:
        os.set_blocking(wire[0], True)  # the board writes there


def interpreters():
    given = os.environ.get("PICORL_CIRCUITPYTHON")
    return [("MicroPython", MICROPYTHON)] + ([("CircuitPython", Path(given).expanduser())] if given else [])


@pytest.mark.parametrize("interpreter", [path for _, path in interpreters()], ids=[name for name, _ in interpreters()])
def test_listen_receives_from_a_program_that_runs_by_itself(interpreter, wire, tmp_path):
    if not interpreter.exists():
        pytest.fail("no build/stock/micropython: make setup")
    (tmp_path / "program.py").write_text(PROGRAM)
    environment = {**os.environ, "MICROPYPATH": str(REPOSITORY / "device")}
    with listening(wire, "--into", tmp_path, "--log", tmp_path / "log") as process:
        assert typed(wire) == b""  # the program there is left alone
        command = [interpreter, "-X", "heapsize=4m", tmp_path / "program.py"]
        subprocess.run(command, env=environment, stdout=wire[0], check=True)
        said = ""
        while "saved" not in said:
            line = process.stdout.readline()
            assert line, process.stderr.read()
            said += line
    assert process.returncode == 0
    assert (
        f"received {tmp_path / 'run.safetensors'}" in said and "saved False" in said and "checkpoint_piece" not in said
    )
    assert [json.loads(line)["event"] for line in (tmp_path / "log").read_text().splitlines()] == ["start"]
    assert checkpoint.verify(str(tmp_path / "run.safetensors")).metadata["contents"] == "full"


def test_listen_tells_of_a_transfer_that_was_cut_off(wire, lines, tmp_path):
    with listening(wire, "--into", tmp_path) as process:
        os.write(wire[0], "".join(lines[:3] + ["last\n"]).encode())
        while "last" not in process.stdout.readline():
            pass
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 1 and "cut off after 768 of" in out
    assert list(tmp_path.iterdir()) == []


def test_listen_restarts_a_board(wire):
    """Ctrl-C stops its program, Ctrl-B leaves the raw REPL, Ctrl-D resets."""
    process = started("listen", "--port", wire[1], "--restart")
    received = b""
    while not received.endswith(b"\x04"):
        received += os.read(wire[0], 100)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert received == b"\r\x03\x03\x02\x04" and process.returncode == 0, err


def test_listen_names_a_port_that_is_not_there():
    process = started("listen", "--port", "/dev/nothing")
    out, err = process.communicate(timeout=20)
    assert process.returncode == 1 and "there is no port /dev/nothing" in err
