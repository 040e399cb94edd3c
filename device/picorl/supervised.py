"""Supervised learning with the same parts: a Regressor and a Classifier that learn on the device from batches of examples."""

from . import float32, kernels, memory, network
from .agent import INIT, NO_RETURN, Agent, layers_of, real, seed_of, whole
from .memory import HYPER, POLICY, STATE, WORK
from .training import _learn

_SHUFFLE = 3  # stream of random numbers; agent.py has the others


def _items(x):
    """How many numbers a buffer holds; a NumPy array of any shape counts as a flat one."""
    return x.size if hasattr(x, "size") else len(x)


def _first_not_finite(x, count):
    at = 0
    while kernels.backend.all_finite(x, at, 1) and at < count - 1:
        at += 1
    return at


def _finite(name, x, count):
    """ValueError unless x is a buffer of floats whose first count are finite."""
    try:
        if kernels.backend.all_finite(x, 0, count):
            return
    except ValueError as error:
        raise ValueError(str(error).replace("all_finite: x", name))
    at = _first_not_finite(x, count)
    raise ValueError("%s[%d] is not finite" % (name, at))


def _each(batches):
    return batches() if callable(batches) else batches


class Batches:
    """Batches of examples that are held in memory, in a new random order each time they are gone through.

    inputs      rows of n_inputs floats, array('f') or any other buffer of them
    targets     of each row as many floats as a Regressor has outputs, or one array('i') class for a Classifier
    n_inputs    floats of a row of inputs
    batch_size  rows of a batch; the last one has those that are left
    shuffle     False: always in the order given
    seed        of the order

    What is yielded is good until the next batch. `agent.save(path, full=True, env=batches)` keeps where the random order is.
    """

    def __init__(self, inputs, targets, n_inputs, batch_size=32, shuffle=True, seed=0):
        self._kernels = k = kernels.private()
        self.n_inputs = whole("n_inputs", n_inputs, 1)
        self.rows = _items(inputs) // n_inputs
        self.width = _items(targets) // max(1, self.rows)
        whole_rows = _items(inputs) == self.rows * n_inputs and _items(targets) == self.rows * self.width
        if not (whole_rows and self.rows and self.width):
            raise ValueError(
                "Batches: inputs holds %d and targets %d numbers, must be whole rows (of %d inputs), as many of the one as of the other"
                % (_items(inputs), _items(targets), n_inputs)
            )
        try:
            k.all_finite(targets, 0, 0)
            self.discrete = False
        except ValueError:  # not floats
            self.discrete = True
        if self.discrete and self.width != 1:
            raise ValueError(
                "Batches: targets holds %d classes, must be one for each of %d rows" % (_items(targets), self.rows)
            )
        batch_size = min(whole("batch_size", batch_size, 1), self.rows)
        self.shuffle = shuffle
        self._all_inputs = inputs
        self._all_targets = targets
        self._indices = memory.zeros("i", self.rows)
        for i in range(self.rows):
            self._indices[i] = i
        self.rng = memory.zeros("I", 4)
        self.rng[0] = seed_of(seed)
        self.rng[1] = _SHUFFLE
        self._spans = memory.spans(self.rows, batch_size)
        self._batch = (
            memory.zeros("f", batch_size * n_inputs),
            memory.zeros("i" if self.discrete else "f", batch_size * self.width),
        )
        left = self._spans[-1][1]
        inputs, targets = self._batch
        self._last = (memoryview(inputs)[: left * n_inputs], memoryview(targets)[: left * self.width])

    def __iter__(self):
        k, indices, rows, spans = self._kernels, self._indices, self.rows, self._spans
        inputs, targets = self._batch
        if self.shuffle:
            k.permutation(self.rng, indices, rows)
        for start, count in spans:
            k.gather_rows(self._all_inputs, indices, inputs, rows, self.n_inputs, start, count)
            if self.discrete:
                k.gather_ints(self._all_targets, indices, targets, rows, start, count)
            else:
                k.gather_rows(self._all_targets, indices, targets, rows, self.width, start, count)
            yield self._last if start + count == rows else self._batch

    def buffers(self):
        """For a full checkpoint."""
        return (("rng", self.rng, "I"),)


