"""The kernels of supervised learning on every backend: gradients of their losses, limits, and what momentum adds up to."""

from array import array

import numpy as np
import pytest
import reference_kernels as reference
from kernel_cases import Random, as_arrays, make
from test_kernels import call, close, finite_differences

ROWS, BATCH = 6, 9


@pytest.mark.parametrize("size", [1, 2, 3, 17])
@pytest.mark.parametrize("seed", range(4))
def test_cross_entropy_delta_is_the_gradient(backend, size, seed):
    args = make("cross_entropy_delta", Random(f"{size} {seed}"), row=0, rows=ROWS, batch=BATCH, n=size)
    wide = as_arrays(args)

    def loss():
        p = reference.probabilities(wide["logits"].reshape(ROWS, size))
        return -np.log(p[np.arange(ROWS), wide["choice"]]).sum() / BATCH

    call(backend, "cross_entropy_delta", args)
    close(args["d_logits"], finite_differences(loss, wide["logits"]))
    assert args["loss"][0] == pytest.approx(BATCH * loss(), rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_huber_delta_is_the_gradient(backend, seed):
    args = make("huber_delta", Random(seed), row=0, rows=40, batch=41)
    wide = as_arrays(args)

    def loss():
        return reference.huber(wide["q"] - wide["target"], wide["limit"][0]).sum() / 41

    call(backend, "huber_delta", args)
    close(args["d_q"], finite_differences(loss, wide["q"]))
    assert args["loss"][0] == pytest.approx(41 * loss(), rel=1e-5)


def test_certain_and_hopeless_choices_have_a_finite_gradient(backend):
    d_logits, loss = array("f", [7] * 6), array("f", [7])
    logits = array("f", (1e5, -1e5, 0, 1e5, -1e5, 0))
    backend.cross_entropy_delta(logits, array("i", (0, 1)), d_logits, loss, 3, 0, 2, 1)
    assert list(d_logits) == [0, 0, 0, 1, -1, 0]
    assert loss[0] == 200_000


def test_momentum_is_a_sum_of_gradients_that_fades(backend):
    velocity, hyper, x = array("f", [0] * 20), array("f", (0.5, 0.75)), array("f", Random(1).floats(20))
    total = np.zeros(20)
    for _ in range(10):
        step = x[:]
        backend.sgd_delta(step, velocity, hyper, 0, 20)
        total = 0.75 * total + np.array(x)
        np.testing.assert_allclose(step, 0.5 * total, 1e-5)
    plain = x[:]
    backend.sgd_delta(plain, None, hyper, 0, 20)
    np.testing.assert_allclose(plain, 0.5 * np.array(x), 1e-6)


def test_moments_restored_are_what_was_applied(backend):
    x, moments, out = array("f", Random(2).floats(60, 3)), array("f", [0] * 7), array("f", [0] * 60)
    backend.moments_update(x, moments, 3, 20)
    backend.moments_apply(x, moments, out, 3, 0, 20)
    backend.moments_restore(out, moments, out, 3, 0, 20)
    np.testing.assert_allclose(out, x, 1e-5, 1e-5)


@pytest.mark.torch
def test_losses_are_pytorchs(backend):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed here: make test-torch")

    for seed in range(5):
        args = make("cross_entropy_delta", Random(seed), row=0, rows=ROWS, batch=ROWS, n=5)
        logits = torch.tensor(as_arrays(args)["logits"].reshape(ROWS, 5), requires_grad=True)
        torch.nn.functional.cross_entropy(logits, torch.tensor(list(args["choice"]))).backward()
        call(backend, "cross_entropy_delta", args)
        np.testing.assert_allclose(args["d_logits"], logits.grad.reshape(-1), 1e-5, 1e-7)
        args = make("huber_delta", Random(seed), row=0, rows=ROWS, batch=ROWS)
        wide = as_arrays(args)
        q = torch.tensor(wide["q"], requires_grad=True)
        torch.nn.functional.huber_loss(q, torch.tensor(wide["target"]), delta=args["limit"][0]).backward()
        call(backend, "huber_delta", args)
        np.testing.assert_allclose(args["d_q"], q.grad, 1e-5, 1e-7)
