"""What the learning benchmark trains, and what it must reach."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass, field


def all_but_a_tenth(scores):
    """What all seeds reach but a tenth of them."""
    return sorted(scores)[len(scores) // 10]


def all_but_a_fifth(scores):
    """What all seeds reach but a fifth of them."""
    return sorted(scores)[len(scores) // 5]


@dataclass(frozen=True)
class Task:
    """An algorithm on an environment; bars are (name, statistic of the seeds' scores, what it must reach).

    Scores on Pendulum are means over the committed starts, elsewhere over 100 episodes. n_envs: so many are stepped together. With
    evaluate_every the best policy of the evaluations is scored, without the last one.
    """

    algo: str
    env: str
    steps: int
    bars: tuple[tuple[str, Callable, float], ...]
    options: dict = field(default_factory=dict)
    n_envs: int | None = None
    evaluate_every: int | None = None


def _median_and_worst(median, worst):
    return (("median", statistics.median, median), ("worst", min, worst))


_BALANCED = (("9 of 10", all_but_a_tenth, 475.0),)

# SAC and TD3 with picorl's defaults (hidden 64 x 64, batch 100). PPO on Pendulum in RLtools' setting.
TASKS = {
    "sac": Task("SAC", "Pendulum", 10_000, _median_and_worst(-160.0, -200.0)),
    # What kernels on ulab can do in a minute.
    "sac-small": Task(
        "SAC",
        "Pendulum",
        10_000,
        (("median", statistics.median, -200.0), ("9 of 10", all_but_a_tenth, -220.0)),
        {"hidden": (32, 32), "batch_size": 32},
    ),
    "td3": Task("TD3", "Pendulum", 10_000, _median_and_worst(-165.0, -230.0)),
    "ppo": Task(
        "PPO",
        "Pendulum",
        307_200,
        _median_and_worst(-180.0, -360.0),
        {
            "rollout_steps": 1024,
            "batch_size": 256,
            "epochs": 2,
            "gamma": 0.9,
            "sigma": 2.0,
            "learning_rate": 1e-3,
            "keep_best": False,
        },
        n_envs=4,
    ),
    "ppo-cartpole": Task(
        "PPO",
        "CartPole",
        150_000,
        _BALANCED,
        {
            "rollout_steps": 128,
            "batch_size": 128,
            "epochs": 4,
            "learning_rate": 1e-3,
            "anneal_steps": 150_000,
            "entropy": 0.01,
            "activation": "tanh",
        },
        n_envs=4,
        evaluate_every=15_000,
    ),
    "dqn-cartpole": Task("DQN", "CartPole", 100_000, _BALANCED, evaluate_every=2_500),
    # White noise finds the top of the hill in none of ten seeds, so they learn to save energy by standing still.
    "sac-mountaincar": Task(
        "SAC",
        "MountainCar",
        30_000,
        (("8 of 10", all_but_a_fifth, 90.0),),
        {"noise_correlation": 0.95, "replay_capacity": 30_000},
        evaluate_every=2_000,
    ),
    # One observation does not tell the velocity: an agent with a memory, and one without.
    "recurrent-sac": Task("RecurrentSAC", "PendulumWithoutVelocity", 20_000, (("median", statistics.median, -300.0),)),
    "sac-without-velocity": Task("SAC", "PendulumWithoutVelocity", 20_000, (("median", statistics.median, None),)),
    # With the hyper-parameters of the paper; the final policy is scored.
    "stream-ac": Task(
        "StreamAC",
        "Pendulum",
        300_000,
        (("median", statistics.median, -250.0), ("8 of 10", all_but_a_fifth, -400.0)),
        {"keep_best": False},
    ),
    "stream-q-cartpole": Task(
        "StreamQ", "CartPole", 300_000, (("median", statistics.median, 400.0),), {"keep_best": False}
    ),
}