class Supervised(Agent):
    """What Regressor and Classifier share; all memory is taken in the constructor.

    A batch is a pair of buffers, inputs (rows, inputs) and targets: array('f'), array('i'), a memoryview of one or, on a desktop, a
    NumPy array of float32 and int32. It is copied, so its memory may be used again at once.

    hidden         units of the hidden layers; () makes a linear model
    activation     of the hidden layers: relu, leaky_relu, tanh, fast_tanh, sigmoid, gelu, softmax or identity
    norm           what their numbers pass before it: layer_norm (Ba et al. 2016), normalize (the same without gains and biases) or None
    optimiser      adam, adamw (Adam with decoupled weight decay, Loshchilov & Hutter 2019) or sgd (with momentum)
    learning_rate  of the optimiser
    momentum       of sgd; 0 needs no memory for it
    weight_decay   of adamw: before each step all parameters are scaled by 1 - learning_rate * weight_decay
    batch_size     the most rows a batch may have
    normalise      the first `fit` measures mean and deviation of inputs (and of a Regressor's targets) in a pass of its own; the network
                   then learns from scaled numbers, and checkpoints bring the scaling along. Numbers beyond ten deviations are cut.
    chunk          rows of a batch that one piece of `work` handles (None: all); changes not one bit of the result
    keep_best      keep a copy of the network with the lowest validation loss
    seed           0 to 2³²-1; same seed, same batches, same bits

    In checkpoints the network is called actor, because a Policy runs it.
    """

    PARAMS = ("actor",)
    GRADS = ("grad",)

    def __init__(
        self,
        inputs,
        outputs,
        hidden=(32, 32),
        activation="relu",
        norm=None,
        optimiser="adam",
        learning_rate=1e-3,
        momentum=0.9,
        weight_decay=0.01,
        batch_size=32,
        normalise=True,
        chunk=None,
        keep_best=True,
        seed=0,
        take=memory.take,
    ):
        kernels.need("sgd_delta", type(self).__name__)
        self.n_inputs = whole("inputs", inputs, 1)
        self.n_outputs = outputs
        self.classifies = self.HEAD == "categorical"
        self.hidden = layers_of(hidden)
        self.batch_size = whole("batch_size", batch_size, 1)
        self.chunk = batch_size if chunk is None else min(whole("chunk", chunk, 1), batch_size)
        if optimiser not in ("adam", "adamw", "sgd"):
            raise ValueError("optimiser is %r, must be adam, adamw or sgd" % (optimiser,))
        real("learning_rate", learning_rate, 0, 1)
        real("momentum", momentum, 0, 1)
        real("weight_decay", weight_decay, 0, 1)
        seed_of(seed)
        self.optimiser = optimiser
        self.normalise = normalise
        self.keep_best = keep_best
        self._has_momentum = momentum > 0
        self.actor_layout = network.mlp((self.n_inputs,) + self.hidden + (outputs,), activation, norm=norm)
        self.critic_layout = self.actor_layout
        self.velocity = None
        # What is not a buffer comes before, while there is room.
        self._kernels = k = kernels.private()
        self._spans = self._param_spans(self.actor_layout)
        self._updating = False
        self._update = self._pieces()
        take(self, self.declare())

        self.rng_init[0] = seed
        self.rng_init[1] = INIT
        if optimiser == "sgd":
            float32.store(self.hyper, 0, learning_rate)
            float32.store(self.hyper, 1, momentum)
        else:
            self._start_adam(((self.hyper, learning_rate),), (self.adam,))
        if optimiser == "adamw":
            self.decay[0] = 1
            float32.store(self.loss_sum, 0, -weight_decay)
            k.scale(self.loss_sum, self.hyper, 0, 1)
            k.accumulate(self.decay, 0, self.loss_sum)
        if self.classifies:
            for i in range(outputs):
                self.classes[i] = i
        self.forget_best()
        self.rows = 0  # of the batch
        self._waiting = False  # a batch that was not learned from yet
        k.init_params(self.actor_layout, self.actor, self.rng_init)

    # --- memory -----------------------------------------------------------------------------------------------------

    def declare(self):
        """Every buffer as (name, typecode, length, kind); the order of the first two kinds is that of a checkpoint."""
        actor, batch, n = network.n_params(self.actor_layout), self.batch_size, self.n_outputs
        hidden = network.n_hidden(self.actor_layout)
        declared = [("actor", "f", actor, POLICY), ("moments", "f", 1 + 2 * self.n_inputs, POLICY)]
        if not self.classifies:
            declared.append(("target_moments", "f", 1 + 2 * n, POLICY))
        if self.optimiser != "sgd":
            declared += [("actor_m", "f", actor, STATE), ("actor_v", "f", actor, STATE), ("adam", "f", 4, STATE)]
        elif self._has_momentum:
            declared.append(("velocity", "f", actor, STATE))
        declared.append(("hyper", "f", 2 if self.optimiser == "sgd" else 4, HYPER))
        if self.optimiser == "adamw":
            declared.append(("decay", "f", 1, HYPER))
        declared += [
            ("best_return", "f", 1, STATE),  # less the lowest validation loss
            ("rng_init", "I", 4, STATE),
            ("counters", "i", 2, STATE),
            ("grad", "f", actor, WORK),
            ("x", "f", batch * self.n_inputs, WORK),
            ("out", "f", batch * n, WORK),
            ("d_out", "f", batch * n, WORK),
            ("cache", "f", self.chunk * hidden, WORK),
            ("loss_sum", "f", 1, WORK),
            ("epoch_loss", "f", 1, WORK),
            ("total", "f", 1, WORK),
            ("zero", "f", 1, WORK),
            # Predictions happen between the pieces of an update.
            ("act_x", "f", self.n_inputs, WORK),
            ("act_head", "f", n, WORK),
            ("act_cache", "f", hidden, WORK),
        ]
        if self.classifies:
            declared += [("choice", "i", batch, WORK), ("guess", "i", batch, WORK), ("classes", "i", n, WORK)]
            declared.append(("act_choice", "i", 1, WORK))
        else:
            declared.append(("target", "f", batch * n, WORK))
        if self.keep_best:
            declared.append(("best", "f", actor, STATE))
        return declared

    def facts(self):
        return (("loss", self.loss), ("optimiser", self.optimiser))

    def learned(self):
        return (self.actor_layout,)

    def update_macs(self):
        return self.batch_size * network.training_macs(self.actor_layout)

    def update_every(self):
        """Rows that an update learns from."""
        return self.batch_size

    def count_spans(self):
        return len(self._spans)

    # --- batches ----------------------------------------------------------------------------------------------------

    def _count_rows(self, inputs):
        n = _items(inputs)
        rows = n // self.n_inputs
        if not rows or rows * self.n_inputs != n:
            raise ValueError("inputs holds %d floats, must be whole rows of %d" % (n, self.n_inputs))
        return rows

    def _check(self, inputs, targets):
        """The rows of a batch, or ValueError; the last check of a classifier's targets copies them."""
        rows, width = self._count_rows(inputs), 1 if self.classifies else self.n_outputs
        if rows > self.batch_size:
            raise ValueError("inputs holds %d rows, must be at most batch_size, %d" % (rows, self.batch_size))
        if _items(targets) != rows * width:
            raise ValueError(
                "targets holds %d numbers, must be %d: %d for each of the %d rows of inputs"
                % (_items(targets), rows * width, width, rows)
            )
        _finite("inputs", inputs, rows * self.n_inputs)
        if not self.classifies:
            _finite("targets", targets, rows * width)
            return rows
        try:
            self._kernels.gather_ints(self.classes, targets, self.choice, self.n_outputs, 0, rows)
        except ValueError as error:
            raise ValueError(str(error).replace("gather_ints: indices", "targets"))
        return rows

    def _hold(self, inputs, targets):
        """Copy a batch, scaled, for the network."""
        while self._updating:
            self.work()
        self._waiting = False
        k, rows = self._kernels, self._check(inputs, targets)
        k.moments_apply(inputs, self.moments, self.x, self.n_inputs, 0, rows)
        if not self.classifies:
            k.moments_apply(targets, self.target_moments, self.target, self.n_outputs, 0, rows)
        self.rows = rows

    def begin(self, inputs, targets):
        """Give the batch that `update`, or `work` piece by piece, will learn from; an update that is under way is finished first.

        inputs (rows, inputs) and targets (rows, outputs), or (rows) classes; rows at most batch_size. ValueError names what does not fit or is
        not finite; nothing is learned then.
        """
        self._hold(inputs, targets)
        self._waiting = True

    def learn(self, inputs, targets):
        """One step of the optimiser with a batch; see `begin`."""
        self.begin(inputs, targets)
        self.update()

    def ready(self):
        """Whether a batch was given that was not learned from."""
        return self._waiting

    def _why_not_ready(self):
        return "no batch was given (begin)"

    def _forward_chunk(self, row, rows):
        """Outputs, gradients at them and losses of some rows of the batch."""
        raise NotImplementedError

    def _pieces(self):
        """One update after another; yields True when one is complete, False between its pieces."""
        k, layout, actor, grad = self._kernels, self.actor_layout, self.actor, self.grad
        x, out, d_out, cache = self.x, self.out, self.d_out, self.cache
        self._clear_gradients()
        while True:
            row = 0
            while row < self.rows:
                rows = min(self.chunk, self.rows - row)
                self._forward_chunk(row, rows)
                yield False
                k.backward(layout, actor, x, out, cache, d_out, grad, None, row, rows)
                yield False
                row += rows
            if self.optimiser != "sgd":
                k.adam_advance(self.hyper, self.adam)
            for start, count in self._spans:
                if self.optimiser == "sgd":
                    k.sgd_delta(grad, self.velocity, self.hyper, start, count)
                else:
                    k.adam_delta(grad, self.actor_m, self.actor_v, self.hyper, self.adam, start, count)
                yield False
            if self.optimiser == "adamw":
                k.scale(actor, self.decay, 0, len(actor))
            k.apply_delta(actor, grad, 0, len(actor))
            k.accumulate(self.epoch_loss, 0, self.loss_sum)
            self.counters[0] += self.rows
            self._waiting = False
            yield True

    def rows_loaded(self, rows):
        self._waiting = False  # scaled as it was before

    def _policy_loaded(self):
        self._waiting = False

    # --- training ---------------------------------------------------------------------------------------------------

    def fit(self, batches, validation=None, epochs=1, patience=None, hook=None):
        """Learn from batches, epochs times over; a generator of records, one an epoch.

        batches and validation are lists of pairs (inputs, targets), other objects that can be gone through again and again (Batches), or
        functions that return an iterator; each batch as `begin` takes it. A record is a dict: epoch, step (rows learned from) and updates so
        far, loss (mean over the epoch, while it learned); with validation also validation_loss, a classifier's accuracy there, and best, the
        lowest validation_loss so far. Losses of numbers that normalise has scaled are in units of their deviations.
        patience: stop when so many epochs in a row brought no new best. At the end the network with the lowest validation loss becomes
        the acting one again (keep_best); who leaves the loop early calls `use_best`. Further fits go on from there, with the scaling and
        the best of the first; `forget_best` before one with other validation data.
        hook(), if given, is called between the pieces of an update.
        ValueError, before the batch is learned from, names the batch and what is wrong with it; it also tells that there was none, or that
        learning diverged.
        """
        whole("epochs", epochs, 1)
        if patience is not None:
            whole("patience", patience, 1)
            if validation is None:
                raise ValueError("fit: patience needs validation, to tell what is better")
        return self._fit(batches, validation, epochs, patience, hook)

    def _fit(self, batches, validation, epochs, patience, hook):
        measured = self.normalise and not self.moments[0]
        if measured:
            self._measure(batches)
        k, begin, waited = self._kernels, self.begin, 0
        for epoch in range(1, epochs + 1):
            before, index = self.steps, 0
            self.epoch_loss[0] = 0
            for batch in _each(batches):
                self._named("fit: batch", index, batch, begin)
                _learn(self, hook)
                index += 1
            if not index:
                raise ValueError(self._why_nothing(epoch, measured))
            if not (k.all_finite(self.epoch_loss, 0, 1) and k.all_finite(self.actor, 0, len(self.actor))):
                raise ValueError("fit: learning diverged in epoch %d, a lower learning_rate may help" % epoch)
            loss = self._mean(self.epoch_loss, self.steps - before)
            record = {"epoch": epoch, "step": self.steps, "updates": self.updates, "loss": loss}
            if validation is not None:
                waited += 1
                found = self._score(validation, "fit: validation batch")
                float32.divide(self.total, 0, -1)
                if self.note_return(self.total):
                    waited = 0
                record["validation_loss"] = found["loss"]
                if self.classifies:
                    record["accuracy"] = found["accuracy"]
                record["best"] = -self.best_return[0]
            yield record
            if patience is not None and waited >= patience:
                break
        if validation is not None and self.keep_best:
            self.use_best()

    def _why_nothing(self, epoch, measured):
        if epoch == 1 and not measured:
            return "fit: batches is empty"
        return (
            "fit: batches is empty in epoch %d: an iterator is used up after one pass%s; give a list, Batches, or a function that"
            " returns an iterator" % (epoch, ", and normalise measures in one of its own" if measured else "")
        )

    def _named(self, name, index, batch, use):
        """use(inputs, targets), with errors that tell which batch it was."""
        try:
            inputs, targets = batch
        except (TypeError, ValueError):
            raise ValueError("%s %d is not a pair of inputs and targets" % (name, index))
        try:
            return use(inputs, targets)
        except ValueError as error:
            raise ValueError("%s %d: %s" % (name, index, error))

    def _measure(self, batches):
        """Mean and deviation of all rows, by which they will be scaled; nothing is kept when a batch is bad."""
        k, index = self._kernels, 0
        try:
            for batch in _each(batches):
                rows = self._named("fit: batch", index, batch, self._check)
                inputs, targets = batch
                k.moments_update(inputs, self.moments, self.n_inputs, rows)
                if not self.classifies:
                    k.moments_update(targets, self.target_moments, self.n_outputs, rows)
                index += 1
            if not index:
                raise ValueError("fit: batches is empty")
        except BaseException:
            k.fill(self.moments, self.zero, 0, len(self.moments))
            if not self.classifies:
                k.fill(self.target_moments, self.zero, 0, len(self.target_moments))
            raise

    def evaluate(self, batches):
        """The mean loss over batches, and a classifier's accuracy, as a dict. An update under way is finished first."""
        return self._score(batches, "evaluate: batch")

    def _score(self, batches, name):
        k, hold = self._kernels, self._hold
        count = right = index = 0
        self.total[0] = 0
        for batch in _each(batches):
            self._named(name, index, batch, hold)
            row = 0
            while row < self.rows:
                rows = min(self.chunk, self.rows - row)
                self._forward_chunk(row, rows)
                row += rows
            k.accumulate(self.total, 0, self.loss_sum)
            if self.classifies:
                k.argmax(self.out, self.guess, self.n_outputs, 0, self.rows)
                for r in range(self.rows):
                    if self.guess[r] == self.choice[r]:
                        right += 1
            count += self.rows
            index += 1
        if not index:
            raise ValueError("%ses: there is none" % name)
        found = {"loss": self._mean(self.total, count)}
        if self.classifies:
            found["accuracy"] = right / count
        return found

    def _mean(self, total, rows):
        """The mean of the losses that total (1) gathered, as float32."""
        float32.divide(total, 0, rows if self.classifies else rows * self.n_outputs)
        return total[0]

    def forget_best(self):
        """Let the next validation loss be the best, whatever it is."""
        self.best_return[0] = NO_RETURN

    # --- acting -----------------------------------------------------------------------------------------------------

    def predict(self, inputs, outputs):
        """Write what the network says of inputs (rows, inputs) to outputs: (rows, outputs) floats, or (rows) classes in array('i').

        Allocates nothing. ValueError when the sizes do not fit.
        """
        rows, width = self._count_rows(inputs), 1 if self.classifies else self.n_outputs
        if _items(outputs) != rows * width:
            raise ValueError("predict: outputs holds %d numbers, must be %d" % (_items(outputs), rows * width))
        k, head = self._kernels, self.act_head
        x, n = self.act_x, self.n_inputs
        for r in range(rows):
            k.copy(inputs, r * n, x, 0, n)
            k.moments_apply(x, self.moments, x, n, 0, 1)
            k.forward(self.actor_layout, self.actor, x, head, self.act_cache, 0, 1)
            if self.classifies:
                k.argmax(head, self.act_choice, self.n_outputs, 0, 1)
                outputs[r] = self.act_choice[0]
            else:
                k.moments_restore(head, self.target_moments, head, width, 0, 1)
                k.copy(head, 0, outputs, r * width, width)


