"""picorl: deep reinforcement learning that trains on a microcontroller, the same source on the desktop."""

__version__ = "0.1.0"

from . import kernels
from .diagnosis import selftest
from .planning import plan
from .policy import Policy
from .sac import SAC
from .td3 import TD3
from .telemetry import Telemetry, report
from .training import evaluate, train
