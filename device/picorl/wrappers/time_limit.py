"""Episodes of a limited length."""

from array import array

from .wrapper import Wrapper


class TimeLimit(Wrapper):
    """Truncates episodes after time_limit steps, if env has not done so before."""

    def __init__(self, env, time_limit):
        super().__init__(env)
        if not isinstance(time_limit, int) or time_limit < 1:
            raise ValueError("TimeLimit: time_limit is %r, must be a whole number of at least 1" % (time_limit,))
        self.time_limit = time_limit
        self._elapsed = array("i", (0,))

    def reset(self):
        """Start an episode."""
        self.env.reset()
        self._elapsed[0] = 0
        self._ended()

    def step(self, action):
        """Apply action."""
        self.env.step(action)
        self._elapsed[0] += 1
        self._ended()
        if self._elapsed[0] >= self.time_limit:
            self.truncated = True

    def _options(self):
        return (self.time_limit,)

    def _own_buffers(self):
        return (("elapsed", self._elapsed, "i"),)
