"""Several environments stepped together, for on-policy algorithms.

What they have beside, or instead of, what one environment has (envs/__init__.py):
    n_envs       how many there are; one after the other in all buffers
    obs, reward  (n_envs, obs_size) and (n_envs)
    ended        bytearray (n_envs): after a step 0, 1 where an episode terminated, 2 where it was truncated; there the next one has begun
    final_obs    (n_envs, obs_size), the last observations of the episodes that ended in this step, elsewhere equal to obs
reset() starts all of them; clone(seed) gives a single environment, for evaluation.
"""

from .. import kernels, memory

TERMINATED = 1
TRUNCATED = 2


class Vector:
    """Base: buffers, bounds of actions, the count of steps, and who begins anew. A subclass has `_one`, which makes a single one, and steps in kernels."""

    def __init__(self, n_envs, seed=0, time_limit=None):
        if not isinstance(n_envs, int) or n_envs < 1:
            raise ValueError("n_envs is %r, must be a whole number of at least 1" % (n_envs,))
        one = self._one(seed) if time_limit is None else self._one(seed, time_limit)
        self.time_limit = one.time_limit
        if hasattr(one, "action_low"):
            self.action_low = one.action_low
            self.action_high = one.action_high
        self.n_envs = n_envs
        self._size = len(one.obs)
        self.obs = memory.zeros("f", n_envs * self._size)
        self.final_obs = memory.zeros("f", n_envs * self._size)
        self.reward = memory.zeros("f", n_envs)
        self.ended = bytearray(n_envs)
        self._elapsed = memory.zeros("i", n_envs)
        self._rng = one._rng
        self._kernels = kernels.backend

    def reset(self):
        """Start an episode in every environment."""
        self._restart(0, self.n_envs)
        for i in range(self.n_envs):
            self._elapsed[i] = self.ended[i] = 0

    def step(self, action):
        """Step all of them with action (n_envs, act_size)."""
        self._advance(action)
        k, size = self._kernels, self._size
        k.copy(self.obs, 0, self.final_obs, 0, self.n_envs * size)
        for i in range(self.n_envs):
            self._elapsed[i] += 1
            if self.ended[i]:
                self._elapsed[i] = 0
            elif self._elapsed[i] >= self.time_limit:
                self.ended[i] = TRUNCATED
                self._elapsed[i] = 0
            if self.ended[i]:
                self._restart(i, 1)

    def clone(self, seed):
        """A single environment of the same kind."""
        return self._one(seed, self.time_limit)

    def buffers(self):
        """All that a checkpoint must hold to go on in the middle of an episode."""
        return (("obs", self.obs, "f"), ("elapsed", self._elapsed, "i"), ("rng", self._rng, "I")) + self._buffers()

    def _buffers(self):
        """Those that a subclass adds."""
        return ()


class VectorPendulum(Vector):
    """n_envs of Pendulum. They end at the same time, by the time limit only."""

    def _one(self, *options):
        from .pendulum import Pendulum  # here: who steps one kind does not import the other

        return Pendulum(*options)

    def __init__(self, n_envs, seed=0, time_limit=None):
        super().__init__(n_envs, seed, time_limit)
        self._state = memory.zeros("f", 2 * n_envs)

    def _restart(self, row, rows):
        self._kernels.pendulum_reset(self._rng, self._state, self.obs, row, rows)

    def step(self, action):
        """Apply torques in N m (n_envs) for 0.05 s."""
        k, n, elapsed = self._kernels, self.n_envs, self._elapsed
        k.pendulum_step(self._state, action, self.obs, self.reward, 0, n)
        k.copy(self.obs, 0, self.final_obs, 0, 3 * n)
        elapsed[0] += 1
        if elapsed[0] >= self.time_limit:
            self._restart(0, n)
            elapsed[0] = 0
            for i in range(n):
                self.ended[i] = TRUNCATED
        elif self.ended[0]:
            for i in range(n):
                self.ended[i] = 0

    def _buffers(self):
        return (("state", self._state, "f"),)


class VectorCartPole(Vector):
    """n_envs of CartPole."""

    n_actions = 2

    def _one(self, *options):
        from .cartpole import CartPole

        return CartPole(*options)

    def __init__(self, n_envs, seed=0, time_limit=None):
        super().__init__(n_envs, seed, time_limit)
        for i in range(n_envs):
            self.reward[i] = 1

    def _restart(self, row, rows):
        self._kernels.cartpole_reset(self._rng, self.obs, row, rows)

    def _advance(self, action):
        self._kernels.cartpole_step(self.obs, action, self.ended, 0, self.n_envs)
