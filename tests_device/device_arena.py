"""Runs on a target with an arena: builds agents in it, and prints what the test on the host compares.

The host puts `CASE = (what to do, arguments)` before this text.
"""

import gc

import _picorl

import picorl
from picorl import memory
from picorl.envs import Pendulum

env = Pendulum(seed=0)


def make(**options):
    return picorl.SAC(env, **options)


def in_heap(owner, declared):
    for name, typecode, length, _ in declared:
        setattr(owner, name, memory.zeros(typecode, length))


def buffers(agent):
    return [getattr(agent, name) for name, _, _, _ in agent.declare()]


def in_arena(buffer):
    return isinstance(buffer, memoryview)


def inside(agent):
    """How many of an agent's buffers are in the arena."""
    return sum(map(in_arena, buffers(agent)))


def heap(options, times):
    """Bytes that agents take: planned for arena, all buffers and heap; measured of heap and arena. Each is gone before the next."""
    for _ in range(times):
        take_once(options)


def take_once(options):
    # A function of its own: the collector also heeds what is left in the frames of those that run.
    planned = picorl.plan(picorl.SAC, env, **options)
    figures = (planned.arena, planned.buffers, planned.heap)
    del planned
    gc.collect()
    before = gc.mem_alloc()
    agent = make(**options)
    gc.collect()
    taken = gc.mem_alloc() - before
    views = sum([memory.nbytes(one[1], one[2]) for one in agent.declare() if in_arena(getattr(agent, one[0]))])
    print(*figures, taken, views)


def crc(options, steps):
    """The parameters after a training, with buffers in the arena and with all of them in the heap."""
    for choice in ({}, {"take": in_heap}):
        agent = make(**options, **choice)
        env.reseed(0)
        for _ in picorl.train(agent, env, steps, evaluate_every=steps, evaluate_episodes=0, hook=lambda: None):
            pass
        print(inside(agent) > 0, agent.crc())
        agent = None


def mark(agent, value):
    for one in buffers(agent):
        for i in range(len(one)):
            one[i] = value


def marked(agent, value):
    return all(all(one[i] == value for i in range(len(one))) for one in buffers(agent))


def apart(options, many):
    """Agents that come and go, more than the arena has room for: none finds another's values in its buffers."""
    agents = {}
    x = 1
    for value in range(1, many + 1):
        x = x * 1103 % 65537
        if len(agents) > 2 and x % 3:  # some go, and leave gaps
            agents.pop(sorted(agents)[x % len(agents)])
        agents[value] = make(**dict(options, replay_capacity=100 + x % 900))
        clean = all(not any(one) for one in (agents[value].replay_obs, agents[value].grad, agents[value].replay_flags))
        mark(agents[value], value)
        print(value, clean, all(marked(agent, one) for one, agent in agents.items()), inside(agents[value]))


def fill():
    """Take the whole arena and leave it so, as a program does that a soft reset ends."""
    global left
    left = _picorl.Lease(10 * _picorl.ARENA)
    print(left.take("B", _picorl.ARENA) is not None, _picorl.Lease(16).take("B", 1))


def leases():
    """What a Lease does with requests that are out of bounds."""
    for size in (0, -1, -(1 << 29)):
        print(_picorl.Lease(size).take("B", 1), len(_picorl.Lease(size).take("f", 0)))
    lease = _picorl.Lease(100)  # rounded up to 112
    views = [lease.take("f", n) for n in (3, 1 << 29, -1, 25, 24)] + [lease.take("B", 1)]
    print([one if one is None else len(one) for one in views])
    for code in ("O", "d", "", "P"):
        try:
            print(code, lease.take(code, 1))
        except ValueError as error:
            print(error)
    many = [_picorl.Lease(16) for _ in range(20)]
    print([one.take("B", 1) is not None for one in many].count(True))


globals()[CASE[0]](*CASE[1:])  # noqa: F821
