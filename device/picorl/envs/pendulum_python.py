"""Pendulum in readable Python: the reference for the kernel, and a model for an environment of your own."""

from math import cos, pi, sin

from .pendulum import Pendulum

GRAVITY = 10.0  # m/s²
MASS = 1.0  # kg
LENGTH = 1.0  # m
TIME_STEP = 0.05  # s
MAX_TORQUE = 2.0  # N m
MAX_VELOCITY = 8.0  # rad/s


class PendulumPython(Pendulum):
    """Pendulum stepped in Python floats; the starts are those of Pendulum."""

    def step(self, action):
        """Apply action (1), a torque in N m, for 0.05 s."""
        angle, velocity = self._state
        torque = max(-MAX_TORQUE, min(MAX_TORQUE, action[0]))
        self.reward[0] = -(angle**2 + 0.1 * velocity**2 + 0.001 * torque**2)
        acceleration = 1.5 * GRAVITY / LENGTH * sin(angle) + 3.0 / (MASS * LENGTH**2) * torque
        velocity = max(-MAX_VELOCITY, min(MAX_VELOCITY, velocity + acceleration * TIME_STEP))
        angle = (angle + velocity * TIME_STEP + pi) % (2 * pi) - pi
        self._state[0] = angle
        self._state[1] = velocity
        self.obs[0] = cos(angle)
        self.obs[1] = sin(angle)
        self.obs[2] = velocity
        self._elapsed[0] += 1
        self.truncated = self._elapsed[0] >= self.time_limit
