"""Ten minutes on a rotary pendulum, simulated: learning, with sensors that fail, a policy gone mad now and then, and a reset."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import targets

import picorl

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = (Path(__file__).parent / "device_robot.py").read_text()
CLOCK = ("device_clock.py", (Path(__file__).parent / "device_clock.py").read_bytes())
EXAMPLE = ("rotary_pendulum.py", (ROOT / "device/examples/rotary_pendulum.py").read_bytes())
MINUTE = 60 * 50  # ticks
HEAP = 512 * 1024  # of a board that has no more
OPTIONS = dict(hidden=(16, 16), batch_size=16, replay_capacity=2000, warmup_steps=200, chunk=None, seed=0)
NAMES = ("unix", "qemu-m7")  # the others' interpreters and CPUs are tested elsewhere, in less than ten minutes


def pytest_generate_tests(metafunc):
    if "roomy" in metafunc.fixturenames:
        names = [name for name in targets.wanted(metafunc.config) if name in NAMES]
        metafunc.parametrize("roomy", names, indirect=True)


@pytest.fixture
def roomy(request):
    """A target of one's own."""
    found = targets.open_target(request.param, **({"heap": HEAP} if request.param in targets.EMULATED else {}))
    yield found
    found.close()


def script(*args, do="minutes"):
    return f"CASE = {dict(do=do, args=args)!r}\n{SCRIPT}"


def on_the_desktop(folder, fused, *args):
    """The same under CPython, with kernels of that class."""
    (folder / EXAMPLE[0]).write_bytes(EXAMPLE[1])
    variant = next(one for one in picorl.kernels.backend.variants() if one.endswith("unfused") != fused)
    (folder / "script.py").write_text(f"import picorl\npicorl.kernels.select('_picorl', {variant!r})\n" + script(*args))
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=folder, env=dict(os.environ), capture_output=True, text=True, check=True
    )
    return done.stdout.partition("reset\n")[0]


def told(text):
    """{first word: the other words} of the lines that are no records."""
    lines = [line.split() for line in text.splitlines() if line and line[0] != "{"]
    return {words[0]: words[1:] for words in lines if words[0] != "heap"}


def heaps(text):
    return [int(line.split()[1]) for line in text.splitlines() if line.startswith("heap")]


def pairs(words):
    return dict(zip(words[::2], map(int, words[1::2]), strict=True))


def check(said, ticks):
    counts, referee = pairs(said["counts"]), pairs(said["referee"])
    assert counts["ticks"] == ticks and counts["missed"] == 0
    assert referee["unsafe"] == 0
    # Two encoders, and the policy, fail about so often; what happens while the loop is in a fault already is no new one.
    assert referee["failures"] > 60 * ticks // 1499
    assert counts["faults"] >= ticks // 1499 and counts["bad_actions"] >= ticks // 2000
    assert counts["saves"] == referee["saves"] >= ticks // (MINUTE + 400) and counts["failed_saves"] == 0
    assert said["learned"][-1] == "0"  # transitions refused


def live(roomy, tmp_path, minutes, reset_at, update_every):
    """Minutes with a reset at a tick; all that is checked, and the desktop's bits."""
    first = (reset_at, reset_at, OPTIONS, update_every, MINUTE)
    second = (minutes * MINUTE - reset_at, 0, OPTIONS, update_every, MINUTE)
    before = roomy.run_to_reset(script(*first), [EXAMPLE], timeout=7200)
    after = roomy.run(script(*second), timeout=7200)
    cut, whole = told(before), told(after)
    assert cut["at"][2] == "driven"  # the reset came in the midst of an episode
    check(cut, reset_at)
    check(whole, minutes * MINUTE - reset_at)
    start = json.loads(after.splitlines()[0])
    assert start["resumed"] is True
    # What was learned since the last checkpoint is lost, not more: a minute, and until the episode after it ended.
    assert 0 < int(cut["at"][0]) - int(whole["resumed"][0]) <= MINUTE + 250
    assert int(whole["learned"][0]) > int(cut["at"][0])
    for text in before, after:
        found = heaps(text)
        assert len(found) >= 3 and max(found) == min(found), found
    fused = roomy.run("import picorl\nprint(picorl.kernels.info()['fused'])").strip() == "True"
    assert told(on_the_desktop(tmp_path, fused, *first)) == cut
    assert told(on_the_desktop(tmp_path, fused, *second)) == whole


@pytest.mark.size("medium")
def test_ten_minutes_with_failing_sensors_and_a_reset(roomy, tmp_path):
    live(roomy, tmp_path, 10, 5 * MINUTE + 1234, 4)


@pytest.mark.soak
@pytest.mark.timeout(4 * 3600)
def test_two_hours_with_failing_sensors_and_a_reset(roomy, tmp_path):
    live(roomy, tmp_path, 120, 50 * MINUTE + 1234, 4)


@pytest.mark.parametrize("algorithm", ("SAC", "TD3"))
def test_a_tick_allocates_nothing(native, algorithm):
    options = dict(hidden=(8, 8), batch_size=8, replay_capacity=100, warmup_steps=20, seed=0)
    done = native.run(script(algorithm, options, 100, do="locked"), [CLOCK])
    by_its_clock, with_time_to_learn = done.splitlines()
    # 500 ticks a second may leave a slow board no time for an update.
    assert by_its_clock in ("locked 120 False 1 1", "locked 120 True 1 1")
    assert with_time_to_learn == "locked 120 True 1 1"
