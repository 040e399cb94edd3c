"""The near-optimal policy that scores are compared with, against gymnasium and against itself on finer grids."""

import json
import math
import random

import gymnasium
import numpy as np
import pytest

from picorl_host import optimal_pendulum
from picorl_host.optimal_pendulum import Grid, Optimal


@pytest.fixture(scope="module")
def optimal():
    return Optimal(angles=181, velocities=161, torques=15)


def test_starts_are_the_committed_draw():
    """200 starts on a grid of 2**-12, so that every float32 and every decimal reader gets the same numbers."""
    draw = random.Random(0)
    expected = [[math.floor(draw.uniform(-high, high) * 4096) / 4096 for high in (math.pi, 1.0)] for _ in range(200)]
    starts = optimal_pendulum.starts()
    np.testing.assert_array_equal(starts, expected)
    np.testing.assert_array_equal(starts.astype(np.float32).astype(np.float64), starts)
    assert np.all(np.abs(starts) <= [np.pi, 1.0])


def test_interpolation_is_exact_for_what_is_linear():
    grid = Grid(12, 9)
    values = np.broadcast_to(3.0 * grid.velocity, grid.shape).astype(np.float32).ravel()
    angle = np.array([-np.pi, -0.1, 3.1])
    velocity = np.array([-8.0, 0.3, 8.0])
    np.testing.assert_allclose(grid.interpolate(values, grid.locate(angle, velocity)), 3.0 * velocity, rtol=1e-5)


def test_grid_is_periodic_in_the_angle():
    grid = Grid(12, 9)
    values = np.repeat(np.cos(grid.angle), 9).astype(np.float32)
    near = grid.interpolate(values, grid.locate(np.array([np.pi - 1e-9, -np.pi]), np.zeros(2)))
    np.testing.assert_allclose(near, -1.0, atol=1e-5)


def test_cost_to_go_is_symmetric(optimal):
    angles, velocities = optimal.grid.shape
    cost = optimal.cost_to_go[0].reshape(angles, velocities)
    np.testing.assert_allclose(cost[1:], cost[:0:-1, ::-1], rtol=1e-4, atol=1e-3)


def test_its_return_is_what_gymnasium_pays(optimal):
    env = gymnasium.make("Pendulum-v1")
    starts = optimal_pendulum.starts()[:5]
    paid = []
    for start in starts:
        env.reset()
        env.unwrapped.state = start.copy()
        total = 0.0
        for t in range(optimal_pendulum.HORIZON):
            angle, velocity = env.unwrapped.state
            angle = (angle + np.pi) % (2 * np.pi) - np.pi
            torque = optimal.torque(t, np.array([angle]), np.array([velocity]))
            total += env.step(torque.astype(np.float32))[1]
        paid.append(total)
    np.testing.assert_allclose(optimal.returns(starts), paid, atol=0.5)


def test_is_near_optimal(optimal):
    """What it promises is what it earns, it is in the published range, and a finer grid gains almost nothing."""
    starts = optimal_pendulum.starts()
    earned = optimal.returns(starts).mean()
    promised = -optimal.grid.interpolate(optimal.cost_to_go[0], optimal.grid.locate(*starts.T)).mean()
    assert -145 < earned < -135
    assert earned == pytest.approx(promised, abs=2.0)
    assert Optimal(angles=271, velocities=241, torques=21).returns(starts).mean() == pytest.approx(earned, abs=1.0)


def test_score_is_kept(tmp_path, monkeypatch):
    cache = tmp_path / "deep/optimal.json"
    monkeypatch.setattr(Optimal.__init__, "__defaults__", (61, 61, 5))
    first = optimal_pendulum.score(cache)
    assert json.loads(cache.read_text())["mean"] == first
    monkeypatch.setattr(optimal_pendulum, "Optimal", None)
    assert optimal_pendulum.score(cache) == first
