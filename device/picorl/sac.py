"""Soft Actor-Critic (Haarnoja et al. 2018, "Soft Actor-Critic Algorithms and Applications", algorithm 1)."""

from . import float32, kernels, memory, network
from .actor_critic import ActorCritic
from .agent import bounds_of, real
from .memory import HYPER, STATE, WORK


class SAC(ActorCritic):
    """Soft Actor-Critic with twin critics and automatic temperature; see ActorCritic for the other hyper-parameters.

    temperature     alpha at the start: weight of the entropy
    target_entropy  per step, in nats, that alpha is steered to (None: minus the number of actions)
    """

    PARAMS = ("actor", "critic1", "critic2", "target1", "target2", "log_alpha")
    GRADS = ("grad", "alpha_grad")
    HEAD = "gaussian"

    def __init__(
        self,
        env,
        hidden=(64, 64),
        batch_size=100,
        replay_capacity=10_000,
        warmup_steps=100,
        gamma=0.99,
        tau=0.005,
        learning_rate=1e-3,
        critic_learning_rate=None,
        temperature=0.5,
        target_entropy=None,
        activation="relu",
        norm=None,
        noise_correlation=0.0,
        chunk=None,
        keep_best=True,
        seed=0,
        take=memory.take,
    ):
        kernels.need("gaussian_head", "SAC")
        real("temperature", temperature, 1e-6, 1e3)
        if target_entropy is None:
            target_entropy = -bounds_of(env, "SAC")
        real("target_entropy", target_entropy, -1e6, 1e6)
        super().__init__(
            env,
            hidden,
            batch_size,
            replay_capacity,
            warmup_steps,
            gamma,
            tau,
            learning_rate,
            critic_learning_rate,
            activation,
            norm,
            noise_correlation,
            chunk,
            keep_best,
            seed,
            take,
        )
        float32.store(self.target_entropy, 0, target_entropy)
        float32.store(self.coeffs, 1, temperature)
        self._kernels.log_temperature(self.coeffs, self.log_alpha)

    def _actor_layout(self, activation, norm):
        return network.mlp((self.obs_size,) + self.hidden + (2 * self.act_size,), activation, norm=norm)

    def _declare_own(self):
        return [
            ("log_alpha", "f", 1, STATE),
            ("alpha_m", "f", 1, STATE),
            ("alpha_v", "f", 1, STATE),
            ("alpha_adam", "f", 4, STATE),
            ("target_entropy", "f", 1, HYPER),
            ("alpha_grad", "f", 1, WORK),
            ("noise", "f", self.batch_size * self.act_size, WORK),
            ("log_prob", "f", self.batch_size, WORK),
            ("d_q2", "f", self.batch_size, WORK),
            ("cache2", "f", self.chunk * network.n_hidden(self.critic_layout), WORK),
            ("d_x2", "f", self.chunk * (self.obs_size + self.act_size), WORK),
        ]

    def _adam_states(self):
        return (self.actor_adam, self.critic1_adam, self.critic2_adam, self.alpha_adam)

    def update_macs(self):
        """Multiply-adds of an update: forward passes, weight gradients, input gradients."""
        actor, critic = network.macs(self.actor_layout), network.macs(self.critic_layout)
        inputs = network.inner_macs(self.actor_layout) + 2 * network.inner_macs(self.critic_layout) + 2 * critic
        return self.batch_size * (2 * actor + 6 * critic + actor + 2 * critic + inputs)

    def _explore(self, obs, action):
        k = self._kernels
        k.forward(self.actor_layout, self.actor, obs, self.act_head, self.act_cache, 0, 1)
        k.coloured_normal(self.rng_act, self.noise_correlation, self.act_noise, self.act_size)
        k.gaussian_action(self.act_head, self.act_noise, self.scaling, action, self.act_size)

    def predict(self, obs, action):
        """Write the deterministic action (act_size), in the environment's units, for obs (obs_size)."""
        k = self._kernels
        k.forward(self.actor_layout, self.actor, obs, self.act_head, self.act_cache, 0, 1)
        k.gaussian_action(self.act_head, None, self.scaling, action, self.act_size)

    def _pieces(self):
        """One update after another; yields True when one is complete, False between its pieces."""
        # Locals: looking a name up costs more than the smallest kernels do. A piece is what takes about as long as the longest
        # single call, backward with its weight gradients.
        k = self._kernels
        forward, backward, gaussian_head, polyak = k.forward, k.backward, k.gaussian_head, k.polyak
        td_target, mse_delta, policy_delta, head_backward = (
            k.td_target,
            k.mse_delta,
            k.policy_delta,
            k.gaussian_head_backward,
        )
        next_noise, reward, not_terminated = self.next_noise, self.reward, self.not_terminated
        critic_loss, actor_loss, chunks = self.critic_loss, self.actor_loss, self._chunks
        adam_advance, adam, adam_delta = k.adam_advance, k.adam, k.adam_delta
        actor_layout, critic_layout, coeffs = self.actor_layout, self.critic_layout, self.coeffs
        actor, critic1, critic2, target1, target2 = self.actor, self.critic1, self.critic2, self.target1, self.target2
        obs, next_obs, obs_action, next_obs_action = self.obs, self.next_obs, self.obs_action, self.next_obs_action
        head, d_head, noise, log_prob = self.head, self.d_head, self.noise, self.log_prob
        q1, q2, d_q1, d_q2, d_x1, d_x2 = self.q1, self.q2, self.d_q1, self.d_q2, self.d_x1, self.d_x2
        cache_actor, cache1, cache2, grad, target = self.cache_actor, self.cache1, self.cache2, self.grad, self.target
        obs_size, act_size, batch = self.obs_size, self.act_size, self.batch_size
        width = obs_size + act_size
        critics = (
            (critic1, self.critic1_m, self.critic1_v, self.critic1_adam),
            (critic2, self.critic2_m, self.critic2_v, self.critic2_adam),
        )
        self._clear_gradients()
        while True:
            self._draw()
            k.normal(self.rng_update, noise, batch * act_size)
            yield False

            # Critics, eq. 5 and 6: the target is r + gamma (min Q'(s', a') - alpha log pi(a'|s')), a' from the policy.
            for row, rows in chunks:
                forward(actor_layout, actor, next_obs, head, cache_actor, row, rows)
                gaussian_head(head, next_noise, next_obs_action, width, obs_size, log_prob, act_size, row, rows)
                yield False
                forward(critic_layout, target1, next_obs_action, q1, cache1, row, rows)
                forward(critic_layout, target2, next_obs_action, q2, cache1, row, rows)
                td_target(reward, not_terminated, q1, q2, log_prob, coeffs, target, row, rows)
                yield False
            for critic, m, v, state in critics:
                for row, rows in chunks:
                    forward(critic_layout, critic, obs_action, q1, cache1, row, rows)
                    mse_delta(q1, target, d_q1, critic_loss, row, rows, batch)
                    yield False
                    backward(critic_layout, critic, obs_action, q1, cache1, d_q1, grad, None, row, rows)
                    yield False
                adam_advance(self.critic_hyper, state)
                for start, count in self._critic_spans:
                    adam(critic, grad, m, v, self.critic_hyper, state, start, count)
                    yield False

            # Actor, eq. 7 and 9: minimise alpha log pi(a|s) - min Q(s, a), a from the policy; the actions of obs_action give way to a.
            for row, rows in chunks:
                forward(actor_layout, actor, obs, head, cache_actor, row, rows)
                gaussian_head(head, noise, obs_action, width, obs_size, log_prob, act_size, row, rows)
                forward(critic_layout, critic1, obs_action, q1, cache1, row, rows)
                yield False
                forward(critic_layout, critic2, obs_action, q2, cache2, row, rows)
                policy_delta(q1, q2, d_q1, d_q2, actor_loss, row, rows, batch)
                backward(critic_layout, critic1, obs_action, q1, cache1, d_q1, None, d_x1, row, rows)
                yield False
                backward(critic_layout, critic2, obs_action, q2, cache2, d_q2, None, d_x2, row, rows)
                head_backward(
                    head, noise, obs_action, width, obs_size, d_x1, d_x2, coeffs, d_head, act_size, row, rows, batch
                )
                yield False
                backward(actor_layout, actor, obs, head, cache_actor, d_head, grad, None, row, rows)
                yield False
            adam_advance(self.actor_hyper, self.actor_adam)
            for start, count in self._actor_spans:
                adam_delta(grad, self.actor_m, self.actor_v, self.actor_hyper, self.actor_adam, start, count)
                yield False

            # Targets.
            for start, count in self._critic_spans:
                polyak(target1, critic1, self.tau, start, count)
                polyak(target2, critic2, self.tau, start, count)
                yield False

            # Temperature, eq. 18; then the acting policy changes, in one call.
            k.temperature_grad(self.log_alpha, log_prob, self.target_entropy, self.alpha_grad, batch)
            adam_advance(self.actor_hyper, self.alpha_adam)
            adam(self.log_alpha, self.alpha_grad, self.alpha_m, self.alpha_v, self.actor_hyper, self.alpha_adam, 0, 1)
            k.temperature(self.log_alpha, coeffs)
            k.apply_delta(actor, grad, 0, len(actor))
            yield True
