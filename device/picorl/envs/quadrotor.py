"""Quadrotor: hover at a point with a machine of a Crazyflie's size, commanding its four rotors.

A rigid body (0.028 kg; 1.66e-5, 1.66e-5 and 2.93e-5 kg m²) with rotors of at most 0.15 N, 46 mm from its middle, which follow the commands with
a time constant of 50 ms; no drag, no ground. Mass and inertia are about those that Förster measured on a Crazyflie 2.0 (ETH Zurich 2015);
the greatest thrust is 2.2 times the weight. `quadrotor_step` in native_modules/kernels/environments.py has the equations.
"""

from array import array

from .. import kernels, memory
from .environment import Environment

_STREAM = 20  # of the random numbers: agents use lower ones


class Quadrotor(Environment):
    """obs (17) = position (m), velocity (m/s), attitude (unit quaternion w, x, y, z), angular velocity (rad/s), the rotors' thrusts (0 to 1).

    action (4) = thrusts that the rotors are to have, -1 none, 1 all; front right, back right, back left, front left. z is up; about
    -0.084 carries the weight. Reward 1 / (1 + cost), cost = 10 |position|² + |velocity|² + 4 (1 - w²) + 0.02 |angular velocity|² + 0.1 |command
    - hover|²: 1 at rest in the origin, never negative. Terminated beyond 1 m along an axis, tipped by 90 degrees or faster than 35 rad/s;
    truncated after time_limit steps of 0.01 s. Stepped by a float32 kernel.
    """

    def __init__(self, seed=0, time_limit=500):
        kernels.need("quadrotor_step", "Quadrotor")
        super().__init__(seed, _STREAM, time_limit)
        self.obs = memory.zeros("f", 17)
        self.action_low = array("f", (-1, -1, -1, -1))
        self.action_high = array("f", (1, 1, 1, 1))
        self._ended = bytearray(1)
        self._reset = kernels.backend.quadrotor_reset
        self._step = kernels.backend.quadrotor_step

    def reset(self):
        """Start an episode within 0.2 m of the origin, up to 0.2 m/s fast, tilted by about ±10 degrees, the rotors carrying the weight."""
        self._reset(self._rng, self.obs, 0, 1)
        self._begin()

    def set_state(self, state):
        """Start an episode at state, 17 numbers as in obs; the attitude must be of length 1."""
        if len(state) != 17:
            raise ValueError("Quadrotor: state holds %d numbers, must be 17" % len(state))
        for i in range(17):
            self.obs[i] = state[i]
        self._begin()

    def step(self, action):
        """Command the rotors with action (4) for 0.01 s."""
        self._step(self.obs, action, self.reward, self._ended, 0, 1)
        self._elapsed[0] += 1
        self.terminated = bool(self._ended[0])
        self.truncated = self._elapsed[0] >= self.time_limit
