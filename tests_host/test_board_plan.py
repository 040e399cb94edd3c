"""`picorl plan`: memory as the agent takes it, times near what was counted on emulators."""

import re

import pytest
from typer.testing import CliRunner

import picorl
from picorl.envs import Pendulum, PendulumWithoutVelocity
from picorl_host import board_plan, boards, cli, estimate
from picorl_host.runner import Problem

# Instructions of an update and an act in thousands, counted with QEMU's -icount, replay 10 000 at hidden 64, otherwise 1000.
COUNTED = [
    ("Cortex-M7", "sac", 64, 100, 16_240, 19),
    ("Cortex-M7", "sac", 32, 32, 2_176, None),
    ("Cortex-M7", "sac", 16, 16, 569, 12),
    ("Cortex-M7", "sac", 8, 8, 251, 12),
    ("Cortex-M7", "td3", 64, 100, 11_554, 22),
    ("Cortex-M7", "td3", 32, 32, 1_454, 17),
    ("Cortex-M7", "td3", 16, 16, 424, None),
    ("Cortex-M4F", "sac", 64, 32, 5_166, 18),
    ("Cortex-M4F", "td3", 64, 32, 3_774, 27),
    ("Cortex-M0+", "sac", 64, 32, 236_039, 525),
    ("Cortex-M0+", "sac", 16, 16, 11_821, 77),
    ("Cortex-M0+", "td3", 64, 32, 180_157, 528),
    ("RV32IMAC", "sac", 64, 32, 225_031, 502),
    ("RV32IMAC", "sac", 16, 16, 11_102, 70),
    ("RV32IMAC", "td3", 16, 16, 8_063, 64),
]


@pytest.mark.parametrize(("mcu", "algorithm", "hidden", "batch", "update", "act"), COUNTED)
def test_instructions_are_near_the_counted_ones(mcu, algorithm, hidden, batch, update, act):
    options = dict(hidden=(hidden, hidden), batch_size=batch, keep_best=False)
    plan = picorl.plan(board_plan.ALGORITHMS[algorithm], Pendulum(), **options)
    told_act, _, told_update, _ = estimate.instructions(plan, estimate.core(mcu))
    assert told_update == pytest.approx(1000 * update, rel=0.3)
    if act:
        assert told_act == pytest.approx(1000 * act, rel=0.5)


@pytest.mark.parametrize(
    ("hidden", "update", "act"), [(16, 76_360, 14_928), (32, 124_264, 18_216), (64, 273_896, 26_700)]
)
def test_instructions_of_stream_ac_are_near_the_counted_ones(hidden, update, act):
    plan = picorl.plan(picorl.StreamAC, Pendulum(), hidden=(hidden, hidden), keep_best=False)
    told_act, _, told_update, _ = estimate.instructions(plan, estimate.core("Cortex-M7"))
    assert told_update == pytest.approx(update, rel=0.3) and told_act == pytest.approx(act, rel=0.5)


# The same of RecurrentSAC, hidden as units, by units, batch, length and chunk; on the Cortex-M7 by `python -m picorl_host.bench.m7 --only recurrent`,
# on the others by its program device_m7.py, replay 300 (a tick of the RV32 is 100 instructions).
COUNTED_WITH_GRU = [
    ("Cortex-M7", 8, 8, 12, None, 3_980, 30),
    ("Cortex-M7", 8, 4, 12, 1, 4_664, 30),
    ("Cortex-M7", 16, 16, 12, None, 12_950, 34),
    ("Cortex-M7", 16, 16, 12, 4, 14_862, 33),
    ("Cortex-M7", 16, 8, 24, None, 12_715, 34),
    ("Cortex-M7", 32, 32, 12, None, 61_041, 44),
    ("Cortex-M7", 64, 16, 12, 8, 84_527, 72),
    ("Cortex-M4F", 16, 16, 12, None, 13_076, 35),
    ("Cortex-M4F", 32, 8, 12, 4, 15_200, 45),
    ("Cortex-M0+", 8, 8, 12, None, 99_561, 213),
    ("Cortex-M0+", 16, 8, 12, None, 256_125, 468),
    ("Cortex-M0+", 24, 4, 8, None, 167_375, 829),
    ("RV32IMAC", 8, 8, 12, None, 90_795, 186),
    ("RV32IMAC", 16, 8, 5, None, 128_945, 423),
]


