"""Runs on a board: microseconds of layers, actions and updates with one backend of kernels.

Each is measured once: an emulator's clock does not waver.
"""

import gc
import json
import sys
import time
from array import array

import picorl
from picorl import network
from picorl.envs import Pendulum

ticks = time.ticks_us
diff = time.ticks_diff
config = json.loads(sys.argv[1])
kernels = picorl.kernels.select(config["kernels"])


def layer(rows, inputs, outputs):
    """A dense layer forward."""
    layout = network.mlp((inputs, outputs))
    params = picorl.memory.zeros("f", network.n_params(layout))
    x, out = picorl.memory.zeros("f", rows * inputs), picorl.memory.zeros("f", rows * outputs)
    rng = array("I", (1, 2, 0, 0))
    kernels.init_params(layout, params, rng)
    kernels.normal(rng, x, len(x))
    cache = array("f", (0,))
    start = ticks()
    kernels.forward(layout, params, x, out, cache, 0, rows)
    return diff(ticks(), start)


def agent_of(algo, hidden, batch):
    """What an agent needs for predict, act, observe and an update; TD3: the mean of one with and one without actor."""
    env = Pendulum(seed=0)
    action = array("f", (0,))
    options = dict(hidden=(hidden, hidden), batch_size=batch, replay_capacity=2 * batch + 2)
    agent = getattr(picorl, algo)(env, warmup_steps=0, keep_best=False, seed=0, **options)
    env.reset()
    agent.begin(env.obs)
    for _ in range(batch):
        kernels.uniform_action(agent.rng_act, agent.scaling, action, 1)
        env.step(action)
        agent.observe(action, env.reward, env.obs, False, False)
    found = {"algo": algo, "hidden": hidden, "batch": batch}
    for name in ("predict", "act"):
        function = getattr(agent, name)
        start = ticks()
        function(env.obs, action)
        found[name] = diff(ticks(), start)
    start = ticks()
    agent.update()
    agent.update()
    found["update"] = diff(ticks(), start) / 2
    return found


layers = [(shape, layer(*shape)) for shape in config["layers"]]
agents = []
for one in config["agents"]:
    gc.collect()
    agents.append(agent_of(*one))
print(json.dumps({"event": "measured", "layers": layers, "agents": agents}))
