"""picorl: deep reinforcement learning that trains on a microcontroller, the same source on the desktop."""

import gc

__version__ = "0.1.0"

# Modules read from files leave garbage. On a small heap it would be collected when all is full, and by then what was imported
# would lie all over the heap, with no large piece free between.
try:
    _threshold = gc.threshold()
    gc.threshold(16384)
except AttributeError:  # CPython
    _threshold = None

from . import kernels
from .diagnosis import selftest
from .dqn import DQN
from .planning import plan
from .policy import Policy
from .ppo import PPO
from .sac import SAC
from .supervised import Batches, Classifier, Regressor
from .td3 import TD3
from .telemetry import Telemetry, report
from .training import evaluate, train

if _threshold is not None:
    gc.threshold(_threshold)
