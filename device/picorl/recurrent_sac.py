"""Soft Actor-Critic with a memory, for tasks in which one observation does not tell the state.

Haarnoja et al. 2018 on sequences out of the replay, with the architecture of Ni et al. 2022 ("Recurrent Model-Free RL Can Be a Strong
Baseline for Many POMDPs"): actor and critics each have a GRU of their own; the twin critics share one.
"""

from . import float32, gru, kernels, memory, network
from .agent import bounds_of, real
from .memory import HYPER, POLICY, STATE, WORK
from .recurrent import Recurrent

# Time steps of the GRU that a piece of an update takes, so that it stays about as short as a head's backward pass, and the multiply-adds that
# take as long as gru_cell does for a unit's step; counted on a Cortex-M7.
_STEPS = 4
_CELL = 400


class RecurrentSAC(Recurrent):
    """Soft Actor-Critic whose policy and critics remember, with automatic temperature: continuous actions.

    env (or anything with its obs, action_low and action_high) gives the sizes; all memory is taken here.

    units            of the GRUs, which see the observation and the action before it
    hidden           units of the hidden layers behind them, ReLU; critics see the action there
    length           transitions of a sequence that an update learns from
    burn_in          steps at the start of a sequence that only warm up memory (it starts at 0), unless an episode begins there
    batch_size       sequences of an update
    replay_capacity  rows of the replay: one a transition, and one more where an episode was cut off
    warmup_steps     steps with uniform random actions before learning starts
    gamma            discount
    tau              part of a critic that its target takes over in an update
    learning_rate    of Adam, for every network; critic_learning_rate, if not None, for the critics
    temperature      alpha at the start: weight of the entropy
    target_entropy   per step, in nats, that alpha is steered to (None: minus the number of actions)
    chunk            sequences of a batch that one piece of `work` handles (None: the whole batch); changes how long
                     a piece takes and how much memory activations need, not one bit of the result
    keep_best        keep a copy of the policy with the best evaluation
    seed             0 to 2³²-1; same seed, same steps, same bits
    take             called as take(agent, declared) to make the buffers; `plan` brings its own
    """

    PARAMS = ("actor", "critic", "target_critic", "log_alpha")
    GRADS = ("grad", "alpha_grad")
    HEAD = "gaussian"

    def __init__(
        self,
        env,
        units=32,
        hidden=(32,),
        length=12,
        burn_in=3,
        batch_size=32,
        replay_capacity=10_000,
        warmup_steps=100,
        gamma=0.99,
        tau=0.005,
        learning_rate=1e-3,
        critic_learning_rate=2e-3,
        temperature=0.5,
        target_entropy=None,
        chunk=None,
        keep_best=True,
        seed=0,
        take=memory.take,
    ):
        kernels.need("gru_cell", "RecurrentSAC")
        self.act_size = bounds_of(env, "RecurrentSAC")
        self._size(env, hidden, batch_size, replay_capacity, warmup_steps, gamma, tau, learning_rate, chunk, seed)
        self._size_sequences(units, length, burn_in)
        if critic_learning_rate is None:
            critic_learning_rate = learning_rate
        real("critic_learning_rate", critic_learning_rate, 0, 1)
        real("temperature", temperature, 1e-6, 1e3)
        if target_entropy is None:
            target_entropy = -self.act_size
        real("target_entropy", target_entropy, -1e6, 1e6)

        self.head_layout = network.mlp((units,) + self.hidden + (2 * self.act_size,))
        self.q_layout = network.mlp((units + self.act_size,) + self.hidden + (1,))
        self.actor_layout = gru.layout(self.inputs, units, self.head_layout)
        self.critic_layout = gru.layout(self.inputs, units, self.q_layout, self.q_layout)
        self.keep_best = keep_best
        self._chunks = memory.spans(self.batch_size, self.chunk)
        self._steps = memory.spans(self.steps_of_sequence, _STEPS)
        self._actor_spans = self._param_spans(self.actor_layout)
        self._critic_spans = self._param_spans(self.critic_layout)
        self._take(take, seed)
        self._set_scaling(env)
        float32.store(self.coeffs, 0, gamma)
        float32.store(self.coeffs, 1, temperature)
        self._kernels.log_temperature(self.coeffs, self.log_alpha)
        float32.store(self.target_entropy, 0, target_entropy)
        float32.store(self.tau, 0, tau)
        self._start_adam(
            ((self.actor_hyper, learning_rate), (self.critic_hyper, critic_learning_rate)),
            (self.actor_adam, self.critic_adam, self.alpha_adam),
        )
        self._start_acting()
        self._sequences = gru.Sequences(self._kernels, self, self.inputs, units, self.steps_of_sequence)
        self._critic_parts = self._views(self.critic)
        self._init_params()

    def _views(self, params):
        return gru.views(params, self.inputs, self.units, self.q_layout, self.q_layout)

    def declare(self):
        """Every buffer as (name, typecode, length, kind); the order of the first two kinds is that of a checkpoint."""
        act_size, units = self.act_size, self.units
        actor = network.n_params(self.actor_layout)
        critic = network.n_params(self.critic_layout)
        batch = self.batch_size * self.steps_of_sequence
        rows = self.chunk * self.steps_of_sequence
        declared = [
            ("actor", "f", actor, POLICY),
            ("scaling", "f", 2 * act_size, POLICY),
            ("best_return", "f", 1, STATE),
            ("critic", "f", critic, STATE),
            ("target_critic", "f", critic, STATE),
            ("actor_m", "f", actor, STATE),
            ("actor_v", "f", actor, STATE),
            ("critic_m", "f", critic, STATE),
            ("critic_v", "f", critic, STATE),
            ("actor_adam", "f", 4, STATE),
            ("critic_adam", "f", 4, STATE),
            ("log_alpha", "f", 1, STATE),
            ("alpha_m", "f", 1, STATE),
            ("alpha_v", "f", 1, STATE),
            ("alpha_adam", "f", 4, STATE),
            ("actor_hyper", "f", 4, HYPER),
            ("critic_hyper", "f", 4, HYPER),
            ("coeffs", "f", 2, HYPER),
            ("tau", "f", 1, HYPER),
            ("target_entropy", "f", 1, HYPER),
            ("rng_init", "I", 4, STATE),
            ("rng_act", "I", 4, STATE),
            ("rng_update", "I", 4, STATE),
            ("counters", "i", 2, STATE),
            # One gradient serves both networks: each is stepped before the other's is gathered.
            ("grad", "f", max(actor, critic), WORK),
            ("alpha_grad", "f", 1, WORK),
            ("next_noise", "f", batch * act_size, WORK),
            ("noise", "f", batch * act_size, WORK),
            ("target", "f", batch + 1, WORK),
            ("q1", "f", batch, WORK),
            ("q2", "f", batch, WORK),
            ("d_q1", "f", batch, WORK),
            ("d_q2", "f", batch, WORK),
            ("head", "f", batch * 2 * act_size, WORK),
            ("d_head", "f", batch * 2 * act_size, WORK),
            ("log_prob", "f", batch, WORK),
            ("state", "f", batch * units, WORK),
            ("state_action", "f", batch * (units + act_size), WORK),
            ("cache_actor", "f", rows * sum(self.hidden), WORK),
            ("cache1", "f", rows * sum(self.hidden), WORK),
            ("cache2", "f", rows * sum(self.hidden), WORK),
            ("d_x1", "f", rows * (units + act_size), WORK),
            ("d_x2", "f", rows * (units + act_size), WORK),
            ("critic_loss", "f", 1, WORK),
            ("actor_loss", "f", 1, WORK),
            ("zero", "f", 1, WORK),
        ]
        if self.keep_best:
            declared.append(("best", "f", actor, STATE))
        declared += gru.Sequences.declare(self.inputs, units, self.steps_of_sequence, self.chunk)
        return declared + self._declare_acting() + self._declare_replay()

    def _init_params(self):
        k = self._kernels
        actor = gru.parts(self.inputs, self.units, self.head_layout)
        critic = gru.parts(self.inputs, self.units, self.q_layout, self.q_layout)
        for layout, params in zip(actor + critic, self._actor_parts + self._critic_parts):
            k.init_params(layout, params, self.rng_init)
        k.copy(self.critic, 0, self.target_critic, 0, len(self.critic))

    # --- for plan() -------------------------------------------------------------------------------------------------

    def update_macs(self):
        """Multiply-adds of an update: forward passes, weight gradients, input gradients."""
        actor, critic, q = (network.macs(one) for one in (self.actor_layout, self.critic_layout, self.q_layout))
        # No gradient is wanted at the input, nor at the state before the first step.
        unwanted = 2 * 3 * self.units * (self.inputs * self.steps_of_sequence + self.units)
        passes = 2 * actor + 3 * critic + 2 * actor + 2 * critic + 2 * q
        return self.batch_size * (self.steps_of_sequence * passes - unwanted)

    def extra_objects(self):
        return 1500  # the GRUs' objects with views of the buffers, measured on a Cortex-M7

    def backward_macs(self):
        """As of all agents; a row of the batch is a sequence."""
        steps = min(_STEPS, self.steps_of_sequence)
        states = steps * self.units * (3 * self.units + _CELL)
        return max(states, self.steps_of_sequence * network.macs(self.q_layout) * 2)

    # --- learning ---------------------------------------------------------------------------------------------------

    def _pieces(self):
        """One update after another; yields True when one is complete, False between its pieces."""
        # Locals: looking a name up costs more than the smallest kernels do.
        k = self._kernels
        forward, backward, gaussian_head, weigh_rows = k.forward, k.backward, k.gaussian_head, k.weigh_rows
        sequences, chunks, spans, length = self._sequences, self._chunks, self._steps, self.steps_of_sequence
        take_in, run, run_back = sequences.take_in, sequences.forward, sequences.backward
        head_layout, q_layout, coeffs = self.head_layout, self.q_layout, self.coeffs
        actor, critic, target_critic = self._actor_parts, self._critic_parts, self._views(self.target_critic)
        actor_grads = gru.views(self.grad, self.inputs, self.units, head_layout)
        critic_grads = self._views(self.grad)
        x, keep, weight, state, state_action = self.x, self.keep, self.weight, self.state, self.state_action
        head, d_head, noise, next_noise, log_prob = self.head, self.d_head, self.noise, self.next_noise, self.log_prob
        q1, q2, d_q1, d_q2, d_x1, d_x2 = self.q1, self.q2, self.d_q1, self.d_q2, self.d_x1, self.d_x2
        cache_actor, cache1, cache2, grad, target = self.cache_actor, self.cache1, self.cache2, self.grad, self.target
        critic_loss, actor_loss = self.critic_loss, self.actor_loss
        # A step's target belongs to the step before it.
        target_of_next = memoryview(target)[1:]
        back = tuple(reversed(spans))
        heads = (
            (critic[2], critic_grads[2], q1, d_q1, d_x1),
            (critic[3], critic_grads[3], q2, d_q2, d_x2),
        )
        act_size, units, batch = self.act_size, self.units, self.batch_size * self.steps_of_sequence
        width = units + act_size
        self._clear_gradients()
        while True:
            self._draw()
            k.normal(self.rng_update, next_noise, batch * act_size)
            k.normal(self.rng_update, noise, batch * act_size)
            yield False

            # Critics, eq. 5 and 6, where weight is not 0.
            for row, rows in chunks:
                first, count = row * length, rows * length
                take_in(actor, x, row, rows)
                yield False
                for step, steps in spans:
                    run(actor, state, units, row, rows, step, steps)
                    yield False
                forward(head_layout, actor[2], state, head, cache1, first, count)
                gaussian_head(head, next_noise, state_action, width, units, log_prob, act_size, first, count)
                yield False
                take_in(target_critic, x, row, rows)
                yield False
                for step, steps in spans:
                    run(target_critic, state_action, width, row, rows, step, steps)
                    yield False
                forward(q_layout, target_critic[2], state_action, q1, cache1, first, count)
                forward(q_layout, target_critic[3], state_action, q2, cache1, first, count)
                k.td_target(self.reward, keep, q1, q2, log_prob, coeffs, target, first, count)
                yield False
                take_in(critic, x, row, rows)
                yield False
                for step, steps in spans:
                    run(critic, state_action, width, row, rows, step, steps)
                    yield False
                k.copy_columns(self.action, act_size, 0, first, state_action, width, units, first, act_size, count)
                for params, grads, q, d_q, d_x in heads:
                    forward(q_layout, params, state_action, q, cache1, first, count)
                    k.mse_delta(q, target_of_next, d_q, critic_loss, first, count, batch)
                    weigh_rows(weight, d_q, 1, first, count)
                    yield False
                    backward(q_layout, params, state_action, q, cache1, d_q, grads, d_x, first, count)
                    yield False
                for step, steps in back:
                    run_back(critic, d_x1, d_x2, width, row, rows, step, steps)
                    yield False
                sequences.hidden_gradient(critic, critic_grads, rows)
                yield False
                sequences.input_gradient(critic, critic_grads, rows)
                yield False
            k.adam_advance(self.critic_hyper, self.critic_adam)
            for start, count in self._critic_spans:
                k.adam(
                    self.critic, grad, self.critic_m, self.critic_v, self.critic_hyper, self.critic_adam, start, count
                )
                yield False

            # Actor, eq. 7 and 9: minimise alpha log pi(a|h) - min Q(h', a), a from the policy; h' is the critics' memory.
            for row, rows in chunks:
                first, count = row * length, rows * length
                take_in(critic, x, row, rows)
                yield False
                for step, steps in spans:
                    run(critic, state_action, width, row, rows, step, steps)
                    yield False
                take_in(actor, x, row, rows)
                yield False
                for step, steps in spans:
                    run(actor, state, units, row, rows, step, steps)
                    yield False
                forward(head_layout, actor[2], state, head, cache_actor, first, count)
                gaussian_head(head, noise, state_action, width, units, log_prob, act_size, first, count)
                yield False
                forward(q_layout, critic[2], state_action, q1, cache1, first, count)
                forward(q_layout, critic[3], state_action, q2, cache2, first, count)
                yield False
                k.policy_delta(q1, q2, d_q1, d_q2, actor_loss, first, count, batch)
                backward(q_layout, critic[2], state_action, q1, cache1, d_q1, None, d_x1, first, count)
                yield False
                backward(q_layout, critic[3], state_action, q2, cache2, d_q2, None, d_x2, first, count)
                k.gaussian_head_backward(
                    head, noise, state_action, width, units, d_x1, d_x2, coeffs, d_head, act_size, first, count, batch
                )
                weigh_rows(weight, d_head, 2 * act_size, first, count)
                weigh_rows(weight, log_prob, 1, first, count)
                yield False
                backward(head_layout, actor[2], state, head, cache_actor, d_head, actor_grads[2], d_x1, first, count)
                yield False
                for step, steps in back:
                    run_back(actor, d_x1, None, units, row, rows, step, steps)
                    yield False
                sequences.hidden_gradient(actor, actor_grads, rows)
                yield False
                sequences.input_gradient(actor, actor_grads, rows)
                yield False
            k.adam_advance(self.actor_hyper, self.actor_adam)
            for start, count in self._actor_spans:
                k.adam_delta(grad, self.actor_m, self.actor_v, self.actor_hyper, self.actor_adam, start, count)
                yield False

            for start, count in self._critic_spans:
                k.polyak(self.target_critic, self.critic, self.tau, start, count)
                yield False

            # Temperature, eq. 18; then the acting policy changes, in one call.
            k.temperature_grad(self.log_alpha, log_prob, self.target_entropy, self.alpha_grad, batch)
            k.adam_advance(self.actor_hyper, self.alpha_adam)
            k.adam(self.log_alpha, self.alpha_grad, self.alpha_m, self.alpha_v, self.actor_hyper, self.alpha_adam, 0, 1)
            k.temperature(self.log_alpha, coeffs)
            k.apply_delta(self.actor, grad, 0, len(self.actor))
            yield True
