"""Train SAC on Pendulum on a board with CircuitPython, which runs the code.py on its drive whenever it starts.

    picorl deploy device/examples/circuitpython/code.py     the library, and this file, onto the drive CIRCUITPY
    picorl listen --port /dev/ttyACM0                       what it reports, and the checkpoints that it sends

A checkpoint goes to the drive where programs may write it, else over the serial port: the computer that listens there gets a file, and when you
copy that onto the drive, the board, which starts anew by itself, goes on from it. When it has learned, it shows what. It runs
under MicroPython and CPython as well, where it takes a JSON object with other settings as its argument.
"""

import gc
import json
import sys

import picorl
from picorl.envs import Pendulum

RUN = "pendulum_run.safetensors"  # all that training needs to go on
POLICY = "pendulum.safetensors"  # what was learned
SETTINGS = {"steps": 8000, "evaluate_every": 500, "evaluate_episodes": 5}
# Agents of 119 KB, for an ESP32-S3 or a SAMD51, and of 82 KB, for an RP2040.
ROOMY = {"hidden": (32, 32), "batch_size": 16, "replay_capacity": 2000, "learning_rate": 0.002}
SMALL = {"hidden": (24, 24), "batch_size": 32, "replay_capacity": 1500, "learning_rate": 0.003}


def sizes():
    """What fits the heap."""
    gc.collect()
    return ROOMY if not hasattr(gc, "mem_free") or gc.mem_free() > 200_000 else SMALL


def keep(agent, path, **options):
    """Bring a checkpoint to safety, or tell why that did not work: training goes on."""
    try:
        saved = agent.save_or_send(path, **options)
        picorl.report("kept", file=path, on="drive" if saved else "serial port")
    except OSError as error:
        picorl.report("not kept", file=path, why=error.args[-1])
    gc.collect()


def go_on(agent, env):
    """Load the last checkpoint, if one is on the drive and fits."""
    try:
        agent.load(RUN, env=env)
    except OSError:
        return
    except ValueError as error:  # of other sizes, or damaged
        picorl.report("not loaded", why=str(error))


def learn(agent, env, steps, evaluate_every, evaluate_episodes):
    left = max(steps - agent.steps, 0)
    for record in picorl.train(agent, env, left, evaluate_every=evaluate_every, evaluate_episodes=evaluate_episodes):
        picorl.report("progress", **record)
        keep(agent, RUN, full=True, env=env)


def show(agent, env):
    """One episode of what was learned, with a line a second."""
    action = picorl.training.new_action(env)
    tick = picorl.Telemetry("tick", ("step",), ("height", "torque", "reward"))
    env.reset()
    for step in range(200):
        agent.predict(env.obs, action)
        env.step(action)
        if step % 20 == 0:
            tick.ints[0] = step
            tick.floats[0], tick.floats[1], tick.floats[2] = env.obs[0], action[0], env.reward[0]
            tick.send()


def main(given):
    options = dict(sizes(), warmup_steps=200, chunk=8, seed=0)
    options.update(given.pop("agent", {}))
    settings = dict(SETTINGS, **given)
    env = Pendulum(seed=0)
    agent = picorl.SAC(env, **options)
    go_on(agent, env)
    picorl.report("start", step=agent.steps, kernels=picorl.kernels.name)
    learn(agent, env, **settings)
    agent.use_best()
    keep(agent, POLICY)
    picorl.report("end", crc=agent.crc(), **{"return": picorl.evaluate(agent, env.clone(1), 10)})
    show(agent, env)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]) if len(sys.argv) > 1 else {})
