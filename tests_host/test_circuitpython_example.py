"""code.py, which CircuitPython runs by itself, and the robot in README: under every interpreter that is here."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from serial_board import MICROPYTHON, SerialBoard

import picorl
from picorl_host import board_run, receiving, runner, telemetry

CODE = runner.EXAMPLES / "circuitpython/code.py"
GIVEN = os.environ.get("PICORL_CIRCUITPYTHON")
RUNTIMES = {"CPython": runner.cpython, "MicroPython": runner.micropython}
if GIVEN:
    RUNTIMES["CircuitPython"] = lambda: runner.micropython(os.path.expanduser(GIVEN))
SHORT = {"evaluate_every": 30, "evaluate_episodes": 1, "agent": {"hidden": [4], "batch_size": 4, "warmup_steps": 20}}


@pytest.fixture(params=RUNTIMES)
def runtime(request):
    return RUNTIMES[request.param]()


def ran(runtime, steps, config=SHORT):
    return runner.run(runtime, CODE, {**config, "steps": steps})


def test_it_learns_keeps_what_it_learned_and_goes_on_after_a_reset(runtime, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first = ran(runtime, 60)
    assert [one["event"] for one in first.records] == ["start", *["progress", "kept"] * 2, "kept", "end"] + [
        "tick"
    ] * 10
    assert {one["on"] for one in first.events("kept")} == {"drive"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pendulum.safetensors", "pendulum_run.safetensors"]
    second = ran(runtime, 90)
    assert second.events("start")[0]["step"] == 60
    assert [one["step"] for one in second.events("progress")] == [90]
    policy = picorl.Policy.load("pendulum.safetensors")
    assert policy.obs_size == 3


def test_a_checkpoint_of_other_sizes_is_named_and_learning_begins_anew(runtime, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ran(runtime, 30)
    other = ran(runtime, 30, {**SHORT, "agent": {**SHORT["agent"], "hidden": [5]}})
    assert "has layout" in other.records[0]["why"] and other.events("start")[0]["step"] == 0


def test_it_learns_pendulum(tmp_path, monkeypatch):
    """With the sizes of both kinds of boards."""
    monkeypatch.chdir(tmp_path)
    for sizes in ("ROOMY", "SMALL"):
        namespace = {"__name__": "code"}
        exec(CODE.read_text(), namespace)
        agent = {**namespace[sizes], "hidden": list(namespace[sizes]["hidden"])}
        (tmp_path / "pendulum_run.safetensors").unlink(missing_ok=True)
        last = runner.run(runner.cpython(), CODE, {"agent": agent}).last("end")
        assert last["return"] > -250, sizes


def test_where_the_drive_is_read_only_checkpoints_go_over_the_wire(tmp_path, monkeypatch):
    folder = tmp_path / "drive"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "ro", "none", str(folder)]
    if os.geteuid() or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("no file system may be mounted here")
    try:
        with monkeypatch.context() as patched:
            patched.chdir(folder)
            done = ran(runner.cpython(), 60)
    finally:
        subprocess.run(["umount", str(folder)], check=True)
    receiver = receiving.Receiver(tmp_path, lambda line: None)
    others = [record for record in done.records if not receiver.take(record)]
    names = ["pendulum_run.safetensors"] * 2 + ["pendulum.safetensors"]
    assert [path.name for path in receiver.received] == names and not receiver.lost
    assert {one["on"] for one in others if one["event"] == "kept"} == {"serial port"}
    # On the drive, the board goes on from it.
    monkeypatch.chdir(tmp_path)
    assert ran(runner.cpython(), 60).events("start")[0]["step"] == 60


@pytest.mark.parametrize("name", ("pretended", "given"))
def test_a_board_with_a_read_only_drive_is_resumed_from_what_it_sent(name, tmp_path):
    """`picorl run` receives; copied onto the drive, what was received is what the board goes on from."""
    if name == "given" and not GIVEN:
        pytest.skip("no PICORL_CIRCUITPYTHON")
    pretended = {"name": "circuitpython", "version": (9, 2, 1), "_machine": "Raspberry Pi Pico with rp2040"}
    changes = {"implementation": pretended} if name == "pretended" else {}
    firmware = MICROPYTHON if name == "pretended" else Path(GIVEN).expanduser()
    drive, here = tmp_path / "CIRCUITPY", tmp_path / "here"
    shutil.copytree(runner.REPOSITORY / "device/picorl", drive / "lib/picorl")
    command = [Path(sys.executable).with_name("picorl"), "run", "--into", here]
    steps = []
    with SerialBoard(drive, changes={"read_only": True, **changes}, firmware=firmware) as board:
        for total in (30, 60):
            config = json.dumps({**SHORT, "steps": total})
            done = subprocess.run([*command, "--port", board.port, CODE, config], capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            records = [record for line in done.stdout.splitlines() if (record := telemetry.parse(line))]
            steps += [(one["event"], one["step"]) for one in records if one["event"] in ("start", "progress")]
            assert {one["on"] for one in records if one["event"] == "kept"} == {"serial port"}
            assert done.stdout.count(f"received {here}") == 2
            shutil.copy(here / "pendulum_run.safetensors", drive)
    assert steps == [("start", 0), ("progress", 30), ("start", 30), ("progress", 60)]
    assert picorl.Policy.load(str(here / "pendulum.safetensors")).obs_size == 3


def test_picorl_train_gets_the_policy_of_a_board_with_a_read_only_drive(tmp_path):
    drive, here = tmp_path / "drive", tmp_path / "here"
    shutil.copytree(runner.REPOSITORY / "device/picorl", drive / "lib/picorl")
    said = []
    agent = {"hidden": [4], "batch_size": 4, "warmup_steps": 20}
    config = {"steps": 40, "evaluate_every": 40, "evaluate_episodes": 1, "final_episodes": 1, "agent": agent}
    config["save"] = str(here / "policy.safetensors")
    with SerialBoard(drive, changes={"read_only": True}) as board:
        found = board_run.OnBoard("board", board.port)
        run = found.run(runner.EXAMPLES / "train_pendulum.py", config, lambda record: None, said.append)
    assert [one["event"] for one in run.records] == ["start", "progress", "end"]
    assert len(said) == 1 and said[0].startswith(f"received {here / 'policy.safetensors'}")
    assert picorl.Policy.load(config["save"]).obs_size == 3


class PWMOut:
    """As CircuitPython's."""

    made = []

    def __init__(self, pin, frequency=500, duty_cycle=0):
        self.duties = [duty_cycle]
        self.made.append(self)

    @property
    def duty_cycle(self):
        return self.duties[-1]

    @duty_cycle.setter
    def duty_cycle(self, duty):
        assert isinstance(duty, int) and 0 <= duty <= 65535
        self.duties.append(duty)


