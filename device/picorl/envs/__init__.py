"""Environments. Each owns its buffers: reset() and step(action) write obs and reward and set terminated and truncated.

What an agent and `train` ask of one (your own included):
    obs                     array('f'), the observation
    reward                  array('f') of one (a returned float would be boxed)
    action_low, action_high array('f'), the bounds of each action
    terminated, truncated   bool, as in Gymnasium: a time limit truncates and still bootstraps
    reset(), step(action)   return None
Optional: clone(seed), another environment of the same kind, for evaluation; reseed(seed); buffers(), tuples of name,
array and typecode that hold the environment's whole state, so that a checkpoint can store it.
`n_actions` instead of the two bounds: discrete actions, array('i') of one number below it. render(env) is a picture of one of these in text.
"""

from .. import lazy

_HOMES = {
    "Acrobot": "acrobot",
    "AcrobotSwingUp": "acrobot",
    "CartPole": "cartpole",
    "MountainCar": "mountain_car",
    "Pendulum": "pendulum",
    "Quadrotor": "quadrotor",
    "VectorAcrobot": "vector_acrobot",
    "VectorAcrobotSwingUp": "vector_acrobot",
    "PendulumWithoutVelocity": "pendulum_without_velocity",
    "VectorCartPole": "vector",
    "VectorMountainCar": "vector_mountain_car",
    "VectorPendulum": "vector",
    "VectorQuadrotor": "vector_quadrotor",
    "render": "rendering",
}
__all__ = tuple(_HOMES)
__getattr__ = lazy.loader(__name__, _HOMES)
