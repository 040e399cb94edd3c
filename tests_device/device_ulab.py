"""Runs on a target with ulab: what PART names. Set before: PART, ALGORITHM."""

import gc
from array import array

import picorl
from picorl import kernels, network
from picorl.envs import Pendulum

OPTIONS = {"hidden": (32, 32), "batch_size": 32, "keep_best": False}
MORE = {"SAC": {"replay_capacity": 200, "warmup_steps": 32}, "PPO": {"rollout_steps": 64, "epochs": 1}}


def trainer():
    env = Pendulum(seed=0)
    agent = getattr(picorl, ALGORITHM)(env, seed=0, **OPTIONS, **MORE[ALGORITHM])  # noqa: F821
    env.reset()
    agent.begin(env.obs)
    return env, agent


def until_ready(env, agent):
    action = array("f", (0,))
    steps = 0
    while not agent.ready() or steps < 4:
        agent.act(env.obs, action)
        env.step(action)
        agent.observe(action, env.reward, env.obs, env.terminated, env.truncated)
        if env.truncated:
            env.reset()
            agent.begin(env.obs)
        steps += 1


def learned(backend, update):
    """All parameters after three updates with a backend."""
    kernels.select(backend)
    env, agent = trainer()
    for _ in range(3):
        until_ready(env, agent)
        update(agent)
    return [list(getattr(agent, name)) for name in agent.PARAMS]


def whole(agent):
    agent.update()


def in_pieces(agent):
    """Collect between the pieces, and write over what was free."""
    done = False
    while not done:
        done = agent.work()
        gc.collect()
        junk = [array("f", (1e30,) * 64) for _ in range(200)]
        del junk


def agreement():
    """The largest difference between parameters learned with ulab and with plain Python, as a share of the largest."""
    worst = 0
    for ours, theirs in zip(learned("ulab", whole), learned("python", whole)):  # noqa: B905
        scale = max(1e-3, max(theirs), -min(theirs))
        worst = max(worst, max(abs(a - b) for a, b in zip(ours, theirs)) / scale)  # noqa: B905
    print(worst)


def collections():
    print(learned("ulab", whole) == learned("ulab", in_pieces))


def allocations():
    """Rows, units of a layout, parameters, and what updates took."""
    env, agent = trainer()
    taken = []
    for _ in range(4):
        until_ready(env, agent)
        gc.collect()
        gc.disable()
        before = gc.mem_alloc()
        agent.update()
        taken.append(gc.mem_alloc() - before)
        gc.enable()
    layout = agent.critic_layout
    units = network.n_hidden(layout) + layout[len(layout) - 2]
    print(units, network.n_params(layout), kernels.backend.variant(), *taken)


def dropped():
    """Heap after each of some agents that learned and are gone."""
    for _ in range(5):
        env, agent = trainer()
        until_ready(env, agent)
        agent.update()
        env = agent = None
        gc.collect()
        print(gc.mem_alloc())


def polyak(k, number, length, wrap):
    """Whether target becomes the source, 64 numbers."""
    target = wrap(array("f", (0,) * length))
    source = wrap(array("f", (number,) * length))
    k.polyak(target, source, wrap(array("f", (1,))), 0, length)
    return list(target) == [number] * length


def buffers():
    """Buffers that come and go, at the same addresses: hundreds of them, of two lengths, then one that grows."""
    k = kernels.private()
    print(all([polyak(k, number, 64 + number % 2, wrap) for number in range(500) for wrap in (array_of, memoryview)]))
    target, source = array("f"), array("f")
    for length in (64, 164, 1264):
        target.extend(array("f", (0,) * (length - len(target))))
        source.extend(array("f", (1,) * (length - len(source))))
        k.polyak(target, source, array("f", (1,)), 0, length)
        print(list(target) == [1] * length)


def array_of(x):
    return x


kernels.select("ulab")
{  # noqa: B018
    "agreement": agreement,
    "collections": collections,
    "allocations": allocations,
    "dropped": dropped,
    "buffers": buffers,
}[PART]()  # noqa: F821
