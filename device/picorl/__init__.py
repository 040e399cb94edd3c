"""picorl: deep reinforcement learning that trains on a microcontroller, the same source on the desktop."""

from . import lazy

__version__ = "0.1.0"

_HOMES = {
    "Batches": "supervised",
    "Classifier": "supervised",
    "ControlLoop": "control",
    "DQN": "dqn",
    "PPO": "ppo",
    "Policy": "policy",
    "RecurrentSAC": "recurrent_sac",
    "Regressor": "supervised",
    "SAC": "sac",
    "StreamAC": "stream_ac",
    "StreamQ": "stream_q",
    "TD3": "td3",
    "Telemetry": "telemetry",
    "Watch": "control",
    "evaluate": "training",
    "plan": "planning",
    "report": "telemetry",
    "selftest": "diagnosis",
    "train": "training",
}
__all__ = tuple(_HOMES)
__getattr__ = lazy.loader(__name__, _HOMES)

kernels = __getattr__("kernels")  # at once: that they do not fit the library is told when picorl is imported
