"""CartPole: keep a pole upright by pushing the cart it stands on left or right, Gymnasium's CartPole-v1."""

from array import array

from .. import kernels

_STREAM = 17  # of the random numbers: agents use lower ones


class CartPole:
    """obs (4) = position (m), velocity (m/s), angle (rad), angular velocity (rad/s); action: 0 pushes left, 1 right.

    Reward 1 a step; terminated beyond 2.4 m or 12 degrees, truncated after time_limit steps. Stepped by a float32 kernel.
    """

    n_actions = 2

    def __init__(self, seed=0, time_limit=500):
        kernels.need("cartpole_step", "CartPole")
        self.obs = array("f", (0, 0, 0, 0))
        self.reward = array("f", (1,))
        self.time_limit = time_limit
        self.terminated = False
        self.truncated = False
        self._ended = bytearray(1)
        self._rng = array("I", (seed, _STREAM, 0, 0))
        self._elapsed = array("i", (0,))
        self._reset = kernels.backend.cartpole_reset
        self._step = kernels.backend.cartpole_step

    def reset(self):
        """Start an episode close to upright: every number of the state in ±0.05."""
        self._reset(self._rng, self.obs, 0, 1)
        self._begin()

    def set_state(self, position, velocity, angle, omega):
        """Start an episode at a given state (m, m/s, rad, rad/s)."""
        for i, value in enumerate((position, velocity, angle, omega)):
            self.obs[i] = value
        self._begin()

    def _begin(self):
        self._elapsed[0] = 0
        self.terminated = self.truncated = False

    def step(self, action):
        """Push with 10 N for 0.02 s: action (1, 'i') 0 to the left, 1 to the right."""
        self._step(self.obs, action, self._ended, 0, 1)
        self._elapsed[0] += 1
        self.terminated = bool(self._ended[0])
        self.truncated = self._elapsed[0] >= self.time_limit

    def clone(self, seed):
        """Another CartPole with random numbers of its own."""
        return type(self)(seed, self.time_limit)

    def reseed(self, seed):
        """Begin the sequence of random starts that belongs to seed."""
        self._rng[0] = seed
        self._rng[2] = 0

    def buffers(self):
        """All that a checkpoint must hold to go on in the middle of an episode."""
        return (("obs", self.obs, "f"), ("elapsed", self._elapsed, "i"), ("rng", self._rng, "I"))
