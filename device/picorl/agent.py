"""What every agent is: sizes checked before anything is taken, declared buffers, updates that can be run in pieces, checkpoints.

An algorithm adds its hyper-parameters, its buffers, how it acts and observes, and `_pieces`: the endless generator of its update.
"""

from array import array

from . import checkpoint, float32, kernels, memory, network, telemetry, training  # noqa: F401  what a program uses beside its agent: now, while the heap has room

# Streams of random numbers (environments use 16 and up).
INIT = 0
ACT = 1
UPDATE = 2

# Adam's spans are as many elements a row of chunk, so that its pieces cost about what the networks' cost.
SPAN = 192

# Stands for "never evaluated": below every return, and finite, as all that a checkpoint holds; about -6e29, in few bits.
NO_RETURN = -(2.0**99)

# MicroPython looks a builtin up among all of them, one after the other: 700 instructions.
_next = next

ADAM_BETA1 = 0.9
ADAM_BETA2 = 0.999
ADAM_EPSILON = 1e-7


# The largest int that kernels take.
LARGEST = 0xFFFFFF

# Steps and updates are counted to here, in int32, which would go on with negative numbers on a board. They grow by at most LARGEST at a time.
_MOST = 0x7FFFFFFF - LARGEST


def whole(name, value, least, most=None):
    """value, if it is an int of at least least (and at most most), else ValueError."""
    if not isinstance(value, int) or value < least:
        raise ValueError("%s is %r, must be a whole number of at least %d" % (name, value, least))
    if most is not None and value > most:
        raise ValueError("%s is %d, must be at most %d" % (name, value, most))
    return value


def real(name, value, least, most):
    """value, if it is a number between least and most, else ValueError."""
    try:
        if least <= value <= most:  # refuses NaN
            return value
    except TypeError:  # no number
        pass
    raise ValueError("%s is %r, must be between %s and %s" % (name, value, least, most))


def can_count(counters):
    """ValueError where steps or updates would not be counted any further."""
    if counters[0] > _MOST or counters[1] > _MOST:
        raise ValueError("steps or updates are beyond %d: save the policy, and load it into a new agent" % _MOST)


def seed_of(seed):
    """seed, if it is an int of 32 bits without sign, else ValueError."""
    if not isinstance(seed, int) or not 0 <= seed <= 0xFFFFFFFF:
        raise ValueError("seed is %r, must be a whole number between 0 and 4294967295" % (seed,))
    return seed


def layers_of(hidden):
    """hidden as a tuple, if it is the units of layers, else ValueError."""
    try:
        layers = tuple(hidden)
    except TypeError:
        raise ValueError("hidden is %r, must be the units of each hidden layer, such as (64, 64)" % (hidden,))
    for units in layers:
        whole("hidden", units, 1)
    return layers


def obs_of(env, who):
    """Numbers of an observation of env, if it is a single environment, else ValueError."""
    if hasattr(env, "n_envs"):
        raise ValueError("%s: env has n_envs, must be a single environment (PPO takes several)" % who)
    return whole("len(env.obs)", len(env.obs), 1)


def choices_of(env, who):
    """How many choices env has, if its actions are discrete, else ValueError."""
    if not hasattr(env, "n_actions"):
        raise ValueError(
            "%s: env has no n_actions, must have discrete actions"
            " (SAC, TD3, RecurrentSAC, StreamAC and PPO take continuous ones)" % who
        )
    return whole("env.n_actions", env.n_actions, 2)


def bounds_of(env, who):
    """Check that actions of env are continuous, within bounds that can be scaled to; how many actions there are."""
    if hasattr(env, "n_actions"):
        raise ValueError(
            "%s: env has n_actions, must have continuous actions (DQN, StreamQ and PPO take discrete ones)" % who
        )
    if not (hasattr(env, "action_low") and hasattr(env, "action_high")):
        raise ValueError(
            "%s: env (%s) has neither n_actions nor action_low and action_high" % (who, type(env).__name__)
        )
    n = len(env.action_low)
    if not n or len(env.action_high) != n:
        raise ValueError(
            "%s: env.action_low holds %d and env.action_high %d numbers, must be as many, at least 1"
            % (who, n, len(env.action_high))
        )
    for low, high in zip(env.action_low, env.action_high):
        if not -1e30 < low < high < 1e30:
            raise ValueError("env: action bounds are %s to %s, must be finite and ascending" % (low, high))
    return n


