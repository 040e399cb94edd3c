"""Twin Delayed DDPG (Fujimoto et al. 2018, "Addressing Function Approximation Error in Actor-Critic Methods", algorithm 1)."""

from . import float32, kernels, memory, network
from .actor_critic import ActorCritic
from .agent import real, whole
from .memory import HYPER, STATE


class TD3(ActorCritic):
    """TD3; see ActorCritic for the other hyper-parameters. Noise is in units of half the action range.

    exploration_noise  standard deviation of the noise added to the policy's action when acting
    target_noise       standard deviation of the noise added to the target policy's action
    target_noise_clip  bound of that noise
    policy_delay       critic updates for one of the actor and of the targets
    """

    PARAMS = ("actor", "critic1", "critic2", "target_actor", "target1", "target2")
    GRADS = ("grad",)
    HEAD = "deterministic"

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
        exploration_noise=0.1,
        target_noise=0.2,
        target_noise_clip=0.5,
        policy_delay=2,
        activation="relu",
        norm=None,
        noise_correlation=0.0,
        chunk=None,
        keep_best=True,
        seed=0,
        take=memory.take,
    ):
        kernels.need("smoothed_action", "TD3")
        whole("policy_delay", policy_delay, 1)
        real("exploration_noise", exploration_noise, 0, 10)
        real("target_noise", target_noise, 0, 10)
        real("target_noise_clip", target_noise_clip, 0, 10)
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
        float32.store(self.sigma, 0, exploration_noise)
        float32.store(self.smoothing, 0, target_noise)
        float32.store(self.smoothing, 1, target_noise_clip)
        self.policy_delay[0] = policy_delay
        self._policy_loaded()

    def _policy_loaded(self):
        self._kernels.copy(self.actor, 0, self.target_actor, 0, len(self.actor))

    def _actor_layout(self, activation, norm):
        return network.mlp((self.obs_size,) + self.hidden + (self.act_size,), activation, network.TANH, norm)

    def _declare_own(self):
        return [
            ("target_actor", "f", network.n_params(self.actor_layout), STATE),
            ("sigma", "f", 1, HYPER),
            ("smoothing", "f", 2, HYPER),
            ("policy_delay", "i", 1, HYPER),
        ]

    def _adam_states(self):
        return (self.actor_adam, self.critic1_adam, self.critic2_adam)

    def update_macs(self):
        """Multiply-adds of an update with its share of the actor's (policy_delay 2)."""
        actor, critic = network.macs(self.actor_layout), network.macs(self.critic_layout)
        every = actor + 2 * critic + 2 * network.training_macs(self.critic_layout)
        delayed = network.training_macs(self.actor_layout) + critic + critic
        return self.batch_size * (every + delayed // 2)

    def _explore(self, obs, action):
        k = self._kernels
        k.forward(self.actor_layout, self.actor, obs, self.act_head, self.act_cache, 0, 1)
        k.coloured_normal(self.rng_act, self.noise_correlation, self.act_noise, self.act_size)
        k.deterministic_action(self.act_head, self.act_noise, self.sigma, self.scaling, action, self.act_size)

    def predict(self, obs, action):
        """Write the deterministic action (act_size), in the environment's units, for obs (obs_size)."""
        k = self._kernels
        k.forward(self.actor_layout, self.actor, obs, self.act_head, self.act_cache, 0, 1)
        k.deterministic_action(self.act_head, None, self.sigma, self.scaling, action, self.act_size)

    def _pieces(self):
        """One update after another; yields True when one is complete, False between its pieces."""
        # Locals: looking a name up costs more than the smallest kernels do. A piece is what takes about as long as the longest
        # single call, backward with its weight gradients.
        k = self._kernels
        forward, backward, polyak = k.forward, k.backward, k.polyak
        smoothed_action, td_target, mse_delta = k.smoothed_action, k.td_target, k.mse_delta
        copy_columns, policy_delta = k.copy_columns, k.policy_delta
        next_noise, smoothing, reward, not_terminated = (
            self.next_noise,
            self.smoothing,
            self.reward,
            self.not_terminated,
        )
        coeffs, critic_loss, actor_loss, chunks = self.coeffs, self.critic_loss, self.actor_loss, self._chunks
        adam_advance, adam, adam_delta = k.adam_advance, k.adam, k.adam_delta
        actor_layout, critic_layout = self.actor_layout, self.critic_layout
        actor, critic1, critic2 = self.actor, self.critic1, self.critic2
        target_actor, target1, target2 = self.target_actor, self.target1, self.target2
        obs, next_obs, obs_action, next_obs_action = self.obs, self.next_obs, self.obs_action, self.next_obs_action
        head, d_head, q1, q2, d_q1, d_x1 = self.head, self.d_head, self.q1, self.q2, self.d_q1, self.d_x1
        cache_actor, cache1, grad, target = self.cache_actor, self.cache1, self.grad, self.target
        obs_size, act_size, batch = self.obs_size, self.act_size, self.batch_size
        width = obs_size + act_size
        critics = (
            (critic1, self.critic1_m, self.critic1_v, self.critic1_adam),
            (critic2, self.critic2_m, self.critic2_v, self.critic2_adam),
        )
        self._clear_gradients()
        while True:
            self._draw()
            yield False

            # Critics: the target is r + gamma min Q'(s', a'), a' the target policy's action with clipped noise.
            for row, rows in chunks:
                forward(actor_layout, target_actor, next_obs, head, cache_actor, row, rows)
                smoothed_action(head, next_noise, smoothing, next_obs_action, width, obs_size, act_size, row, rows)
                yield False
                forward(critic_layout, target1, next_obs_action, q1, cache1, row, rows)
                forward(critic_layout, target2, next_obs_action, q2, cache1, row, rows)
                td_target(reward, not_terminated, q1, q2, None, coeffs, target, row, rows)
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
            if (self.counters[1] + 1) % self.policy_delay[0] != 0:
                yield True
                continue

            # Actor: maximise Q1(s, pi(s)); the actions of obs_action give way to pi(s).
            for row, rows in chunks:
                forward(actor_layout, actor, obs, head, cache_actor, row, rows)
                copy_columns(head, act_size, 0, row, obs_action, width, obs_size, row, act_size, rows)
                forward(critic_layout, critic1, obs_action, q1, cache1, row, rows)
                policy_delta(q1, None, d_q1, None, actor_loss, row, rows, batch)
                yield False
                backward(critic_layout, critic1, obs_action, q1, cache1, d_q1, None, d_x1, row, rows)
                copy_columns(d_x1, width, obs_size, 0, d_head, act_size, 0, row, act_size, rows)
                yield False
                backward(actor_layout, actor, obs, head, cache_actor, d_head, grad, None, row, rows)
                yield False
            adam_advance(self.actor_hyper, self.actor_adam)
            for start, count in self._actor_spans:
                adam_delta(grad, self.actor_m, self.actor_v, self.actor_hyper, self.actor_adam, start, count)
                yield False

            # Targets of the critics; then the acting policy changes, in one call, and its target follows.
            for start, count in self._critic_spans:
                polyak(target1, critic1, self.tau, start, count)
                polyak(target2, critic2, self.tau, start, count)
                yield False
            k.apply_delta(actor, grad, 0, len(actor))
            polyak(target_actor, actor, self.tau, 0, len(actor))
            yield True
