"""Several MountainCars stepped together."""

from array import array

from .mountain_car import MountainCar
from .vector import Vector


class VectorMountainCar(Vector):
    """n_envs of MountainCar."""

    _one = MountainCar

    def __init__(self, n_envs, seed=0, time_limit=None):
        super().__init__(n_envs, seed, time_limit)
        self.action_low = array("f", (-1,))
        self.action_high = array("f", (1,))

    def _restart(self, row, rows):
        self._kernels.mountain_car_reset(self._rng, self.obs, row, rows)

    def _advance(self, action):
        self._kernels.mountain_car_step(self.obs, action, self.reward, self.ended, 0, self.n_envs)

    def _buffers(self):
        return ()
