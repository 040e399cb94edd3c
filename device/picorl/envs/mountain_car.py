"""MountainCar: drive a car out of a valley with a motor too weak to go straight up, Gymnasium's MountainCarContinuous-v0."""

from array import array

from .. import kernels
from .environment import Environment

_STREAM = 18  # of the random numbers: agents use lower ones


class MountainCar(Environment):
    """obs (2) = position in [-1.2, 0.6], velocity in ±0.07 a step; action (1) = push in ±1.

    Reward -0.1 action², and 100 where the car arrives: it has terminated at a position of 0.45. Truncated after time_limit steps.
    Stepped by a float32 kernel.
    """

    def __init__(self, seed=0, time_limit=999):
        kernels.need("mountain_car_step", "MountainCar")
        super().__init__(seed, _STREAM, time_limit)
        self.obs = array("f", (0, 0))
        self.action_low = array("f", (-1,))
        self.action_high = array("f", (1,))
        self._ended = bytearray(1)
        self._reset = kernels.backend.mountain_car_reset
        self._step = kernels.backend.mountain_car_step

    def reset(self):
        """Start an episode at rest at a position in [-0.6, -0.4): the bottom of the valley is at -0.52."""
        self._reset(self._rng, self.obs, 0, 1)
        self._begin()

    def set_state(self, position, velocity):
        """Start an episode at a given state."""
        self.obs[0] = position
        self.obs[1] = velocity
        self._begin()

    def step(self, action):
        """Push with action (1): 1 to the right with all the motor has, -1 to the left."""
        self._step(self.obs, action, self.reward, self._ended, 0, 1)
        self._elapsed[0] += 1
        self.terminated = bool(self._ended[0])
        self.truncated = self._elapsed[0] >= self.time_limit
