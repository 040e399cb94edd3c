"""Environments around environments: each changes one thing and passes the rest through, so they can be put into each other.

    env = NormaliseObs(TimeLimit(RescaleAction(MyRobot()), 500))

A wrapper is an environment as envs/__init__.py describes them, of a single environment (one without n_envs). Its numbers are made by kernels in
float32, a step allocates nothing, `env` is what it wraps, and clone(), reseed() and buffers() reach through to it. `set_state` and the like
are called on the innermost, `unwrapped`.
"""

from .. import lazy

_HOMES = {
    "EpisodeStatistics": "episode_statistics",
    "FrameStack": "frame_stack",
    "NormaliseObs": "normalise_obs",
    "RescaleAction": "rescale_action",
    "ScaleReward": "scale_reward",
    "TimeLimit": "time_limit",
    "Wrapper": "wrapper",
}
__all__ = tuple(_HOMES)
__getattr__ = lazy.loader(__name__, _HOMES)
