"""A block of text about this interpreter and its kernels, with a short training whose result is known."""

import sys

from . import kernels
from .envs import Pendulum
from .sac import SAC

# CRC-32 of all parameters after the training below, for kernels with and without fused multiply-add (C kernels only: others agree
# to float32 tolerance). tests_host/test_selftest.py keeps them true.
GOLDEN = {True: "345be663", False: "87c284a9"}

_UPDATES = 30
_SPEED_ROWS = 64


def _train():
    env = Pendulum(seed=1)
    agent = SAC(env, hidden=(8, 8), batch_size=8, replay_capacity=64, warmup_steps=8, chunk=8, keep_best=False, seed=1)
    from .training import train

    for _ in train(agent, env, 8 + _UPDATES - 1, evaluate_every=8 + _UPDATES - 1, evaluate_episodes=0):
        pass
    return agent.crc()


def _speed():
    """Million multiply-adds a second of a 32-32-32 network, or None where there is no clock."""
    from .clock import own

    clock = own()
    if clock is None:
        return None
    ticks, since = clock.ticks_us, clock.ticks_diff
    from . import memory, network

    layout = network.mlp((32, 32, 32))
    params = memory.zeros("f", network.n_params(layout))
    kernels.backend.init_params(layout, params, memory.zeros("I", 4))
    x, out = memory.zeros("f", _SPEED_ROWS * 32), memory.zeros("f", _SPEED_ROWS * 32)
    kernels.backend.uniform(memory.zeros("I", 4), x, len(x))
    cache = memory.zeros("f", 32 * _SPEED_ROWS)
    passes = 0
    start = ticks()
    while True:
        kernels.backend.forward(layout, params, x, out, cache, 0, _SPEED_ROWS)
        passes += 1
        took = since(ticks(), start)
        if took > 200_000:
            return passes * _SPEED_ROWS * 2048 / took


def selftest():
    """Print what runs here and whether it computes what it should; True when it does. Worth pasting into a question."""
    from . import __version__

    info = kernels.info()
    implementation = sys.implementation
    print("picorl %s, kernels %s (%s), ABI %d" % (__version__, info["backend"], info["variant"], info["abi"]))
    print("why these kernels: %s" % info["why"])
    print(
        "%s %s on %s" % (implementation.name, ".".join(str(i) for i in implementation.version[:3]), sys.platform),
        getattr(implementation, "_machine", ""),
    )
    try:
        import gc

        gc.collect()
        print("heap: %d bytes free, %d in use" % (gc.mem_free(), gc.mem_alloc()))
    except (ImportError, AttributeError):
        pass
    speed = _speed()
    if speed is not None:
        print("speed: %.2f million multiply-adds a second" % speed)
    crc = _train()
    if info["backend"] != "_picorl":
        print("training: %s (only C kernels have a golden result)" % crc)
        return True
    golden = GOLDEN[bool(info["fused"])]
    right = crc == golden
    print("training: %s, must be %s: %s" % (crc, golden, "passed" if right else "FAILED"))
    return right
