"""Gymnasium environments for picorl agents, and picorl environments for Gymnasium's tools (`pip install gymnasium`)."""

from array import array

import gymnasium
import numpy as np
from gymnasium.spaces import Box


def _box(space, name):
    """The bounds of a flat space of real numbers, as picorl knows it."""
    if not isinstance(space, Box) or len(space.shape) != 1:
        raise ValueError(f"FromGymnasium: {name} is {space}, must be a Box of one dimension")
    return space


class FromGymnasium:
    """A Gymnasium environment with Box spaces of one dimension, as picorl sees environments.

    env is the environment, or its name for `gymnasium.make`. ValueError for other spaces and for unbounded actions.
    """

    def __init__(self, env, seed=0):
        self.env = gymnasium.make(env) if isinstance(env, str) else env
        actions = _box(self.env.action_space, "action_space")
        if not actions.is_bounded():
            raise ValueError(f"FromGymnasium: action_space is {actions}, must have finite bounds")
        self.obs = array("f", bytes(4 * _box(self.env.observation_space, "observation_space").shape[0]))
        self._obs = np.frombuffer(self.obs, np.float32)
        self.reward = array("f", (0,))
        self.action_low = array("f", actions.low)
        self.action_high = array("f", actions.high)
        self.terminated = self.truncated = False
        self.reseed(seed)

    def reseed(self, seed):
        """Begin the sequence of episodes that belongs to seed at the next reset."""
        self._seed = seed

    def reset(self):
        obs, _ = self.env.reset(seed=self._seed)
        self._seed = None
        self._write(obs, 0.0, False, False)

    def step(self, action):
        actions = self.env.action_space
        obs, *rest, _ = self.env.step(np.array(action, actions.dtype).reshape(actions.shape))
        self._write(obs, *rest)

    def _write(self, obs, reward, terminated, truncated):
        self._obs[:] = obs
        self.reward[0] = reward
        self.terminated = bool(terminated)
        self.truncated = bool(truncated)

    def clone(self, seed):
        """Another environment of the same kind; ValueError when Gymnasium does not know how env was made."""
        if self.env.spec is None:
            raise ValueError(f"FromGymnasium: {self.env} has no spec to make another one from")
        return type(self)(gymnasium.make(self.env.spec), seed)


class ToGymnasium(gymnasium.Env):
    """A picorl environment as a Gymnasium environment: observations (obs_size) and actions (act_size) are float32."""

    metadata = {"render_modes": []}
    render_mode = None

    def __init__(self, env):
        self.picorl_env = env
        self.observation_space = Box(-np.inf, np.inf, (len(env.obs),), np.float32)
        self.action_space = Box(np.array(env.action_low), np.array(env.action_high), dtype=np.float32)
        self._action = array("f", env.action_low)

    def reset(self, *, seed=None, options=None):
        """Start an episode. ValueError for a seed when the environment has no reseed()."""
        super().reset(seed=seed)
        if seed is not None:
            if not hasattr(self.picorl_env, "reseed"):
                raise ValueError(f"ToGymnasium: seed is {seed}, but {type(self.picorl_env).__name__} has no reseed()")
            self.picorl_env.reseed(seed)
        self.picorl_env.reset()
        return np.array(self.picorl_env.obs), {}

    def step(self, action):
        env = self.picorl_env
        self._action[:] = array("f", np.asarray(action, np.float32).reshape(-1))
        env.step(self._action)
        return np.array(env.obs), env.reward[0], env.terminated, env.truncated, {}
