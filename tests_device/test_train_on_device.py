"""`picorl train --board`: a training wholly on an emulated board, beside the desktop's."""

import csv
import json

import targets
from typer.testing import CliRunner

from picorl_host import cli


def pytest_generate_tests(metafunc):
    if "board" in metafunc.fixturenames:
        kinds = [targets.EMULATED[name] for name in targets.wanted(metafunc.config) if name in targets.EMULATED]
        chosen = {kind.args[1] for kind in kinds if kind.args[2] != "small" and not kind.func.stock}
        metafunc.parametrize("board", sorted(chosen))


def test_a_training_on_the_board_gives_the_desktops_bits_and_curve(board, tmp_path):
    arguments = ["train", "--board", board, "--steps", "300", "--out", str(tmp_path)]
    result = CliRunner().invoke(cli.app, arguments, env={"COLUMNS": "100", "NO_COLOR": "1"})
    assert result.exit_code == 0, result.output
    assert f"{board} and CPython trained bit-identical parameters" in " ".join(result.output.split())
    written = json.loads((tmp_path / "runs.json").read_text())
    assert [run["runtime"] for run in written["runs"]] == [board, "CPython"]
    assert written["runs"][0]["python"].startswith("micropython ") and written["runs"][0]["kernels"] == "_picorl"
    policies = [(tmp_path / f"pendulum-{name}.safetensors").read_bytes() for name in (board.lower(), "cpython")]
    assert policies[0] == policies[1]
    assert (tmp_path / "pendulum.png").read_bytes().startswith(b"\x89PNG")
    rows = list(csv.DictReader((tmp_path / "records.csv").open()))
    assert [int(row["step"]) for row in rows if row["runtime"] == board] == [100, 200, 300]
