"""Stable-Baselines3 with the settings of picorl's defaults; run by the Python of an environment that has it."""

import json
import sys
import time

import numpy as np
import stable_baselines3
import torch
from stable_baselines3.common.noise import NormalActionNoise

config = json.loads(sys.argv[1])
torch.set_num_threads(1)

settings = {
    "policy_kwargs": {
        "net_arch": [64, 64],
        "activation_fn": torch.nn.ReLU,
        "optimizer_kwargs": {"eps": 1e-7},
    },
    "learning_rate": 1e-3,
    "buffer_size": 10_000,
    "batch_size": 100,
    "learning_starts": 100,
    "train_freq": 1,
    "gradient_steps": 1,
    "gamma": 0.99,
    "tau": 0.005,
    "seed": config["seed"],
    "device": "cpu",
}
if config["algo"] == "td3":
    agent = stable_baselines3.TD3(
        "MlpPolicy",
        "Pendulum-v1",
        action_noise=NormalActionNoise(np.zeros(1), np.full(1, 0.1)),
        target_policy_noise=0.2,
        target_noise_clip=0.5,
        policy_delay=2,
        **settings,
    )
else:
    agent = stable_baselines3.SAC("MlpPolicy", "Pendulum-v1", ent_coef="auto_0.5", target_entropy=-1.0, **settings)

version = f"Stable-Baselines3 {stable_baselines3.__version__}, torch {torch.__version__}"
print(json.dumps({"event": "start", "kernels": version}))
begin = time.process_time()
agent.learn(config["steps"])
print(json.dumps({"event": "trained", "cpu": time.process_time() - begin}))
