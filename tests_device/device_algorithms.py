"""Runs on a target and on the desktop: PPO, DQN, recurrent SAC, streaming and supervised learning in small; prints what the test compares.

The host puts `CASE = {...}` before this text: which case, what to do and its arguments.
"""

from array import array

import picorl
from picorl import envs

CASES = {
    "PPO": lambda options: (picorl.PPO, envs.Pendulum(0, 20), options),
    "PPO, discrete": lambda options: (picorl.PPO, envs.CartPole(0), options),
    "PPO, together": lambda options: (picorl.PPO, envs.VectorPendulum(3, 0, 20), options),
    "PPO, normed": lambda options: (picorl.PPO, envs.Pendulum(0, 20), options),
    "DQN, normed": lambda options: (picorl.DQN, envs.CartPole(0), options),
    "DQN": lambda options: (picorl.DQN, envs.CartPole(0), options),
    "StreamAC": lambda options: (picorl.StreamAC, envs.Pendulum(0, 20), options),
    "StreamQ": lambda options: (picorl.StreamQ, envs.CartPole(0), options),
    "RecurrentSAC": lambda options: (picorl.RecurrentSAC, envs.PendulumWithoutVelocity(0, 20), options),
}


def make():
    algorithm, env, options = CASES[CASE["case"]](CASE["options"])  # noqa: F821
    return algorithm(env, **options), env


def run(agent, env, steps, hook=None):
    for _ in picorl.train(agent, env, steps, evaluate_every=steps, evaluate_episodes=0, hook=hook):
        pass


def crc(steps):
    agent, env = make()
    run(agent, env, steps)
    print("crc", agent.crc(), agent.updates)


def evaluated(steps):
    """As crc, with evaluations on the way: what the best policy is, and its return."""
    agent, env = make()
    test_env = env.clone(9) if not hasattr(env, "n_envs") else envs.Pendulum(9, 20)
    for _ in picorl.train(agent, env, steps, steps // 2, 3, test_env):
        pass
    crc = array("I", (0,))
    for buffer in (agent.best_return, agent.best):
        picorl.kernels.backend.crc32(buffer, crc)
    print("crc", agent.crc(), agent.updates, "%08x" % crc[0])


def pieces(steps):
    agent, env = make()
    run(agent, env, steps, hook=lambda: None)
    print("crc", agent.crc(), agent.updates)


def resumed(steps, path):
    agent, env = make()
    run(agent, env, steps // 2)
    agent.save(path, full=True, env=env)
    agent, env = make()
    agent.load(path, env=env)
    run(agent, env, steps - steps // 2)
    print("crc", agent.crc(), agent.updates)


def planned(steps):
    """Bytes of objects, planned and taken, and of buffers likewise."""
    import gc

    algorithm, env, options = CASES[CASE["case"]](CASE["options"])  # noqa: F821
    plan = picorl.plan(algorithm, env, **options)
    figures = plan.objects, plan.buffers
    del plan
    agent = None
    gc.collect()
    before = gc.mem_alloc()
    agent = algorithm(env, **options)
    gc.collect()
    taken = gc.mem_alloc() - before
    sizes = {"f": 4, "i": 4, "I": 4, "B": 1}
    buffers = sum([len(getattr(agent, name)) * sizes[typecode] for name, typecode, _, _ in agent.declare()])
    print("planned", *figures)
    print("taken", taken - buffers, buffers)


def loop(agent, env, action, act, step, work):
    """A robot's; how many updates it completed."""
    together = hasattr(env, "n_envs")
    done = 0
    for _ in range(60):
        act(env.obs, action)
        step(action)
        if together:
            agent.observe_all(env.reward, env.obs, env.ended, env.final_obs)
        else:
            agent.observe(action, env.reward, env.obs, env.terminated, env.truncated)
            if env.terminated or env.truncated:
                env.reset()
                agent.begin(env.obs)
        if agent.ready():
            while not work():
                pass
            done += 1
    agent.predict(env.obs, action)
    return done


def allocations(steps):
    """A robot's loop with the heap locked: MemoryError where something allocates. Then what must fail."""
    import micropython

    agent, env = make()
    run(agent, env, steps)
    action = (
        agent.new_action() if hasattr(agent, "new_action") else array("i" if hasattr(env, "n_actions") else "f", (0,))
    )
    act, step, work = agent.act, env.step, agent.work
    for control in (False, True):
        micropython.heap_lock()
        try:
            done = [action] if control else loop(agent, env, action, act, step, work)
        except MemoryError:
            done = None
        micropython.heap_unlock()
        print("allocates" if done is None else "clean", done)


def loss(steps):
    """Of a line that is learned from random batches."""
    model = picorl.Regressor(1, 1, hidden=(8,), batch_size=16, normalise=False, learning_rate=0.01, seed=1)
    rng, zero, half = array("I", (1, 20, 0, 0)), array("f", (0,)), array("f", (0.5,))
    x, y = array("f", [0] * 16), array("f", [0] * 16)
    k = picorl.kernels.backend
    for _ in range(steps):
        k.uniform(rng, x, 16)
        k.fill(y, zero, 0, 16)
        k.polyak(y, x, half, 0, 16)
        model.learn(x, y)
    print("loss", model.evaluate([(x, y)])["loss"])


def regression(steps):
    """Batches of a line, learned with every allocation of a batch forbidden where there is a heap to lock."""
    model = picorl.Regressor(1, 1, hidden=(8,), batch_size=16, normalise=False, seed=1)
    rng, zero = array("I", (1, 20, 0, 0)), array("f", (0,))
    x, y = array("f", [0] * 16), array("f", [0] * 16)
    k = picorl.kernels.backend

    try:
        from micropython import heap_lock, heap_unlock
    except ImportError:
        heap_lock = heap_unlock = int
    half = array("f", (0.5,))
    for step in range(steps):
        k.uniform(rng, x, 16)
        k.fill(y, zero, 0, 16)
        k.polyak(y, x, half, 0, 16)
        if step:  # the first begins the generator of the update
            heap_lock()
        model.learn(x, y)
        if step:
            heap_unlock()
    print("crc", model.crc(), model.updates)


globals()[CASE["do"]](*CASE["args"])  # noqa: F821
