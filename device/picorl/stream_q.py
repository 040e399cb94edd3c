"""Stream Q(λ) (Elsayed, Vasan & Mahmood 2024, "Streaming Deep Reinforcement Learning Finally Works"), discrete actions."""

from . import float32, memory, network
from .agent import LARGEST, choices_of, real, whole
from .memory import HYPER, STATE, WORK
from .streaming import _BROKEN, _STARTS, _TERMINATED, _WAITING, Streaming


class StreamQ(Streaming):
    """Q-learning with eligibility traces (Watkins 1989) that learns from each transition once, when it happens: for the smallest boards.

    Traces end where a choice was not the best one. env (or anything with its obs and n_actions) gives the sizes. The network is called actor in
    checkpoints, because a Policy acts by it. See Streaming for the other hyper-parameters.

    kappa  how far a step stays from overshooting (ObGD): larger is more careful
    epsilon_start, epsilon_end, exploration_steps   probability of a random choice: falls linearly over so many steps
    """

    PARAMS = ("actor",)
    HEAD = "categorical"

    def __init__(
        self,
        env,
        hidden=(64, 64),
        gamma=0.99,
        trace_decay=0.8,
        learning_rate=1.0,
        kappa=2.0,
        epsilon_start=1.0,
        epsilon_end=0.01,
        exploration_steps=60_000,
        sparsity=0.9,
        chunk=None,
        keep_best=True,
        seed=0,
        take=memory.take,
    ):
        self.n_actions = choices_of(env, "StreamQ")
        self.exploration_steps = whole("exploration_steps", exploration_steps, 1, LARGEST)
        self.act_size = 1
        self._size(env, hidden, self.n_actions, gamma, trace_decay, learning_rate, sparsity, chunk, keep_best, seed)
        real("kappa", kappa, 1e-3, 1e6)
        real("epsilon_start", epsilon_start, 0, 1)
        real("epsilon_end", epsilon_end, 0, 1)
        self.critic_layout = self.actor_layout
        self._norm_spans = self._param_spans(self.actor_layout)
        self._take(take, seed)
        self._start_obgd(self.actor_hyper, learning_rate, kappa, gamma, trace_decay)
        float32.store(self.coeffs, 0, gamma)
        float32.store(self.sparsity, 0, sparsity)
        float32.store(self.epsilon_ends, 0, epsilon_start)
        float32.store(self.epsilon_ends, 1, epsilon_end)
        self._kernels.sparse_init(self.actor_layout, self.actor, self.sparsity, self.rng_init)

    def _declare_own(self):
        n = self.n_actions
        return [
            ("choice", "i", 1, STATE),
            ("epsilon_ends", "f", 2, HYPER),
            ("epsilon", "f", 1, WORK),
            ("next_q", "f", n, WORK),
        ]

    def facts(self):
        return (("exploration_steps", self.exploration_steps),)

    def update_macs(self):
        return network.macs(self.actor_layout) + network.training_macs(self.actor_layout)

    def count_spans(self):
        return len(self._norm_spans)

    def act(self, obs, action):
        """Write an exploring choice (1, 'i') for obs (obs_size)."""
        k, done = self._kernels, self.counters[0]
        if done > self.exploration_steps:  # kernels take no integers beyond 2^24, and a robot's life is long
            done = self.exploration_steps
        k.linear_schedule(self.epsilon_ends, self.epsilon, 0, done, self.exploration_steps)
        k.forward(self.actor_layout, self.actor, self._normalised(obs), self.act_head, self.act_cache, 0, 1)
        k.epsilon_greedy(self.act_head, self.epsilon, self.rng_act, action, self.n_actions, 0, 1)

    def predict(self, obs, action):
        """Write the best choice (1, 'i') for obs (obs_size)."""
        k = self._kernels
        k.forward(self.actor_layout, self.actor, self._normalised(obs), self.act_head, self.act_cache, 0, 1)
        k.argmax(self.act_head, action, self.n_actions, 0, 1)

    def _finite_action(self, action):
        return 0 <= action[0] < self.n_actions

    def _take_action(self, action):
        self.choice[0] = action[0]

    def _pieces(self):
        """One update after another; yields True when one is complete, False between its pieces."""
        k = self._kernels
        forward, obgd_norm = k.forward, k.obgd_norm
        layout, actor, trace, cache, lanes = self.actor_layout, self.actor, self.actor_trace, self.cache, self.lanes
        obs, next_obs, q, next_q, d_q = self.obs, self.next_obs, self.head, self.next_q, self.d_head
        delta, step, hyper, cursor = self.delta, self.step, self.actor_hyper, self.cursor
        self._clear_gradients()
        while True:
            if cursor[_STARTS]:
                k.fill(trace, self.zero, 0, len(trace))
            forward(layout, actor, next_obs, next_q, cache, 0, 1)
            yield False
            forward(layout, actor, obs, q, cache, 0, 1)
            greedy = k.q_error(
                self.reward, q, next_q, self.choice, self.coeffs, d_q, delta, self.n_actions, cursor[_TERMINATED]
            )
            yield False
            # The gradient is added to the trace.
            k.backward(layout, actor, obs, q, cache, d_q, trace, None, 0, 1)
            yield False
            for start, count in self._norm_spans:
                obgd_norm(trace, lanes, start, count)
                yield False
            k.obgd_scale(lanes, delta, hyper, step)
            # At once, so that no choice comes from half a step.
            k.obgd_step(actor, trace, step, hyper, 0, len(actor))
            if not greedy:
                cursor[_BROKEN] = 1
            cursor[_WAITING] = 0
            yield True
