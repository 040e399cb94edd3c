"""Time from an observation to an action, 3-64-64-1, one at a time, from Python; runs under CPython and MicroPython."""

import json
import sys
import time
from array import array

import picorl
from picorl.envs import Pendulum

ROUNDS = 30


def now():
    """Microseconds."""
    return time.perf_counter_ns() / 1000 if hasattr(time, "perf_counter_ns") else time.ticks_us()


def best(function, obs, action, calls):
    least = 1e9
    for _ in range(ROUNDS):
        start = now()
        for _ in range(calls):
            function(obs, action)
        least = min(least, (now() - start) / calls)
    return least


config = json.loads(sys.argv[1])
picorl.kernels.select(config["kernels"])
env = Pendulum(seed=0)
agent = picorl.TD3(env, warmup_steps=0, replay_capacity=1000, seed=0)
action = array("f", (0,))
env.reset()
us = {"predict": best(agent.predict, env.obs, action, config["calls"])}
us["act"] = best(agent.act, env.obs, action, config["calls"])
print(json.dumps({"event": "latency", "us": us}))
