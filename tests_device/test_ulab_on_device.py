"""The ulab kernels where there is ulab: training, memory, views of buffers that come and go."""

from pathlib import Path

import pytest

SCRIPT = (Path(__file__).parent / "device_ulab.py").read_text()
ROWS = 32  # of a batch; PPO's rollout has two
ALGORITHMS = ("SAC", "PPO")


@pytest.fixture
def with_ulab(target):
    if target.backend != "ulab":
        pytest.skip("no ulab on this target")
    return target


def run(target, part, algorithm="SAC"):
    return target.run(f"PART = {part!r}; ALGORITHM = {algorithm!r}\n" + SCRIPT).split("\n")[:-1]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_updates_are_those_of_the_kernels_in_python(with_ulab, algorithm):
    (difference,) = run(with_ulab, "agreement", algorithm)
    assert 0 < float(difference) < 2e-4


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_views_survive_collections(with_ulab, algorithm):
    assert run(with_ulab, "collections", algorithm) == ["True"]


def most(algorithm, units, params):
    """What picorl/kernels/ulab/__init__.py says: bytes."""
    if algorithm == "SAC":
        return 120 * ROWS * units + 64 * params + 5000 * ROWS + 100_000
    return 48 * 2 * ROWS * units + 5000 * 2 * ROWS + 2 * (40 * params + 70_000)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_what_an_update_takes_from_the_heap_is_bounded(with_ulab, algorithm):
    """It was stated for float32, and does not grow from one update to the next. In float64, on no board, everything is copied."""
    ((units, params, variant, *taken),) = (line.split() for line in run(with_ulab, "allocations", algorithm))
    bound = most(algorithm, int(units), int(params)) * {"float32": 1, "float64": 16}[variant]
    first, *others = map(int, taken)
    assert first < bound + 100_000  # kernels are imported
    assert bound / 4 < min(others) and max(others) < bound
    assert max(others) - min(others) < 1000


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_dropped_agent_is_freed(with_ulab, algorithm):
    heap = [int(line) for line in run(with_ulab, "dropped", algorithm)]
    assert max(heap[1:]) - min(heap[1:]) < 2000, heap


def test_views_are_of_the_buffers_that_were_given(with_ulab):
    assert run(with_ulab, "buffers") == ["True"] * 4