class Regressor(Supervised):
    """Learns numbers from numbers, such as temperatures from a sensor's readings.

    inputs, outputs  numbers of a row
    loss             mse (mean squared error) or huber (errors count linearly beyond `huber`, so that outliers pull less)
    huber            in units of the targets' deviation when normalise is on
    options          those of Supervised
    """

    HEAD = "regression"

    def __init__(self, inputs, outputs=1, loss="mse", huber=1.0, **options):
        if loss not in ("mse", "huber"):
            raise ValueError("loss is %r, must be mse or huber" % (loss,))
        self.loss = loss
        real("huber", huber, 1e-6, 1e30)
        super().__init__(inputs, whole("outputs", outputs, 1), **options)
        float32.store(self.limit, 0, huber)

    def declare(self):
        return super().declare() + [("limit", "f", 1, HYPER)]

    def _forward_chunk(self, row, rows):
        k, n = self._kernels, self.n_outputs
        out, loss = self.out, self.loss_sum
        k.forward(self.actor_layout, self.actor, self.x, out, self.cache, row, rows)
        if self.loss == "mse":
            k.mse_delta(out, self.target, self.d_out, loss, row * n, rows * n, self.rows * n)
        else:
            k.huber_delta(out, self.target, self.limit, self.d_out, loss, row * n, rows * n, self.rows * n)


class Classifier(Supervised):
    """Learns which of several classes a row of numbers belongs to; its loss is the cross-entropy of a softmax.

    inputs   numbers of a row
    classes  how many there are; targets are 0 to classes - 1
    options  those of Supervised
    """

    HEAD = "categorical"
    loss = "cross_entropy"

    def __init__(self, inputs, classes, **options):
        super().__init__(inputs, whole("classes", classes, 2), **options)

    def _forward_chunk(self, row, rows):
        k, n = self._kernels, self.n_outputs
        k.forward(self.actor_layout, self.actor, self.x, self.out, self.cache, row, rows)
        k.cross_entropy_delta(self.out, self.choice, self.d_out, self.loss_sum, n, row, rows, self.rows)
