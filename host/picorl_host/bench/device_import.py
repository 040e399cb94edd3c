"""Runs on an emulated board: the heap that picorl takes, imported from FOLDERS, in JSON.

The host puts `FOLDERS = …` before this text.
"""

import gc
import json
import sys

sys.path[:] = FOLDERS  # noqa: F821
ITEM = {"f": 4, "i": 4, "I": 4, "B": 1}


def used():
    gc.collect()
    return gc.mem_alloc()


before = used()
import picorl  # noqa: E402

imported = used() - before
from picorl.envs import Pendulum  # noqa: E402

env = Pendulum()
agent = picorl.SAC(env, hidden=(16, 16), batch_size=16, replay_capacity=100, warmup_steps=20)
made = used() - before
buffers = 0
for name, typecode, _, _ in agent.declare():
    buffers += len(getattr(agent, name)) * ITEM[typecode]
for _ in picorl.train(agent, env, 22, evaluate_every=22, evaluate_episodes=1):
    pass
trained = used() - before
print(
    json.dumps(
        {
            "kernels": picorl.kernels.name,
            "imported": imported,
            "made": made - buffers,
            "trained": trained - buffers,
            "updates": agent.updates,
        }
    )
)
