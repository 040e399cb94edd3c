"""The same for others, each if this Python has it: Stable-Baselines3, SBX, PyTorch, onnxruntime, NumPy."""

import importlib.util
import json
import sys
import time

import numpy as np

ROUNDS = 20
SIZES = (3, 64, 64, 1)


def best(function, *arguments, calls=1000):
    least = 1e9
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(calls):
            function(*arguments)
        least = min(least, (time.perf_counter() - start) / calls * 1e6)
    return least


def numpy_network():
    layers = [
        (np.ones((i, o), np.float32) * 0.1, np.ones(o, np.float32)) for i, o in zip(SIZES, SIZES[1:], strict=False)
    ]

    def forward(x):
        for weights, bias in layers[:-1]:
            x = np.maximum(x @ weights + bias, 0)
        weights, bias = layers[-1]
        return np.tanh(x @ weights + bias)

    return best(forward, np.ones((1, 3), np.float32), calls=2000)


def torch_network():
    import torch

    torch.set_num_threads(1)
    layers = []
    for i, o in zip(SIZES, SIZES[1:], strict=False):
        layers += [torch.nn.Linear(i, o), torch.nn.ReLU()]
    network = torch.nn.Sequential(*layers[:-1], torch.nn.Tanh()).eval()
    x = torch.ones(1, 3)
    with torch.inference_mode():
        return best(network, x)


def onnx_network():
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    nodes, weights, name = [], [], "x"
    for layer, (i, o) in enumerate(zip(SIZES, SIZES[1:], strict=False)):
        for kind, shape in (("w", (i, o)), ("b", (o,))):
            weights.append(numpy_helper.from_array(np.full(shape, 0.1, np.float32), f"{kind}{layer}"))
        nodes.append(helper.make_node("Gemm", [name, f"w{layer}", f"b{layer}"], [f"sum{layer}"]))
        name = f"out{layer}"
        nodes.append(helper.make_node("Tanh" if layer == 2 else "Relu", [f"sum{layer}"], [name]))
    ends = [
        helper.make_tensor_value_info(*one)
        for one in (("x", TensorProto.FLOAT, [1, 3]), (name, TensorProto.FLOAT, [1, 1]))
    ]
    graph = helper.make_graph(nodes, "policy", ends[:1], ends[1:], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return best(session.run, None, {"x": np.ones((1, 3), np.float32)})


def policy_of(library, **options):
    agent = importlib.import_module(library).TD3("MlpPolicy", "Pendulum-v1", seed=0, **options)
    return best(lambda obs: agent.predict(obs, deterministic=True), np.ones(3, np.float32), calls=200)


def sb3():
    import torch

    torch.set_num_threads(1)
    policy = {"net_arch": [64, 64], "activation_fn": torch.nn.ReLU}
    return policy_of("stable_baselines3", policy_kwargs=policy, device="cpu")


def sbx():
    return policy_of("sbx", policy_kwargs={"net_arch": [64, 64]})


json.loads(sys.argv[1])
MEASURED = (
    ("NumPy", "numpy", numpy_network),
    ("onnxruntime", "onnxruntime", onnx_network),
    ("PyTorch", "torch", torch_network),
    ("Stable-Baselines3 predict()", "stable_baselines3", sb3),
    ("SBX predict()", "sbx", sbx),
)
for name, module, measure in MEASURED:
    if importlib.util.find_spec(module):
        print(json.dumps({"event": "latency", "name": name, "us": {"predict": measure()}}))
