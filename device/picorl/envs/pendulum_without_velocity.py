"""Pendulum of which only the angle is seen: a task that needs a memory."""

from array import array

from .. import kernels
from .pendulum import Pendulum


class PendulumWithoutVelocity:
    """obs (2) = cos(angle), sin(angle); all else is Pendulum's: the velocity has to be inferred from what was seen before."""

    def __init__(self, seed=0, time_limit=200):
        self._whole = Pendulum(seed, time_limit)
        self._copy = kernels.backend.copy
        self.obs = array("f", (0, 0))
        self.reward = self._whole.reward
        self.action_low = self._whole.action_low
        self.action_high = self._whole.action_high
        self.time_limit = time_limit
        self.terminated = False
        self.truncated = False

    def _observe(self):
        self._copy(self._whole.obs, 0, self.obs, 0, 2)
        self.truncated = self._whole.truncated

    def reset(self):
        """Start an episode at an angle in [-pi, pi) and a velocity in [-1, 1) rad/s."""
        self._whole.reset()
        self._observe()

    def set_state(self, angle, velocity):
        """Start an episode at a given angle (rad) and velocity (rad/s)."""
        self._whole.set_state(angle, velocity)
        self._observe()

    def step(self, action):
        """Apply action (1), a torque in N m, for 0.05 s."""
        self._whole.step(action)
        self._observe()

    def clone(self, seed):
        """Another one with random numbers of its own."""
        return type(self)(seed, self.time_limit)

    def reseed(self, seed):
        """Begin the sequence of random starts that belongs to seed."""
        self._whole.reseed(seed)

    def buffers(self):
        """All that a checkpoint must hold to go on in the middle of an episode."""
        whole = self._whole.buffers()
        return whole[:1] + (("obs", self.obs, "f"),) + whole[2:]
