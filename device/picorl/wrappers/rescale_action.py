"""Actions in [-1, 1] for any environment."""

from array import array

from .. import float32, kernels
from .wrapper import Wrapper


class RescaleAction(Wrapper):
    """Takes actions in [-1, 1] (clipped there) to the bounds that env has. ValueError for bounds that are not finite or not in order."""

    def __init__(self, env):
        super().__init__(env)
        if hasattr(env, "n_actions"):
            raise ValueError("RescaleAction: env has n_actions, must have continuous actions")
        low, high = env.action_low, env.action_high
        n = len(low)
        if len(high) != n or not n:
            raise ValueError(
                "RescaleAction: action_low holds %d and action_high %d numbers, must be as many, at least 1"
                % (n, len(high))
            )
        for i in range(n):
            if not low[i] < high[i] or high[i] - low[i] - (high[i] - low[i]) != 0:
                raise ValueError(
                    "RescaleAction: bounds of action %d are %r to %r, must be finite and in order"
                    % (i, low[i], high[i])
                )
        self.action_low = array("f", [-1] * n)
        self.action_high = array("f", [1] * n)
        self._scaling = array("f", [0] * (2 * n))
        float32.scaling(self._scaling, low, high)
        self._action = array("f", [0] * n)
        self._zero = array("f", (0,))
        self._rescale = kernels.backend.deterministic_action
        self._n = n

    def step(self, action):
        """Apply action (act_size), 1 for what env's action_high is, -1 for action_low."""
        self._rescale(action, None, self._zero, self._scaling, self._action, self._n)
        self.env.step(self._action)
        self._ended()
