"""Gymnasium environments for picorl agents, and picorl environments for Gymnasium's tools (`pip install gymnasium`).

Importing this module registers picorl's environments: gymnasium.make("picorl/Quadrotor-v0"), after the names in ENVIRONMENTS.
"""

from array import array

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete

from picorl import envs

_INF = float("inf")
# Greatest sizes of what each environment observes, and its steps a second. A pole may leave CartPole's limits by one step.
_FACTS = {
    "Acrobot": ((1, 1, 1, 1, 4 * np.pi, 9 * np.pi), 5),
    "AcrobotSwingUp": ((1, 1, 1, 1, 4 * np.pi, 9 * np.pi), 5),
    "CartPole": ((4.8, _INF, 0.418879, _INF), 50),
    "MountainCar": (((-1.2, -0.07), (0.6, 0.07)), 30),
    "Pendulum": ((1, 1, 8), 20),
    "PendulumPython": ((1, 1, 8), 20),
    "PendulumWithoutVelocity": ((1, 1), 20),
    "Quadrotor": ((_INF,) * 6 + (1,) * 4 + (_INF,) * 3 + (1,) * 4, 100),
}
ENVIRONMENTS = tuple(name for name in _FACTS if name != "PendulumPython")
NAMESPACE = "picorl"


def _box(space, name):
    """The bounds of a flat space of real numbers, as picorl knows it."""
    if not isinstance(space, Box) or len(space.shape) != 1:
        raise ValueError(f"FromGymnasium: {name} is {space}, must be a Box of one dimension")
    return space


class FromGymnasium:
    """A Gymnasium environment as picorl sees environments: observations in a Box of one dimension, actions in one too or Discrete.

    env is the environment, or its name for `gymnasium.make`. ValueError for other spaces and for unbounded actions.
    """

    def __init__(self, env, seed=0):
        self.env = gymnasium.make(env) if isinstance(env, str) else env
        actions = self.env.action_space
        self.obs = array("f", bytes(4 * _box(self.env.observation_space, "observation_space").shape[0]))
        self._obs = np.frombuffer(self.obs, np.float32)
        self.reward = array("f", (0,))
        if isinstance(actions, Discrete):
            self.n_actions = int(actions.n)
        elif not isinstance(actions, Box) or len(actions.shape) != 1:
            raise ValueError(f"FromGymnasium: action_space is {actions}, must be Discrete or a Box of one dimension")
        elif not actions.is_bounded():
            raise ValueError(f"FromGymnasium: action_space is {actions}, must have finite bounds")
        else:
            self.action_low = array("f", actions.low)
            self.action_high = array("f", actions.high)
        self.terminated = self.truncated = False
        self.reseed(seed)

    def reseed(self, seed):
        """Begin the sequence of episodes that belongs to seed at the next reset."""
        self._seed = seed

    def reset(self):
        """Start an episode."""
        obs, _ = self.env.reset(seed=self._seed)
        self._seed = None
        self._write(obs, 0.0, False, False)

    def step(self, action):
        """Apply action: array('f') of as many numbers as the action space has, array('i') of one where it is Discrete."""
        space = self.env.action_space
        if isinstance(space, Discrete):
            theirs = space.start + action[0]
        else:
            theirs = np.array(action, space.dtype).reshape(space.shape)
        obs, *rest, _ = self.env.step(theirs)
        self._write(obs, *rest)

    def _write(self, obs, reward, terminated, truncated):
        if np.shape(obs) != self._obs.shape:
            raise ValueError(f"FromGymnasium: obs has the shape {np.shape(obs)}, observation_space {self._obs.shape}")
        self._obs[:] = obs
        self.reward[0] = reward
        self.terminated = bool(terminated)
        self.truncated = bool(truncated)

    def clone(self, seed):
        """Another environment of the same kind; ValueError when Gymnasium does not know how env was made."""
        if self.env.spec is None:
            raise ValueError(f"FromGymnasium: {self.env} has no spec to make another one from")
        return type(self)(gymnasium.make(self.env.spec), seed)


