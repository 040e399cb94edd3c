"""Runs on a target: trains, interrupts, saves and resumes agents, and prints what the test on the host compares.

The host puts `CASE = {...}` before this text: algorithm, options, steps and what to do.
"""

import picorl
from picorl.envs import Pendulum

ALGORITHMS = {"SAC": picorl.SAC, "TD3": picorl.TD3}


def make():
    env = Pendulum(seed=CASE["env_seed"])  # noqa: F821
    return ALGORITHMS[CASE["algorithm"]](env, **CASE["options"]), env  # noqa: F821


def run(agent, env, steps, hook=None):
    for _ in picorl.train(agent, env, steps, evaluate_every=steps, evaluate_episodes=0, hook=hook):
        pass


def crc(steps):
    agent, env = make()
    run(agent, env, steps)
    print("crc", agent.crc())


def pieces(steps):
    """Like crc, but every update runs through work()."""
    agent, env = make()
    run(agent, env, steps, hook=lambda: None)
    print("crc", agent.crc())


def resumed(steps, path):
    agent, env = make()
    run(agent, env, steps // 2)
    agent.save(path, full=True, env=env)
    again, env2 = make()
    again.load(path, env=env2)
    run(again, env2, steps - steps // 2)
    print("crc", again.crc())


def allocations(steps):
    """Act, observe, step, begin, update and work with the heap locked: MemoryError where one of them allocates."""
    from array import array

    import micropython

    agent, env = make()
    run(agent, env, steps)
    action = array("f", [0] * agent.act_size)

    def act():
        agent.act(env.obs, action)

    def predict():
        agent.predict(env.obs, action)

    def step():
        env.step(action)

    def observe():
        agent.observe(action, env.reward, env.obs, env.terminated, env.truncated)

    def restart():
        env.reset()
        agent.begin(env.obs)

    def update():
        agent.update()

    def work():
        while not agent.work():
            pass

    def warm_up():
        agent.counters[0] = 0
        agent.act(env.obs, action)
        agent.counters[0] = steps

    def loop():
        """A robot's: learning beside acting, across the end of an episode."""
        env._elapsed[0] = env.time_limit - 4
        for _ in range(8):
            agent.act(env.obs, action)
            env.step(action)
            agent.observe(action, env.reward, env.obs, env.terminated, env.truncated)
            if env.truncated:
                env.reset()
                agent.begin(env.obs)
            agent.work()
        agent.update()

    def control():
        return [action]

    for doing in (act, predict, step, observe, restart, update, work, update, warm_up, loop, control):
        micropython.heap_lock()
        try:
            doing()
        except MemoryError:
            micropython.heap_unlock()
            print("allocates", doing.__name__)
        else:
            micropython.heap_unlock()
            print("clean", doing.__name__)


def keyboard(steps):
    """A KeyboardInterrupt in a kernel call of an update; then training goes on."""
    agent, env = make()
    run(agent, env, steps)

    class Interrupting:
        def __getattr__(self, name):
            if name == "adam_delta":
                raise KeyboardInterrupt
            return getattr(real, name)

    real = agent._kernels
    agent._kernels = Interrupting()
    agent._discard()
    try:
        agent.update()
        print("not interrupted")
    except KeyboardInterrupt:
        print("interrupted")
    agent._kernels = real
    agent._discard()
    before = agent.updates
    run(agent, env, 10)
    print("updates", agent.updates - before)


globals()[CASE["do"]](*CASE["args"])  # noqa: F821
