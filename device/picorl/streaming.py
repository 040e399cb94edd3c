"""What Stream AC and Stream Q share (Elsayed, Vasan & Mahmood 2024, "Streaming Deep Reinforcement Learning Finally Works"): a
transition is learned from when it was observed, and gone then. No replay, no batch, no target network.

Gradients add up in eligibility traces, one number a parameter; what a step along them changes is bounded (ObGD). Observations and rewards are
scaled by running statistics. A subclass sets act_size, `_take_action` and `_pieces`.
"""

from . import float32, kernels, network
from .agent import SPAN, Agent, can_count, layers_of, obs_of, real, seed_of, whole
from .memory import HYPER, POLICY, STATE, WORK

# Indices of cursor: whether a transition waits to be learned from, whether it terminated, whether traces start with it, whether an episode is
# open, whether the next transition does not follow the last one that was learned from, how much was refused.
_WAITING = 0
_TERMINATED = 1
_STARTS = 2
_OPEN = 3
_BROKEN = 4
_REFUSED = 5

_RETURN = 1  # in reward_stats


class Streaming(Agent):
    """Base of StreamAC and StreamQ. All memory is taken when one is made.

    hidden         units of the hidden layers of each network: a normalised dense layer, then leaky ReLU
    gamma          discount
    trace_decay    lambda: how far back errors reach
    learning_rate  where the bound on a step does not make it smaller; 1 leaves it to the bound
    sparsity       part of each unit's incoming weights that begins as 0
    chunk          so many times 192 parameters one piece of `work` handles (None: a whole network); changes not one bit of the result
    keep_best      keep a copy of the policy, and of what scales its observations, with the best evaluation
    seed           0 to 2³²-1; same seed, same steps, same bits
    take           called as take(agent, declared) to make the buffers; `plan` brings its own
    """

    GRADS = ("lanes",)
    PARAM_WORK = 0.2
    OTHER_WORK = 0.33
    batch_size = 1

    def _size(self, env, hidden, outputs, gamma, trace_decay, learning_rate, sparsity, chunk, keep_best, seed):
        """Check what both are told, and keep what sizes follow from."""
        who = type(self).__name__
        kernels.need("obgd_step", who)
        self.obs_size = obs_of(env, who)
        self.hidden = layers_of(hidden)
        seed_of(seed)
        real("gamma", gamma, 0, 1)
        real("trace_decay", trace_decay, 0, 1)
        real("learning_rate", learning_rate, 0, 1e3)
        real("sparsity", sparsity, 0, 1)
        self.keep_best = keep_best
        self.actor_layout = self._layout(outputs)
        largest = (network.n_params(self.actor_layout) - 1) // SPAN + 1
        self.chunk = largest if chunk is None else min(whole("chunk", chunk, 1), largest)

    def _layout(self, outputs):
        return network.mlp(
            (self.obs_size,) + self.hidden + (outputs,), network.LEAKY_RELU, network.IDENTITY, network.NORMALIZE
        )

    def _start_obgd(self, hyper, learning_rate, kappa, gamma, trace_decay):
        for i, value in enumerate((learning_rate, kappa, gamma, trace_decay)):
            float32.store(hyper, i, value)

    # --- memory -------------------------------------------------------------------------------------------------

    def declare(self):
        """Every buffer as (name, typecode, length, kind); the order of the first two kinds is that of a checkpoint."""
        obs_size = self.obs_size
        actor, outputs = network.n_params(self.actor_layout), self.actor_layout[-2]
        hidden = network.n_hidden(self.actor_layout)
        declared = [
            ("actor", "f", actor, POLICY),
            ("moments", "f", 1 + 2 * obs_size, POLICY),
            ("best_return", "f", 1, STATE),
            ("actor_trace", "f", actor, STATE),
            ("actor_hyper", "f", 4, HYPER),
            ("coeffs", "f", 1, HYPER),
            ("sparsity", "f", 1, HYPER),
            ("reward_stats", "f", 4, STATE),
            ("rng_init", "I", 4, STATE),
            ("rng_act", "I", 4, STATE),
            ("rng_update", "I", 4, STATE),
            ("counters", "i", 2, STATE),
            ("cursor", "i", 6, STATE),
            ("last_obs", "f", obs_size, STATE),
            # The transition that waits, as the networks see it.
            ("obs", "f", obs_size, STATE),
            ("next_obs", "f", obs_size, STATE),
            ("reward", "f", 1, STATE),
            ("head", "f", outputs, WORK),
            ("d_head", "f", outputs, WORK),
            ("cache", "f", hidden, WORK),
            ("delta", "f", 1, WORK),
            ("lanes", "f", 16, WORK),
            ("step", "f", 1, WORK),
            ("zero", "f", 1, WORK),
            # Acting happens between the pieces of an update, so it has buffers of its own.
            ("act_obs", "f", obs_size, WORK),
            ("act_head", "f", outputs, WORK),
            ("act_cache", "f", hidden, WORK),
        ]
        if self.keep_best:
            declared += [("best", "f", actor, STATE), ("best_moments", "f", 1 + 2 * obs_size, STATE)]
        return declared + self._declare_own()

    def _kept(self):
        return ((self.actor, self.best), (self.moments, self.best_moments))

    # --- the loop of a robot ----------------------------------------------------------------------------------------

    @property
    def refused(self):
        """Observations and transitions refused because a value was not finite or no episode was open."""
        return self.cursor[_REFUSED]

    def ready(self):
        """Whether a transition waits to be learned from."""
        return bool(self.cursor[_WAITING])

    def _why_not_ready(self):
        return "no transition waits to be learned from"

    def begin(self, obs):
        """Open an episode with its first obs (obs_size). False, and counted as refused, when obs is not finite."""
        self.cursor[_BROKEN] = 1
        self.reward_stats[_RETURN] = 0
        return self._arrive(obs)

    def _arrive(self, obs):
        """obs (obs_size) is what the next action will be for."""
        k, size = self._kernels, self.obs_size
        finite = k.all_finite(obs, 0, size)
        self.cursor[_OPEN] = finite
        if not finite:
            self.cursor[_REFUSED] += 1
            self.cursor[_BROKEN] = 1
            return False
        k.copy(obs, 0, self.last_obs, 0, size)
        k.moments_update(obs, self.moments, size, 1)
        return True

    def in_episode(self, obs):
        """Whether an episode is open whose last observation is obs."""
        if not self.cursor[_OPEN]:
            return False
        for i in range(self.obs_size):
            if self.last_obs[i] != obs[i]:
                return False
        return True

    def observe(self, action, reward, next_obs, terminated, truncated):
        """Take what followed the last observation: action (act_size), reward (1), next_obs (obs_size). `update` or `work` learns from it.

        False when it was not taken: a value is not finite or no episode is open (then counted as refused), or the transition before it
        was not learned from yet. The episode then goes on from next_obs, and traces begin anew.
        After a terminated or truncated one, `begin` opens the next episode.
        """
        can_count(self.counters)
        k, cursor, size = self._kernels, self.cursor, self.obs_size
        self.counters[0] += 1
        good = cursor[_OPEN] and k.all_finite(reward, 0, 1) and k.all_finite(next_obs, 0, size)
        good = good and self._finite_action(action)
        taken = good and not cursor[_WAITING]
        if taken:
            k.moments_apply(self.last_obs, self.moments, self.obs, size, 0, 1)
            k.scale_reward(reward, self.coeffs, self.reward_stats, self.reward)
            self._take_action(action)
            self._arrive(next_obs)
            k.moments_apply(self.last_obs, self.moments, self.next_obs, size, 0, 1)
            cursor[_STARTS] = cursor[_BROKEN]
            cursor[_BROKEN] = 0
            cursor[_TERMINATED] = 1 if terminated else 0
            cursor[_WAITING] = 1
        else:
            cursor[_BROKEN] = 1
            if good:
                self._arrive(next_obs)
            else:
                cursor[_REFUSED] += 1
                # Not refused a second time.
                if k.all_finite(next_obs, 0, size):
                    self._arrive(next_obs)
                else:
                    cursor[_OPEN] = 0
        if terminated or truncated:
            cursor[_OPEN] = 0
        return bool(taken)

    def _finite_action(self, action):
        """Whether there is such an action (act_size)."""
        return self._kernels.all_finite(action, 0, self.act_size)

    def _normalised(self, obs):
        """obs (obs_size) as the networks want it."""
        self._kernels.moments_apply(obs, self.moments, self.act_obs, self.obs_size, 0, 1)
        return self.act_obs

    # --- learning ---------------------------------------------------------------------------------------------------

    def _discard(self):
        if self._updating:
            # The transition still waits, but half of its gradient is in the traces.
            self.cursor[_STARTS] = 1
        Agent._discard(self)

    def use_best(self):
        """Make the best policy kept the acting one, with what scales its observations. ValueError when none was kept."""
        Agent.use_best(self)
        self._policy_loaded()

    def _policy_loaded(self):
        # The traces are about another policy, and so is a transition that waits.
        self.cursor[_WAITING] = 0
        self.cursor[_BROKEN] = 1

    def learned(self):
        return (self.actor_layout,)
