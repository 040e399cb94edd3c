"""Stream AC(λ) (Elsayed, Vasan & Mahmood 2024, "Streaming Deep Reinforcement Learning Finally Works"), continuous actions."""

from . import float32, memory, network
from .agent import bounds_of, real
from .memory import HYPER, POLICY, STATE, WORK
from .streaming import _STARTS, _TERMINATED, _WAITING, Streaming


class StreamAC(Streaming):
    """Actor-critic with eligibility traces that learns from each transition once, when it happens: for the smallest boards.

    The policy is a Gaussian whose mean and deviation (softplus) depend on the observation; the environment gets its actions clipped to the
    bounds. env (or anything with its obs, action_low and action_high) gives the sizes; see Streaming for the other hyper-parameters.

    actor_kappa, critic_kappa  how far a step stays from overshooting (ObGD): larger is more careful
    entropy                    weight of the policy's entropy
    """

    PARAMS = ("actor", "critic")
    HEAD = "normal"

    def __init__(
        self,
        env,
        hidden=(64, 64),
        gamma=0.99,
        trace_decay=0.8,
        learning_rate=1.0,
        actor_kappa=3.0,
        critic_kappa=2.0,
        entropy=0.01,
        sparsity=0.9,
        chunk=None,
        keep_best=True,
        seed=0,
        take=memory.take,
    ):
        self.act_size = bounds_of(env, "StreamAC")
        self._size(env, hidden, 2 * self.act_size, gamma, trace_decay, learning_rate, sparsity, chunk, keep_best, seed)
        real("actor_kappa", actor_kappa, 1e-3, 1e6)
        real("critic_kappa", critic_kappa, 1e-3, 1e6)
        real("entropy", entropy, 0, 1e3)
        self.critic_layout = self._layout(1)
        self._actor_spans = self._param_spans(self.actor_layout)
        self._critic_spans = self._param_spans(self.critic_layout)
        self._take(take, seed)
        self._set_scaling(env)
        self._start_obgd(self.actor_hyper, learning_rate, actor_kappa, gamma, trace_decay)
        self._start_obgd(self.critic_hyper, learning_rate, critic_kappa, gamma, trace_decay)
        float32.store(self.coeffs, 0, gamma)
        float32.store(self.entropy, 0, entropy)
        float32.store(self.sparsity, 0, sparsity)
        self._kernels.sparse_init(self.actor_layout, self.actor, self.sparsity, self.rng_init)
        self._kernels.sparse_init(self.critic_layout, self.critic, self.sparsity, self.rng_init)

    def _declare_own(self):
        act_size, critic = self.act_size, network.n_params(self.critic_layout)
        return [
            ("scaling", "f", 2 * act_size, POLICY),
            ("critic", "f", critic, STATE),
            ("critic_trace", "f", critic, STATE),
            ("critic_hyper", "f", 4, HYPER),
            ("entropy", "f", 1, HYPER),
            ("raw", "f", act_size, STATE),
            ("taken", "f", act_size, STATE),
            ("value", "f", 1, WORK),
            ("next_value", "f", 1, WORK),
            ("d_value", "f", 1, WORK),
            ("act_noise", "f", act_size, WORK),
        ]

    def update_macs(self):
        critic = network.macs(self.critic_layout) + network.training_macs(self.critic_layout)
        return critic + network.training_macs(self.actor_layout)

    def learned(self):
        return (self.actor_layout, self.critic_layout)

    def count_spans(self):
        return len(self._actor_spans) + len(self._critic_spans)

    def act(self, obs, action):
        """Write a random action of the policy (act_size), in the environment's units, for obs (obs_size)."""
        k = self._kernels
        k.forward(self.actor_layout, self.actor, self._normalised(obs), self.act_head, self.act_cache, 0, 1)
        k.normal(self.rng_act, self.act_noise, self.act_size)
        k.softplus_action(self.act_head, self.act_noise, self.scaling, self.raw, action, self.act_size)

    def predict(self, obs, action):
        """Write the mean action (act_size), in the environment's units, for obs (obs_size)."""
        k = self._kernels
        k.forward(self.actor_layout, self.actor, self._normalised(obs), self.act_head, self.act_cache, 0, 1)
        k.deterministic_action(self.act_head, None, self.zero, self.scaling, action, self.act_size)

    def _take_action(self, action):
        # What act wrote was clipped; another action, say one that is safe, was meant as it is.
        self._kernels.taken_action(action, self.raw, self.scaling, self.taken, self.act_size)

    def _pieces(self):
        """One update after another; yields True when one is complete, False between its pieces."""
        # Locals: looking a name up costs more than the smallest kernels do.
        k = self._kernels
        forward, backward, obgd_norm, obgd_step = k.forward, k.backward, k.obgd_norm, k.obgd_step
        actor_layout, critic_layout, actor, critic = self.actor_layout, self.critic_layout, self.actor, self.critic
        actor_trace, critic_trace, lanes, step = self.actor_trace, self.critic_trace, self.lanes, self.step
        obs, next_obs, value, next_value, d_value = self.obs, self.next_obs, self.value, self.next_value, self.d_value
        head, d_head, cache, delta, cursor = self.head, self.d_head, self.cache, self.delta, self.cursor
        self._clear_gradients()
        while True:
            if cursor[_STARTS]:
                k.fill(actor_trace, self.zero, 0, len(actor_trace))
                k.fill(critic_trace, self.zero, 0, len(critic_trace))
            forward(critic_layout, critic, next_obs, next_value, cache, 0, 1)
            yield False
            # Gradients are added to the traces.
            forward(critic_layout, critic, obs, value, cache, 0, 1)
            k.td_error(self.reward, value, next_value, self.coeffs, delta, cursor[_TERMINATED])
            d_value[0] = 1
            yield False
            backward(critic_layout, critic, obs, value, cache, d_value, critic_trace, None, 0, 1)
            yield False
            forward(actor_layout, actor, obs, head, cache, 0, 1)
            k.softplus_delta(head, self.taken, delta, self.entropy, d_head, self.act_size)
            yield False
            backward(actor_layout, actor, obs, head, cache, d_head, actor_trace, None, 0, 1)
            yield False

            for start, count in self._critic_spans:
                obgd_norm(critic_trace, lanes, start, count)
                yield False
            k.obgd_scale(lanes, delta, self.critic_hyper, step)
            for start, count in self._critic_spans:
                obgd_step(critic, critic_trace, step, self.critic_hyper, start, count)
                yield False
            for start, count in self._actor_spans:
                obgd_norm(actor_trace, lanes, start, count)
                yield False
            k.obgd_scale(lanes, delta, self.actor_hyper, step)
            # At once, so that no action comes from half a step.
            obgd_step(actor, actor_trace, step, self.actor_hyper, 0, len(actor))
            cursor[_WAITING] = 0
            yield True