@pytest.mark.parametrize(("mcu", "units", "batch", "length", "chunk", "update", "act"), COUNTED_WITH_GRU)
def test_instructions_with_a_memory_are_near_the_counted_ones(mcu, units, batch, length, chunk, update, act):
    options = dict(units=units, hidden=(units,), batch_size=batch, length=length, chunk=chunk)
    plan = picorl.plan(picorl.RecurrentSAC, Pendulum(), **options)
    told_act, _, told_update, _ = estimate.instructions(plan, estimate.core(mcu))
    assert told_update == pytest.approx(1000 * update, rel=0.2)
    assert told_act == pytest.approx(1000 * act, rel=0.3)


def test_a_garbage_collection_is_near_the_counted_one():
    """5.18 M instructions on the Cortex-M7 with a heap of 700 KB, 576 KB of it an agent's buffers."""
    plan = picorl.plan(picorl.SAC, Pendulum(), replay_capacity=9_000, keep_best=False)
    assert plan.gc_instructions == pytest.approx(5_180_000, rel=0.2)


def test_times_follow_clock_and_core():
    plan = picorl.plan(picorl.SAC, Pendulum())
    slow, fast = (estimate.estimate(plan, "STM32F7, Cortex-M7", mhz) for mhz in (200, 400))
    assert slow.update == pytest.approx(2 * fast.update)
    assert estimate.estimate(plan, "Cortex-M0+", 400).update > 50 * fast.update
    assert estimate.estimate(plan, "Z80", 4) is None and estimate.estimate(plan, "Cortex-M7", None) is None
    assert slow.training(1000, 100) == pytest.approx(1000 * slow.step + 900 * slow.update)


def test_parameters_are_those_of_the_networks():
    agent = picorl.TD3(Pendulum(), hidden=(8, 5), batch_size=4, replay_capacity=10)
    plan = picorl.plan(picorl.TD3, Pendulum(), hidden=(8, 5), batch_size=4, replay_capacity=10)
    assert plan.params == len(agent.actor) + len(agent.critic1) + len(agent.critic2)


def test_every_board_has_what_a_plan_needs():
    for name in boards.names():
        board = boards.load(name)
        assert board.data["heap"] > 0 and isinstance(board.data["mcu"], str), name
        if name != "UNIX":
            assert estimate.core(board.data["mcu"]) and 10 < board.get("clock_mhz") < 1000, name
        setup = board_plan.setup(board)
        assert setup.plan().total < board.data["heap"], f"{name}: its own training does not fit"


def shell(*arguments):
    result = CliRunner().invoke(cli.app, ["plan", *arguments], env={"COLUMNS": "200"})
    return result, " ".join(result.output.split())


def test_the_command_tells_memory_and_time():
    result, said = shell(
        *"--board QEMU_CORTEX_M7 --algo sac --hidden 64 64 --batch 32 --replay 2000 --chunk 8 --steps 10000".split()
    )
    assert result.exit_code == 0, result.output
    options = dict(hidden=(64, 64), batch_size=32, chunk=8)
    plan = picorl.plan(picorl.SAC, Pendulum(), replay_capacity=2000, **options)
    assert f"{plan.total:,}" in said and f"{plan.largest:,}" in said and "replay_obs" in said
    rows = int(re.search(r"largest replay that fits: ([\d,]+) rows", said)[1].replace(",", ""))
    heap = boards.load("QEMU_CORTEX_M7").data["heap"]
    assert picorl.plan(picorl.SAC, Pendulum(), replay_capacity=rows, **options).total <= heap
    assert picorl.plan(picorl.SAC, Pendulum(), replay_capacity=rows + 8, **options).total > heap
    assert "fits:" in said and "estimate" in said and "garbage collection" in said and "to train 10,000 steps" in said


