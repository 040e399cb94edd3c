"""Returns and lengths of episodes."""

from array import array

from .. import kernels
from .wrapper import Wrapper


class EpisodeStatistics(Wrapper):
    """Counts what goes by: episode_return (1, 'f') and episode_length (1, 'i') of the last episode that ended, episodes (1, 'i') that have.

    Put inside a ScaleReward, it counts the rewards of env; around it, the scaled ones. A reset in the middle of an episode drops that
    episode. mean() is over the episodes since clear() or the start.
    """

    def __init__(self, env):
        super().__init__(env)
        self.episode_return = array("f", (0,))
        self.episode_length = array("i", (0,))
        self.episodes = array("i", (0,))
        self._return = array("f", (0,))  # of the running episode
        self._length = array("i", (0,))
        self._sum = array("f", (0,))
        self._steps = array("i", (0,))
        self._zero = array("f", (0,))
        self._accumulate = kernels.backend.accumulate
        self._copy = kernels.backend.copy
        self._fill = kernels.backend.fill

    def reset(self):
        """Start an episode."""
        self.env.reset()
        self._begin()
        self._ended()

    def _begin(self):
        self._fill(self._return, self._zero, 0, 1)
        self._length[0] = 0

    def step(self, action):
        """Apply action."""
        self.env.step(action)
        self._ended()
        self._accumulate(self._return, 0, self.env.reward)
        self._length[0] += 1
        if self.terminated or self.truncated:
            self._copy(self._return, 0, self.episode_return, 0, 1)
            self.episode_length[0] = self._length[0]
            self._accumulate(self._sum, 0, self._return)
            self._steps[0] += self._length[0]
            self.episodes[0] += 1
            self._begin()

    def mean(self):
        """Mean return and mean length of the episodes since clear(); None before one has ended."""
        n = self.episodes[0]
        return (self._sum[0] / n, self._steps[0] / n) if n else None

    def clear(self):
        """Begin the means and the count anew; the running episode goes on."""
        self._sum[0] = 0.0
        self._steps[0] = self.episodes[0] = 0

    def _own_buffers(self):
        return (
            ("episode_return", self.episode_return, "f"),
            ("episode_length", self.episode_length, "i"),
            ("episodes", self.episodes, "i"),
            ("return", self._return, "f"),
            ("length", self._length, "i"),
            ("sum", self._sum, "f"),
            ("steps", self._steps, "i"),
        )
