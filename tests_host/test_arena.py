"""What is planned for firmware with an arena, memory for buffers outside of the collector's heap. tests_device measures it."""

import re

import pytest
from typer.testing import CliRunner

import picorl
from picorl.envs import Pendulum
from picorl.planning import largest_replay
from picorl_host import board_plan, boards, cli, runner

OPTIONS = dict(hidden=(32, 32), batch_size=32, chunk=8)


def plan(arena, **options):
    return picorl.plan(picorl.SAC, Pendulum(), arena, **OPTIONS, **options)


def test_the_desktop_has_no_arena():
    planned = plan(None)
    assert planned.arena == 0 and planned.heap == planned.total and "arena" not in str(planned)


def test_all_buffers_go_into_a_large_arena():
    planned = plan(1 << 20)
    assert planned.arena == planned.buffers and planned.heap == planned.objects
    assert planned.gc_instructions == 0
    assert "%d  of it in the firmware's arena, %d in the heap" % (planned.arena, planned.heap) in str(planned)


def test_the_biggest_buffers_fill_a_small_arena():
    everything = plan(0)
    sizes = dict(everything.parts)
    biggest = sizes["replay_obs"]
    planned = plan(biggest + 40, replay_capacity=10_000)
    # Blocks of 16 bytes: two buffers of a few bytes fit behind the biggest.
    assert biggest < planned.arena <= biggest + 32
    assert planned.total == everything.total and planned.heap == everything.total - planned.arena
    assert plan(biggest - 16, replay_capacity=10_000).arena < biggest


@pytest.mark.parametrize("arena", (0, 20_000, 100_001, 400_000))
@pytest.mark.parametrize("heap", (60_000, 190_000))
def test_the_largest_replay_fits_arena_and_heap(arena, heap):
    rows = largest_replay(picorl.SAC, Pendulum(), heap, arena, **OPTIONS)
    if rows:
        assert plan(arena, replay_capacity=rows).heap <= heap
        assert plan(arena, replay_capacity=rows + rows // 2).heap > heap
    else:
        assert plan(arena, replay_capacity=66).heap > heap


def test_an_arena_leaves_room_for_more_rows():
    rows = [largest_replay(picorl.SAC, Pendulum(), 150_000, arena, **OPTIONS) for arena in (0, 50_000, 300_000)]
    assert 0 < rows[0] < rows[1] < rows[2]


def test_the_command_tells_what_goes_into_the_arena():
    arena = boards.load("UNIX").get("firmware.arena")
    result = CliRunner().invoke(cli.app, ["plan", "--board", "UNIX"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    planned = board_plan.setup(boards.load("UNIX")).plan()
    assert 0 < planned.arena < arena
    said = " ".join(result.output.split())
    assert f"{planned.arena:,} │ of it in the firmware's arena" in said and f"fits: {planned.heap:,} of" in said


def test_the_unix_port_is_built_with_the_arena_of_its_board():
    source = (runner.REPOSITORY / "boards/micropython.py").read_text()
    found = re.search(r"^UNIX_ARENA = ([\d_]+)$", source, re.MULTILINE)
    assert int(found[1]) == boards.load("UNIX").get("firmware.arena")