class Agent:
    """Base of all agents.

    act and predict look at no value: what they write for an obs that is not finite means nothing, and may not be finite either. begin and
    observe return False for such an obs: a loop of your own then takes its safe action instead of calling act. ControlLoop does, and
    checks actions too.

    A subclass has, as class attributes:

    PARAMS  names of the buffers that are learned, in the order of `crc`
    GRADS   names of those that an unfinished update leaves dirty
    HEAD    what the actor's output means to a Policy: gaussian, deterministic, normal, categorical or regression
    """

    critic_layout = None
    units = 0  # of a GRU that the actor begins with

    # For estimates: what an update does beside running networks, as parts of what it does with Adam and a target network; to a parameter, and all
    # else.
    PARAM_WORK = 1
    OTHER_WORK = 1

    def _take(self, take, seed):
        """Make all buffers. What is not a buffer comes before, while there is room: the spans already, the generator here."""
        self._kernels = kernels.private()
        self._updating = False
        self._update = self._pieces()
        take(self, self.declare())
        for rng, stream in ((self.rng_init, INIT), (self.rng_act, ACT), (self.rng_update, UPDATE)):
            rng[0] = seed
            rng[1] = stream
        self.best_return[0] = NO_RETURN

    def _param_spans(self, layout):
        """The params of a network as (start, count), …: what one piece of an update steps."""
        return memory.spans(network.n_params(layout), self.chunk * SPAN)

    def _set_scaling(self, env):
        float32.scaling(self.scaling, env.action_low, env.action_high)

    def _start_adam(self, pairs, states):
        """pairs: (hyper, learning rate), …; states: Adam's."""
        for hyper, rate in pairs:
            for i, value in enumerate((rate, ADAM_BETA1, ADAM_BETA2, ADAM_EPSILON)):
                float32.store(hyper, i, value)
        for state in states:
            state[0] = 1
            state[1] = 1

    # --- the loop of a robot ----------------------------------------------------------------------------------------

    @property
    def steps(self):
        """Transitions observed, refused ones included.

        Behind 2 130 706 432 of them (41 days of 600 a second), or so many updates, observe() and update() raise ValueError: a policy that
        was saved goes on in a new agent.
        """
        return self.counters[0]

    @property
    def updates(self):
        """Updates completed."""
        return self.counters[1]

    def pending(self):
        """Whether `work` has something to do: an update is under way, or due."""
        return self._updating or self.ready()

    def _start(self):
        """Begin an update; False when none is due."""
        if not self.ready():
            return False
        can_count(self.counters)
        if self._update is None:
            self._update = self._pieces()
        self._updating = True
        return True

    def update(self):
        """Run one update, or the rest of one that `work` began. ValueError when not `ready`."""
        if not (self._updating or self._start()):
            raise ValueError("update: " + self._why_not_ready())
        pieces = self._update
        try:
            while not _next(pieces):
                pass
        except BaseException:
            self._discard()
            raise
        self._updating = False
        self.counters[1] += 1

    def work(self):
        """Run one piece of an update; True when that completed the update. Does nothing while not `ready`."""
        if not (self._updating or self._start()):
            return False
        try:
            if not _next(self._update):
                return False
        except BaseException:
            self._discard()
            raise
        self._updating = False
        self.counters[1] += 1
        return True

    def _discard(self):
        """Forget the unfinished update: the next one starts with a generator of its own, which clears the gradients first."""
        # In this order, so that whatever interrupts it here leaves an agent that goes on.
        self._updating = False
        self._update = None

    def _clear_gradients(self):
        # Half a gradient must not reach the next update.
        for name in self.GRADS:
            grad = getattr(self, name)
            self._kernels.fill(grad, self.zero, 0, len(grad))

    def reset(self):
        """Tell predict() that an episode begins: for policies with a memory."""

    # --- policies and checkpoints -----------------------------------------------------------------------------------

    def _kept(self):
        """(what acts, its copy) of every buffer that use_best brings back."""
        return ((self.actor, self.best),)

    def note_return(self, mean):
        """Keep the policy if mean (1), the mean return of an evaluation, is the best yet; whether it is."""
        # By kernels: Python's floats may have too few bits to tell them apart.
        k = self._kernels
        pair, larger = array("f", (0, 0)), array("i", (0,))
        k.copy(self.best_return, 0, pair, 0, 1)
        k.copy(mean, 0, pair, 1, 1)
        k.argmax(pair, larger, 2, 0, 1)
        if not larger[0]:
            return False
        k.copy(mean, 0, self.best_return, 0, 1)
        if self.keep_best:
            for acting, best in self._kept():
                k.copy(acting, 0, best, 0, len(best))
        return True

    def use_best(self):
        """Make the best policy kept the acting one. ValueError when none was kept."""
        if not self.keep_best or self.best_return[0] < 0.9 * NO_RETURN:
            raise ValueError("use_best: no policy was kept (keep_best=True and an evaluation are needed)")
        if self._updating:
            self._discard()  # its second half would be about another policy
        for acting, best in self._kept():
            self._kernels.copy(best, 0, acting, 0, len(best))

    def crc(self):
        """CRC-32 over all learned parameters as 8 hex digits: equal when every bit is."""
        crc = memory.zeros("I", 1)
        for name in self.PARAMS:
            self._kernels.crc32(getattr(self, name), crc)
        return checkpoint.hex8(crc)

    def save(self, path, full=False, env=None):
        """Write a checkpoint: the policy, or with full=True all that training needs to go on to the same bits.

        env (with buffers()) is stored in a full one too. An update that `work` began is finished first. The file at path is replaced
        only after the new one was written and read back. OSError when there is no room or the drive is read-only, ValueError when a
        value is not finite.
        """
        self._finish()
        checkpoint.save(path, self, full, env)

    def send(self, name, full=False, env=None):
        """Print the same checkpoint, in pieces: `picorl run` and `picorl listen` on the computer write it to a file of this name there.

        Allocates some KB, however large the checkpoint is. ValueError when a value is not finite or name is none of a file, OSError when
        nothing is connected that could receive it.
        """
        from . import sending

        self._finish()
        sending.send(name, self, full, env)

    def save_or_send(self, path, full=False, env=None):
        """save, or send where the drive is read-only, as CircuitPython's is while a computer may write it; True when saved.

        Raises what these raise. To go on from a checkpoint that was sent, copy its file to the drive: load only reads.
        """
        try:
            self.save(path, full=full, env=env)
            return True
        except OSError as error:
            if error.args[0] != checkpoint.READ_ONLY:
                raise
            trouble = error
        try:
            self.send(path, full=full, env=env)
        except OSError as error:
            raise OSError(checkpoint.READ_ONLY, "%s; %s" % (trouble.args[1], error.args[1]))
        return False

    def _finish(self):
        """Complete an update that is under way."""
        while self._updating:
            self.work()

    def load(self, path, env=None):
        """Read a checkpoint of `save`; True for a full one.

        A policy goes into the actor (and its target); a full checkpoint into everything, hyper-parameters included, and must come from
        an agent of the same sizes and settings that feed learning (chunk may differ). An unfinished update is discarded.
        ValueError names what is wrong with the file or does not fit this agent; nothing is changed then. OSError while the checked file is
        read again (a card pulled out) leaves an agent to be loaded anew.
        """
        found = checkpoint.open_fitting(path, self, env)
        self._discard()
        full = checkpoint.read(found, self)
        if not full:
            self._policy_loaded()
        return full

    def _policy_loaded(self):
        """For algorithms that keep more than one copy of the policy."""

    def facts(self):
        """(name, value), … that a full checkpoint must agree with, beside the layouts."""
        return ()

    def used_rows(self):
        """Rows of the replay that were ever used: so many a checkpoint stores."""
        return 0

    def stored(self, name, length, rows):
        """(how many items of a buffer a checkpoint stores, their shape) where rows of the replay were used."""
        return length, [length]

    def rows_loaded(self, rows):
        """A checkpoint with this many rows of replay was read."""

    # --- for plan(), before anything is taken -----------------------------------------------------------------------

    def learned(self):
        """The layout of every network that is learned."""
        return (self.actor_layout, self.critic_layout)

    def update_macs(self):
        """Multiply-adds of the networks in one update."""
        raise NotImplementedError

    def backward_macs(self):
        """Multiply-adds a row of the batch in the longest piece of an update, a backward pass."""
        return max([network.macs(one) + network.inner_macs(one) for one in self.learned()])

    def extra_objects(self):
        """Bytes of Python objects on a 32-bit board beyond what any agent has."""
        return 0

    def update_every(self):
        """Environment steps from one update to the next."""
        return 1

    def optimiser_steps(self):
        """Steps of each network's optimiser in one update."""
        return 1

    def count_spans(self):
        """How many (start, count) tuples the agent cuts its work into."""
        return len(self._chunks) + len(self._actor_spans) + len(self._critic_spans)
