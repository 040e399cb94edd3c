"""What the benchmarks run under MicroPython and CPython: train on Pendulum, timed, without evaluation; then score.

"starts" names a CSV file of angle and velocity: the final policy's mean return over episodes from there is reported.
"""

import json
import sys
import time
from array import array

import picorl
from picorl.envs import Pendulum


def cpu_time():
    """Seconds this process has computed; MicroPython's unix port calls it clock()."""
    return time.process_time() if hasattr(time, "process_time") else time.clock()


def score(agent, env, path):
    total = 0.0
    episodes = 0
    action = array("f", (0,))
    with open(path) as file:
        file.readline()
        for line in file:
            angle, velocity = line.split(",")
            env.set_state(float(angle), float(velocity))
            while not env.truncated:
                agent.predict(env.obs, action)
                env.step(action)
                total += env.reward[0]
            episodes += 1
    return total / episodes


def report(event, **record):
    record["event"] = event
    print(json.dumps(record))


config = json.loads(sys.argv[1])
if config.get("kernels"):
    picorl.kernels.select(config["kernels"])
env = Pendulum(seed=config["seed"])
agent = {"sac": picorl.SAC, "td3": picorl.TD3}[config["algo"]](env, seed=config["seed"])
report("start", kernels=picorl.kernels.name)
begin = cpu_time()
for _ in picorl.train(agent, env, config["steps"], evaluate_every=config["steps"], evaluate_episodes=0):
    pass
report("trained", cpu=cpu_time() - begin, crc=agent.crc())
if "starts" in config:
    report("scored", score=score(agent, env, config["starts"]))
