"""CartPole: keep a pole upright by pushing the cart it stands on left or right, Gymnasium's CartPole-v1."""

from array import array

from .. import kernels
from .environment import Environment

_STREAM = 17  # of the random numbers: agents use lower ones


class CartPole(Environment):
    """obs (4) = position (m), velocity (m/s), angle (rad), angular velocity (rad/s); action: 0 pushes left, 1 right.

    Reward 1 a step; terminated beyond 2.4 m or 12 degrees, truncated after time_limit steps. Stepped by a float32 kernel.
    """

    n_actions = 2

    def __init__(self, seed=0, time_limit=500):
        kernels.need("cartpole_step", "CartPole")
        super().__init__(seed, _STREAM, time_limit)
        self.obs = array("f", (0, 0, 0, 0))
        self.reward[0] = 1
        self._ended = bytearray(1)
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

    def step(self, action):
        """Push with 10 N for 0.02 s: action (1, 'i') 0 to the left, 1 to the right."""
        self._step(self.obs, action, self._ended, 0, 1)
        self._elapsed[0] += 1
        self.terminated = bool(self._ended[0])
        self.truncated = self._elapsed[0] >= self.time_limit
