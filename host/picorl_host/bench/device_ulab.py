"""Runs on an interpreter or a board with ulab: trains SAC or PPO on Pendulum with the kernels of a backend, and looks at the timer and the heap
before and after an update. With "profile" it looks before and after each kernel.
"""

import gc
import json
import sys
import time
from array import array

import picorl
from picorl import envs

if hasattr(time, "ticks_cpu") and sys.platform != "linux":
    ticks = time.ticks_cpu
elif hasattr(time, "ticks_us"):
    ticks = time.ticks_us
else:  # CircuitPython

    def ticks():
        return time.monotonic_ns() // 1000


def since(start):
    return time.ticks_diff(ticks(), start) if hasattr(time, "ticks_diff") else ticks() - start


class Stopwatch:
    """Stands in for an agent's kernels, and counts calls and ticks of each."""

    def __init__(self, kernels):
        self._kernels = kernels
        self.spent = {}

    def __getattr__(self, name):
        kernel = getattr(self._kernels, name)
        spent = self.spent[name] = self.spent.get(name, array("i", (0, 0)))

        def timed(*arguments):
            start = ticks()
            result = kernel(*arguments)
            spent[1] += since(start)
            spent[0] += 1
            return result

        return timed


def step(agent, env, action):
    agent.act(env.obs, action)
    env.step(action)
    agent.observe(action, env.reward, env.obs, env.terminated, env.truncated)
    if env.terminated or env.truncated:
        env.reset()
        agent.begin(env.obs)


def until_ready(agent, env, action):
    while not agent.ready():
        step(agent, env, action)


text = sys.argv[1]
if text[0] == "@":
    with open(text[1:]) as file:
        text = file.read()
config = json.loads(text)
picorl.kernels.select(config["kernels"])
env = envs.Pendulum(seed=0)
agent = getattr(picorl, config["algo"])(env, seed=0, **config["options"])
if config["profile"]:
    agent._kernels = Stopwatch(agent._kernels)
action = array("f", (0,))
env.reset()
agent.begin(env.obs)
# The first update imports kernels and makes views; the second finds all there.
until_ready(agent, env, action)
step(agent, env, action)
agent.update()
if config["profile"]:
    for spent in agent._kernels.spent.values():
        spent[0] = spent[1] = 0
# Time: what the collector takes is part of it, as it comes.
gc.collect()
acted = updated = 0
for _ in range(config["updates"]):
    until_ready(agent, env, action)
    start = ticks()
    agent.act(env.obs, action)
    acted += since(start)
    step(agent, env, action)
    start = ticks()
    agent.update()
    updated += since(start)
found = {"event": "measured", "kernels": picorl.kernels.name, "variant": picorl.kernels.backend.variant()}
found["act"] = acted / config["updates"]
found["update"] = updated / config["updates"]
if config["profile"]:
    found["profile"] = {name: list(spent) for name, spent in agent._kernels.spent.items()}
# Memory: without the collector.
if config["bytes"]:
    until_ready(agent, env, action)
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    agent.act(env.obs, action)
    found["act_bytes"] = gc.mem_alloc() - before
    before = gc.mem_alloc()
    agent.update()
    found["bytes"] = gc.mem_alloc() - before
    gc.enable()
print(json.dumps(found))
