"""Pendulum: swing up and balance a rod with a motor too weak to lift it, Gymnasium's Pendulum-v1."""

from array import array

from .. import kernels
from .environment import Environment

_STREAM = 16  # of the random numbers: agents use lower ones


class Pendulum(Environment):
    """obs (3) = cos(angle), sin(angle), velocity in rad/s; action (1) = torque in ±2 N m; truncated after 200 steps.

    The angle is 0 when upright; reward = -(angle² + 0.1 velocity² + 0.001 torque²). Stepped by a float32 kernel, so that every target
    computes the same bits; `pendulum_python.PendulumPython` is the readable version.
    """

    def __init__(self, seed=0, time_limit=200):
        super().__init__(seed, _STREAM, time_limit)
        self.obs = array("f", (0, 0, 0))
        self.action_low = array("f", (-2,))
        self.action_high = array("f", (2,))
        self._state = array("f", (0, 0))
        self._reset = kernels.backend.pendulum_reset
        self._observe = kernels.backend.pendulum_observe
        self._step = kernels.backend.pendulum_step

    def reset(self):
        """Start an episode at an angle in [-pi, pi) and a velocity in [-1, 1) rad/s."""
        self._reset(self._rng, self._state, self.obs, 0, 1)
        self._begin()

    def set_state(self, angle, velocity):
        """Start an episode at a given angle (rad) and velocity (rad/s)."""
        self._state[0] = angle
        self._state[1] = velocity
        self._observe(self._state, self.obs, 0, 1)
        self._begin()

    def step(self, action):
        """Apply action (1), a torque in N m, for 0.05 s."""
        self._step(self._state, action, self.obs, self.reward, 0, 1)
        self._elapsed[0] += 1
        self.truncated = self._elapsed[0] >= self.time_limit

    def buffers(self):
        """All that a checkpoint must hold to go on in the middle of an episode."""
        return (("state", self._state, "f"),) + Environment.buffers(self)
