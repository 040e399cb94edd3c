"""What algorithms with a replay share: experience goes in beside learning, batches come out of it.

A subclass sets act_size and calls `_size` before its buffers are declared, with `_declare_replay()` among them.
"""

from .agent import LARGEST, Agent, can_count, layers_of, obs_of, real, seed_of, whole
from .memory import STATE, WORK

# Indices of replay_state that Python reads.
_HEAD = 0
_SIZE = 1
_PENDING = 2
_VALID = 3
_REFUSED = 4


class OffPolicy(Agent):
    """An agent with a replay; see ActorCritic and DQN for the hyper-parameters."""

    def _size(self, env, hidden, batch_size, replay_capacity, warmup_steps, gamma, tau, learning_rate, chunk, seed):
        """Check what all of them are told, and keep what sizes follow from."""
        self.hidden = layers_of(hidden)
        self.obs_size = obs_of(env, type(self).__name__)
        self.batch_size = whole("batch_size", batch_size, 1)
        self.replay_capacity = whole("replay_capacity", replay_capacity, 2, LARGEST)
        # So many rows always hold a batch: every transition may need a boundary row after it, and one row is pending.
        self.least_capacity = 2 * batch_size + 2
        if replay_capacity < self.least_capacity:
            raise ValueError(
                "batch_size is %d, must be at most %d with a replay_capacity of %d"
                % (batch_size, (replay_capacity - 2) // 2, replay_capacity)
            )
        self.warmup_steps = whole("warmup_steps", warmup_steps, 0)
        self.chunk = batch_size if chunk is None else min(whole("chunk", chunk, 1), batch_size)
        seed_of(seed)
        real("gamma", gamma, 0, 1)
        real("tau", tau, 0, 1)
        real("learning_rate", learning_rate, 0, 1)

    def _declare_replay(self):
        """The replay, and a batch of it."""
        rows = self.replay_capacity
        replay = [
            ("replay_state", "i", 6, STATE),
            ("replay_flags", "B", rows, STATE),
            ("replay_reward", "f", rows, STATE),
            ("replay_action", "f", rows * self.act_size, STATE),
            ("replay_obs", "f", rows * self.obs_size, STATE),
        ]
        return replay + self._declare_batch()

    def _declare_batch(self):
        obs_size, act_size, batch = self.obs_size, self.act_size, self.batch_size
        width = obs_size + act_size
        return [
            ("indices", "i", batch, WORK),
            ("obs", "f", batch * obs_size, WORK),
            ("obs_action", "f", batch * width, WORK),
            ("next_obs", "f", batch * obs_size, WORK),
            ("next_obs_action", "f", batch * width, WORK),
            ("reward", "f", batch, WORK),
            ("not_terminated", "f", batch, WORK),
        ]

    # --- the loop of a robot ----------------------------------------------------------------------------------------

    @property
    def refused(self):
        """Observations and transitions refused because a value was not finite or no episode was open."""
        return self.replay_state[_REFUSED]

    def begin(self, obs):
        """Open an episode with its first obs (obs_size). False, and counted as refused, when obs is not finite."""
        return bool(
            self._kernels.replay_begin(
                self.replay_obs, self.replay_flags, self.replay_state, obs, self.obs_size, self.replay_capacity
            )
        )

    def observe(self, action, reward, next_obs, terminated, truncated):
        """Store what followed the last observation: action (act_size), reward (1), next_obs (obs_size).

        False, and counted as refused, when a value is not finite or no episode is open; the episode then goes on from next_obs.
        After a terminated or truncated one, `begin` opens the next episode.
        """
        can_count(self.counters)
        stored = bool(
            self._kernels.replay_observe(
                self.replay_obs,
                self.replay_action,
                self.replay_reward,
                self.replay_flags,
                self.replay_state,
                action,
                reward,
                next_obs,
                self.scaling,
                self.obs_size,
                self.act_size,
                self.replay_capacity,
                1 if terminated else 0,
                1 if terminated or truncated else 0,
            )
        )
        self.counters[0] += 1
        return stored

    def ready(self):
        """Whether there is enough experience for an update: the warm-up is over and the replay holds a batch."""
        return self.counters[0] >= self.warmup_steps and self.replay_state[_VALID] >= self.batch_size

    def _why_not_ready(self):
        return "the replay holds %d transitions after %d steps, needs batch_size (%d) and warmup_steps (%d)" % (
            self.replay_state[_VALID],
            self.counters[0],
            self.batch_size,
            self.warmup_steps,
        )

    def _sample(self):
        """Draw the rows of a batch."""
        self._kernels.replay_sample(
            self.replay_flags,
            self.replay_state,
            self.rng_update,
            self.indices,
            self.replay_capacity,
            self.batch_size,
        )

    def _draw(self):
        """Sample a batch and gather it whole, so that what is observed between two pieces does not change it."""
        self._sample()
        self._kernels.replay_gather(
            self.replay_obs,
            self.replay_action,
            self.replay_reward,
            self.replay_flags,
            self.indices,
            self.obs,
            self.obs_action,
            self.next_obs,
            self.next_obs_action,
            self.reward,
            self.not_terminated,
            self.obs_size,
            self.act_size,
            self.replay_capacity,
            self.batch_size,
        )

    # --- policies and checkpoints -----------------------------------------------------------------------------------

    def in_episode(self, obs):
        """Whether an episode is open whose last observation is obs."""
        if not self.replay_state[_PENDING]:
            return False
        first = self.replay_state[_HEAD] * self.obs_size
        for i in range(self.obs_size):
            if self.replay_obs[first + i] != obs[i]:
                return False
        return True

    def facts(self):
        return (
            ("replay_capacity", self.replay_capacity),
            ("batch_size", self.batch_size),
            ("warmup_steps", self.warmup_steps),
        )

    def used_rows(self):
        return self.replay_state[_SIZE]

    def stored(self, name, length, rows):
        if name == "replay_state" or not name.startswith("replay_"):
            return length, [length]
        width = {"replay_obs": self.obs_size, "replay_action": self.act_size}.get(name)
        return (rows * width, [rows, width]) if width else (rows, [rows])

    def rows_loaded(self, rows):
        for i in range(rows, self.replay_capacity):
            self.replay_flags[i] = 0
