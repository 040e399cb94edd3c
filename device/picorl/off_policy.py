"""What TD3 and SAC share: twin critics, a replay, acting beside learning, and updates that can be run in pieces.

An algorithm adds its hyper-parameters, the buffers of its policy, how it acts, and `_pieces`: the endless generator of its update.
"""

from . import checkpoint, kernels, memory, network
from .memory import HYPER, POLICY, STATE, WORK

# Streams of random numbers (environments use 16 and up).
_INIT = 0
_ACT = 1
_UPDATE = 2

# Indices of replay_state that Python reads.
_HEAD = 0
_PENDING = 2
_VALID = 3
_REFUSED = 4

# Adam's spans are as many elements a row of chunk, so that its pieces cost about what the networks' cost.
_SPAN = 256

# Stands for "never evaluated": below every return, and finite, as all that a checkpoint holds.
_NO_RETURN = -1e30

ADAM_BETA1 = 0.9
ADAM_BETA2 = 0.999
ADAM_EPSILON = 1e-7


def _whole(name, value, least):
    if not isinstance(value, int) or value < least:
        raise ValueError("%s is %r, must be a whole number of at least %d" % (name, value, least))
    return value


def _real(name, value, least, most):
    if not least <= value <= most:  # also refuses NaN
        raise ValueError("%s is %r, must be between %s and %s" % (name, value, least, most))
    return value


def least_capacity(batch_size):
    """Rows of replay that always hold batch_size transitions, however short the episodes are."""
    return 2 * batch_size + 2


