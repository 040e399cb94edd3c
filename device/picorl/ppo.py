"""Proximal Policy Optimization (Schulman et al. 2017, "Proximal Policy Optimization Algorithms", with the clipped objective)."""

from array import array

from . import float32, kernels, memory, network
from .agent import LARGEST, Agent, bounds_of, can_count, layers_of, real, seed_of, whole
from .memory import HYPER, POLICY, STATE, WORK

# Indices of cursor: rows of the rollout that are complete, whether an episode is open, observations and transitions refused.
_ROW = 0
_OPEN = 1
_REFUSED = 2

# 3e-4 as the nearest float32, whatever a board makes of a decimal number in a .mpy file.
_LEARNING_RATE = 10307922 / 2**35

# What the bytes of `ended` say of a transition.
_TERMINATED = 1
_TRUNCATED = 2

# What `rollout_observe` finds.
_GOES_ON = 2
_WAS_TRUNCATED = 4


class PPO(Agent):
    """PPO for continuous actions (a Gaussian whose deviation does not depend on the observation) and discrete ones (softmax).

    env is one environment, or several that are stepped together (`n_envs`, see envs); actions are discrete where it has `n_actions`.
    An update learns from a whole rollout; while `work` runs one in pieces `act` goes on with the policy as it is just then, and `observe`
    keeps nothing.

    hidden            units of the hidden layers of actor and critic
    rollout_steps     steps of each environment in a rollout
    batch_size        rows of a minibatch; rollout_steps * n_envs must be a multiple of it
    epochs            times that an update goes through the rollout, in an order of its own each time
    gamma, gae_lambda discount, and the decay of the advantage estimator (Schulman et al. 2016)
    clip              range of the probability ratio around 1
    value_clip        range within which the value may move in an update (None: not clipped)
    entropy           weight of the entropy in the objective
    max_grad_norm     the gradient of all parameters is scaled down to this norm (None: not clipped)
    learning_rate     of Adam, for every network; critic_learning_rate, if not None, for the critic
    anneal_steps      environment steps over which the learning rates fall to 0, linearly (None: they stay)
    max_kl            an update ends with the epoch in which the approximate KL divergence exceeded this (None: never)
    sigma             standard deviation of the policy at the start, in units of half the action range
    activation, norm  of the hidden layers, as of SAC
    normalise_obs     scale observations by their running mean and deviation
    normalise_advantage  scale the advantages of a minibatch likewise
    chunk             rows that one piece of `work` handles (None: a minibatch); changes neither bits nor results
    keep_best         keep a copy of the policy with the best evaluation
    seed              0 to 2³²-1; same seed, same steps, same bits
    take              called as take(agent, declared) to make the buffers; `plan` brings its own
    """

    GRADS = ("actor_grad", "log_std_grad", "critic_grad")

    def __init__(
        self,
        env,
        hidden=(64, 64),
        rollout_steps=1024,
        batch_size=64,
        epochs=10,
        gamma=0.99,
        gae_lambda=0.95,
        clip=0.2,
        value_clip=None,
        entropy=0.0,
        max_grad_norm=0.5,
        learning_rate=_LEARNING_RATE,
        critic_learning_rate=None,
        anneal_steps=None,
        max_kl=None,
        sigma=1.0,
        activation="relu",
        norm=None,
        normalise_obs=False,
        normalise_advantage=True,
        chunk=None,
        keep_best=True,
        seed=0,
        take=memory.take,
    ):
        kernels.need("gae", "PPO")
        self.n_envs = whole("env.n_envs", getattr(env, "n_envs", 1), 1)
        self.obs_size = whole("len(env.obs) // n_envs", len(env.obs) // self.n_envs, 1)
        self.discrete = hasattr(env, "n_actions")
        self.act_size = 1 if self.discrete else bounds_of(env, type(self).__name__)
        self.n_outputs = whole("env.n_actions", env.n_actions, 2) if self.discrete else self.act_size
        self.HEAD = "categorical" if self.discrete else "deterministic"
        self.PARAMS = ("actor", "critic") if self.discrete else ("actor", "log_std", "critic")
        self.hidden = layers_of(hidden)
        self.rollout_steps = whole("rollout_steps", rollout_steps, 1)
        self.batch_size = whole("batch_size", batch_size, 1)
        self.rows = rollout_steps * self.n_envs
        if self.rows % batch_size:
            raise ValueError(
                "batch_size is %d, must divide the %d rows of a rollout (rollout_steps * n_envs)"
                % (batch_size, self.rows)
            )
        self.epochs = whole("epochs", epochs, 1)
        self.anneal_steps = 0 if anneal_steps is None else whole("anneal_steps", anneal_steps, 1, LARGEST)
        self.chunk = batch_size if chunk is None else min(whole("chunk", chunk, 1), batch_size)
        seed_of(seed)
        real("gamma", gamma, 0, 1)
        real("gae_lambda", gae_lambda, 0, 1)
        real("clip", clip, 1e-3, 1e3)
        real("entropy", entropy, 0, 1e3)
        real("learning_rate", learning_rate, 0, 1)
        real("sigma", sigma, 1e-6, 1e3)
        for name, value in (("value_clip", value_clip), ("max_grad_norm", max_grad_norm), ("max_kl", max_kl)):
            if value is not None:
                real(name, value, 1e-6, 1e6)
        if critic_learning_rate is None:
            critic_learning_rate = learning_rate
        real("critic_learning_rate", critic_learning_rate, 0, 1)

        self.actor_layout = network.mlp((self.obs_size,) + self.hidden + (self.n_outputs,), activation, norm=norm)
        self.critic_layout = network.mlp((self.obs_size,) + self.hidden + (1,), activation, norm=norm)
        self.keep_best = keep_best
        self.normalise_obs = normalise_obs
        self.normalise_advantage = normalise_advantage
        self.clips_value = value_clip is not None
        self.clips_grad = max_grad_norm is not None
        self.limits_kl = max_kl is not None
        self._value_chunks = memory.spans(self.rows + self.n_envs, max(self.chunk, self.n_envs))
        self._batches = memory.spans(self.rows, batch_size)
        self._chunks = memory.spans(self.batch_size, self.chunk)
        self._actor_spans = self._param_spans(self.actor_layout)
        self._critic_spans = self._param_spans(self.critic_layout)
        self._take(take, seed)
        if not self.discrete:
            self._set_scaling(env)
            start = array("f", (0,))
            coeffs = array("f", (0, 0))
            float32.store(coeffs, 1, sigma)
            self._kernels.log_temperature(coeffs, start)
            self._kernels.fill(self.log_std, start, 0, self.act_size)
        float32.store(self.gae_coeffs, 0, gamma)
        float32.store(self.gae_coeffs, 1, gae_lambda)
        float32.store(self.clip_range, 0, clip)
        float32.store(self.value_clip, 0, value_clip if self.clips_value else 0)
        float32.store(self.entropy, 0, entropy)
        float32.store(self.max_norm, 0, max_grad_norm if self.clips_grad else 0)
        if self.limits_kl:
            float32.store(self.max_kl, 0, max_kl)
            float32.multiply(self.max_kl, 0, self.rows)
        float32.store(self.rates, 0, learning_rate)
        float32.store(self.critic_rates, 0, critic_learning_rate)
        self._start_adam(
            ((self.actor_hyper, learning_rate), (self.critic_hyper, critic_learning_rate)),
            (self.actor_adam, self.critic_adam),
        )
        k = self._kernels
        k.init_params(self.actor_layout, self.actor, self.rng_init)
        k.init_params(self.critic_layout, self.critic, self.rng_init)
        self._draw_noise()

    # --- memory -------------------------------------------------------------------------------------------------

    def declare(self):
        """Every buffer as (name, typecode, length, kind); the order of the first two kinds is that of a checkpoint."""
        obs_size, act_size, rows, batch = self.obs_size, self.act_size, self.rows, self.batch_size
        actor, critic = network.n_params(self.actor_layout), network.n_params(self.critic_layout)
        hidden, outputs, n = network.n_hidden(self.critic_layout), self.n_outputs, self.n_envs
        cached = max(self.chunk, n)
        declared = [("actor", "f", actor, POLICY)]
        if not self.discrete:
            declared.append(("scaling", "f", 2 * act_size, POLICY))
        if self.normalise_obs:
            declared.append(("moments", "f", 1 + 2 * obs_size, POLICY))
        declared += [
            ("best_return", "f", 1, STATE),
            ("critic", "f", critic, STATE),
            ("actor_m", "f", actor, STATE),
            ("actor_v", "f", actor, STATE),
            ("critic_m", "f", critic, STATE),
            ("critic_v", "f", critic, STATE),
            ("actor_adam", "f", 4, STATE),
            ("critic_adam", "f", 4, STATE),
            ("actor_hyper", "f", 4, HYPER),
            ("critic_hyper", "f", 4, HYPER),
            ("gae_coeffs", "f", 2, HYPER),
            ("clip_range", "f", 1, HYPER),
            ("value_clip", "f", 1, HYPER),
            ("entropy", "f", 1, HYPER),
            ("max_norm", "f", 1, HYPER),
            ("max_kl", "f", 1, HYPER),
            ("rates", "f", 2, HYPER),
            ("critic_rates", "f", 2, HYPER),
            ("rng_init", "I", 4, STATE),
            ("rng_act", "I", 4, STATE),
            ("rng_update", "I", 4, STATE),
            ("counters", "i", 2, STATE),
            ("cursor", "i", 3, STATE),
            # The rollout; of the observations there is one row an environment more: what follows the last step.
            ("obs", "f", (rows + n) * obs_size, STATE),
            ("last_obs", "f", n * obs_size, STATE),
            ("reward", "f", rows, STATE),
            ("ended", "B", rows, STATE),
            ("final_value", "f", rows, STATE),
            ("head", "f", rows * outputs, STATE),
            ("value", "f", rows + n, WORK),
            ("advantage", "f", rows, WORK),
            ("target", "f", rows, WORK),
            ("log_prob", "f", rows, WORK),
            ("indices", "i", rows, WORK),
            # A minibatch.
            ("batch_obs", "f", batch * obs_size, WORK),
            ("batch_log_prob", "f", batch, WORK),
            ("batch_advantage", "f", batch, WORK),
            ("batch_target", "f", batch, WORK),
            ("batch_head", "f", batch * outputs, WORK),
            ("batch_value", "f", batch, WORK),
            ("d_head", "f", batch * outputs, WORK),
            ("d_value", "f", batch, WORK),
            ("actor_grad", "f", actor, WORK),
            ("critic_grad", "f", critic, WORK),
            ("log_std_grad", "f", act_size, WORK),
            ("cache", "f", cached * hidden, WORK),
            ("policy_stats", "f", 3, WORK),
            ("value_loss", "f", 1, WORK),
            ("norm", "f", 1, WORK),
            ("norm_factor", "f", 1, WORK),
            ("kl", "f", 2, WORK),  # the most allowed, and found so far
            ("batch_kl", "f", 1, WORK),
            ("exceeded", "i", 1, WORK),
            ("zero", "f", 1, WORK),
            ("flag", "B", 1, WORK),
            # Acting and the values of last observations happen between the pieces of an update.
            ("act_cache", "f", n * hidden, WORK),
            ("act_obs", "f", n * obs_size, WORK),
            ("act_head", "f", n * outputs, WORK),
            ("act_value", "f", n, WORK),
        ]
        if self.discrete:
            declared += [("choice", "i", rows, STATE), ("batch_choice", "i", batch, WORK)]
        else:
            declared += [
                ("log_std", "f", act_size, STATE),
                ("log_std_m", "f", act_size, STATE),
                ("log_std_v", "f", act_size, STATE),
                ("noise", "f", rows * act_size, STATE),
                ("raw", "f", rows * act_size, STATE),
                ("batch_raw", "f", batch * act_size, WORK),
                ("no_noise", "f", n * act_size, WORK),
                ("act_raw", "f", n * act_size, WORK),
            ]
        if self.clips_value:
            declared.append(("batch_old_value", "f", batch, WORK))
        if self.keep_best:
            declared.append(("best", "f", actor, STATE))
            if self.normalise_obs:
                declared.append(("best_moments", "f", 1 + 2 * obs_size, STATE))
        return declared

    def facts(self):
        return (
            ("rollout_steps", self.rollout_steps),
            ("n_envs", self.n_envs),
            ("batch_size", self.batch_size),
            ("epochs", self.epochs),
            ("anneal_steps", self.anneal_steps),
            ("clips_value", self.clips_value),
            ("clips_grad", self.clips_grad),
            ("limits_kl", self.limits_kl),
            ("normalise_advantage", bool(self.normalise_advantage)),
        )

    def _kept(self):
        kept = ((self.actor, self.best),)
        return kept + ((self.moments, self.best_moments),) if self.normalise_obs else kept

    def update_macs(self):
        passes = network.training_macs(self.actor_layout) + network.training_macs(self.critic_layout)
        return self.rows * (network.macs(self.critic_layout) + self.epochs * passes)

    def update_every(self):
        return self.rows

    def optimiser_steps(self):
        return self.epochs * (self.rows // self.batch_size)

    def count_spans(self):
        return super().count_spans() + len(self._batches) + len(self._value_chunks)

    def new_action(self):
        """A buffer for `act`: of n_envs actions, array('i') of choices where they are discrete."""
        return memory.zeros("i", self.n_envs) if self.discrete else memory.zeros("f", self.n_envs * self.act_size)

    # --- the loop of a robot ----------------------------------------------------------------------------------------

    @property
    def refused(self):
        """Observations and transitions refused because a value was not finite or no episode was open."""
        return self.cursor[_REFUSED]

    def ready(self):
        """Whether the rollout is complete."""
        return self.cursor[_ROW] == self.rows

    def _why_not_ready(self):
        return "the rollout holds %d of %d rows" % (self.cursor[_ROW], self.rows)

    def begin(self, obs):
        """Open an episode with its first obs (n_envs, obs_size). False, and counted as refused, when obs is not finite."""
        return self._arrive(obs)

    def _arrive(self, obs):
        """obs (n_envs, obs_size) is what the next action will be for."""
        k, size = self._kernels, self.n_envs * self.obs_size
        finite = k.all_finite(obs, 0, size)
        self.cursor[_OPEN] = finite
        if not finite:
            self.cursor[_REFUSED] += 1
            return False
        k.copy(obs, 0, self.last_obs, 0, size)
        if self.normalise_obs:
            k.moments_update(obs, self.moments, self.obs_size, self.n_envs)
        return True

    def in_episode(self, obs):
        """Whether an episode is open whose last observation is obs."""
        if not self.cursor[_OPEN]:
            return False
        for i in range(self.n_envs * self.obs_size):
            if self.last_obs[i] != obs[i]:
                return False
        return True

    def _draw_noise(self):
        """What `act` adds in the coming rollout, at once: a call a step would cost more than the numbers."""
        if not self.discrete:
            self._kernels.normal(self.rng_act, self.noise, self.rows * self.act_size)

    def _normalised(self, obs, rows):
        """obs (rows, obs_size), rows at most n_envs, as the networks want it."""
        if not self.normalise_obs:
            return obs
        self._kernels.moments_apply(obs, self.moments, self.act_obs, self.obs_size, 0, rows)
        return self.act_obs

    def act(self, obs, action):
        """Write random actions of the policy (n_envs, act_size), in the environment's units, or choices (n_envs), for obs (n_envs, obs_size)."""
        k, row, n = self._kernels, self.cursor[_ROW], self.n_envs
        if row == self.rows:  # an update is due, or running: this step will not be learned from
            self._predict(obs, action, n)
            return
        k.copy(obs, 0, self.obs, row * self.obs_size, n * self.obs_size)
        if self.normalise_obs:
            k.moments_apply(self.obs, self.moments, self.obs, self.obs_size, row, n)
        k.forward(self.actor_layout, self.actor, self.obs, self.head, self.act_cache, row, n)
        if self.discrete:
            k.categorical_sample(self.head, self.rng_act, self.choice, self.n_outputs, row, n)
            for i in range(n):
                action[i] = self.choice[row + i]
        else:
            k.policy_action(self.head, self.noise, self.log_std, self.scaling, self.raw, action, self.act_size, row, n)

    def predict(self, obs, action):
        """Write the deterministic action (act_size), in the environment's units, or the choice (1), for one obs (obs_size)."""
        self._predict(obs, action, 1)

    def _predict(self, obs, action, rows):
        k = self._kernels
        k.forward(self.actor_layout, self.actor, self._normalised(obs, rows), self.act_head, self.act_cache, 0, rows)
        if self.discrete:
            k.argmax(self.act_head, action, self.n_outputs, 0, rows)
        elif rows == 1:
            k.deterministic_action(self.act_head, None, self.zero, self.scaling, action, self.act_size)
        else:
            # Without noise: the deviation of zeros is zero.
            k.policy_action(
                self.act_head, self.no_noise, self.log_std, self.scaling, self.act_raw, action, self.act_size, 0, rows
            )

    def observe(self, action, reward, next_obs, terminated, truncated):
        """Store what followed the last action of one environment: reward (1), next_obs (obs_size).

        False when nothing was stored: a value is not finite or no episode is open (then counted as refused; the episode goes on from
        next_obs), or an update is due. After a terminated or truncated one, `begin` opens the next episode.
        """
        self.flag[0] = _TERMINATED if terminated else _TRUNCATED if truncated else 0
        stored = self.observe_all(reward, next_obs, self.flag, next_obs)
        if self.flag[0]:
            self.cursor[_OPEN] = 0
        return stored

    def observe_all(self, reward, next_obs, ended, final_obs):
        """As observe, for n_envs environments that begin anew by themselves: reward (n_envs), next_obs (n_envs, obs_size), ended (n_envs) with
        0, 1 where one terminated or 2 where it was truncated, and final_obs (n_envs, obs_size) with the last observations of those."""
        k, cursor, n = self._kernels, self.cursor, self.n_envs
        row = cursor[_ROW]
        can_count(self.counters)
        self.counters[0] += n
        if row == self.rows:
            self._arrive(next_obs)
            return False
        found = cursor[_OPEN] and k.rollout_observe(
            reward, next_obs, ended, final_obs, self.last_obs, self.reward, self.ended, n, self.obs_size, row
        )
        if not found:
            cursor[_REFUSED] += 1
            self._break_off(row)
            self._arrive(next_obs)
            return False
        if found & _WAS_TRUNCATED:
            self._value_of(final_obs)
            k.copy(self.act_value, 0, self.final_value, row, n)
        row += n
        cursor[_ROW] = row
        if not found & _GOES_ON:
            cursor[_OPEN] = 0
            cursor[_REFUSED] += 1
            self._break_off(row)
        elif self.normalise_obs:
            k.moments_update(next_obs, self.moments, self.obs_size, n)
        if row == self.rows:
            k.copy(self.last_obs, 0, self.obs, row * self.obs_size, n * self.obs_size)
            if self.normalise_obs:
                k.moments_apply(self.obs, self.moments, self.obs, self.obs_size, row, n)
        return True

    def _value_of(self, obs):
        """Write the values of obs (n_envs, obs_size) to act_value."""
        k = self._kernels
        obs = self._normalised(obs, self.n_envs)
        k.forward(self.critic_layout, self.critic, obs, self.act_value, self.act_cache, 0, self.n_envs)

    def _break_off(self, row):
        """The transitions before row have no successor: they count as truncated."""
        if row:
            self._value_of(self.last_obs)
            for i in range(self.n_envs):
                before = row - self.n_envs + i
                if not self.ended[before]:
                    self.ended[before] = _TRUNCATED
                    self._kernels.copy(self.act_value, i, self.final_value, before, 1)

    # --- learning ---------------------------------------------------------------------------------------------------

    def _pieces(self):
        """One update after another; yields True when one is complete, False between its pieces."""
        # Locals: looking a name up costs more than the smallest kernels do.
        k = self._kernels
        forward, backward, adam_advance, adam = k.forward, k.backward, k.adam_advance, k.adam
        gather, delta = k.gather_rows, k.ppo_categorical_delta if self.discrete else k.ppo_gaussian_delta
        actor_layout, critic_layout, actor, critic = self.actor_layout, self.critic_layout, self.actor, self.critic
        obs, head, log_prob, advantage, target = self.obs, self.head, self.log_prob, self.advantage, self.target
        indices, value, cache, zero = self.indices, self.value, self.cache, self.zero
        b_obs, b_head, b_value, b_log_prob = self.batch_obs, self.batch_head, self.batch_value, self.batch_log_prob
        b_advantage, b_target, d_head, d_value = self.batch_advantage, self.batch_target, self.d_head, self.d_value
        actor_grad, critic_grad, log_std_grad = self.actor_grad, self.critic_grad, self.log_std_grad
        clip, entropy, stats, value_loss = self.clip_range, self.entropy, self.policy_stats, self.value_loss
        obs_size, act_size, n_outputs, batch, total = (
            self.obs_size,
            self.act_size,
            self.n_outputs,
            self.batch_size,
            self.rows,
        )
        chunks, batches = self._chunks, self._batches
        grads = (actor_grad, critic_grad) if self.discrete else (actor_grad, critic_grad, log_std_grad)
        self._clear_gradients()
        while True:
            # Advantages, with the values of the rollout's observations and of those after its end.
            for row, rows in self._value_chunks:
                forward(critic_layout, critic, obs, value, cache, row, rows)
                yield False
            if self.discrete:
                k.categorical_log_prob(head, self.choice, log_prob, n_outputs, 0, total)
            else:
                k.gaussian_log_prob(head, self.raw, self.log_std, log_prob, act_size, 0, total)
            k.gae(
                self.reward,
                self.ended,
                value,
                self.final_value,
                self.gae_coeffs,
                advantage,
                target,
                self.n_envs,
                self.rollout_steps,
            )
            if self.anneal_steps:
                done = min(self.counters[0], self.anneal_steps)  # kernels take no integers beyond 2^24
                k.linear_schedule(self.rates, self.actor_hyper, 0, done, self.anneal_steps)
                k.linear_schedule(self.critic_rates, self.critic_hyper, 0, done, self.anneal_steps)
            yield False

            for _ in range(self.epochs):
                k.permutation(self.rng_update, indices, total)
                k.fill(self.kl, zero, 1, 1)
                yield False
                for start, _ in batches:
                    gather(obs, indices, b_obs, total, obs_size, start, batch)
                    gather(log_prob, indices, b_log_prob, total, 1, start, batch)
                    gather(advantage, indices, b_advantage, total, 1, start, batch)
                    gather(target, indices, b_target, total, 1, start, batch)
                    if self.discrete:
                        k.gather_ints(self.choice, indices, self.batch_choice, total, start, batch)
                    else:
                        gather(self.raw, indices, self.batch_raw, total, act_size, start, batch)
                    if self.clips_value:
                        gather(value, indices, self.batch_old_value, total, 1, start, batch)
                    if self.normalise_advantage:
                        k.standardise(b_advantage, batch)
                    yield False

                    for row, rows in chunks:
                        forward(actor_layout, actor, b_obs, b_head, cache, row, rows)
                        if self.discrete:
                            delta(
                                b_head,
                                self.batch_choice,
                                b_log_prob,
                                b_advantage,
                                clip,
                                entropy,
                                d_head,
                                stats,
                                n_outputs,
                                row,
                                rows,
                                batch,
                            )
                        else:
                            delta(
                                b_head,
                                self.batch_raw,
                                self.log_std,
                                b_log_prob,
                                b_advantage,
                                clip,
                                entropy,
                                d_head,
                                log_std_grad,
                                stats,
                                act_size,
                                row,
                                rows,
                                batch,
                            )
                        yield False
                        backward(actor_layout, actor, b_obs, b_head, cache, d_head, actor_grad, None, row, rows)
                        yield False
                        forward(critic_layout, critic, b_obs, b_value, cache, row, rows)
                        k.value_delta(
                            b_value,
                            b_target,
                            self.batch_old_value if self.clips_value else None,
                            self.value_clip,
                            d_value,
                            value_loss,
                            row,
                            rows,
                            batch,
                        )
                        yield False
                        backward(critic_layout, critic, b_obs, b_value, cache, d_value, critic_grad, None, row, rows)
                        yield False

                    if self.clips_grad:
                        k.fill(self.norm, zero, 0, 1)
                        for grad in grads:
                            k.add_squares(grad, self.norm, 0, len(grad))
                        k.norm_scale(self.norm, self.max_norm, self.norm_factor)
                        for grad in grads:
                            k.scale(grad, self.norm_factor, 0, len(grad))
                    adam_advance(self.actor_hyper, self.actor_adam)
                    adam_advance(self.critic_hyper, self.critic_adam)
                    if not self.discrete:
                        adam(
                            self.log_std,
                            log_std_grad,
                            self.log_std_m,
                            self.log_std_v,
                            self.actor_hyper,
                            self.actor_adam,
                            0,
                            act_size,
                        )
                    for at, count in self._actor_spans:
                        adam(
                            actor, actor_grad, self.actor_m, self.actor_v, self.actor_hyper, self.actor_adam, at, count
                        )
                        yield False
                    for at, count in self._critic_spans:
                        adam(
                            critic,
                            critic_grad,
                            self.critic_m,
                            self.critic_v,
                            self.critic_hyper,
                            self.critic_adam,
                            at,
                            count,
                        )
                        yield False
                    k.copy(stats, 1, self.batch_kl, 0, 1)
                    k.accumulate(self.kl, 1, self.batch_kl)
                if self.limits_kl:
                    k.copy(self.max_kl, 0, self.kl, 0, 1)
                    k.argmax(self.kl, self.exceeded, 2, 0, 1)
                    if self.exceeded[0]:
                        break
            self._draw_noise()
            self.cursor[_ROW] = 0
            yield True
