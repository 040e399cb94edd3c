"""Checkpoints: what standard tools read, what damage is found, and that nothing is lost on the way."""

import os
from array import array

import numpy as np
import pytest
from safetensors import safe_open

import picorl
from picorl import checkpoint
from picorl.envs import Pendulum

TINY = dict(hidden=(4,), batch_size=4, replay_capacity=12, warmup_steps=4)


def trained(algorithm=picorl.SAC, steps=20, **options):
    env = Pendulum(seed=1)
    agent = algorithm(env, **{**TINY, **options})
    for _ in picorl.train(agent, env, steps, evaluate_every=steps, evaluate_episodes=1):
        pass
    return agent, env


def state_of(agent):
    return {name: bytes(getattr(agent, name)) for name, *_ in agent.declare()}


@pytest.fixture
def full(tmp_path):
    agent, env = trained()
    path = str(tmp_path / "full.safetensors")
    agent.save(path, full=True, env=env)
    return path


def test_standard_tools_read_a_policy_and_its_layers_compute_its_action(tmp_path):
    agent, env = trained(picorl.TD3)
    path = str(tmp_path / "policy.safetensors")
    agent.save(path)
    with safe_open(path, "numpy") as file:
        assert file.metadata()["algorithm"] == "TD3"
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    hidden = np.maximum(np.array(env.obs) @ tensors["actor.0.weight"] + tensors["actor.0.bias"], 0)
    out = np.tanh(hidden @ tensors["actor.1.weight"] + tensors["actor.1.bias"])
    half, middle = tensors["action_scaling"]
    action = array("f", [0])
    agent.predict(env.obs, action)
    assert action[0] == pytest.approx((half * out + middle)[0], rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("algorithm", (picorl.SAC, picorl.TD3))
def test_a_policy_acts_like_its_agent(algorithm, tmp_path):
    agent, env = trained(algorithm)
    for contents in (False, True):
        path = str(tmp_path / "p.safetensors")
        agent.save(path, full=contents)
        policy = picorl.Policy.load(path)
        ours, theirs = array("f", [0]), array("f", [0])
        for _ in range(20):
            env.reset()
            agent.predict(env.obs, ours)
            policy.predict(env.obs, theirs)
            assert bytes(ours) == bytes(theirs)


def test_a_policy_file_changes_the_actor_alone(tmp_path):
    agent, _ = trained()
    path = str(tmp_path / "policy.safetensors")
    agent.save(path)
    other, _ = trained(learning_rate=5e-4, steps=30)
    before = state_of(other)
    assert other.load(path) is False
    after = state_of(other)
    assert after["actor"] == bytes(agent.actor)
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"actor"}


def test_a_file_cut_off_at_any_byte_is_refused_and_changes_nothing(full, tmp_path):
    data = open(full, "rb").read()
    agent, env = trained(steps=9)
    before = state_of(agent)
    cut = str(tmp_path / "cut.safetensors")
    for length in range(len(data)):
        with open(cut, "wb") as file:
            file.write(data[:length])
        with pytest.raises(ValueError, match="load: .*cut.safetensors"):
            agent.load(cut, env=env)
    assert state_of(agent) == before


def test_a_flipped_bit_anywhere_is_refused_and_changes_nothing(full, tmp_path):
    data = bytearray(open(full, "rb").read())
    agent, env = trained(steps=9)
    before = state_of(agent)
    bad = str(tmp_path / "bad.safetensors")
    for at in range(len(data)):
        data[at] ^= 1 << (at % 8)
        with open(bad, "wb") as file:
            file.write(data)
        data[at] ^= 1 << (at % 8)
        with pytest.raises(ValueError, match="load: .*bad.safetensors"):
            agent.load(bad, env=env)
    assert state_of(agent) == before


def test_bytes_behind_the_end_are_refused(full):
    with open(full, "ab") as file:
        file.write(b"x")
    with pytest.raises(ValueError, match="its header says"):
        checkpoint.verify(full)


@pytest.mark.parametrize(
    "options, message",
    (
        (dict(hidden=(5,)), "has layout"),
        (dict(hidden=(4, 4)), "has layout"),
        (dict(replay_capacity=13), "has replay_capacity 12, must be 13"),
        (dict(batch_size=3), "has batch_size 4, must be 3"),
        (dict(warmup_steps=7), "has warmup_steps 4, must be 7"),
        (dict(keep_best=False), None),
    ),
)
def test_a_checkpoint_of_other_sizes_is_refused(full, options, message):
    agent = picorl.SAC(Pendulum(), **{**TINY, **options})
    before = state_of(agent)
    if message is None:
        agent.load(full)  # what the agent does not keep is left in the file
    else:
        with pytest.raises(ValueError, match=message):
            agent.load(full)
        assert state_of(agent) == before


def test_another_algorithms_checkpoint_is_refused(full):
    agent = picorl.TD3(Pendulum(), **TINY)
    before = state_of(agent)
    with pytest.raises(ValueError, match="has algorithm SAC, must be TD3"):
        agent.load(full)
    assert state_of(agent) == before


def test_values_that_are_not_finite_are_not_saved_and_the_old_file_stays(full):
    agent, env = trained()
    old = open(full, "rb").read()
    agent.critic2[3] = float("nan")
    with pytest.raises(ValueError, match="not finite in critic2"):
        agent.save(full, full=True, env=env)
    assert open(full, "rb").read() == old


