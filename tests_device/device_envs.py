"""Runs on a target and on the desktop: environments and wrappers, stepped with random actions; prints what the test compares.

The host puts `CASE = {...}` before this text: which environment and what to do.
"""

from array import array

from picorl import envs, kernels, wrappers

CASES = {
    "wrapped Pendulum": lambda: wrap(envs.Pendulum(3, 40)),
    "wrapped CartPole": lambda: wrappers.FrameStack(wrappers.NormaliseObs(envs.CartPole(3)), 4),
}


def wrap(env):
    """All wrappers around one environment."""
    inner = wrappers.TimeLimit(wrappers.EpisodeStatistics(wrappers.RescaleAction(env)), 25)
    return wrappers.NormaliseObs(wrappers.FrameStack(wrappers.ScaleReward(inner, 0.25), 3))


def make():
    name = CASE["env"]  # noqa: F821
    if name in CASES:
        return CASES[name]()
    return getattr(envs, name)(*((3, 5, 30) if name[:6] == "Vector" else (5, 30)))


class Actions:
    """Random ones, made by kernels."""

    def __init__(self, env):
        n = getattr(env, "n_envs", 1)
        self.choices = getattr(env, "n_actions", 0)
        size = n if self.choices else n * len(env.action_low)
        self.drawn = array("f", [0] * (size if not self.choices else n * self.choices))
        self.action = array("i" if self.choices else "f", [0] * size)
        self.n = n
        self.rng = array("I", (7, 7, 0, 0))
        self.uniform, self.argmax = kernels.backend.uniform, kernels.backend.argmax

    def next(self):
        self.uniform(self.rng, self.drawn if self.choices else self.action, len(self.drawn))
        if self.choices:
            self.argmax(self.drawn, self.action, self.choices, 0, self.n)
        return self.action


def walk(env, actions, steps):
    """Whether an episode ended on the way."""
    ended = False
    for _ in range(steps):
        env.step(actions.next())
        if hasattr(env, "n_envs"):
            for i in range(env.n_envs):
                if env.ended[i]:
                    ended = True
        elif env.terminated or env.truncated:
            ended = True
            env.reset()
    return ended


def numbers():
    env = make()
    actions = Actions(env)
    env.reset()
    crc = array("I", (0,))
    ended = False
    for _ in range(100):
        ended = walk(env, actions, 1) or ended
        for buffer in (env.obs, env.reward):
            kernels.backend.crc32(buffer, crc)
    for _name, buffer, _typecode in env.buffers():
        kernels.backend.crc32(buffer, crc)
    print("crc %08x" % crc[0], ended)


def allocations():
    """Steps and resets with the heap locked: MemoryError where something allocates. Then what must fail."""
    import micropython

    env = make()
    actions = Actions(env)
    env.reset()
    walk(env, actions, 2)
    for control in (False, True):
        micropython.heap_lock()
        try:
            done = [env] if control else walk(env, actions, 100)
        except MemoryError:
            done = None
        micropython.heap_unlock()
        print("allocates" if done is None else "clean", done)


def picture():
    env = make()
    env.reset()
    walk(env, Actions(env), 9)
    lines = envs.render(env).split("\n")
    print(len(lines), len(set([len(line) for line in lines[:-1]])), any([mark in "".join(lines) for mark in "#*o"]))


globals()[CASE["do"]]()  # noqa: F821
