"""The CartPole kernels against gymnasium's CartPole-v1."""

from array import array

import numpy as np
import pytest
from gymnasium_reference import started


@pytest.fixture
def reference():
    return started("CartPole-v1")


def reset(backend, seed, envs):
    state = array("f", [0] * (4 * envs))
    backend.cartpole_reset(array("I", (seed, 0, 0, 0)), state, 0, envs)
    return state


@pytest.mark.parametrize("together, tolerance", [("each step", 1e-6), ("each episode", 1e-4)])
def test_follows_gymnasium_over_1000_random_steps(backend, reference, together, tolerance):
    """From the same state to the same state; left alone, float32 and float64 part by less than 1e-4 in an episode."""
    rng = np.random.default_rng(1)
    ended, over, episodes = array("B", [0]), True, 0
    for _ in range(1000):
        if over:
            state = reset(backend, episodes, 1)
            reference.reset()
            reference.state = np.array(state, np.float64)
            episodes += 1
        elif together == "each step":
            reference.state = np.array(state, np.float64)
        action = int(rng.integers(2))
        obs, reward, over, truncated, _ = reference.step(action)
        assert backend.cartpole_step(state, array("i", [action]), ended, 0, 1) is None
        np.testing.assert_allclose(state, obs, atol=tolerance, rtol=1e-6)
        assert (ended[0], reward, truncated) == (over, 1, False)
    assert episodes > 20


def test_ends_where_gymnasium_does(backend, reference):
    """Just inside and just outside the limits of position and angle, on both sides."""
    states, wanted = [], []
    for side in (-1, 1):
        for share in (0.99999, 1.00001):
            for state in ([side * share * 2.4, 0, 0, 0], [0, 0, side * share * np.radians(12), 0], [0, 0, 0, 0]):
                reference.reset()
                reference.state = np.array(state)
                wanted.append(int(reference.step(1)[2]))
                states += state
    n = len(wanted)
    ended = array("B", [7] * n)
    backend.cartpole_step(array("f", states), array("i", [1] * n), ended, 0, n)
    assert list(ended) == wanted and 0 < sum(wanted) < n


def test_any_action_but_1_pushes_to_the_left(backend):
    state = array("f", [0] * 16)
    backend.cartpole_step(state, array("i", (0, 1, -5, 7)), bytearray(4), 0, 4)
    right = state[5]
    assert right > 0 and [state[1], state[9], state[13]] == [-right] * 3


def test_resets_in_gymnasiums_range(backend, reference):
    starts = np.array(reset(backend, 3, 2000)).reshape(2000, 4)
    theirs = np.array([reference.reset()[0] for _ in range(500)])
    assert np.abs(theirs).max() <= 0.05 and np.abs(starts).max() <= 0.05
    # Uniform: every tenth of the range is met about as often as the others.
    for column in starts.T:
        counts, _ = np.histogram(column, bins=10, range=(-0.05, 0.05))
        assert counts.min() > 140 and counts.max() < 260
    assert np.abs(np.corrcoef(starts.T) - np.eye(4)).max() < 0.08


def test_rows_are_environments(backend):
    """A row starts and steps the same among others as alone."""
    together, action, ended = reset(backend, 5, 20), array("i", [1, 0] * 10), bytearray(20)
    one = together[:]
    backend.cartpole_step(together, action, ended, 0, 20)
    for row in range(20):
        backend.cartpole_step(one, action, ended, row, 1)
    np.testing.assert_allclose(one, together, 1e-6)
    late = array("f", [0] * 80)
    backend.cartpole_reset(array("I", (5, 0, 0, 0)), late, 12, 8)
    assert late[:48] == array("f", [0] * 48) and late[48:] == reset(backend, 5, 20)[48:]
