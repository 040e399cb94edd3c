"""Environments. Each owns its buffers: reset() and step(action) write obs and reward and set terminated and truncated.

What an agent and `train` ask of one (your own included):
    obs                     array('f'), the observation
    reward                  array('f') of one (a returned float would be boxed)
    action_low, action_high array('f'), the bounds of each action
    terminated, truncated   bool, as in Gymnasium: a time limit truncates and still bootstraps
    reset(), step(action)   return None
Optional: clone(seed), another environment of the same kind, for evaluation; reseed(seed); buffers(), tuples of name,
array and typecode that hold the environment's whole state, so that a checkpoint can store it.
"""

from .. import lazy

_HOMES = {
    "CartPole": "cartpole",
    "Pendulum": "pendulum",
    "PendulumWithoutVelocity": "pendulum_without_velocity",
    "VectorCartPole": "vector",
    "VectorPendulum": "vector",
}
__all__ = tuple(_HOMES)
__getattr__ = lazy.loader(__name__, _HOMES)
