"""What TD3 and SAC share: a policy and twin critics with their targets.

An algorithm adds its hyper-parameters, the buffers of its policy, how it acts, and `_pieces`: the endless generator of its update.
"""

from . import float32, memory, network
from .agent import bounds_of, real
from .memory import HYPER, POLICY, STATE, WORK
from .off_policy import OffPolicy


class ActorCritic(OffPolicy):
    """Base of TD3 and SAC: continuous actions.

    env (or anything with its obs, action_low and action_high) gives the sizes; all memory is taken here.

    hidden           units of the hidden layers of actor and critics
    batch_size       transitions an update learns from
    replay_capacity  rows of the replay: one a transition, and one more where an episode was cut off
    warmup_steps     steps with uniform random actions before learning starts
    gamma            discount
    tau              part of a critic that its target takes over in an update
    learning_rate    of Adam, for every network; critic_learning_rate, if not None, for the critics
    activation       of the hidden layers: relu, leaky_relu, tanh, fast_tanh, sigmoid, gelu, softmax or identity
    norm             what the hidden layers' numbers pass before it: layer_norm (Ba et al. 2016), normalize (the same without
                     gains and biases) or None
    noise_correlation  of the exploration noise from one step to the next. 0: white. Near 1 an Ornstein-Uhlenbeck process, of the
                     same variance, that starts at 0: finds what only long pushes in one direction find, and shakes a
                     machine less (Eberhard et al. 2023, "Pink Noise Is All You Need")
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
        activation,
        norm,
        noise_correlation,
        chunk,
        keep_best,
        seed,
        take,
    ):
        self.act_size = bounds_of(env, type(self).__name__)
        self._size(env, hidden, batch_size, replay_capacity, warmup_steps, gamma, tau, learning_rate, chunk, seed)
        if critic_learning_rate is None:
            critic_learning_rate = learning_rate
        real("critic_learning_rate", critic_learning_rate, 0, 1)
        real("noise_correlation", noise_correlation, 0, 0.9999)  # at 1 it would stay 0

        self.actor_layout = self._actor_layout(activation, norm)
        critic = (self.obs_size + self.act_size,) + self.hidden + (1,)
        self.critic_layout = network.mlp(critic, activation, norm=norm)
        self.keep_best = keep_best
        self._chunks = memory.spans(self.batch_size, self.chunk)
        self._actor_spans = self._param_spans(self.actor_layout)
        self._critic_spans = self._param_spans(self.critic_layout)
        self._take(take, seed)
        self._set_scaling(env)
        float32.store(self.coeffs, 0, gamma)
        float32.store(self.tau, 0, tau)
        float32.store(self.noise_correlation, 0, noise_correlation)
        self._start_adam(
            ((self.actor_hyper, learning_rate), (self.critic_hyper, critic_learning_rate)), self._adam_states()
        )
        self._init_params()

    # --- memory -------------------------------------------------------------------------------------------------

    def declare(self):
        """Every buffer as (name, typecode, length, kind); the order of the first two kinds is that of a checkpoint."""
        act_size, batch, rows = self.act_size, self.batch_size, self.chunk
        width = self.obs_size + act_size
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
            ("noise_correlation", "f", 1, HYPER),
            ("rng_init", "I", 4, STATE),
            ("rng_act", "I", 4, STATE),
            ("rng_update", "I", 4, STATE),
            ("counters", "i", 2, STATE),
            # One gradient serves all networks: each is stepped before the next one's is gathered.
            ("grad", "f", max(actor, critic), WORK),
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
            ("act_noise", "f", act_size, STATE),
        ]
        if self.keep_best:
            declared.append(("best", "f", actor, STATE))
        return declared + self._declare_replay() + self._declare_own()

    def _init_params(self):
        k = self._kernels
        k.init_params(self.actor_layout, self.actor, self.rng_init)
        k.init_params(self.critic_layout, self.critic1, self.rng_init)
        k.init_params(self.critic_layout, self.critic2, self.rng_init)
        k.copy(self.critic1, 0, self.target1, 0, len(self.critic1))
        k.copy(self.critic2, 0, self.target2, 0, len(self.critic2))

    # --- the loop of a robot ----------------------------------------------------------------------------------------

    def begin(self, obs):
        """As OffPolicy's; exploration noise that is correlated starts at zero."""
        self._kernels.fill(self.act_noise, self.zero, 0, self.act_size)
        return OffPolicy.begin(self, obs)

    def act(self, obs, action):
        """Write an exploring action (act_size), in the environment's units, for obs (obs_size)."""
        if self.counters[0] < self.warmup_steps:
            self._kernels.uniform_action(self.rng_act, self.scaling, action, self.act_size)
        else:
            self._explore(obs, action)

    def _draw(self):
        """As OffPolicy, and the noise of the next actions."""
        OffPolicy._draw(self)  # not by super(), which may allocate
        self._kernels.normal(self.rng_update, self.next_noise, self.batch_size * self.act_size)

    def learned(self):
        return (self.actor_layout, self.critic_layout, self.critic_layout)
