"""The kernels in plain Python: what always works, some hundred times slower than C.

native_modules/kernels/ says what each function does and what its buffers must be; native_modules/README.md says in
which order. Sums are kept in Python's floats and rounded when they are stored, so results agree with C to float32
tolerance; random words, indices and the replay's state are equal. Python's floats come from the heap on most boards.
"""

from ... import lazy

ABI = 4
RECORD = 4

# Where the kernels are: an algorithm brings those that it uses into the heap.
HOMES = {
    "accumulate": "buffers",
    "acrobot_observe": "acrobot",
    "acrobot_reset": "acrobot",
    "acrobot_step": "acrobot",
    "acrobot_swing_up_step": "acrobot",
    "adam": "optimizer",
    "adam_advance": "optimizer",
    "adam_delta": "optimizer",
    "add_squares": "optimizer",
    "all_finite": "buffers",
    "apply_delta": "optimizer",
    "argmax": "buffers",
    "backward": "networks",
    "cartpole_reset": "environments",
    "cartpole_step": "environments",
    "categorical_log_prob": "on_policy",
    "categorical_sample": "on_policy",
    "choice_delta": "choices",
    "coloured_normal": "threefry",
    "copy": "buffers",
    "copy_columns": "buffers",
    "crc32": "buffers",
    "cross_entropy_delta": "supervised",
    "deterministic_action": "acting",
    "dqn_target": "choices",
    "epsilon_greedy": "choices",
    "fill": "buffers",
    "forward": "networks",
    "gae": "on_policy",
    "gather_ints": "buffers",
    "gather_rows": "buffers",
    "gaussian_action": "acting",
    "gaussian_head": "actor_critic",
    "gaussian_head_backward": "actor_critic",
    "gaussian_log_prob": "on_policy",
    "gru_cell": "recurrent",
    "gru_cell_backward": "recurrent",
    "huber_delta": "supervised",
    "init_params": "networks",
    "linear_schedule": "optimizer",
    "log_temperature": "actor_critic",
    "mountain_car_reset": "mountain_car",
    "mountain_car_step": "mountain_car",
    "moments_apply": "statistics",
    "moments_restore": "statistics",
    "moments_update": "statistics",
    "mse_delta": "actor_critic",
    "norm_scale": "optimizer",
    "normal": "threefry",
    "obgd_norm": "streaming",
    "obgd_scale": "streaming",
    "obgd_step": "streaming",
    "pendulum_observe": "environments",
    "pendulum_reset": "environments",
    "pendulum_step": "environments",
    "permutation": "buffers",
    "policy_action": "on_policy",
    "policy_delta": "actor_critic",
    "polyak": "optimizer",
    "ppo_categorical_delta": "on_policy",
    "ppo_gaussian_delta": "on_policy",
    "quadrotor_reset": "quadrotor",
    "quadrotor_step": "quadrotor",
    "q_error": "streaming",
    "replay_begin": "replay",
    "replay_gather": "replay",
    "replay_gather_sequences": "recurrent",
    "replay_observe": "replay",
    "replay_sample": "replay",
    "rollout_observe": "on_policy",
    "scale": "optimizer",
    "scale_reward": "streaming",
    "sgd_delta": "optimizer",
    "smoothed_action": "actor_critic",
    "softplus_action": "streaming",
    "softplus_delta": "streaming",
    "sparse_init": "streaming",
    "standardise": "statistics",
    "taken_action": "streaming",
    "td_error": "streaming",
    "td_target": "actor_critic",
    "telemetry_line": "telemetry",
    "temperature": "actor_critic",
    "temperature_grad": "actor_critic",
    "uniform": "threefry",
    "uniform_action": "acting",
    "value_delta": "on_policy",
    "weigh_rows": "recurrent",
}
__getattr__ = lazy.loader(__name__, HOMES)


def variants():
    return ("python",)


def variant():
    return "python"


def select(name):
    if name != "python":
        raise ValueError("select: name is %r, must be 'python'" % (name,))


def fused():
    return False
