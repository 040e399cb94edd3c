"""The power fails while a checkpoint is written, or between two: training goes on from a good one."""

import time
from pathlib import Path

import desktop
import pytest
import targets

HERE = Path(__file__).parent
SCRIPT = (HERE / "device_disk.py").read_text() + (HERE / "device_power_cuts.py").read_text()
OPTIONS = dict(hidden=(4,), batch_size=4, replay_capacity=40, warmup_steps=4, seed=0)
STEPS = 12

# What a user's main.py does: go on where the last checkpoint is, and make new ones.
PROGRAM = f"""
import picorl
from picorl.envs import Pendulum

env = Pendulum(seed=0)
agent = picorl.SAC(env, **{OPTIONS!r})
try:
    agent.load("run.safetensors", env=env)
except OSError:
    pass
print("at", agent.steps)
while agent.steps < {STEPS}:
    for _ in picorl.train(agent, env, 4, evaluate_every=4, evaluate_episodes=0):
        pass
    print("saving", agent.steps)
    agent.save("run.safetensors", full=True, env=env)
    print("saved", agent.steps)
print("crc", agent.crc())
"""


def pytest_generate_tests(metafunc):
    if "flashed" in metafunc.fixturenames:
        names = [name for name in targets.wanted(metafunc.config) if name in targets.can_have("flash")]
        metafunc.parametrize("flashed", names, indirect=True)


@pytest.fixture
def flashed(request, tmp_path):
    """A target whose flash outlives it."""
    found = targets.open_target(request.param, flash=tmp_path / "flash.img")
    yield found
    found.close()


@pytest.mark.size("medium")
@pytest.mark.parametrize("file_system", ("VfsLfs2", "VfsFat"))
@pytest.mark.parametrize("algorithm", ("SAC", "TD3"))
def test_a_save_cut_off_at_any_write_leaves_the_old_or_the_new_checkpoint(target, file_system, algorithm):
    case = dict(file_system=file_system, algorithm=algorithm, options=OPTIONS)
    words = target.run(f"CASE = {case!r}\n{SCRIPT}").splitlines()[-1].split()
    if words == ["absent"]:
        pytest.skip(f"no {file_system} on this target")
    figures = dict(zip(words[::2], map(int, words[1::2]), strict=True))
    assert list(figures) == ["writes", "twice", "old", "new", "others"]
    assert figures["others"] == 0
    assert figures["old"] + figures["new"] == figures["writes"] + figures["twice"]
    # Both happen: cuts before the new one is in its place, and after. Only FAT removes the old name first.
    assert figures["old"] > 10 and figures["new"] > 0
    assert (figures["twice"] > 10) == (file_system == "VfsFat")


def test_training_goes_on_from_the_last_checkpoint_wherever_the_power_failed(flashed):
    """With a real file system in flash: a cut in the middle of training, and some in saves."""
    seen = {}

    def after_the_first_save(printed):
        for line in printed.splitlines():
            seen.setdefault(line, time.monotonic())
        return 0.5 if "saved 4\n" in printed else None  # trains again by then

    printed, ended = flashed.run_until(PROGRAM, after_the_first_save)
    assert printed == "at 0\nsaving 4\nsaved 4\n" and not ended
    took = seen["saved 4"] - seen["saving 4"]
    saved = 4
    for part in (0.4, 0.8):
        printed, ended = flashed.run_until(PROGRAM, lambda text, part=part: part * took if "saving" in text else None)
        at = int(printed.split()[1])
        # The save that was cut off before has either happened or not.
        assert at in (saved, saved + 4) and f"saving {at + 4}\n" in printed and not ended
        saved = at
    words = flashed.run(PROGRAM).split()
    assert int(words[1]) in (saved, saved + 4)
    with desktop.same_class(flashed):
        assert words[-2:] == ["crc", desktop.crc("SAC", OPTIONS, STEPS)]