def _facts(env):
    """(limits of obs, steps a second) of an environment of picorl's; no limits and 20 of another."""
    kind = type(env)
    return _FACTS[kind.__name__] if kind.__module__.startswith(envs.__name__) else (_INF, 20)


def _observation_space(env):
    """A Box: of the environment's limits where they are known, of all numbers elsewhere (wrappers change them)."""
    most, _ = _facts(env)
    low, high = most if isinstance(most, tuple) and isinstance(most[0], tuple) else (np.negative(most), most)
    size = len(env.obs)
    return Box(*(np.broadcast_to(np.float32(bound), size).copy() for bound in (low, high)), dtype=np.float32)


def _action_space(env):
    if hasattr(env, "n_actions"):
        return Discrete(env.n_actions)
    low, high = np.array(env.action_low, np.float32), np.array(env.action_high, np.float32)
    if low.shape != high.shape or not np.all(low < high) or not np.isfinite([low, high]).all():
        raise ValueError(
            f"ToGymnasium: action_low is {low.tolist()} and action_high {high.tolist()}, must be finite, as many, and in order"
        )
    return Box(low, high, dtype=np.float32)


class ToGymnasium(gymnasium.Env):
    """A picorl environment as a Gymnasium environment: observations (obs_size) float32, actions (act_size) float32 or one integer.

    render_mode "rgb_array" renders uint8 images (400, width, 3), "ansi" text; for picorl's own environments and wrappers around them.
    ValueError for bounds that do not fit each other, for render modes that there are not and for actions that are not in the action space's shape.
    """

    metadata = {"render_modes": ["rgb_array", "ansi"], "render_fps": 20}

    def __init__(self, env, render_mode=None):
        if render_mode not in (None, *self.metadata["render_modes"]):
            choices = ", ".join(map(repr, self.metadata["render_modes"]))
            raise ValueError(f"ToGymnasium: render_mode is {render_mode!r}, must be None, {choices}")
        if hasattr(env, "n_envs"):
            raise ValueError("ToGymnasium: env has n_envs, must be a single environment")
        self.picorl_env = env
        self.render_mode = render_mode
        _, fps = _facts(getattr(env, "unwrapped", env))
        self.metadata = self.metadata | {"render_fps": fps}
        self.observation_space = _observation_space(env)
        self.action_space = _action_space(env)
        self._discrete = hasattr(env, "n_actions")
        self._action = array("i", (0,)) if self._discrete else array("f", env.action_low)

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
        if self._discrete:
            if not self.action_space.contains(action):
                raise ValueError(f"ToGymnasium: action is {action!r}, must be an integer from 0 to {env.n_actions - 1}")
            self._action[0] = int(action)
        else:
            values = np.asarray(action, np.float32).reshape(-1)
            if len(values) != len(self._action) or not np.isfinite(values).all():
                raise ValueError(f"ToGymnasium: action is {action!r}, must be {len(self._action)} finite numbers")
            self._action[:] = array("f", values)
        env.step(self._action)
        return np.array(env.obs), env.reward[0], bool(env.terminated), bool(env.truncated), {}

    def render(self):
        """The environment as it is now, in the render mode; None without one."""
        if self.render_mode == "rgb_array":
            from . import rendering  # Pillow is imported by those who look

            return rendering.image(self.picorl_env)
        return envs.render(self.picorl_env) if self.render_mode == "ansi" else None


def make(name, render_mode=None, **options):
    """What gymnasium.make calls for the registered names: name is one of ENVIRONMENTS, options go to its class."""
    return ToGymnasium(getattr(envs, name)(**options), render_mode)


def register():
    """Tell Gymnasium of picorl's environments, once. They truncate by themselves: give time_limit, not max_episode_steps."""
    for name in ENVIRONMENTS:
        id = f"{NAMESPACE}/{name}-v0"
        if id not in gymnasium.registry:
            gymnasium.register(id, entry_point=f"{__name__}:make", kwargs={"name": name})


register()
