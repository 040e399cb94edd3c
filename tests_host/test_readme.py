"""The program that README shows runs as it stands, shortened, under CPython and under MicroPython."""

import re

import pytest

from picorl_host import runner

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


def test_folders_in_readme_exist():
    table = README[README.index("| folder |") : README.index("## Gymnasium")]
    folders = re.findall(r"`(\w+)/`", table)
    assert len(folders) == 6
    assert [name for name in folders if not (runner.REPOSITORY / name).is_dir()] == []


def test_pictures_in_readme_exist():
    pictures = re.findall(r"!\[.*?\]\((.*?)\)", README)
    assert pictures and all((runner.REPOSITORY / name).is_file() for name in pictures)
