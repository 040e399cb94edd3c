"""Rewards of another size."""

from array import array

from .. import float32, kernels
from .wrapper import Wrapper


class ScaleReward(Wrapper):
    """reward * factor, in float32. A factor that is a power of two, or an array('f') of one, is the same number on every target."""

    def __init__(self, env, factor):
        super().__init__(env)
        kernels.need("scale", "ScaleReward (wrappers)")
        self._copy = kernels.backend.copy
        self._factor = array("f", (0,))
        try:
            if not isinstance(factor, array):
                float32.store(self._factor, 0, factor)
            elif len(factor) == 1:
                self._copy(factor, 0, self._factor, 0, 1)
        except (TypeError, ValueError):  # no number; no array('f')
            pass
        if not self._factor[0] or self._factor[0] - self._factor[0] != 0:
            raise ValueError("ScaleReward: factor is %r, must be a finite number other than 0" % (factor,))
        self.reward = array("f", (0,))
        self._scale = kernels.backend.scale

    def step(self, action):
        """Apply action."""
        self.env.step(action)
        self._copy(self.env.reward, 0, self.reward, 0, 1)
        self._scale(self.reward, self._factor, 0, 1)
        self._ended()

    def _options(self):
        return (self._factor,)
