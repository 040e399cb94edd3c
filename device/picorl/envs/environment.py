"""What the built-in environments share."""

from array import array


class Environment:
    """A single environment with random starts and a time limit. A subclass has obs, reset(), which ends in _begin(), and step().

    stream tells its random numbers from those of others; agents use lower ones than environments. reseed() works between any two resets.
    """

    def __init__(self, seed, stream, time_limit):
        self.reward = array("f", (0,))
        self.time_limit = time_limit
        self.terminated = False
        self.truncated = False
        self._rng = array("I", (seed, stream, 0, 0))
        self._elapsed = array("i", (0,))

    def _begin(self):
        self._elapsed[0] = 0
        self.terminated = self.truncated = False

    def clone(self, seed):
        """Another one of the same kind with random numbers of its own."""
        return type(self)(seed, self.time_limit)  # type: ignore[call-arg]  # what subclasses take

    def reseed(self, seed):
        """Begin the sequence of random starts that belongs to seed."""
        self._rng[0] = seed
        self._rng[2] = 0

    def buffers(self):
        """All that a checkpoint must hold to go on in the middle of an episode."""
        return (("obs", self.obs, "f"), ("elapsed", self._elapsed, "i"), ("rng", self._rng, "I"))
