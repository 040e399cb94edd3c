"""Several Acrobots stepped together."""

from .. import memory
from .acrobot import Acrobot, AcrobotSwingUp
from .vector import Vector


class _VectorLinks(Vector):
    def __init__(self, n_envs, seed=0, time_limit=None):
        super().__init__(n_envs, seed, time_limit)
        self._state = memory.zeros("f", 4 * n_envs)

    def _restart(self, row, rows):
        self._kernels.acrobot_reset(self._rng, self._state, self.obs, row, rows)

    def _buffers(self):
        return (("state", self._state, "f"),)


class VectorAcrobot(_VectorLinks):
    """n_envs of Acrobot."""

    _one = Acrobot
    n_actions = 3

    def _advance(self, action):
        self._kernels.acrobot_step(self._state, action, self.obs, self.reward, self.ended, 0, self.n_envs)


class VectorAcrobotSwingUp(_VectorLinks):
    """n_envs of AcrobotSwingUp. They end by the time limit only."""

    _one = AcrobotSwingUp

    def _advance(self, action):
        self._kernels.acrobot_swing_up_step(self._state, action, self.obs, self.reward, 0, self.n_envs)
        for i in range(self.n_envs):
            self.ended[i] = 0
