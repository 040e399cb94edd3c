"""The kernels of discrete actions' values: exploring, double Q-learning's target and the Huber loss, on every backend."""

from array import array

import numpy as np
import pytest
import reference_kernels as reference
from kernel_cases import Random, as_arrays, make
from test_kernels import call, close, finite_differences


def test_epsilon_greedy_explores_that_often_and_evenly(backend):
    n = 4000 if backend.__name__.startswith("picorl.kernels.") else 40_000
    q = array("f", (0, 3, 1, 3)) * n
    for epsilon in (0, 0.3, 1):
        choice = array("i", [-1]) * n
        backend.epsilon_greedy(q, array("f", [epsilon]), array("I", (1, 2, 3, 0)), choice, 4, 0, n)
        p = np.full(4, epsilon / 4) + (1 - epsilon) * np.eye(4)[1]  # the first of the largest
        counts = np.bincount(choice, minlength=4)
        likely = p > 0
        assert counts[~likely].sum() == 0
        expected = n * p[likely]
        assert ((counts[likely] - expected) ** 2 / expected).sum() < 16.3  # chi square, 3 degrees of freedom, 0.1 %


def test_one_network_selects_and_the_other_values(backend):
    target = array("f", [0] * 3)
    select, value = array("f", (1, 2, 2, 0, -1, -2, 5, 6, 7)), array("f", (10, 20, 30, 40, 50, 60, 70, 80, 90))
    backend.dqn_target(
        array("f", (1, 2, 3)), array("f", (1, 1, 0)), select, value, array("f", [0.5]), target, 3, 0, 3
    )  # fmt: skip
    assert list(target) == [11, 22, 3]


@pytest.mark.parametrize("size", [1, 2, 3, 17])
@pytest.mark.parametrize("seed", range(4))
def test_choice_delta_is_the_gradient(backend, size, seed):
    rows, batch = 6, 9
    args = make("choice_delta", Random(f"{size} {seed}"), row=0, rows=rows, batch=batch, n=size)
    choice = np.array([k % size for k in range(rows)])
    for r, k in enumerate(choice):
        args["action"][r * args["width"] + args["column"]] = k / ((size - 1) / 2) - 1 if size > 1 else 0.7
    wide = as_arrays(args)

    def loss():
        error = wide["q"].reshape(rows, size)[np.arange(rows), choice] - wide["target"]
        return reference.huber(error, wide["limit"][0]).sum() / batch

    call(backend, "choice_delta", args)
    close(args["d_q"], finite_differences(loss, wide["q"]))
    assert args["loss"][0] == pytest.approx(batch * loss(), rel=1e-5)


@pytest.mark.parametrize("n", [1, 2, 3, 18])
def test_every_choice_comes_back_from_its_action(backend, n):
    """Also from actions somewhat off, and from those beyond the ends."""
    half = (n - 1) / 2
    for off in (-0.4, 0, 0.4):
        action = array("f", [(k + off - half) / half if n > 1 else off for k in range(n)])
        q, d_q = array("f", [1] * (n * n)), array("f", [0] * (n * n))
        scaling, zero = array("f", (half, half)), array("f", [0] * n)
        backend.choice_delta(
            q, action, scaling, zero, array("f", [1]), d_q, array("f", [0]), n, 1, 0, 0, n, 1
        )  # fmt: skip
        assert (np.array(d_q).reshape(n, n) == np.eye(n)).all()
    for end, wanted in ((-99, 0), (99, n - 1)):
        backend.choice_delta(
            q, array("f", [end]), array("f", (1, 0)), zero, array("f", [1]), d_q, array("f", [0]), n, 1, 0, 0, 1, 1
        )  # fmt: skip
        assert list(d_q[:n]) == [float(k == wanted) for k in range(n)]
