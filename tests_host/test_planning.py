"""plan() against what is really taken; largest_replay() at its limit."""

import pytest

import picorl
from picorl.envs import Pendulum
from picorl.planning import largest_replay

SIZES = (
    dict(hidden=(64, 64), batch_size=100, replay_capacity=10_000),
    dict(hidden=(64, 64), batch_size=32, replay_capacity=2_000, chunk=8),
    dict(hidden=(32,), batch_size=32, replay_capacity=1_000, keep_best=False),
    dict(hidden=(8, 8, 8), batch_size=8, replay_capacity=100, chunk=3),
)


@pytest.mark.parametrize("options", SIZES)
@pytest.mark.parametrize("algorithm", (picorl.SAC, picorl.TD3))
def test_buffers_are_exact(algorithm, options):
    planned = picorl.plan(algorithm, Pendulum(), **options)
    agent = algorithm(Pendulum(), **options)
    taken = {name: len(bytes(getattr(agent, name))) for name, *_ in agent.declare()}
    assert dict(planned.parts) == taken
    assert planned.buffers == sum(taken.values())
    assert planned.largest == max(taken.values())
    assert str(planned.buffers) in str(planned)


def test_nothing_is_taken_for_a_plan():
    planned = picorl.plan(picorl.SAC, Pendulum(), replay_capacity=16_000_000)
    assert planned.buffers > 300_000_000


def test_bad_options_are_refused_like_by_the_agent():
    with pytest.raises(ValueError, match="batch_size is 0"):
        picorl.plan(picorl.SAC, Pendulum(), batch_size=0)


@pytest.mark.parametrize("heap", (60_000, 100_001, 190_000, 400_000))
def test_the_largest_replay_fits_and_a_larger_one_does_not(heap):
    options = dict(hidden=(16, 16), batch_size=16, chunk=8)
    rows = largest_replay(picorl.SAC, Pendulum(), heap, **options)
    assert picorl.plan(picorl.SAC, Pendulum(), replay_capacity=rows, **options).total <= heap
    assert picorl.plan(picorl.SAC, Pendulum(), replay_capacity=rows + 8, **options).total > heap


def test_no_replay_fits_a_heap_that_is_too_small():
    assert largest_replay(picorl.SAC, Pendulum(), 20_000) == 0


def test_the_work_of_an_update_is_the_anchors():
    """The minimum of the literature: 13.9 MFLOP for SAC, 10.0 for TD3 on average (two FLOP a multiply-add)."""
    assert 2e-6 * picorl.plan(picorl.SAC, Pendulum()).update_macs == pytest.approx(13.9, rel=0.02)
    assert 2e-6 * picorl.plan(picorl.TD3, Pendulum()).update_macs == pytest.approx(10.0, rel=0.02)


def test_the_recommended_chunk_cuts_a_batch_into_equal_pieces_below_the_limit():
    """The counts on a Cortex-M7 are those of `make bench-m7`: chunks of 10 take 98 000 instructions at most, of 12 117 000."""
    for algorithm in (picorl.SAC, picorl.TD3):
        assert picorl.plan(algorithm, Pendulum()).chunk() == 10
        small = picorl.plan(algorithm, Pendulum(), hidden=(8, 8), batch_size=32)
        assert small.chunk() == 32 and small.chunk(1) == 1
        chunks = [picorl.plan(algorithm, Pendulum()).chunk(limit) for limit in (60_000, 120_000, 240_000)]
        assert chunks == sorted(chunks) and chunks[0] < chunks[2]
