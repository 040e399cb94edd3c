"""A trained policy alone: what a robot needs to act."""

from array import array

from . import checkpoint, kernels, memory, network


class Policy:
    """The policy of a checkpoint, ready to act; `load` makes one."""

    def __init__(self, layout, head):
        self.layout = layout
        self.obs_size = layout[1]
        self._head_size = layout[-2]
        self.act_size = self._head_size // 2 if head == "gaussian" else self._head_size
        self._gaussian = head == "gaussian"
        self.params = memory.zeros("f", network.n_params(layout))
        self.scaling = memory.zeros("f", 2 * self.act_size)
        self._head = memory.zeros("f", self._head_size)
        self._cache = memory.zeros("f", network.n_hidden(layout))
        self._sigma = memory.zeros("f", 1)
        self._kernels = kernels.backend

    @classmethod
    def load(cls, path):
        """The policy of the checkpoint at path, whatever algorithm trained it. ValueError names what is wrong with the file."""
        found = checkpoint.open_checked(path)
        head = found.metadata.get("head")
        if head not in ("gaussian", "deterministic"):
            found.fail("has head %s, must be gaussian or deterministic" % head)
        try:
            layout = array("i", [int(one) for one in found.metadata["layout"].split(",")])
            shapes = network.layers(layout)
        except (KeyError, ValueError, IndexError):
            found.fail("has no usable layout")
        tensors = []
        for i, (inputs, outputs) in enumerate(shapes):
            tensors.append(("actor.%d.weight" % i, [inputs, outputs]))
            tensors.append(("actor.%d.bias" % i, [outputs]))
        first, size = checkpoint.consecutive(found, "F32", tensors)
        policy = cls(layout, head)
        scaling = found.require("action_scaling", "F32", [2, policy.act_size])
        checkpoint.read_into(
            found,
            [
                (first, policy.params, len(policy.params), size),
                (scaling, policy.scaling, len(policy.scaling), 4 * len(policy.scaling)),
            ],
        )
        return policy

    def predict(self, obs, action):
        """Write the deterministic action (act_size), in the environment's units, for obs (obs_size). Allocates nothing."""
        k = self._kernels
        k.forward(self.layout, self.params, obs, self._head, self._cache, 0, 1)
        if self._gaussian:
            k.gaussian_action(self._head, None, self.scaling, action, self.act_size)
        else:
            k.deterministic_action(self._head, None, self._sigma, self.scaling, action, self.act_size)
