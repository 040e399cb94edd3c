"""The last observations as one."""

from .. import kernels, memory
from .wrapper import Wrapper


class FrameStack(Wrapper):
    """obs (frames * obs_size) = the last `frames` observations, the oldest first; after a reset all of them are the first one."""

    def __init__(self, env, frames):
        super().__init__(env)
        if not isinstance(frames, int) or frames < 1:
            raise ValueError("FrameStack: frames is %r, must be a whole number of at least 1" % (frames,))
        self.frames = frames
        self._size = len(env.obs)
        self._last = (frames - 1) * self._size
        self.obs = memory.zeros("f", frames * self._size)
        self._copy = kernels.backend.copy

    def reset(self):
        """Start an episode."""
        self.env.reset()
        for i in range(self.frames):
            self._copy(self.env.obs, 0, self.obs, i * self._size, self._size)
        self._ended()

    def step(self, action):
        """Apply action."""
        self.env.step(action)
        size = self._size
        for i in range(self.frames - 1):
            self._copy(self.obs, (i + 1) * size, self.obs, i * size, size)
        self._copy(self.env.obs, 0, self.obs, self._last, size)
        self._ended()

    def _options(self):
        return (self.frames,)

    def _own_buffers(self):
        return (("obs", self.obs, "f"),)
