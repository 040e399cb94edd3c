"""Deep Q-learning (Mnih et al. 2015, "Human-level control through deep reinforcement learning"), double (van Hasselt et al. 2016)."""

from . import float32, kernels, memory, network
from .agent import LARGEST, choices_of, real, whole
from .memory import HYPER, POLICY, STATE, WORK
from .off_policy import OffPolicy

_NO_CHOICE = float("nan")  # a replay refuses it


class DQN(OffPolicy):
    """DQN for discrete actions, with a replay, a target network and the Huber loss.

    env (or anything with its obs and n_actions) gives the sizes; all memory is taken here. The network is called actor in checkpoints,
    because a Policy acts by it.

    hidden             units of the hidden layers
    batch_size         transitions an update learns from
    replay_capacity    rows of the replay: one a transition, and one more where an episode was cut off
    warmup_steps       steps with uniform random choices before learning starts
    learn_every        an update is due every so many steps
    gamma              discount
    tau, target_every  part of the network that the target takes over, and after how many updates each time
    double             the network chooses the next action and the target values it, or the target does both
    learning_rate      of Adam
    huber              errors count linearly beyond this
    max_grad_norm      the gradient is scaled down to this norm (None: not clipped)
    epsilon_start, epsilon_end, exploration_steps   probability of a random choice: falls linearly over so many steps
    activation, norm   of the hidden layers, as of SAC
    chunk              rows of a batch that one piece of `work` handles (None: all); changes not one bit of the result
    keep_best          keep a copy of the network with the best evaluation
    seed               0 to 2³²-1; same seed, same steps, same bits
    take               called as take(agent, declared) to make the buffers; `plan` brings its own
    """

    PARAMS = ("actor", "target_actor")
    GRADS = ("grad",)
    HEAD = "categorical"

    def __init__(
        self,
        env,
        hidden=(64, 64),
        batch_size=64,
        replay_capacity=10_000,
        warmup_steps=1000,
        learn_every=2,
        gamma=0.99,
        tau=0.01,
        target_every=1,
        double=True,
        learning_rate=1e-3,
        huber=1.0,
        max_grad_norm=10.0,
        epsilon_start=1.0,
        epsilon_end=0.05,
        exploration_steps=10_000,
        activation="relu",
        norm=None,
        chunk=None,
        keep_best=True,
        seed=0,
        take=memory.take,
    ):
        kernels.need("dqn_target", "DQN")
        self.n_actions = choices_of(env, "DQN")
        self.act_size = 1
        self._size(env, hidden, batch_size, replay_capacity, warmup_steps, gamma, tau, learning_rate, chunk, seed)
        self.learn_every = whole("learn_every", learn_every, 1)
        self.target_every = whole("target_every", target_every, 1)
        self.exploration_steps = whole("exploration_steps", exploration_steps, 1, LARGEST)
        self.double = bool(double)
        real("epsilon_start", epsilon_start, 0, 1)
        real("epsilon_end", epsilon_end, 0, 1)
        real("huber", huber, 1e-6, 1e30)
        if max_grad_norm is not None:
            real("max_grad_norm", max_grad_norm, 1e-6, 1e6)
        self.clips_grad = max_grad_norm is not None
        self.actor_layout = network.mlp((self.obs_size,) + self.hidden + (self.n_actions,), activation, norm=norm)
        self.critic_layout = self.actor_layout
        self.keep_best = keep_best
        self._chunks = memory.spans(self.batch_size, self.chunk)
        self._spans = self._param_spans(self.actor_layout)
        self._take(take, seed)
        # Stored actions are in [-1, 1], as all that a replay holds.
        self.scaling[0] = self.scaling[1] = (self.n_actions - 1) / 2
        float32.store(self.coeffs, 0, gamma)
        float32.store(self.tau, 0, tau)
        float32.store(self.huber, 0, huber)
        float32.store(self.max_norm, 0, max_grad_norm if self.clips_grad else 0)
        float32.store(self.epsilon_ends, 0, epsilon_start)
        float32.store(self.epsilon_ends, 1, epsilon_end)
        self.epsilon[0] = 1
        self._start_adam(((self.hyper, learning_rate),), (self.adam,))
        self._kernels.init_params(self.actor_layout, self.actor, self.rng_init)
        self._policy_loaded()

    def declare(self):
        """Every buffer as (name, typecode, length, kind); the order of the first two kinds is that of a checkpoint."""
        actor, batch, n = network.n_params(self.actor_layout), self.batch_size, self.n_actions
        hidden = network.n_hidden(self.actor_layout)
        declared = [
            ("actor", "f", actor, POLICY),
            ("best_return", "f", 1, STATE),
            ("target_actor", "f", actor, STATE),
            ("actor_m", "f", actor, STATE),
            ("actor_v", "f", actor, STATE),
            ("adam", "f", 4, STATE),
            ("hyper", "f", 4, HYPER),
            ("scaling", "f", 2, HYPER),
            ("coeffs", "f", 1, HYPER),
            ("tau", "f", 1, HYPER),
            ("huber", "f", 1, HYPER),
            ("max_norm", "f", 1, HYPER),
            ("epsilon_ends", "f", 2, HYPER),
            ("rng_init", "I", 4, STATE),
            ("rng_act", "I", 4, STATE),
            ("rng_update", "I", 4, STATE),
            ("counters", "i", 2, STATE),
            ("grad", "f", actor, WORK),
            ("q", "f", batch * n, WORK),
            ("next_q", "f", batch * n, WORK),
            ("d_q", "f", batch * n, WORK),
            ("target", "f", batch, WORK),
            ("cache", "f", self.chunk * hidden, WORK),
            ("loss", "f", 1, WORK),
            ("norm", "f", 1, WORK),
            ("norm_factor", "f", 1, WORK),
            ("zero", "f", 1, WORK),
            # Acting happens between the pieces of an update, so it has buffers of its own.
            ("epsilon", "f", 1, WORK),
            ("act_cache", "f", hidden, WORK),
            ("act_head", "f", n, WORK),
            ("act_float", "f", 1, WORK),
        ]
        if self.keep_best:
            declared.append(("best", "f", actor, STATE))
        return declared + self._declare_replay()

    def facts(self):
        return super().facts() + (
            ("learn_every", self.learn_every),
            ("target_every", self.target_every),
            ("double", self.double),
            ("exploration_steps", self.exploration_steps),
            ("clips_grad", self.clips_grad),
        )

    def learned(self):
        return (self.actor_layout,)

    def update_macs(self):
        forward = network.macs(self.actor_layout)
        return self.batch_size * ((2 if self.double else 1) * forward + network.training_macs(self.actor_layout))

    def update_every(self):
        return self.learn_every

    def count_spans(self):
        return len(self._chunks) + len(self._spans)

    def _policy_loaded(self):
        self._kernels.copy(self.actor, 0, self.target_actor, 0, len(self.actor))

    def act(self, obs, action):
        """Write an exploring choice (1, 'i') for obs (obs_size)."""
        k, done = self._kernels, self.counters[0] - self.warmup_steps
        if done > self.exploration_steps:  # kernels take no integers beyond 2^24, and a robot's life is long
            done = self.exploration_steps
        if done >= 0:
            k.linear_schedule(self.epsilon_ends, self.epsilon, 0, done, self.exploration_steps)
        else:
            self.epsilon[0] = 1
        k.forward(self.actor_layout, self.actor, obs, self.act_head, self.act_cache, 0, 1)
        k.epsilon_greedy(self.act_head, self.epsilon, self.rng_act, action, self.n_actions, 0, 1)

    def predict(self, obs, action):
        """Write the best choice (1, 'i') for obs (obs_size)."""
        k = self._kernels
        k.forward(self.actor_layout, self.actor, obs, self.act_head, self.act_cache, 0, 1)
        k.argmax(self.act_head, action, self.n_actions, 0, 1)

    def observe(self, action, reward, next_obs, terminated, truncated):
        """As OffPolicy's, with action (1, 'i') a choice; one that there is not is refused."""
        self.act_float[0] = action[0] if 0 <= action[0] < self.n_actions else _NO_CHOICE
        # Not by super(), which allocates.
        return OffPolicy.observe(self, self.act_float, reward, next_obs, terminated, truncated)

    def ready(self):
        """Whether an update is due: experience is enough, and learn_every steps have passed."""
        return self.counters[0] % self.learn_every == 0 and OffPolicy.ready(self)

    def _pieces(self):
        """One update after another; yields True when one is complete, False between its pieces."""
        k = self._kernels
        layout, actor, target_actor, grad, cache = (
            self.actor_layout,
            self.actor,
            self.target_actor,
            self.grad,
            self.cache,
        )
        obs, next_obs, q, next_q, d_q, target = self.obs, self.next_obs, self.q, self.next_q, self.d_q, self.target
        n, batch, width = self.n_actions, self.batch_size, self.obs_size + 1
        self._clear_gradients()
        while True:
            self._draw()
            yield False
            for row, rows in self._chunks:
                k.forward(layout, target_actor, next_obs, next_q, cache, row, rows)
                if self.double:
                    yield False
                    k.forward(layout, actor, next_obs, q, cache, row, rows)
                chooser = q if self.double else next_q
                k.dqn_target(self.reward, self.not_terminated, chooser, next_q, self.coeffs, target, n, row, rows)
                yield False
            for row, rows in self._chunks:
                k.forward(layout, actor, obs, q, cache, row, rows)
                k.choice_delta(
                    q,
                    self.obs_action,
                    self.scaling,
                    target,
                    self.huber,
                    d_q,
                    self.loss,
                    n,
                    width,
                    self.obs_size,
                    row,
                    rows,
                    batch,
                )
                yield False
                k.backward(layout, actor, obs, q, cache, d_q, grad, None, row, rows)
                yield False
            if self.clips_grad:
                k.fill(self.norm, self.zero, 0, 1)
                k.add_squares(grad, self.norm, 0, len(grad))
                k.norm_scale(self.norm, self.max_norm, self.norm_factor)
                k.scale(grad, self.norm_factor, 0, len(grad))
                yield False
            k.adam_advance(self.hyper, self.adam)
            for start, count in self._spans:
                k.adam_delta(grad, self.actor_m, self.actor_v, self.hyper, self.adam, start, count)
                yield False
            k.apply_delta(actor, grad, 0, len(actor))
            if (self.counters[1] + 1) % self.target_every == 0:
                k.polyak(target_actor, actor, self.tau, 0, len(actor))
            yield True