def test_save_interrupted_at_any_write_never_destroys_the_previous_file(full, monkeypatch):
    """Every write of the new file is cut in the middle in turn; the old file still loads, whole."""
    agent, env = trained(steps=40)
    old = open(full, "rb").read()
    real_open = open
    writes = 0
    while True:
        left = writes

        class Cutting:
            def __init__(self, file):
                self.file = file

            def __enter__(self):
                return self

            def __exit__(self, *args):
                self.file.close()

            def write(self, data):
                nonlocal left
                if left == 0:
                    whole = bytes(data)
                    self.file.write(whole[: len(whole) // 2])
                    raise KeyboardInterrupt
                left -= 1
                self.file.write(data)

        def cutting_open(path, mode="r"):
            return Cutting(real_open(path, mode)) if "w" in mode else real_open(path, mode)

        monkeypatch.setattr(checkpoint, "open", cutting_open, raising=False)
        try:
            agent.save(full, full=True, env=env)
            break
        except KeyboardInterrupt:
            assert real_open(full, "rb").read() == old
        finally:
            monkeypatch.undo()
        writes += 1
    assert writes > 30
    assert real_open(full, "rb").read() != old
    loaded, _ = trained(steps=9)
    loaded.load(full)
    assert loaded.crc() == agent.crc()


def test_interrupted_verification_or_renaming_keeps_a_good_file(full, monkeypatch):
    agent, env = trained(steps=40)
    old = open(full, "rb").read()

    def interrupt(*args):
        raise KeyboardInterrupt

    for owner, name in ((checkpoint, "verify"), (os, "replace")):
        monkeypatch.setattr(owner, name, interrupt)
        with pytest.raises(KeyboardInterrupt):
            agent.save(full, full=True, env=env)
        monkeypatch.undo()
        assert open(full, "rb").read() == old


def test_load_falls_back_to_the_new_file_when_the_old_one_is_gone(full):
    """FAT removes the target before it renames: a power cut in between leaves NAME.new alone."""
    agent, _ = trained()
    os.rename(full, full + ".new")
    other, _ = trained(steps=9)
    other.load(full)
    assert other.crc() == agent.crc()


def test_a_missing_file_is_named(tmp_path):
    agent, _ = trained()
    with pytest.raises(OSError, match="no file .*nothing.safetensors"):
        agent.load(str(tmp_path / "nothing.safetensors"))


def test_a_full_disk_is_told_before_anything_is_written(full, monkeypatch):
    agent, env = trained()
    old = open(full, "rb").read()
    monkeypatch.setattr(checkpoint.os, "statvfs", lambda path: (512, 512, 100, 1, 1, 0, 0, 0, 0, 255))
    with pytest.raises(OSError, match="needs [0-9]+ bytes, 512 are free"):
        agent.save(full, full=True, env=env)
    assert open(full, "rb").read() == old
    assert not os.path.exists(full + ".new")


def test_an_environment_without_buffers_cannot_be_stored(tmp_path):
    agent, _ = trained()
    with pytest.raises(ValueError, match="env has no buffers"):
        agent.save(str(tmp_path / "x"), full=True, env=object())


def test_a_save_never_overwrites_the_only_copy(full, monkeypatch):
    """NAME.new alone (FAT, power cut before the renaming) is renamed before a new one is written."""
    os.rename(full, full + ".new")
    good = open(full + ".new", "rb").read()
    agent, env = trained(steps=40)

    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint, "_check_room", interrupt)
    with pytest.raises(KeyboardInterrupt):
        agent.save(full, full=True, env=env)
    assert open(full, "rb").read() == good


def test_a_failed_save_leaves_no_rubbish(full):
    agent, env = trained()
    agent.actor[0] = float("inf")
    with pytest.raises(ValueError, match="not finite"):
        agent.save(full, full=True, env=env)
    assert not os.path.exists(full + ".new")


def test_a_folder_that_is_not_there_is_what_a_save_complains_of(tmp_path):
    agent, _ = trained()
    with pytest.raises(OSError, match="save: .*nowhere.*cannot be written") as told:
        agent.save(str(tmp_path / "nowhere" / "policy.safetensors"))
    assert told.value.__context__.__context__ is None  # it failed in open(), not while it cleared up


def test_tensors_are_aligned(full):
    found = checkpoint.verify(full)
    for name, (dtype, _, first) in found.tensors.items():
        assert dtype == "U8" or first % 4 == 0, name


def test_tensors_out_of_order_are_refused(full, tmp_path):
    """A file may hold its tensors in any order; ours reads a network in one go, so it says no instead of loading nonsense."""
    found = checkpoint.verify(full)
    weight, bias = found.tensors["actor.0.weight"], found.tensors["actor.0.bias"]
    found.tensors["actor.0.weight"] = (weight[0], weight[1], bias[2])
    with pytest.raises(ValueError, match="out of order"):
        checkpoint.consecutive(found, "F32", [("actor.0.weight", weight[1]), ("actor.0.bias", bias[1])])


def test_a_policy_brings_its_target_along(tmp_path):
    agent, _ = trained(picorl.TD3)
    agent.save(str(tmp_path / "p.safetensors"))
    other = picorl.TD3(Pendulum(), seed=5, **TINY)
    other.load(str(tmp_path / "p.safetensors"))
    assert bytes(other.target_actor) == bytes(other.actor) == bytes(agent.actor)
