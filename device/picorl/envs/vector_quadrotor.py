"""Several Quadrotors stepped together."""

from .quadrotor import Quadrotor
from .vector import Vector


class VectorQuadrotor(Vector):
    """n_envs of Quadrotor."""

    _one = Quadrotor

    def _restart(self, row, rows):
        self._kernels.quadrotor_reset(self._rng, self.obs, row, rows)

    def _advance(self, action):
        self._kernels.quadrotor_step(self.obs, action, self.reward, self.ended, 0, self.n_envs)
