"""Several MountainCars stepped together."""

from .mountain_car import MountainCar
from .vector import Vector


class VectorMountainCar(Vector):
    """n_envs of MountainCar."""

    _one = MountainCar

    def _restart(self, row, rows):
        self._kernels.mountain_car_reset(self._rng, self.obs, row, rows)

    def _advance(self, action):
        self._kernels.mountain_car_step(self.obs, action, self.reward, self.ended, 0, self.n_envs)
