"""The kernels in NumPy: the fallback on a desktop without a C compiler.

native_modules/kernels/ says what each function does and what its buffers must be. Random words, indices and the
replay's state equal those of C; other results agree to float32 tolerance, because BLAS sums in its own order.

A kernel is written as a function of NumPy views; its annotations repeat the table, and `contract.kernel` makes from
them the function that is called: it checks everything, then passes on float32 views of the buffers, and for a layout
the list of its layers.
"""

from .acrobot import acrobot_observe, acrobot_reset, acrobot_step, acrobot_swing_up_step
from .acting import deterministic_action, gaussian_action, uniform_action
from .actor_critic import (
    gaussian_head,
    gaussian_head_backward,
    log_temperature,
    mse_delta,
    policy_delta,
    smoothed_action,
    td_target,
    temperature,
    temperature_grad,
)
from .buffers import accumulate, all_finite, copy, copy_columns, crc32, fill, gather_ints, gather_rows, permutation
from .choices import choice_delta, dqn_target, epsilon_greedy
from .contract import RECORD
from .environments import cartpole_reset, cartpole_step, pendulum_observe, pendulum_reset, pendulum_step
from .mountain_car import mountain_car_reset, mountain_car_step
from .networks import backward, forward, init_params
from .on_policy import (
    argmax,
    categorical_log_prob,
    categorical_sample,
    gae,
    gaussian_log_prob,
    policy_action,
    ppo_categorical_delta,
    ppo_gaussian_delta,
    rollout_observe,
    value_delta,
)
from .optimizer import (
    adam,
    adam_advance,
    adam_delta,
    add_squares,
    apply_delta,
    linear_schedule,
    norm_scale,
    polyak,
    scale,
    sgd_delta,
)
from .quadrotor import quadrotor_reset, quadrotor_step
from .recurrent import gru_cell, gru_cell_backward, replay_gather_sequences, weigh_rows
from .replay import replay_begin, replay_gather, replay_observe, replay_sample
from .statistics import moments_apply, moments_restore, moments_update, standardise
from .streaming import (
    obgd_norm,
    obgd_scale,
    obgd_step,
    q_error,
    scale_reward,
    softplus_action,
    softplus_delta,
    sparse_init,
    taken_action,
    td_error,
)
from .supervised import cross_entropy_delta, huber_delta
from .telemetry import telemetry_line
from .threefry import coloured_normal, normal, uniform

ABI = 4


def variants():
    return ("numpy",)


def variant():
    return "numpy"


def select(name):
    if name != "numpy":
        raise ValueError(f"select: name is {name!r}, must be 'numpy'")


def fused():
    return False
