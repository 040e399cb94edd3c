"""What an agent with a memory needs beside a replay: sequences out of it, and a state that goes along with the episode.

A policy sees the observation and the action before it, and remembers through a GRU (gru.py). The replay is that of OffPolicy, each
observation stored once in order of time; sequences of it may begin anywhere in an episode and span several: memory is
cleared where an episode begins, and what is no transition is not learned from.
"""

from . import gru, network
from .agent import can_count, whole
from .memory import STATE, WORK
from .off_policy import _HEAD, _PENDING, OffPolicy


class Recurrent(OffPolicy):
    """Base of agents with a gaussian policy on a GRU; a subclass calls `_size_sequences` before its buffers are declared.

    act() follows the training episode: its memory is cleared by begin() and goes on with observe(), also over steps in which something else
    chose the action. predict() has a memory of its own, cleared by reset(), so that an evaluation does not disturb an episode that is open.
    """

    def _size_sequences(self, units, length, burn_in):
        self.units = whole("units", units, 1)
        self.length = whole("length", length, 1)
        self.burn_in = whole("burn_in", burn_in, 0)
        if burn_in >= length:
            raise ValueError("burn_in is %d, must be less than length, %d" % (burn_in, length))
        if length + 2 > self.replay_capacity:
            # One more row for the last next observation, and one is pending.
            raise ValueError(
                "length is %d, must be at most %d with a replay_capacity of %d"
                % (length, self.replay_capacity - 2, self.replay_capacity)
            )
        self.least_capacity = max(self.least_capacity, length + 2)
        self.steps_of_sequence = length + 1
        self.inputs = self.obs_size + self.act_size

    def _declare_batch(self):
        rows = self.batch_size * self.steps_of_sequence
        return [
            ("indices", "i", self.batch_size, WORK),
            ("x", "f", rows * self.inputs, WORK),
            ("action", "f", rows * self.act_size, WORK),
            ("reward", "f", rows, WORK),
            ("keep", "f", rows, WORK),
            ("weight", "f", rows, WORK),
        ]

    def _declare_acting(self):
        """Acting happens between the pieces of an update, so it has buffers of its own."""
        return [
            ("act_x", "f", self.inputs, STATE),
            ("act_state", "f", self.units, STATE),
            ("unseen", "i", 1, STATE),
            ("predict_x", "f", self.inputs, WORK),
            ("predict_state", "f", self.units, WORK),
            ("predict_scaling", "f", 2 * self.act_size, WORK),
            ("act_gru", "f", gru.scratch_size(self.units), WORK),
            ("act_cache", "f", network.n_hidden(self.head_layout), WORK),
            ("act_head", "f", 2 * self.act_size, WORK),
            ("act_noise", "f", self.act_size, WORK),
        ]

    def _start_acting(self):
        k, units, obs_size = self._kernels, self.units, self.obs_size
        self._episode = gru.Episode(k, units, obs_size, self.act_x, self.act_state, self.act_gru)
        self._predicted = gru.Episode(k, units, obs_size, self.predict_x, self.predict_state, self.act_gru)
        for i in range(self.act_size):
            self.predict_scaling[i] = 1
        self._actor_parts = gru.views(self.actor, self.inputs, units, self.head_layout)

    # --- the loop of a robot ----------------------------------------------------------------------------------------

    def begin(self, obs):
        """Open an episode with its first obs (obs_size), and forget the one before. False, and counted as refused, when obs is not finite."""
        self._episode.forget()
        self.unseen[0] = 1
        return OffPolicy.begin(self, obs)

    def act(self, obs, action):
        """Write an exploring action (act_size), in the environment's units, for obs (obs_size), the last one observed."""
        k = self._kernels
        if self.unseen[0]:
            self._episode.see(self._actor_parts, obs)
            self.unseen[0] = 0
        if self.counters[0] < self.warmup_steps:
            k.uniform_action(self.rng_act, self.scaling, action, self.act_size)
            return
        k.normal(self.rng_act, self.act_noise, self.act_size)
        k.forward(self.head_layout, self._actor_parts[2], self.act_state, self.act_head, self.act_cache, 0, 1)
        k.gaussian_action(self.act_head, self.act_noise, self.scaling, action, self.act_size)

    def observe(self, action, reward, next_obs, terminated, truncated):
        """As OffPolicy.observe; memory goes along, and is cleared where the transition is refused."""
        can_count(self.counters)
        row = self.replay_state[_HEAD]
        if self.unseen[0] and self.replay_state[_PENDING]:
            self._episode.see(self._actor_parts, self.replay_obs, row * self.obs_size)
        stored = OffPolicy.observe(self, action, reward, next_obs, terminated, truncated)
        if stored:
            self._kernels.copy(self.replay_action, row * self.act_size, self.act_x, self.obs_size, self.act_size)
        else:
            self._episode.forget()
        self.unseen[0] = 1
        return stored

    def predict(self, obs, action):
        """Write the deterministic action for obs, which follows on what predict has seen since reset()."""
        k = self._kernels
        episode = self._predicted
        head = self.act_head
        episode.see(self._actor_parts, obs)
        k.forward(self.head_layout, self._actor_parts[2], self.predict_state, head, self.act_cache, 0, 1)
        k.gaussian_action(head, None, self.predict_scaling, episode.previous_action, self.act_size)
        k.gaussian_action(head, None, self.scaling, action, self.act_size)

    def reset(self):
        """An episode begins for predict()."""
        self._predicted.forget()

    def _draw(self):
        """Sample sequences and gather them whole, so that what is observed between two pieces does not change them."""
        self._sample()
        self._kernels.replay_gather_sequences(
            self.replay_obs,
            self.replay_action,
            self.replay_reward,
            self.replay_flags,
            self.indices,
            self.x,
            self.action,
            self.reward,
            self.keep,
            self.weight,
            self.obs_size,
            self.act_size,
            self.replay_capacity,
            self.batch_size,
            self.steps_of_sequence,
            self.burn_in,
        )

    # --- policies and checkpoints -----------------------------------------------------------------------------------

    def facts(self):
        return OffPolicy.facts(self) + (("length", self.length), ("burn_in", self.burn_in))
