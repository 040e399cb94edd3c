"""Runs on a target: what agents take of the heap, compared with what was planned.

The host puts `CASE = {...}` before this text: the algorithms, what to do with each, and its arguments.
"""

import gc

import micropython

import picorl
from picorl.envs import Pendulum
from picorl.planning import largest_replay

ALGORITHMS = {"SAC": picorl.SAC, "TD3": picorl.TD3}
ITEM = {"f": 4, "i": 4, "I": 4, "B": 1}

env = Pendulum(seed=0)


def train(agent, steps):
    for _ in picorl.train(agent, env, steps, evaluate_every=steps, evaluate_episodes=0):
        pass


def plan(algorithm, cases):
    """Planned and measured bytes: of all buffers, of the heap after construction, and after the first updates."""
    for options, steps in cases:
        planned = picorl.plan(algorithm, env, **options)
        figures = (planned.buffers, planned.objects, planned.largest)
        del planned
        agent = None
        gc.collect()
        before = gc.mem_alloc()
        agent = algorithm(env, **options)
        gc.collect()
        built = gc.mem_alloc() - before
        if steps:
            train(agent, steps)
        gc.collect()
        trained = gc.mem_alloc() - before
        buffers = [len(getattr(agent, name)) * ITEM[typecode] for name, typecode, _, _ in agent.declare()]
        print("plan", *figures)
        print("taken", sum(buffers), built - sum(buffers), max(buffers), trained - built, agent.updates)


def fragment(seed):
    """What a program has left in a quarter of the heap after a while: pieces of all sizes up to some KB, and small things between them."""
    made = []
    x = seed
    gc.collect()
    free = gc.mem_free()
    while gc.mem_free() > free * 3 // 4:
        x = (x * 1103 + 12345) % 65536
        size = (x >> 3) % 200
        kind = x >> 14
        if kind == 0:
            made.append(bytearray(size + 1))
        elif kind == 1:
            made.append([None] * (size // 4 + 1))
        elif kind == 2:
            made.append({j: None for j in range(size // 16 + 1)})
        else:
            made.append("x" * (size + 10))
    i = 0
    while i < len(made):
        x = (x * 1103 + 12345) % 65536
        dropped = min(x >> 9, len(made) - i)
        made[i : i + dropped] = [None] * dropped
        i += dropped + 1
    return made


def fragmented(algorithm, seed):
    """Build, and train, an agent that takes 90 % of what is free in a fragmented heap."""
    kept = fragment(seed)
    gc.collect()
    free = gc.mem_free()
    # Firmware without picorl has the library in the heap, all over it: less is left for the networks.
    tenths = 9 if free > 150_000 else 8
    options = dict(hidden=(32, 32) if tenths == 9 else (16, 16), batch_size=32, warmup_steps=40, chunk=8, seed=0)
    options["replay_capacity"] = largest_replay(algorithm, env, free * tenths // 10, **options)
    planned = picorl.plan(algorithm, env, **options)
    print("heap", free, planned.total, planned.largest)
    del planned
    gc.collect()
    micropython.mem_info()
    agent = algorithm(env, **options)
    train(agent, 42)
    print("trained", agent.updates, sum(one is not None for one in kept))


globals()[CASE["do"]](ALGORITHMS[CASE["algorithm"]], CASE["args"])  # noqa: F821
