"""Observations of mean 0 and variance 1."""

from .. import kernels, memory
from .wrapper import Wrapper


class NormaliseObs(Wrapper):
    """obs = (obs - mean) / sqrt(variance + 1e-8) in ±10, by the running mean and variance of all observations so far (Welford 1962).

    moments (1 + 2 obs_size): count, means, sums of squared deviations. learning = False keeps them as they are: clones, which policies
    are evaluated in, share them and do not learn. An observation that is not finite is left out of them and passed on as it is. A
    deployed policy needs them beside it: save them, or a full checkpoint with env.
    """

    def __init__(self, env, moments=None, learning=True):
        super().__init__(env)
        kernels.need("moments_update", "NormaliseObs (wrappers)")
        self._size = len(env.obs)
        if moments is None:
            moments = memory.zeros("f", 1 + 2 * self._size)
        if len(moments) != 1 + 2 * self._size:
            raise ValueError(
                "NormaliseObs: moments holds %d floats, must be %d (1 + 2 obs_size)"
                % (len(moments), 1 + 2 * self._size)
            )
        self.obs = memory.zeros("f", self._size)
        self.moments = moments
        self.learning = learning
        self._update = kernels.backend.moments_update
        self._apply = kernels.backend.moments_apply

    def reset(self):
        """Start an episode."""
        self.env.reset()
        self._normalise()

    def step(self, action):
        """Apply action."""
        self.env.step(action)
        self._normalise()

    def _normalise(self):
        if self.learning:
            self._update(self.env.obs, self.moments, self._size, 1)
        self._apply(self.env.obs, self.moments, self.obs, self._size, 0, 1)
        self._ended()

    def _options(self):
        return (self.moments, False)

    def _own_buffers(self):
        return (("obs", self.obs, "f"), ("moments", self.moments, "f"))
