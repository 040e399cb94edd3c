"""picorl where the optional modules of its interpreter are missing: everything imports, and plain Python kernels train."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROGRAM = """
import os, sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name in GONE:
            raise ImportError("no module named " + name)

GONE = {gone!r}
for name in GONE:
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Missing())
if hasattr(os, "rename"):
    del os.rename
import picorl, picorl.envs, picorl.wrappers
for package in (picorl, picorl.envs, picorl.wrappers):
    for name in package.__all__:
        getattr(package, name)
env = picorl.envs.Pendulum(seed=0)
agent = picorl.{algorithm}(env, hidden=(4,), seed=0, **{options!r})
for record in picorl.train(agent, env, 40, evaluate_every=40, evaluate_episodes=0):
    pass
print(picorl.kernels.name, agent.updates)
"""
OPTIONAL = ("micropython", "time", "ulab", "machine", "_picorl", "picorl_numpy", "numpy")
TRAININGS = {
    "SAC": {"batch_size": 4, "replay_capacity": 50, "warmup_steps": 5},
    "PPO": {"rollout_steps": 20, "batch_size": 10, "epochs": 1},
    "StreamAC": {},
}


@pytest.mark.parametrize("algorithm", TRAININGS)
def test_everything_imports_and_trains_without_optional_modules(algorithm):
    program = PROGRAM.format(gone=OPTIONAL, algorithm=algorithm, options=TRAININGS[algorithm])
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "device")}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    name, updates = done.stdout.split()
    assert name == "python" and int(updates) >= 2
