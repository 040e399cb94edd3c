"""What the benchmarks run under MicroPython and CPython: train, timed, without evaluation unless the best policy or a curve is wanted; then score.

Pendulum's score (with or without velocity) is the mean return over episodes from the angles and velocities of the CSV file "starts", others' that
of 100 episodes.
"""

import json
import sys
import time
from array import array

import picorl
from picorl import envs


def cpu_time():
    """Seconds this process has computed; MicroPython's unix port calls it clock()."""
    return time.process_time() if hasattr(time, "process_time") else time.clock()


def score(agent, env, path):
    total = 0.0
    episodes = 0
    action = array("f", (0,))
    with open(path) as lines:
        lines.readline()
        for line in lines:
            angle, velocity = line.split(",")
            env.set_state(float(angle), float(velocity))
            agent.reset()
            while not env.truncated:
                agent.predict(env.obs, action)
                env.step(action)
                total += env.reward[0]
            episodes += 1
    return total / episodes


def report(event, **record):
    record["event"] = event
    print(json.dumps(record))


text = sys.argv[1]
if text[0] == "@":
    with open(text[1:]) as file:
        text = file.read()
config = json.loads(text)
if config.get("kernels"):
    picorl.kernels.select(config["kernels"])
seed = config["seed"]
kind = config.get("env") or "Pendulum"
one = getattr(envs, kind)(seed=seed)
env = getattr(envs, "Vector" + kind)(config["n_envs"], seed=seed) if config.get("n_envs") else one
algo = config["algo"]
agent = getattr(picorl, algo if algo in picorl.__all__ else algo.upper())(env, seed=seed, **config.get("options", {}))
report("start", kernels=picorl.kernels.name)
every = config.get("evaluate_every")
begin = cpu_time()
curve = config.get("curve")
for record in picorl.train(agent, env, config["steps"], every or config["steps"], 20 if every else 0):
    if curve:
        report("progress", **record)
report("trained", cpu=cpu_time() - begin, crc=agent.crc())
if config.get("score"):
    if every and not curve:
        agent.use_best()
    on_starts = kind[:8] == "Pendulum"
    report(
        "scored", score=score(agent, one, config["starts"]) if on_starts else picorl.evaluate(agent, one.clone(1), 100)
    )
