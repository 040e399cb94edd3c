"""A trained policy alone: what a robot needs to act."""

from array import array

from . import checkpoint, kernels, memory, network

_HEADS = ("gaussian", "deterministic", "normal", "categorical", "regression")


class Policy:
    """The policy of a checkpoint, ready to act; `load` makes one.

    head is gaussian (mean and log deviation, squashed), deterministic (the action), normal (mean and deviation, clipped), categorical
    (logits of choices) or regression (numbers in units of the deviation that training has seen); normalises tells that observations are
    scaled by theirs. units: of the GRU that the layout begins with, 0 without a memory; with one, tell by reset() where an episode begins.
    """

    def __init__(self, layout, head, normalises=False, units=0):
        if head not in _HEADS:
            raise ValueError("Policy: head is %r, must be one of %s" % (head, ", ".join(_HEADS)))
        self.layout = layout
        self.head = head
        self.units = units
        self._head_size = layout[-2]
        self.discrete = head == "categorical"
        self.act_size = (
            1 if self.discrete else self._head_size // 2 if head in ("gaussian", "normal") else self._head_size
        )
        self.obs_size = layout[1] - self.act_size if units else layout[1]
        self.params = memory.zeros("f", network.n_params(layout))
        restores = head == "regression"
        self.scaling = None if self.discrete or restores else memory.zeros("f", 2 * self.act_size)
        self.target_moments = memory.zeros("f", 1 + 2 * self.act_size) if restores else None
        self.moments = memory.zeros("f", 1 + 2 * self.obs_size) if normalises else None
        self._obs = memory.zeros("f", self.obs_size) if normalises else None
        self._head = memory.zeros("f", self._head_size)
        self._sigma = memory.zeros("f", 1)
        self._kernels = kernels.private()
        self._perceptron = layout
        self._perceptron_params = self.params
        self._episode = None
        if units:
            self._remember()
        self._cache = memory.zeros("f", network.n_hidden(self._perceptron))

    def _remember(self):
        from . import gru

        units, inputs = self.units, self.layout[1]
        self._perceptron = self.layout[gru.RECORDS * network.RECORD :]
        self._parts = gru.views(self.params, inputs, units, self._perceptron)
        self._perceptron_params = self._parts[2]
        x, state, scratch = (memory.zeros("f", size) for size in (inputs, units, gru.scratch_size(units)))
        self._episode = gru.Episode(self._kernels, units, self.obs_size, x, state, scratch)
        self._unscaled = memory.zeros("f", 2 * self.act_size)
        for i in range(self.act_size):
            self._unscaled[i] = 1

    @classmethod
    def load(cls, path):
        """The policy of the checkpoint at path, whatever algorithm trained it. ValueError names what is wrong with the file."""
        found = checkpoint.open_checked(path)
        head = found.metadata.get("head")
        if head not in _HEADS:
            found.fail("has head %s, must be one of %s" % (head, ", ".join(_HEADS)))
        try:
            layout = array("i", [int(one) for one in found.metadata["layout"].split(",")])
            units = int(found.metadata.get("units", 0))
            shapes = network.layers(layout)
            if units and (shapes[0][1] != 3 * units or shapes[1] != (units, 3 * units)):
                raise ValueError
            tensors = [("actor." + one, shape) for one, shape in network.tensors(layout)]
        except (KeyError, ValueError, IndexError):
            found.fail("has no usable layout")
        first, size = checkpoint.consecutive(found, "F32", tensors)
        policy = cls(layout, head, "moments" in found.tensors, units)
        wanted = [(first, policy.params, len(policy.params), size)]
        if policy.scaling is not None:
            at = found.require("action_scaling", "F32", [2, policy.act_size])
            wanted.append((at, policy.scaling, len(policy.scaling), 4 * len(policy.scaling)))
        for name in ("moments", "target_moments"):
            moments = getattr(policy, name)
            if moments is not None:
                wanted.append((found.require(name, "F32", [len(moments)]), moments, len(moments), 4 * len(moments)))
        checkpoint.read_into(found, wanted)
        return policy

    def reset(self):
        """An episode begins: forget the one before. Without a memory nothing to do."""
        if self._episode is not None:
            self._episode.forget()

    def predict(self, obs, action):
        """Write the deterministic action (act_size), in the environment's units, or the choice (1, 'i'), for obs (obs_size). Allocates nothing.

        What it writes for an obs that is not finite means nothing: a loop that drives a machine checks obs (`all_finite` of the kernels) first.
        """
        k = self._kernels
        if self.moments is not None:
            k.moments_apply(obs, self.moments, self._obs, self.obs_size, 0, 1)
            obs = self._obs
        episode = self._episode
        if episode is not None:
            episode.see(self._parts, obs)
            obs = episode.state
        k.forward(self._perceptron, self._perceptron_params, obs, self._head, self._cache, 0, 1)
        if episode is not None:
            k.gaussian_action(self._head, None, self._unscaled, episode.previous_action, self.act_size)
        if self.discrete:
            k.argmax(self._head, action, self._head_size, 0, 1)
        elif self.target_moments is not None:
            k.moments_restore(self._head, self.target_moments, action, self.act_size, 0, 1)
        elif self.head == "gaussian":
            k.gaussian_action(self._head, None, self.scaling, action, self.act_size)
        else:
            k.deterministic_action(self._head, None, self._sigma, self.scaling, action, self.act_size)
