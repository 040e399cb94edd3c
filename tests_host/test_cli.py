"""`picorl train`: programs run, records read, everything else passed on, runs compared."""

import csv
import json
import os
import signal
import sys

import pytest
from typer.testing import CliRunner

from picorl_host import cli, compare, runner, telemetry
from picorl_host.bench import learning, pendulum, streaming
from picorl_host.bench.tasks import TASKS


def shell(command, *arguments):
    return CliRunner().invoke(command, [str(word) for word in arguments], env={"COLUMNS": "100", "NO_COLOR": "1"})


@pytest.fixture
def program(tmp_path):
    """A function that writes a program and runs it under CPython: (run, lines passed on)."""

    def run(source, config=None, **options):
        path = tmp_path / "program.py"
        path.write_text(source)
        lines = []
        return runner.run(runner.cpython(), path, config or {}, on_line=lines.append, **options), lines

    return run


@pytest.fixture
def fake_micropython(tmp_path):
    """A function that makes a command which prints records of its own instead of training."""

    def make(records):
        path = tmp_path / "micropython"
        printed = "\n".join(json.dumps(record) for record in records)
        path.write_text(f"#!/bin/sh\ncat <<'END'\n{printed}\nEND\n")
        path.chmod(0o755)
        return path

    return make


@pytest.mark.parametrize(
    ("line", "record"),
    [
        ('{"event": "end", "crc": "00ff00ff"}\n', {"event": "end", "crc": "00ff00ff"}),
        ("hello\n", None),
        ("\n", None),
        ('{"event": "end"', None),  # cut off
        ('{"event": 3}', None),
        ('{"step": 3}', None),  # a JSON line of the user's own
        ('["event"]', None),
        ("{}", None),
    ],
)
def test_only_objects_with_an_event_are_records(line, record):
    assert telemetry.parse(line) == record


def test_records_are_read_and_all_else_passes_through(program):
    run, lines = program(
        "import sys\n"
        'print(\'{"event": "start"}\')\n'
        "print('  user line {')\n"
        "print('warning', file=sys.stderr, flush=True)\n"
        'print(\'{"event": "end", "return": -1.5}\')\n'
    )
    assert run.records == [{"event": "start"}, {"event": "end", "return": -1.5}]
    assert run.last("end")["return"] == -1.5
    assert lines == ["  user line {", "warning"]


def test_program_receives_its_config(program):
    run, _ = program(
        "import sys, json; print(json.dumps({'event': 'end', 'got': json.loads(sys.argv[1])}))", {"a": [1, "ü"]}
    )
    assert run.last("end")["got"] == {"a": [1, "ü"]}


def test_cpu_time_is_the_programs(program):
    busy = "import time\nwhile time.process_time() < 0.5: sum(range(100000))"
    idle = "import time; time.sleep(0.6)"
    assert program(busy)[0].cpu >= 0.4
    run, _ = program(idle)
    assert run.wall >= 0.6 and run.cpu < 0.4


def test_records_arrive_while_the_program_runs(program):
    seen = []
    with pytest.raises(KeyboardInterrupt):  # raised by the reader: the program would go on for a minute

        def stop(record):
            seen.append(record)
            raise KeyboardInterrupt

        program('import time\nprint(\'{"event": "start"}\')\ntime.sleep(60)', on_record=stop)
    assert seen == [{"event": "start"}]


def test_failing_program_is_a_problem_and_its_traceback_is_shown(tmp_path):
    path = tmp_path / "broken.py"
    path.write_text("raise ValueError('hidden is 0')")
    lines = []
    with pytest.raises(runner.Problem, match="broken.py stopped under CPython with exit code 1"):
        runner.run(runner.cpython(), path, {}, on_line=lines.append)
    assert lines[-1] == "ValueError: hidden is 0"


def test_killed_program_is_a_problem(program):
    with pytest.raises(runner.Problem, match=f"signal {signal.SIGKILL.value}"):
        program("import os; os.kill(os.getpid(), 9)")


def test_missing_records_are_a_problem(program):
    run, _ = program("")
    with pytest.raises(runner.Problem, match="CPython ended without a record 'end'"):
        run.last("end")


