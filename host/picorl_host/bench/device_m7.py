"""Runs on an emulated board: trains SAC or TD3 on Pendulum and counts ticks of the board's timer for each part of a training step,
or for each piece of an update. Nothing is allocated between two looks at the timer.
"""

import gc
import json
import sys
import time
from array import array

import picorl
from picorl.envs import Pendulum

ticks = time.ticks_cpu
diff = time.ticks_diff


def wake_all(agent):
    """Give all networks biases so large that no hidden unit rests, and small outputs: then kernels can leave nothing out."""
    for name in agent.PARAMS:
        if name != "log_alpha":
            params, at, bias = getattr(agent, name), 0, 6
            layout = agent.actor_layout if "actor" in name else agent.critic_layout
            for i in range(0, len(layout) - 4, 4):
                outputs = layout[i + 2]
                at += layout[i + 1] * outputs
                for i in range(at, at + outputs):
                    params[i] = bias
                at += outputs
                bias = 16
            for i in range(at, len(params)):
                params[i] /= 64


def train_steps(agent, env, action, spent, count):
    """Add the ticks of act, environment, observe and update, and of looking at the timer, to spent (5)."""
    obs, reward = env.obs, env.reward
    for _ in range(count):
        start = ticks()
        agent.act(obs, action)
        acted = ticks()
        env.step(action)
        stepped = ticks()
        agent.observe(action, reward, obs, env.terminated, env.truncated)
        observed = ticks()
        if agent.ready():
            agent.update()
        updated = ticks()
        spent[0] += diff(acted, start)
        spent[1] += diff(stepped, acted)
        spent[2] += diff(observed, stepped)
        spent[3] += diff(updated, observed)
        start = ticks()
        spent[4] += diff(ticks(), start)


def control(agent, env, action, spent):
    """What a tick of control does beside learning."""
    start = ticks()
    agent.act(env.obs, action)
    env.step(action)
    agent.observe(action, env.reward, env.obs, env.terminated, env.truncated)
    spent[0] = diff(ticks(), start)


def piece_by_piece(agent, marks):
    """Write the timer before each piece of one update, and after the last, to marks; how many pieces there were."""
    work, now = agent.work, ticks
    count = 0
    completed = False
    marks[0] = now()  # the first mark in the emulator's log: as many follow as there are pieces
    while not completed:
        completed = work()
        count += 1
        marks[count] = now()
    return count


config = json.loads(sys.argv[1])
env = Pendulum(seed=0)
algorithm = getattr(picorl, config["algo"])  # its modules are imported now, and are no part of an agent
gc.collect()
with_env = gc.mem_alloc()
options = config["options"]
agent = algorithm(env, seed=0, warmup_steps=0, **options)
if config.get("awake"):
    wake_all(agent)
gc.collect()
found = {"heap": gc.mem_alloc() - with_env}
action = array("f", (0,))
spent = array("i", (0,) * 5)
marks = picorl.memory.zeros("i", config["pieces"] + 1)
count = 0
env.reset()
agent.begin(env.obs)
# There are no updates until the replay holds a batch. The first one clears what it needs clear.
train_steps(agent, env, action, spent, options["batch_size"])
for i in range(5):
    spent[i] = 0
if config["pieces"]:
    control(agent, env, action, spent)
    count = piece_by_piece(agent, marks)
else:
    train_steps(agent, env, action, spent, config["steps"])
found["spent"] = list(spent)
start = ticks()
gc.collect()
found["gc"] = diff(ticks(), start)
found["free"] = gc.mem_free()
found["resting"] = sum([one == 0 for one in agent.act_cache])
found["pieces"] = [diff(marks[i + 1], marks[i]) for i in range(count)]
found["event"] = "measured"
print(json.dumps(found))
