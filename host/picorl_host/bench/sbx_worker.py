"""SBX (Stable-Baselines3 in JAX) with the settings of picorl's defaults; run by the Python of an environment that has it.

The time includes compiling, as a user waits for it too; with "warm" in the config that has happened before.
"""

import json
import os
import sys
import time

# One thread, as everybody else: XLA makes a pool of its own.
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
os.environ["JAX_PLATFORMS"] = "cpu"

import flax  # noqa: E402
import jax  # noqa: E402
import numpy as np  # noqa: E402
import optax  # noqa: E402
import sbx  # noqa: E402
from stable_baselines3.common.noise import NormalActionNoise  # noqa: E402

config = json.loads(sys.argv[1])

settings = {
    "policy_kwargs": {
        "net_arch": [64, 64],
        "activation_fn": flax.linen.relu,
        "optimizer_class": optax.adam,
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
}


def agent():
    if config["algo"] == "td3":
        noise = NormalActionNoise(np.zeros(1), np.full(1, 0.1))
        options = {"policy_delay": 2, "target_policy_noise": 0.2, "target_noise_clip": 0.5}
        return sbx.TD3("MlpPolicy", "Pendulum-v1", action_noise=noise, **options, **settings)
    return sbx.SAC("MlpPolicy", "Pendulum-v1", ent_coef="auto_0.5", target_entropy=-1.0, **settings)


print(json.dumps({"event": "start", "kernels": f"SBX {sbx.__version__}, JAX {jax.__version__}"}))
begin = time.process_time()
learner = agent()
if config.get("warm"):
    # The same agent: another one would be compiled anew.
    learner.learn(300)
    begin = time.process_time()
learner.learn(config["steps"])
print(json.dumps({"event": "trained", "cpu": time.process_time() - begin}))
