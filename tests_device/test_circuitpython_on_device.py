"""What CircuitPython's boards lack, and interpreters of this machine have, is not missed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from picorl_host import receiving, telemetry

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = (Path(__file__).parent / "device_circuitpython.py").read_text()


def check(out, folder):
    said = []
    receiver = receiving.Receiver(folder, said.append)
    records = [record for line in out.splitlines() if (record := telemetry.parse(line))]
    others = [record for record in records if not receiver.take(record)]
    assert [path.name for path in receiver.received] == ["sent.safetensors"] and not receiver.lost
    assert [(one["event"], one["step"]) for one in others] == [("tick", 38)]
    lines = dict(line.partition(" ")[::2] for line in out.splitlines() if telemetry.parse(line) is None)
    assert lines["clock"] == "MonotonicClock True"
    assert lines["loop"] == "38 True 2 2 True"
    assert lines["resumed"] == "True 38"
    assert lines["plan"] == lines["selftest"] == "True"
    assert "trained PPO True" in out and "trained StreamAC True" in out
    assert "million multiply-adds a second" in lines["speed:"]


@pytest.mark.size("large")
def test_the_library_wants_no_more_than_circuitpythons_modules_offer(target, tmp_path):
    check(target.run(SCRIPT), tmp_path)


def test_nor_does_it_on_the_desktop(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "device")}
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, "script.py"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    check(done.stdout, tmp_path)
