"""The base of all wrappers: it changes nothing."""

_NEEDED = ("obs", "reward", "terminated", "truncated", "reset", "step")


class Wrapper:
    """An environment that passes everything on to env.

    A subclass writes step() and reset() in terms of self.env, then calls self._ended(). `_options` are the arguments after env that make
    another one, `_own_buffers` what a checkpoint must hold beside those of env. ValueError for what is not a single environment.
    """

    def __init__(self, env):
        who = type(self).__name__
        if hasattr(env, "n_envs"):
            raise ValueError("%s: env has n_envs, must be a single environment" % who)
        for name in _NEEDED:
            if not hasattr(env, name):
                raise ValueError("%s: env (%s) has no %s" % (who, type(env).__name__, name))
        self.env = env
        self.unwrapped = getattr(env, "unwrapped", env)
        self.obs = env.obs
        self.reward = env.reward
        if hasattr(env, "n_actions"):
            self.n_actions = env.n_actions
        elif hasattr(env, "action_low") and hasattr(env, "action_high"):
            self.action_low = env.action_low
            self.action_high = env.action_high
        else:
            raise ValueError(
                "%s: env (%s) has neither n_actions nor action_low and action_high" % (who, type(env).__name__)
            )
        self.depth = getattr(env, "depth", 0) + 1  # so that two of a kind name their buffers differently
        self._ended()

    def reset(self):
        """Start an episode."""
        self.env.reset()
        self._ended()

    def step(self, action):
        """Apply action."""
        self.env.step(action)
        self._ended()

    def _ended(self):
        self.terminated = self.env.terminated
        self.truncated = self.env.truncated

    def _options(self):
        return ()

    def _reach(self, name):
        """env's method of that name; ValueError where it has none, as only some environments do."""
        if not hasattr(self.env, name):
            raise ValueError("%s: env (%s) has no %s()" % (type(self).__name__, type(self.env).__name__, name))
        return getattr(self.env, name)

    def clone(self, seed):
        """The same around another environment with random numbers of its own."""
        return type(self)(self._reach("clone")(seed), *self._options())

    def reseed(self, seed):
        """Begin the sequence of random starts that belongs to seed."""
        self._reach("reseed")(seed)

    def buffers(self):
        """All that a checkpoint must hold to go on in the middle of an episode: those of env, then those of the wrapper."""
        own = [
            ("wrapper%d.%s" % (self.depth, name), buffer, typecode) for name, buffer, typecode in self._own_buffers()
        ]
        return tuple(self._reach("buffers")()) + tuple(own)

    def _own_buffers(self):
        return ()
