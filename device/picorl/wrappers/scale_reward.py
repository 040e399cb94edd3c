"""Rewards of another size."""

from array import array

from .. import kernels
from .wrapper import Wrapper


class ScaleReward(Wrapper):
    """reward * factor, in float32. A factor that is a power of two, or an array('f') of one, is the same number on every target."""

    def __init__(self, env, factor):
        super().__init__(env)
        kernels.need("scale", "ScaleReward (wrappers)")
        try:
            self._factor = array("f", factor if isinstance(factor, array) else (factor,))
        except TypeError:
            self._factor = ()
        if len(self._factor) != 1 or not self._factor[0] or self._factor[0] - self._factor[0] != 0:
            raise ValueError("ScaleReward: factor is %r, must be a finite number other than 0" % (factor,))
        self.reward = array("f", (0,))
        self._copy = kernels.backend.copy
        self._scale = kernels.backend.scale

    def step(self, action):
        """Apply action."""
        self.env.step(action)
        self._copy(self.env.reward, 0, self.reward, 0, 1)
        self._scale(self.reward, self._factor, 0, 1)
        self._ended()

    def _options(self):
        return (self._factor,)
