"""A drive that programs may only read, as CircuitPython's is: what a save says, and that checkpoints arrive over the serial port instead."""

import re
from pathlib import Path

import pytest

import picorl
from picorl.envs import Pendulum
from picorl_host import board_run, receiving

HERE = Path(__file__).parent
SCRIPT = "".join((HERE / f"device_{name}.py").read_text() for name in ("disk", "clock", "sending"))
OPTIONS = dict(hidden=(8, 8), batch_size=4, replay_capacity=40, warmup_steps=4, seed=0)


@pytest.mark.size("medium")
def test_checkpoints_go_over_the_wire_where_the_drive_is_read_only(target, tmp_path):
    out = target.run(f"CASE = {dict(options=OPTIONS)!r}\n{SCRIPT}")
    if out == "absent\n":
        pytest.skip("no VfsFat on this target")
    records, said, text = [], [], []
    receiver = receiving.Receiver(tmp_path, said.append)
    lines = board_run.Lines(lambda record, line: receiver.take(record) or records.append(record), text.append)
    lines.feed(out.encode(), final=True)
    receiver.close()
    assert lines.damaged == 0 and not receiver.lost
    assert [path.name for path in receiver.received] == ["run.safetensors", "policy.safetensors"] + [
        "robot.safetensors"
    ] * 2
    assert [line.split(": ")[1].split(", ")[1] for line in said] == [
        "a full checkpoint of SAC", "a policy of SAC", "a full checkpoint of SAC", "a full checkpoint of SAC"
    ]  # fmt: skip
    assert max(map(len, out.splitlines())) < 700
    text = "".join(text).splitlines()
    assert text[0] == "saved True"
    for line, name in zip(text[1:3], ("old.safetensors", "there.not"), strict=True):
        assert re.match(
            f"error 30 save: /disk/{name}.new cannot be written, programs may only read this drive.*boot.py", line
        )
    env = Pendulum(seed=0)
    agent = picorl.SAC(env, **OPTIONS)
    for name, its_env, steps, crc in (("run", env, 15, text[3].split()[-1]), ("robot", None, 48, records[-1]["crc"])):
        assert agent.load(str(tmp_path / f"{name}.safetensors"), env=its_env)
        assert (agent.steps, agent.crc()) == (steps, crc)
    assert text[3].startswith("sent False") and text[4].split()[2] == "12" and text[5] == "resumed False"
    assert text[6] == "robot 0 0 2"
    assert [(one["saves"], one["sent"], one["last"]) for one in records] == [(0, 1, "stop"), (0, 2, "stop")]
    agent.load(str(tmp_path / "policy.safetensors"))
