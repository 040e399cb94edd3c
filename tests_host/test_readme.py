"""The program that README shows runs as it stands, shortened, under CPython and under MicroPython."""

import re

import pytest

import picorl
from picorl.envs import Pendulum
from picorl_host import board_plan, boards, runner

README = (runner.REPOSITORY / "README.md").read_text()


@pytest.mark.parametrize("runtime", [runner.cpython, runner.micropython])
def test_the_program_in_readme_runs(runtime, tmp_path, monkeypatch):
    program = re.search(r"```python\n(import picorl\n.*?)```", README, re.DOTALL)[1]
    assert len([line for line in program.splitlines() if line]) <= 10
    short = program.replace("steps=10_000, evaluate_every=1_000", "steps=300, evaluate_every=100")
    assert short != program
    (tmp_path / "program.py").write_text(short)
    monkeypatch.chdir(tmp_path)
    lines = []
    runner.run(runtime(), tmp_path / "program.py", {}, on_line=lines.append)
    assert len(lines) == 3 and all("return" in line for line in lines)
    assert (tmp_path / "pendulum.safetensors").stat().st_size > 4 * 64 * 64


def test_every_algorithm_in_readme_is_there_and_as_large_as_it_says():
    table = README[README.index("## Algorithms") : README.index("KB of heap are those")]
    rows = re.findall(r"^\| (`.*?`) \|.*?\|.*?\| (\d*) ?\|", table, re.MULTILINE)
    named = {name for names, _ in rows for name in re.findall(r"`(\w+)`", names)}
    assert named == {one.__name__ for one in board_plan.ALGORITHMS.values()} | {"Regressor", "Classifier"}
    assert all(hasattr(picorl, name) for name in named)
    said = {names.strip("`"): int(kilobytes) for names, kilobytes in rows if kilobytes}
    for name, algorithm in board_plan.ALGORITHMS.items():
        setup = board_plan.setup(boards.load("RPI_PICO2"), name, hidden=(32, 32) if name != "recurrent_sac" else None)
        # Python objects are counted about.
        assert abs(setup.plan().total / 1000 - said[algorithm.__name__]) < 1.5, name


def test_the_snippets_about_algorithms_in_readme_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    picorl.SAC(Pendulum(), hidden=(4, 4), batch_size=4, replay_capacity=50).save("pendulum.safetensors")
    section = README[README.index("## Algorithms") : README.index("## A robot")]
    program = "".join(re.findall(r"```python\n(.*?)```", section, re.DOTALL))
    names = {}
    exec(program.replace("steps=30_000, evaluate_every=10_000", "steps=1024, evaluate_every=512"), names)
    assert names["agent"].units == 32 and names["policy"].obs_size == 3 and -2 <= names["torque"][0] <= 2


def test_folders_in_readme_exist():
    table = README[README.index("| folder |") : README.index("## Gymnasium")]
    folders = re.findall(r"`(\w+)/`", table)
    assert len(folders) == 6
    assert [name for name in folders if not (runner.REPOSITORY / name).is_dir()] == []


def test_pictures_in_readme_exist():
    pictures = re.findall(r"!\[.*?\]\((.*?)\)", README)
    assert pictures and all((runner.REPOSITORY / name).is_file() for name in pictures)
