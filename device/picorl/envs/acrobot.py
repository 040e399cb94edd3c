"""Acrobot: swing up two links with a motor at the joint between them. Gymnasium's Acrobot-v1, and the same with any torque."""

from array import array

from .. import kernels
from .environment import Environment

_STREAM = 19  # of the random numbers: agents use lower ones


class _Links(Environment):
    """What the two have in common: state, observation and starts."""

    def __init__(self, seed, time_limit):
        kernels.need("acrobot_step", "Acrobot")
        super().__init__(seed, _STREAM, time_limit)
        self.obs = array("f", (0, 0, 0, 0, 0, 0))
        self._state = array("f", (0, 0, 0, 0))
        self._reset = kernels.backend.acrobot_reset
        self._observe = kernels.backend.acrobot_observe

    def reset(self):
        """Start an episode almost at rest: every number of the state in ±0.1."""
        self._reset(self._rng, self._state, self.obs, 0, 1)
        self._begin()

    def set_state(self, angle1, angle2, velocity1, velocity2):
        """Start an episode at given angles (rad; the first from hanging, the second from the first) and velocities (rad/s)."""
        for i, value in enumerate((angle1, angle2, velocity1, velocity2)):
            self._state[i] = value
        self._observe(self._state, self.obs, 0, 1)
        self._begin()

    def buffers(self):
        """All that a checkpoint must hold to go on in the middle of an episode."""
        return (("state", self._state, "f"),) + Environment.buffers(self)


class Acrobot(_Links):
    """obs (6) = cos and sin of the first angle (0 hanging) and of the second (from the first), both velocities in rad/s; action: 0, 1, 2 for
    -1, 0, 1 N m.

    Reward -1 a step, 0 where the tip is 1 m above the pivot: there it has terminated. Truncated after time_limit steps of 0.2 s.
    Stepped by a float32 kernel.
    """

    n_actions = 3

    def __init__(self, seed=0, time_limit=500):
        super().__init__(seed, time_limit)
        self._ended = bytearray(1)
        self._step = kernels.backend.acrobot_step

    def step(self, action):
        """Apply a torque for 0.2 s: action (1, 'i') 0 is -1 N m, 1 none, 2 is 1 N m."""
        self._step(self._state, action, self.obs, self.reward, self._ended, 0, 1)
        self._elapsed[0] += 1
        self.terminated = bool(self._ended[0])
        self.truncated = self._elapsed[0] >= self.time_limit


class AcrobotSwingUp(_Links):
    """Acrobot with action (1) = torque in ±1 N m, to swing as high as it can and stay there: it never terminates.

    Reward (height of the tip over the pivot in m - 2) / 4: -1 hanging, 0 with both links upright. Truncated after time_limit steps.
    """

    def __init__(self, seed=0, time_limit=500):
        super().__init__(seed, time_limit)
        self.action_low = array("f", (-1,))
        self.action_high = array("f", (1,))
        self._step = kernels.backend.acrobot_swing_up_step

    def step(self, action):
        """Apply action (1), a torque in N m, for 0.2 s."""
        self._step(self._state, action, self.obs, self.reward, 0, 1)
        self._elapsed[0] += 1
        self.truncated = self._elapsed[0] >= self.time_limit
