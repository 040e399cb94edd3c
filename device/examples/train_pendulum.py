"""Train SAC, TD3 or Stream AC on Pendulum: the same program on a board, under MicroPython on the desktop and under CPython.

    mpremote run train_pendulum.py
    micropython train_pendulum.py '{"algo": "td3", "seed": 1}'
    python train_pendulum.py '{"save": "pendulum.safetensors"}'

It prints one JSON object a line; `picorl train` runs it and draws what it prints.
The defaults want about 1 MB of memory; "agent" takes other arguments of the algorithm, for example
{"agent": {"hidden": [32, 32], "batch_size": 32, "replay_capacity": 1000}} for a small board.
"""

import json
import sys

import picorl
from picorl.envs import Pendulum

config = {
    "algo": "sac",
    "seed": 0,
    "steps": 10_000,
    "evaluate_every": 500,
    "evaluate_episodes": 10,
    "final_episodes": 100,
    "agent": {},
    "kernels": "",  # such as "python"; without a name the best there are
    "variant": None,  # of the C kernels; on a desktop those of a board's class, picorl.kernels.backend.variants() has their names
    "save": None,  # a file name
}
if len(sys.argv) > 1:
    text = sys.argv[1]
    if text[0] == "@":  # a file: command lines are short
        with open(text[1:]) as file:
            text = file.read()
    config.update(json.loads(text))
if config["kernels"] or config["variant"]:
    picorl.kernels.select(config["kernels"] or "_picorl", config["variant"])

seed = config["seed"]
env = Pendulum(seed=seed)
algorithm = {"sac": "SAC", "td3": "TD3", "stream_ac": "StreamAC"}.get(config["algo"])
if algorithm is None:
    raise ValueError("algo is %r, must be sac, td3 or stream_ac" % config["algo"])
agent = getattr(picorl, algorithm)(env, seed=seed, **config["agent"])
picorl.report(
    "start",
    python=sys.implementation.name + " " + ".".join([str(part) for part in sys.implementation.version[:3]]),
    kernels=picorl.kernels.name,
    picorl=picorl.__version__,
)
for record in picorl.train(
    agent,
    env,
    steps=config["steps"],
    evaluate_every=config["evaluate_every"],
    evaluate_episodes=config["evaluate_episodes"],
):
    picorl.report("progress", **record)
if config["save"]:
    agent.save(config["save"])
picorl.report("end", crc=agent.crc(), **{"return": picorl.evaluate(agent, env.clone(1), config["final_episodes"])})