def test_a_memory_is_planned_too():
    result, said = shell(
        *"--board QEMU_CORTEX_M7 --algo recurrent_sac --hidden 16 --units 24 --length 9 --batch 8 --chunk 8 --replay 2000".split()
    )
    assert result.exit_code == 0, result.output
    options = dict(units=24, hidden=(16,), length=9, batch_size=8, replay_capacity=2000)
    plan = picorl.plan(picorl.RecurrentSAC, PendulumWithoutVelocity(), **options)
    assert "RecurrentSAC, hidden 16, 24 units, batch 8 sequences of 9 in chunks of 8, replay 2000" in said
    assert f"{plan.total:,}" in said and "gru_gates" in said
    setup = board_plan.setup(boards.load("QEMU_CORTEX_M7"), "recurrent_sac")
    assert setup.plan().total > 0 and setup.options["units"] == setup.options["hidden"][0]
    assert shell("--algo", "recurrent_sac", "--hidden", "8", "--batch", "4")[0].exit_code == 0


def test_a_memory_is_planned_with_its_own_default():
    for board, units in (("RPI_PICO2", 32), ("RPI_PICO", 16)):
        options = board_plan.setup(boards.load(board), "recurrent_sac").options
        assert options["units"] == units and options["hidden"] == (units,)


@pytest.mark.parametrize(
    "algo, option",
    [("sac", "units"), ("dqn", "length"), ("td3", "rollout"), ("ppo", "replay"), ("stream_ac", "batch")],
)
def test_an_option_that_the_algorithm_lacks_is_named(algo, option):
    with pytest.raises(Problem, match=f"has no use for --{option}, which is 3"):
        board_plan.setup(None, algo, **{option: 3})


def test_what_does_not_fit_is_told():
    _, said = shell(
        "--board", "RPI_PICO", "--hidden", "64", "64", "64", "--batch", "100", "--obs", "20", "--actions", "4"
    )
    assert "does not fit: needs" in said and "hidden 64 64 64" in said


def test_sizes_stand_for_an_environment():
    setup = board_plan.setup(None, "td3", hidden=(16,), batch=8, replay=50, obs=20, actions=4)
    agent = picorl.TD3(board_plan.Sizes(20, 4), hidden=(16,), batch_size=8, replay_capacity=50)
    assert setup.plan().buffers == sum(len(bytes(getattr(agent, name))) for name, *_ in agent.declare())


def test_streaming_takes_hidden_units_only():
    for name, algorithm, env in (
        ("stream_ac", picorl.StreamAC, Pendulum()),
        ("stream_q", picorl.StreamQ, board_plan.Sizes(4, 2, discrete=True)),
    ):
        setup = board_plan.setup(boards.load("RPI_PICO"), name, hidden=(32, 32))
        assert setup.plan().buffers == picorl.plan(algorithm, env, hidden=(32, 32)).buffers
        assert setup.largest_replay(100_000) is None
        result, said = shell(*f"--board RPI_PICO --algo {name} --hidden 32 32".split())
        assert result.exit_code == 0 and "one transition at a time" in said and "fits:" in said
        assert shell("--algo", name)[0].exit_code == 0


def test_all_buffers_are_shown_when_asked():
    _, said = shell("--board", "RPI_PICO", "--all")
    assert "smaller buffers" not in said and "log_alpha" in said


def test_without_a_board_all_are_compared():
    result, said = shell("--hidden", "8")
    assert result.exit_code == 0
    for name in boards.names():
        assert name in said


@pytest.mark.parametrize("arguments", [["--hidden", "0"], ["7"], ["--algo", "a2c"], ["--hidden", "8", "-1"]])
def test_bad_options_are_refused(arguments):
    assert shell("--board", "RPI_PICO", *arguments)[0].exit_code == 2


def test_what_the_agent_refuses_is_a_problem():
    with pytest.raises(Problem, match="batch_size is 8, must be at most 1 with a replay_capacity of 5"):
        board_plan.setup(None, batch=8, replay=5).plan()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(3.2e-5, "32 µs"), (1.5e-3, "1.5 ms"), (0.0042, "4.2 ms"), (90, "90 s"), (150, "2.5 min"), (9000, "2.5 h")],
)
def test_durations_read_well(seconds, text):
    assert board_plan.duration(seconds) == text
