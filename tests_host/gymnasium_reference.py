"""gymnasium's environments, as references of ours."""

import gymnasium


def started(name):
    """The environment of that name without its time limit, its random numbers begun."""
    env = gymnasium.make(name).unwrapped
    env.reset(seed=0)
    return env
