"""What is measured of each kernel: its arguments for some sizes, and how much it computes."""

from array import array
from dataclasses import dataclass

import numpy as np

from picorl import memory, network


@dataclass(frozen=True)
class Case:
    """A call of a kernel. `elements` it makes; `flops` it takes (None: not a meaningful number).

    forward: arguments of the `forward` that must run before each call (`backward` consumes what it left); it counts too.
    """

    kernel: str
    size: str
    arguments: tuple
    elements: int
    flops: float | None = None
    forward: tuple | None = None

    @property
    def name(self):
        return self.kernel if self.forward is None else f"forward + {self.kernel}"

    def of(self, backend):
        """The function of a backend to time, and its arguments."""
        kernel = getattr(backend, self.kernel)
        if self.forward is None:
            return kernel, *self.arguments
        forward = backend.forward

        def both():
            forward(*self.forward)
            kernel(*self.arguments)

        return (both,)


def normal(rng, count, scale=1.0):
    return array("f", (scale * rng.standard_normal(count)).astype(np.float32).tobytes())


def rng_state():
    return array("I", (1, 2, 0, 0))


# rows, inputs, outputs
PRODUCTS = (
    (1, 3, 64), (1, 64, 64), (1, 64, 1), (1, 256, 256), (37, 29, 53), (100, 4, 64), (100, 64, 64), (100, 64, 1),
    (100, 64, 2), (256, 128, 128), (256, 256, 256), (512, 256, 256),
)  # fmt: skip


def products(rows, inputs, outputs):
    """The three products of a dense layer as (name, case, the same for NumPy: a function and its arguments)."""
    rng = np.random.default_rng(0)
    layout = network.mlp((inputs, outputs))
    params = normal(rng, network.n_params(layout))
    x, out, d_out = normal(rng, rows * inputs), normal(rng, rows * outputs), normal(rng, rows * outputs)
    cache, d_x, grad = memory.zeros("f", 1), memory.zeros("f", rows * inputs), memory.zeros("f", len(params))
    flops = 2.0 * rows * inputs * outputs
    size = f"{rows} x {inputs} x {outputs}"
    w = np.frombuffer(params, np.float32)[: inputs * outputs].reshape(inputs, outputs)
    a, d = (np.frombuffer(one, np.float32).reshape(rows, -1) for one in (x, d_out))
    forward = (layout, params, x, out, cache, 0, rows)
    backward = (layout, params, x, out, cache, d_out)
    return (
        ("forward", Case("forward", size, forward, rows * outputs, flops), np.dot, (a, w, np.empty_like(d))),
        (
            "backward, weights",
            Case("backward", size, (*backward, grad, None, 0, rows), len(params), flops),
            np.dot,
            (a.T, d, np.empty_like(w)),
        ),
        (
            "backward, inputs",
            Case("backward", size, (*backward, None, d_x, 0, rows), rows * inputs, flops),
            np.dot,
            (d, w.T, np.empty_like(a)),
        ),
    )


def networks():
    """Whole networks of Pendulum's agents. FLOPs of all terms, those that a ReLU makes zero too."""
    rng = np.random.default_rng(0)
    for sizes, rows in (((3, 64, 64, 1), 1), ((4, 64, 64, 1), 100), ((4, 256, 256, 1), 256)):
        layout = network.mlp(sizes)
        macs = network.macs(layout)
        params = normal(rng, network.n_params(layout), (2 / sizes[1]) ** 0.5)  # He's scale: half of the units are awake
        x, out, d_out = normal(rng, rows * sizes[0]), memory.zeros("f", rows), normal(rng, rows)
        cache = memory.zeros("f", rows * network.n_hidden(layout))
        name = f"{'-'.join(map(str, sizes))}, batch {rows}"
        forward = (layout, params, x, out, cache, 0, rows)
        yield Case("forward", name, forward, rows, 2.0 * rows * macs)
        if rows > 1:
            grad = memory.zeros("f", len(params))
            inner = macs - sizes[0] * sizes[1]
            arguments = (layout, params, x, out, cache, d_out, grad, None, 0, rows)
            yield Case("backward", name, arguments, rows, 2.0 * rows * (2 * macs + inner), forward)