def test_missing_micropython_says_what_to_type(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(runner, "MICROPYTHON", runner.REPOSITORY / "build/nowhere/micropython")
    monkeypatch.setattr(sys, "argv", ["picorl", "train", "--out", str(tmp_path)])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 1
    printed = " ".join(capsys.readouterr().err.split())
    assert "no MicroPython at build/nowhere/micropython" in printed and "make micropython" in printed


def test_wrong_micropython_is_named(monkeypatch):
    with pytest.raises(runner.Problem, match="no MicroPython at /no/such: .*--micropython"):
        runner.micropython("/no/such")


@pytest.mark.parametrize("arguments", [["--algo", "ppo"], ["--steps", "10"], ["--seed", "-1"]])
def test_bad_options_are_refused(arguments):
    result = shell(cli.app, "train", *arguments)
    assert result.exit_code == 2 and arguments[0] in result.output


@pytest.mark.parametrize("algo", ["sac", "td3"])
def test_micropython_and_cpython_are_bit_identical(tmp_path, algo):
    result = shell(cli.app, "train", "--compare", "--algo", algo, "--steps", 400, "--out", tmp_path)
    assert result.exit_code == 0, result.output
    assert "bit-identical" in result.output and "CRC of the parameters" in result.output
    assert (tmp_path / "pendulum.png").read_bytes().startswith(b"\x89PNG")
    written = json.loads((tmp_path / "runs.json").read_text())
    assert written["bit_identical"] is True and written["config"]["steps"] == 400
    micropython, cpython = written["runs"]
    assert micropython["python"].startswith("micropython ") and cpython["python"].startswith("cpython ")
    assert micropython["crc"] == cpython["crc"]
    assert micropython["return"] == pytest.approx(cpython["return"], abs=1e-3)
    policies = [(tmp_path / f"pendulum-{name}.safetensors").read_bytes() for name in ("micropython", "cpython")]
    assert len(policies[0]) > 4 * 64 * 64
    rows = list(csv.DictReader((tmp_path / "records.csv").open()))
    for runtime in ("MicroPython", "CPython"):
        assert [int(row["step"]) for row in rows if row["runtime"] == runtime] == [100, 200, 300, 400]


def test_a_long_config_reaches_micropython_in_a_file(tmp_path):
    """An argument of MicroPython's may have 255 bytes."""
    out = tmp_path / ("x" * 200) / ("y" * 100)
    result = shell(cli.app, "train", "--compare", "--steps", 200, "--out", out)
    assert result.exit_code == 0, result.output
    assert len(list(out.glob("pendulum-*.safetensors"))) == 2


def test_saved_policy_opens_with_safetensors(tmp_path):
    from safetensors.numpy import load_file

    result = shell(cli.app, "train", "--runtime", "cpython", "--steps", 200, "--out", tmp_path)
    assert result.exit_code == 0, result.output
    tensors = load_file(tmp_path / "pendulum-cpython.safetensors")
    assert any(tensor.size >= 64 * 64 for tensor in tensors.values())


def test_different_parameters_exit_with_1(tmp_path, fake_micropython):
    records = [
        {"event": "start", "python": "micropython 1.25.0", "kernels": "python", "picorl": "0"},
        {"event": "progress", "step": 200, "return": -1000.0, "best": -1000.0, "updates": 100},
        {"event": "end", "crc": "00000000", "return": -1000.0},
    ]
    command = fake_micropython(records)
    result = shell(cli.app, "train", "--compare", "--steps", 200, "--micropython", command, "--out", tmp_path)
    assert result.exit_code == 1
    assert "different parameters" in " ".join(result.output.split())
    assert "different kernels" in " ".join(result.output.split())
    assert json.loads((tmp_path / "runs.json").read_text())["bit_identical"] is False


def a_run(name, crc):
    records = [
        {"event": "start", "python": name, "kernels": "_picorl"},
        {"event": "end", "crc": crc, "return": -150.0},
    ]
    return runner.Run(runner.Runtime(name, ()), records, 1.0, 1.0)


def test_identical_means_every_crc():
    assert compare.identical([a_run("A", "01"), a_run("B", "01")])
    assert not compare.identical([a_run("A", "01"), a_run("B", "01"), a_run("C", "02")])
    assert "kernels" not in compare.verdict([a_run("A", "01"), a_run("B", "02")])


def test_bars_of_the_learning_benchmark():
    sac, dqn = TASKS["sac"], TASKS["dqn-cartpole"]
    assert learning.summary(sac, [-150, -160, -199]) == {"median": -160, "worst": -199, "passed": True}
    assert not learning.summary(sac, [-150, -161, -199])["passed"]
    assert not learning.summary(sac, [-150, -150, -201])["passed"]
    assert learning.summary(TASKS["td3"], [-150, -165, -229])["passed"]
    assert learning.summary(dqn, [100] + [480] * 9)["passed"]
    assert not learning.summary(TASKS["recurrent-sac"], [-290, -301, -400])["passed"]
    shown = learning.summary(TASKS["sac-without-velocity"], [-1200, -1300, -1400])
    assert shown == {"median": -1300, "passed": True}
    scores = {"sac-without-velocity": [-1200, -1300, -1400], "sac": [-150] * 3}
    table = learning.report(scores, dict.fromkeys(scores, [1.5, 1.25, 9]), -139.2)[0]
    cells = [list(column.cells) for column in table.columns]
    assert cells[0] == ["sac-without-velocity", "sac"] and cells[1][0] == "-1200.0 -1300.0 -1400.0"
    assert cells[2] == ["median -1300.0", "median -150.0 (-160)\nworst -150.0 (-200)"]
    assert cells[3] == ["-139.2"] * 2 and cells[4] == ["1.50"] * 2
    assert cells[5] == ["[green]passed[/]"] * 2
    assert not learning.summary(dqn, [100, 474] + [500] * 8)["passed"]


def test_learning_benchmark_scores_and_fails_below_the_bars(tmp_path, monkeypatch):
    """Two untrained seeds: the worker scores them on the 200 starts, and the bars are missed."""
    import typer

    monkeypatch.setattr(learning.optimal_pendulum, "score", lambda: -139.2)
    app = typer.Typer()
    app.command()(learning.main)
    out = tmp_path / "learning.json"
    result = shell(
        app, "--task", "td3,dqn-cartpole", "--seeds", 2, "--steps", 200, "--runtime", "cpython", "--out", out
    )
    assert result.exit_code == 1, result.output
    assert "failed" in result.output and "-139.2" in result.output
    scores = json.loads(out.read_text())["scores"]["td3"]
    assert len(scores) == 2 and scores[0] != scores[1]
    assert all(-1800 < score < -300 for score in scores)


def test_streaming_benchmark_draws_and_fails_below_the_bars(tmp_path):
    import typer

    app = typer.Typer()
    app.command()(streaming.main)
    out = tmp_path / "streaming.json"
    result = shell(app, "--seeds", 2, "--steps", 400, "--runtime", "cpython", "--out", out)
    assert result.exit_code == 1, result.output
    assert "missed: stream-ac, median" in result.output
    found = json.loads(out.read_text())
    assert found["stream-ac"]["bytes"] < found["sac"]["bytes"] / 5
    for name in ("stream-ac", "sac", "stream-q-cartpole", "dqn-cartpole"):
        assert len(found[name]["scores"]) == len(found[name]["curves"]) == 2
        steps, returns = found[name]["curves"][0]
        assert steps == list(range(20, 401, 20))
        assert len(set(returns)) > 1 or name == "dqn-cartpole"  # which still warms up
    assert out.with_suffix(".png").read_bytes().startswith(b"\x89PNG")


def test_learning_benchmark_names_an_unknown_algorithm(tmp_path):
    import typer

    app = typer.Typer()
    app.command()(learning.main)
    result = shell(app, "--task", "sac,a2c", "--out", tmp_path / "x.json")
    assert result.exit_code == 2 and "a2c" in result.output


def test_pendulum_benchmark_compares_within_a_turn():
    """The third turn was slow for both: the ratio of that turn is as good as the others'."""
    seconds = {"td3": {"CPython + C": [1.0, 2.0, 9.0], pendulum.PEER: [10.0, 16.0, 90.0]}}
    _, results = pendulum.report(seconds)
    assert results["td3"]["CPython + C"] == {"cpu_s": 2.0, "times_faster": 10.0}
    assert results["td3"][pendulum.PEER] == {"cpu_s": 16.0, "times_faster": 1.0}


def test_pendulum_benchmark_without_peers_says_what_to_type(monkeypatch, tmp_path):
    monkeypatch.setattr(pendulum, "PEERS", tmp_path / "python")
    with pytest.raises(runner.Problem, match="make bench-pendulum"):
        pendulum.contestants(None)


def test_environment_of_the_user_reaches_the_program(program, monkeypatch):
    monkeypatch.setitem(os.environ, "PICORL_TEST", "yes")
    run, _ = program("import os; print('{\"event\": \"%s\"}' % os.environ['PICORL_TEST'])")
    assert run.records == [{"event": "yes"}]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--port", "/dev/null"], "--port needs --board"),
        (["--board", "NOWHERE"], "no board 'NOWHERE', must be one of"),
        (["--board", "TEENSY41"], "TEENSY41 is not emulated: connect one, and say --port"),
        (["--board", "UNIX"], "UNIX is this machine"),
        (["--board", "TEENSY41", "--port", "/dev/nowhere"], "no port /dev/nowhere"),
    ],
)
def test_training_on_a_board_that_is_not_there(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(sys, "argv", ["picorl", "train", *arguments, "--out", str(tmp_path)])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code in (1, 2)
    printed = capsys.readouterr()
    assert message in " ".join((printed.err + printed.out).split())