class OffPolicy:
    """Base of TD3 and SAC.

    env (or anything with its obs, action_low and action_high) gives the sizes; all memory is taken here.

    hidden           units of the hidden layers of actor and critics, ReLU
    batch_size       transitions an update learns from
    replay_capacity  rows of the replay: one a transition, and one more where an episode was cut off
    warmup_steps     steps with uniform random actions before learning starts
    gamma            discount
    tau              part of a critic that its target takes over in an update
    learning_rate    of Adam, for every network; critic_learning_rate, if not None, for the critics
    chunk            rows of a batch that one piece of `work` handles (None: the whole batch); changes how long
                     a piece takes and how much memory activations need, not one bit of the result
    keep_best        keep a copy of the policy with the best evaluation
    seed             0 to 2³²-1; same seed, same steps, same bits
    take             called as take(agent, declared) to make the buffers; `plan` brings its own
    """

    def __init__(
        self,
        env,
        hidden,
        batch_size,
        replay_capacity,
        warmup_steps,
        gamma,
        tau,
        learning_rate,
        critic_learning_rate,
        chunk,
        keep_best,
        seed,
        take,
    ):
        self.obs_size = len(env.obs)
        self.act_size = len(env.action_low)
        self.hidden = tuple(_whole("hidden", units, 1) for units in hidden)
        self.batch_size = _whole("batch_size", batch_size, 1)
        self.replay_capacity = _whole("replay_capacity", replay_capacity, 2)
        if replay_capacity < least_capacity(batch_size):
            # Every transition may need a boundary row after it, and one row is pending.
            raise ValueError(
                "batch_size is %d, must be at most %d with a replay_capacity of %d"
                % (batch_size, (replay_capacity - 2) // 2, replay_capacity)
            )
        self.warmup_steps = _whole("warmup_steps", warmup_steps, 0)
        self.chunk = batch_size if chunk is None else min(_whole("chunk", chunk, 1), batch_size)
        if not 0 <= seed <= 0xFFFFFFFF:
            raise ValueError("seed is %r, must be between 0 and 4294967295" % (seed,))
        for low, high in zip(env.action_low, env.action_high):
            if not -1e30 < low < high < 1e30:
                raise ValueError("env: action bounds are %s to %s, must be finite and ascending" % (low, high))

        _real("gamma", gamma, 0, 1)
        _real("tau", tau, 0, 1)
        _real("learning_rate", learning_rate, 0, 1)
        if critic_learning_rate is None:
            critic_learning_rate = learning_rate
        _real("critic_learning_rate", critic_learning_rate, 0, 1)

        self.actor_layout = self._actor_layout()
        self.critic_layout = network.mlp((self.obs_size + self.act_size,) + self.hidden + (1,))
        self.keep_best = keep_best
        # All that is not a buffer comes before the buffers, while there is room.
        self._kernels = kernels.backend
        self._chunks = memory.spans(self.batch_size, self.chunk)
        self._actor_spans = memory.spans(network.n_params(self.actor_layout), self.chunk * _SPAN)
        self._critic_spans = memory.spans(network.n_params(self.critic_layout), self.chunk * _SPAN)
        self._updating = False
        self._update = self._pieces()
        take(self, self.declare())

        self.coeffs[0] = gamma
        self.tau[0] = tau
        for hyper, rate in ((self.actor_hyper, learning_rate), (self.critic_hyper, critic_learning_rate)):
            hyper[0] = rate
            hyper[1] = ADAM_BETA1
            hyper[2] = ADAM_BETA2
            hyper[3] = ADAM_EPSILON
        for state in self._adam_states():
            state[0] = 1
            state[1] = 1
        for i in range(self.act_size):
            self.scaling[i] = (env.action_high[i] - env.action_low[i]) / 2
            self.scaling[self.act_size + i] = (env.action_high[i] + env.action_low[i]) / 2
        for rng, stream in ((self.rng_init, _INIT), (self.rng_act, _ACT), (self.rng_update, _UPDATE)):
            rng[0] = seed
            rng[1] = stream
        self.best_return[0] = _NO_RETURN

        self._init_params()

    # --- memory -------------------------------------------------------------------------------------------------

    def declare(self):
        """Every buffer as (name, typecode, length, kind); the order of the first two kinds is that of a checkpoint."""
        obs_size, act_size, batch, rows = self.obs_size, self.act_size, self.batch_size, self.chunk
        width = obs_size + act_size
        actor = network.n_params(self.actor_layout)
        critic = network.n_params(self.critic_layout)
        hidden = network.n_hidden(self.critic_layout)
        head = self.actor_layout[-2]
        declared = [
            ("actor", "f", actor, POLICY),
            ("scaling", "f", 2 * act_size, POLICY),
            ("best_return", "f", 1, STATE),
            ("critic1", "f", critic, STATE),
            ("critic2", "f", critic, STATE),
            ("target1", "f", critic, STATE),
            ("target2", "f", critic, STATE),
            ("actor_m", "f", actor, STATE),
            ("actor_v", "f", actor, STATE),
            ("critic1_m", "f", critic, STATE),
            ("critic1_v", "f", critic, STATE),
            ("critic2_m", "f", critic, STATE),
            ("critic2_v", "f", critic, STATE),
            ("actor_adam", "f", 4, STATE),
            ("critic1_adam", "f", 4, STATE),
            ("critic2_adam", "f", 4, STATE),
            ("actor_hyper", "f", 4, HYPER),
            ("critic_hyper", "f", 4, HYPER),
            ("coeffs", "f", 2, HYPER),
            ("tau", "f", 1, HYPER),
            ("rng_init", "I", 4, STATE),
            ("rng_act", "I", 4, STATE),
            ("rng_update", "I", 4, STATE),
            ("counters", "i", 2, STATE),
            ("replay_state", "i", 6, STATE),
            ("replay_flags", "B", self.replay_capacity, STATE),
            ("replay_reward", "f", self.replay_capacity, STATE),
            ("replay_action", "f", self.replay_capacity * act_size, STATE),
            ("replay_obs", "f", self.replay_capacity * obs_size, STATE),
            # One gradient serves all networks: each is stepped before the next one's is gathered.
            ("grad", "f", max(actor, critic), WORK),
            ("indices", "i", batch, WORK),
            ("obs", "f", batch * obs_size, WORK),
            ("obs_action", "f", batch * width, WORK),
            ("next_obs", "f", batch * obs_size, WORK),
            ("next_obs_action", "f", batch * width, WORK),
            ("reward", "f", batch, WORK),
            ("not_terminated", "f", batch, WORK),
            ("next_noise", "f", batch * act_size, WORK),
            ("target", "f", batch, WORK),
            ("q1", "f", batch, WORK),
            ("q2", "f", batch, WORK),
            ("d_q1", "f", batch, WORK),
            ("head", "f", batch * head, WORK),
            ("d_head", "f", batch * head, WORK),
            ("cache_actor", "f", rows * hidden, WORK),
            ("cache1", "f", rows * hidden, WORK),
            ("d_x1", "f", rows * width, WORK),
            ("critic_loss", "f", 1, WORK),
            ("actor_loss", "f", 1, WORK),
            ("zero", "f", 1, WORK),
            # Acting happens between the pieces of an update, so it has buffers of its own.
            ("act_cache", "f", hidden, WORK),
            ("act_head", "f", head, WORK),
            ("act_noise", "f", act_size, WORK),
        ]
        if self.keep_best:
            declared.append(("best", "f", actor, STATE))
        return declared + self._declare_own()

    def _init_params(self):
        k = self._kernels
        k.init_params(self.actor_layout, self.actor, self.rng_init)
        k.init_params(self.critic_layout, self.critic1, self.rng_init)
        k.init_params(self.critic_layout, self.critic2, self.rng_init)
        k.copy(self.critic1, 0, self.target1, 0, len(self.critic1))
        k.copy(self.critic2, 0, self.target2, 0, len(self.critic2))

    # --- the loop of a robot ----------------------------------------------------------------------------------------

    @property
    def steps(self):
        """Transitions observed, refused ones included."""
        return self.counters[0]

    @property
    def updates(self):
        """Updates completed."""
        return self.counters[1]

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

    def act(self, obs, action):
        """Write an exploring action (act_size), in the environment's units, for obs (obs_size)."""
        if self.counters[0] < self.warmup_steps:
            self._kernels.uniform_action(self.rng_act, self.scaling, action, self.act_size)
        else:
            self._explore(obs, action)

    def observe(self, action, reward, next_obs, terminated, truncated):
        """Store what followed the last observation: action (act_size), reward (1), next_obs (obs_size).

        False, and counted as refused, when a value is not finite or no episode is open; the episode then goes on from next_obs.
        After a terminated or truncated one, `begin` opens the next episode.
        """
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

    def update(self):
        """Run one update, or the rest of one that `work` began. ValueError when not `ready`."""
        if not (self._updating or self.ready()):
            raise ValueError(
                "update: the replay holds %d transitions after %d steps, needs batch_size (%d) and warmup_steps (%d)"
                % (self.replay_state[_VALID], self.counters[0], self.batch_size, self.warmup_steps)
            )
        self._updating = True
        if self._update is None:
            self._update = self._pieces()
        pieces = self._update
        try:
            while not next(pieces):
                pass
        except BaseException:
            self._discard()
            raise
        self._updating = False
        self.counters[1] += 1

    def work(self):
        """Run one piece of an update; True when that completed the update. Does nothing while not `ready`."""
        if not (self._updating or self.ready()):
            return False
        self._updating = True
        if self._update is None:
            self._update = self._pieces()
        try:
            if not next(self._update):
                return False
        except BaseException:
            self._discard()
            raise
        self._updating = False
        self.counters[1] += 1
        return True

    def _discard(self):
        """Forget the unfinished update: the next one starts with a generator of its own, which clears the gradients first."""
        # In this order, so that whatever interrupts it here leaves an agent that goes on.
        self._updating = False
        self._update = None

    def _clear_gradients(self):
        # Half a gradient must not reach the next update.
        for name in self.GRADS:
            grad = getattr(self, name)
            self._kernels.fill(grad, self.zero, 0, len(grad))

    def _draw(self):
        """Sample a batch and gather it whole, so that what is observed between two pieces does not change it."""
        k = self._kernels
        k.replay_sample(
            self.replay_flags,
            self.replay_state,
            self.rng_update,
            self.indices,
            self.replay_capacity,
            self.batch_size,
        )
        k.replay_gather(
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
        k.normal(self.rng_update, self.next_noise, self.batch_size * self.act_size)

    # --- policies and checkpoints -----------------------------------------------------------------------------------

    def note_return(self, mean):
        """Keep the policy if mean (1), the mean return of an evaluation, is the best yet."""
        if mean[0] > self.best_return[0]:
            self.best_return[0] = mean[0]
            if self.keep_best:
                self._kernels.copy(self.actor, 0, self.best, 0, len(self.actor))

    def use_best(self):
        """Make the best policy kept the acting one. ValueError when none was kept."""
        if not self.keep_best or self.best_return[0] < 0.9 * _NO_RETURN:
            raise ValueError("use_best: no policy was kept (keep_best=True and an evaluation are needed)")
        if self._updating:
            self._discard()  # its second half would be about another policy
        self._kernels.copy(self.best, 0, self.actor, 0, len(self.actor))

    def in_episode(self, obs):
        """Whether an episode is open whose last observation is obs."""
        if not self.replay_state[_PENDING]:
            return False
        first = self.replay_state[_HEAD] * self.obs_size
        for i in range(self.obs_size):
            if self.replay_obs[first + i] != obs[i]:
                return False
        return True

    def crc(self):
        """CRC-32 over all learned parameters as 8 hex digits: equal when every bit is."""
        crc = memory.zeros("I", 1)
        for name in self.PARAMS:
            self._kernels.crc32(getattr(self, name), crc)
        return checkpoint.hex8(crc)

    def save(self, path, full=False, env=None):
        """Write a checkpoint: the policy, or with full=True all that training needs to go on to the same bits.

        env (with buffers()) is stored in a full one too. An update that `work` began is finished first. The file at path is replaced
        only after the new one was written and read back. OSError when there is no room, ValueError when a value is not finite.
        """
        while self._updating:
            self.work()
        checkpoint.save(path, self, full, env)

    def load(self, path, env=None):
        """Read a checkpoint of `save`; True for a full one.

        A policy goes into the actor (and its target); a full checkpoint into everything, hyper-parameters included, and must come from
        an agent of the same sizes, batch_size and warmup_steps (chunk may differ). An unfinished update is discarded.
        ValueError names what is wrong with the file or does not fit this agent; nothing is changed then. OSError while the checked file is
        read again (a card pulled out) leaves an agent to be loaded anew.
        """
        found = checkpoint.open_fitting(path, self, env)
        self._discard()
        full = checkpoint.read(found, self)
        if not full:
            self._policy_loaded()
        return full

    def _policy_loaded(self):
        """For algorithms that keep more than one copy of the policy."""