def others():
    """All kernels whose work grows with an array."""
    rng = np.random.default_rng(0)
    hyper = array("f", (1e-3, 0.9, 0.999, 1e-7))
    state = array("f", (0.9, 0.999, 1e-2, 30))
    for count in (337, 4481, 67_073):
        a, b, m, v = (normal(rng, count) for _ in range(4))
        for i in range(count):
            v[i] = abs(v[i])
        size = f"{count:,}"
        yield Case("adam", size, (a, b, m, v, hyper, state, 0, count), count, 13 * count)
        yield Case("adam_delta", size, (b, m, v, hyper, state, 0, count), count, 12 * count)
        yield Case("apply_delta", size, (a, b, 0, count), count, count)
        yield Case("polyak", size, (a, b, array("f", (0.005,)), 0, count), count, 3 * count)
        yield Case("copy", size, (a, 0, b, 0, count), count)
        yield Case("all_finite", size, (a, 0, count), count)
        yield Case("crc32", size, (a, array("I", (0,))), count)
    for count in (1, 100, 10_000):
        yield Case("uniform", f"{count:,}", (rng_state(), memory.zeros("f", count), count), count)
        yield Case("normal", f"{count:,}", (rng_state(), memory.zeros("f", count), count), count)
    capacity, obs_size, act_size = 10_000, 3, 1
    obs, action, reward = (normal(rng, capacity * width) for width in (obs_size, act_size, 1))
    flags = bytearray(b"\1" * capacity)
    replay_state = array("i", (0, capacity, 0, capacity, 0, 0))
    for batch in (32, 100, 256):
        yield from of_a_batch(rng, batch, obs, action, reward, flags, replay_state, capacity)
    for rows in (1, 100):
        arrays = (memory.zeros("f", rows * width) for width in (2, 1, 3, 1))
        yield Case("pendulum_step", f"{rows} rows", (*arrays, 0, rows), rows)


def of_a_batch(rng, batch, obs, action, reward, flags, replay_state, capacity):
    """Kernels that handle a batch of Pendulum's transitions."""
    size, zeros = f"batch {batch}", memory.zeros
    indices = array("i", rng.integers(0, capacity, batch).astype(np.int32).tobytes())
    yield Case("replay_sample", size, (flags, replay_state, rng_state(), indices, capacity, batch), batch)
    gathered = [zeros("f", batch * width) for width in (3, 4, 3, 4, 1, 1)]
    arguments = (obs, action, reward, flags, indices, *gathered, 3, 1, capacity, batch)
    yield Case("replay_gather", size, arguments, batch)
    coeffs = array("f", (0.99, 0.2))
    head, noise, actions = normal(rng, 2 * batch), normal(rng, batch), zeros("f", 4 * batch)
    log_prob, d_head, d_x1, d_x2 = (
        zeros("f", batch),
        zeros("f", 2 * batch),
        normal(rng, 4 * batch),
        normal(rng, 4 * batch),
    )
    yield Case("gaussian_head", size, (head, noise, actions, 4, 3, log_prob, 1, 0, batch), batch)
    arguments = (head, noise, actions, 4, 3, d_x1, d_x2, coeffs, d_head, 1, 0, batch, batch)
    yield Case("gaussian_head_backward", size, arguments, batch)
    smoothing = array("f", (0.2, 0.5))
    yield Case("smoothed_action", size, (head, noise, smoothing, actions, 4, 3, 1, 0, batch), batch)
    q1, q2, target, loss = normal(rng, batch), normal(rng, batch), zeros("f", batch), zeros("f", 1)
    not_terminated = array("f", [1] * batch)
    yield Case(
        "td_target", size, (gathered[4], not_terminated, q1, q2, log_prob, coeffs, target, 0, batch), batch, 5 * batch
    )
    yield Case("mse_delta", size, (q1, target, zeros("f", batch), loss, 0, batch, batch), batch, 4 * batch)
    deltas = zeros("f", batch), zeros("f", batch)
    yield Case("policy_delta", size, (q1, q2, *deltas, loss, 0, batch, batch), batch)