class AnalogIn:
    """A potentiometer that the motor turns."""

    def __init__(self, pin):
        self.value = 20_000

    def turn(self):
        forward, backward = PWMOut.made
        self.value = min(max(self.value + (forward.duty_cycle - backward.duty_cycle) // 16, 0), 65535)


def test_the_robot_in_readme_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "board", SimpleNamespace(D5=5, D6=6, A0="A0"))
    monkeypatch.setitem(sys.modules, "pwmio", SimpleNamespace(PWMOut=PWMOut))
    monkeypatch.setitem(sys.modules, "analogio", SimpleNamespace(AnalogIn=AnalogIn))
    readme = (runner.REPOSITORY / "README.md").read_text()
    section = readme[readme.index("## Programs on CircuitPython") :]
    program = re.search(r"```python\n(.*?)```", section, re.DOTALL)[1]
    short = program.replace("rate=25", "rate=1000").replace("loop.run()", "loop.run(350)")
    short = short.replace("        angle = self", "        self.angle.turn()\n        angle = self")
    assert short.count("\n") == program.count("\n") + 1 and "350" in short
    names = {}
    exec(short, names)
    assert names["loop"].counts[4] == 3 and names["agent"].steps > 290 and names["agent"].updates > 10
    forward, backward = PWMOut.made
    assert forward.duty_cycle == backward.duty_cycle == 0
    assert len(set(forward.duties)) > 20 and len(set(backward.duties)) > 20
    assert not any(both[0] and both[1] for both in zip(forward.duties, backward.duties, strict=True))
