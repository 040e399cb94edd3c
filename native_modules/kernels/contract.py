"""What a kernel is declared with."""

from dataclasses import dataclass

# A network's layout is a sequence of records of four int32: kind, inputs, outputs, activation. A dense layer has its
# weights [in][out] and then its biases as params, a layer norm gains and then biases; the others have none, and but
# for dense layers outputs are as many as inputs. An elementwise layer is nothing but its activation.
RECORD = 4
KINDS = {"dense": 1, "layer_norm": 2, "normalize": 3, "elementwise": 4}
# Derivatives that follow from the output: of dense layers and norms.
ACTIVATIONS = {"identity": 0, "relu": 1, "tanh": 2, "leaky_relu": 3, "sigmoid": 4}
# Derivatives that need the input or the whole row: of elementwise layers.
INPUT_ACTIVATIONS = {"fast_tanh": 5, "gelu": 6, "softmax": 7}


# Layers that not every network has, by the name that tells a build for some algorithms to keep them, and the algorithms
# that cannot do without.
@dataclass(frozen=True)
class Layers:
    kinds: tuple
    activations: tuple = ()
    of: tuple = ()


LAYERS = {
    "norm": Layers(("layer_norm", "normalize"), of=("stream",)),
    "activations": Layers(("elementwise",), ("leaky_relu", "sigmoid"), of=("stream",)),
}

# Indices of a replay's int32 state.
REPLAY_STATE = {"head": 0, "size": 1, "pending": 2, "valid": 3, "refused": 4, "spare": 5}

MAX_INT = 0x00FFFFFF  # of an integer argument: float32 holds it exactly


ALGORITHMS = ("sac", "td3", "ppo", "dqn", "recurrent_sac", "stream", "supervised")
SAC_USERS = ("sac", "recurrent_sac")
REPLAY_USERS = ("td3", "dqn", *SAC_USERS)
CLIPS_NORM = ("ppo", "dqn")
DISCRETE = (*CLIPS_NORM, "stream")
# What a build for some algorithms has only if it is named beside them.
ENVIRONMENTS = ("mountain_car", "acrobot", "quadrotor")
WRAPPERS = "wrappers"


@dataclass(frozen=True)
class Buffer:
    name: str
    typecode: str
    size: str
    writes: bool = False
    optional: bool = False  # None is accepted


@dataclass(frozen=True)
class Layout:
    """An 'i' buffer of whole, chained records: the outputs of one are the inputs of the next."""

    name: str = "layout"


@dataclass(frozen=True)
class Int:
    """0 ≤ value ≤ MAX_INT; `least` raises the lower bound."""

    name: str
    least: int = 0


@dataclass(frozen=True)
class AnyBuffer:
    """A buffer of any of the four typecodes, read as bytes."""

    name: str


@dataclass(frozen=True)
class Kernel:
    name: str
    doc: str
    args: tuple
    returns: str = "none"  # or "int": a small integer, so that nothing is allocated
    of: tuple = ALGORITHMS  # those that need it (environments too); a build may leave out the kernels of others (generate.py --algorithms)
    check: bool = False  # the core adds picorl_check_NAME(): contents that sizes do not cover


def F(name, size, optional=False):
    return Buffer(name, "f", size, False, optional)


def Fw(name, size, optional=False):
    return Buffer(name, "f", size, True, optional)


ROWS = (Int("row"), Int("rows"))
SPAN = (Int("start"), Int("count"))
RNG = Buffer("rng", "I", "4", True)
