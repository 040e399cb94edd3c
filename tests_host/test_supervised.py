"""Supervised learning: gradients, optimisers, early stopping, the same bits in pieces and resumed, bad input, a real data set."""

import json
import math
import os
import subprocess
import sys
import warnings
from array import array
from pathlib import Path

import numpy as np
import pytest
import reference_kernels as reference

import picorl
from picorl import kernels

LOSSES = {
    "mse": (picorl.Regressor, dict(outputs=3)),
    "huber": (picorl.Regressor, dict(outputs=3, loss="huber", huber=0.4)),
    "cross entropy": (picorl.Classifier, dict(classes=3)),
}
OPTIMISERS = {
    "adam": {},
    "adamw": dict(optimiser="adamw", weight_decay=0.3, learning_rate=0.01),
    "sgd": dict(optimiser="sgd", learning_rate=0.05),
    "sgd without momentum": dict(optimiser="sgd", learning_rate=0.05, momentum=0),
}
SMALL = dict(hidden=(8, 5), batch_size=10, seed=3)


def data(name, rows=47):
    """Rows of 4 inputs far from mean 0, and what can be learned from them."""
    r = np.random.default_rng(5)
    x = (r.standard_normal((rows, 4)) * (1, 100, 0.1, 30) + (0, 500, 1, -3)).astype(np.float32)
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    y = np.stack([np.sin(2 * z[:, 0]) + z[:, 1], z[:, 2] * z[:, 3], z[:, 0]], 1) * (5, 0.1, 80) + (0, 7, -300)
    if name == "cross entropy":
        return x, ((y - y.mean(axis=0)) / y.std(axis=0)).argmax(axis=1).astype(np.int32)
    return x, y.astype(np.float32)


def made(name, **options):
    kind, own = LOSSES[name]
    return kind(4, **(SMALL | own | options))


def batches(name, **options):
    return picorl.Batches(*data(name), 4, batch_size=10, seed=1, **options)


def run(model, *args, **options):
    return list(model.fit(*args, **options))


# --- numbers ------------------------------------------------------------------------------------------------------


def scaled(x, moments):
    x, moments, width = np.array(x, np.float64), np.array(moments, np.float64), (len(moments) - 1) // 2
    x = x.reshape(-1, width)
    return (x - moments[1 : 1 + width]) / np.sqrt(moments[1 + width :] / moments[0] + 1e-8) if moments[0] else x


def float64_loss(model, params, x, y):
    """Mean loss of rows of raw numbers, as the literature has it."""
    out = reference.outputs(model.actor_layout, params, scaled(x, model.moments))[-1]
    if isinstance(model, picorl.Classifier):
        return -np.log(reference.probabilities(out)[np.arange(len(y)), y]).mean()
    error = out - scaled(y, model.target_moments)
    return (error**2).mean() if model.loss == "mse" else reference.huber(error, model.limit[0]).mean()


def float64_gradient(model, params, x, y, step=1e-6):
    gradient = np.empty(len(params))
    for i in range(len(params)):
        sides = []
        for change in (step, -step):
            moved = params.copy()
            moved[i] += change
            sides.append(float64_loss(model, moved, x, y))
        gradient[i] = (sides[0] - sides[1]) / (2 * step)
    return gradient


@pytest.mark.parametrize("normalise", [True, False])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("name", LOSSES)
def test_a_step_of_gradient_descent_is_the_numerical_gradient(name, activation, normalise):
    """With learning rate 1 and no momentum the parameters move by the gradient; the batch is a short one, in chunks."""
    options = dict(optimiser="sgd", momentum=0, learning_rate=1.0, chunk=3, activation=activation)
    model = made(name, normalise=normalise, **options)
    x, y = data(name)
    if normalise:
        model._measure([(x[:10], y[:10]), (x[10:20], y[10:20])])
    else:
        x, y = (x - x.mean(axis=0)) / x.std(axis=0), y if name == "cross entropy" else y / 300
        x, y = x.astype(np.float32), y.astype(y.dtype)
    before = np.array(model.actor, np.float64)
    model.learn(x[:7], y[:7])
    wanted = float64_gradient(model, before, x[:7], y[:7])
    np.testing.assert_allclose(before - np.array(model.actor), wanted, 1e-3, 2e-5 * np.abs(wanted).max())
    assert model.epoch_loss[0] / (7 if name == "cross entropy" else 21) == pytest.approx(
        float64_loss(model, before, x[:7], y[:7]), rel=1e-4
    )


@pytest.mark.parametrize("options", OPTIMISERS.values(), ids=OPTIMISERS)
def test_optimisers_follow_their_papers(options):
    """Five steps of a linear model against float64, written from PyTorch's documentation of Adam, AdamW and SGD."""
    model = made("mse", hidden=(), normalise=False, **options)
    x, y = np.random.default_rng(1).standard_normal((2, 5, 10, 4)).astype(np.float32)
    params = np.array(model.actor, np.float64)
    m, v = np.zeros_like(params), np.zeros_like(params)
    rate, decay = options.get("learning_rate", 1e-3), options.get("weight_decay", 0)
    for t in range(1, 6):
        inputs, targets = x[t - 1], np.ascontiguousarray(y[t - 1][:, :3])
        g = float64_gradient(model, params, inputs, targets)
        model.learn(inputs, targets)
        if "optimiser" in options and options["optimiser"] == "sgd":
            m = options.get("momentum", 0.9) * m + g
            params -= rate * m
        else:
            params *= 1 - rate * decay
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
            params -= rate * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-7)
        np.testing.assert_allclose(model.actor, params, 1e-5, 1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_what_is_measured_are_mean_and_deviation_and_predictions_come_in_the_targets_units(name):
    x, y = data(name)
    model = made(name, hidden=(32,), learning_rate=0.01)
    records = run(model, batches(name), epochs=200)
    assert records[-1]["loss"] < 0.3 * records[0]["loss"]
    mean, squares = np.array(model.moments[1:]).reshape(2, 4)
    np.testing.assert_allclose(mean, x.mean(axis=0), 1e-4)
    np.testing.assert_allclose(squares / len(x), x.var(axis=0), 1e-3)
    out = np.zeros_like(y)
    model.predict(x, out)
    if name == "cross entropy":
        assert (out == y).mean() == pytest.approx(model.evaluate(batches(name))["accuracy"]) and (
            out == y
        ).mean() > 0.95
    else:
        assert (np.sqrt(((out - y) ** 2).mean(axis=0)) < 0.25 * y.std(axis=0)).all()
        # The network as it stands, in float64.
        z = reference.outputs(model.actor_layout, np.array(model.actor, np.float64), scaled(x, model.moments))[-1]
        np.testing.assert_allclose(out, z * y.std(axis=0) + y.mean(axis=0), 1e-3, 1e-3)


def test_digits_are_read_as_well_as_by_scikit_learn():
    """MLPClassifier and Classifier, same network, optimiser, batches, epochs and split: at most one point of accuracy apart, from below."""
    datasets = pytest.importorskip("sklearn.datasets")
    from sklearn.model_selection import train_test_split
    from sklearn.neural_network import MLPClassifier

    x, y = datasets.load_digits(return_X_y=True)
    parts = train_test_split((x / 16).astype(np.float32), y.astype(np.int32), test_size=0.3, random_state=0, stratify=y)
    x, x_test, y, y_test = parts
    ours, theirs = [], []
    for seed in range(3):
        peer = MLPClassifier((32,), alpha=0, batch_size=50, max_iter=60, random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it would train longer
            theirs.append(peer.fit(x, y).score(x_test, y_test))
        model = picorl.Classifier(64, 10, hidden=(32,), batch_size=50, normalise=False, seed=seed)
        run(model, picorl.Batches(x, y, 64, 50, seed=seed), epochs=60)
        guess = np.zeros_like(y_test)
        model.predict(x_test, guess)
        ours.append((guess == y_test).mean())
    print("accuracy:", ours, "MLPClassifier:", theirs)
    assert np.mean(ours) >= np.mean(theirs) - 0.01 and min(ours) > 0.95


@pytest.mark.parametrize("name", ["_picorl", "picorl_numpy"])
def test_every_backend_learns_the_same(name):
    before = kernels.name
    results = {}
    for backend in ("python", name):
        try:
            kernels.select(backend)
        except ImportError:
            pytest.skip("no C kernels")
        try:
            x, y = data("mse", 20)
            inputs, targets = array("f", x.tobytes()), array("f", y.tobytes())
            model = made("mse")
            run(model, picorl.Batches(inputs, targets, 4, 10), epochs=5)
            results[backend] = np.array(model.actor)
        finally:
            kernels.select(before)
    np.testing.assert_allclose(results[name], results["python"], 1e-3, 1e-4)


# --- the same bits ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", OPTIMISERS.values(), ids=OPTIMISERS)
@pytest.mark.parametrize("name", LOSSES)
def test_pieces_of_an_update_give_the_bits_of_whole_ones(name, options):
    """Also with predictions between the pieces."""
    whole, pieces = made(name, **options), made(name, chunk=3, **options)
    inputs = array("f", data(name)[0][0].tobytes())
    outputs = array("i", [0]) if name == "cross entropy" else array("f", [0] * 3)
    calls = []

    def hook():
        calls.append(1)
        pieces.predict(inputs, outputs)

    one = run(whole, batches(name), epochs=4)
    assert run(pieces, batches(name), epochs=4, hook=hook) == one
    assert len(calls) > 4 * pieces.updates and whole.updates == 20 and whole.steps == 4 * 47
    assert whole.crc() == pieces.crc()


def test_a_hook_may_evaluate_and_save(tmp_path):
    """Both finish the update under way; no bit and no record depends on it."""
    plain, watched, seen = made("mse"), made("mse", chunk=4), []

    def hook():
        if len(seen) % 3 == 0:
            watched.save(str(tmp_path / "model.safetensors"), full=True)
        seen.append(watched.evaluate(validation))

    validation = batches("mse", shuffle=False)
    assert run(plain, batches("mse"), epochs=2) == run(watched, batches("mse"), epochs=2, hook=hook)
    assert plain.crc() == watched.crc() and len(seen) >= watched.updates


@pytest.mark.parametrize("options", OPTIMISERS.values(), ids=OPTIMISERS)
@pytest.mark.parametrize("name", LOSSES)
def test_resumed_equals_straight(tmp_path, name, options):
    path = str(tmp_path / "model.safetensors")
    straight, order = made(name, **options), batches(name)
    run(straight, order, epochs=3)
    run(straight, order, epochs=4)
    first, order = made(name, **options), batches(name)
    run(first, order, epochs=3)
    first.save(path, full=True, env=order)
    order = picorl.Batches(*data(name), 4, batch_size=10, seed=77)
    again = made(name, **(options | dict(seed=9)))
    assert again.load(path, env=order) is True
    assert run(again, order, epochs=4)[-1]["updates"] == 35
    assert again.crc() == straight.crc() and again.counters == straight.counters


@pytest.mark.parametrize("name", LOSSES)
def test_policy_file_predicts_as_the_model_does(tmp_path, name):
    path = str(tmp_path / "model.safetensors")
    model = made(name)
    run(model, batches(name), epochs=3)
    model.save(path)
    policy, other = picorl.Policy.load(path), made(name, seed=8, optimiser="sgd")
    assert other.load(path) is False
    x, y = data(name)
    for row, target in zip(x, y, strict=True):
        ours, theirs, copied = (array("i", [9]) if y.ndim == 1 else array("f", target) for _ in range(3))
        model.predict(row, ours)
        policy.predict(row, theirs)
        other.predict(row, copied)
        assert bytes(ours) == bytes(theirs) == bytes(copied)


def test_checkpoints_of_other_models_are_refused(tmp_path):
    path = str(tmp_path / "model.safetensors")
    made("mse").save(path, full=True)
    for other, message in (
        (made("huber"), "has loss mse, must be huber"),
        (made("mse", optimiser="sgd"), "has optimiser adam, must be sgd"),
        (made("cross entropy"), "has algorithm Regressor, must be Classifier"),
        (made("mse", hidden=(8,)), "has layout"),
    ):
        before = other.crc()
        with pytest.raises(ValueError, match=message):
            other.load(path)
        assert other.crc() == before


def test_an_exception_between_pieces_leaves_a_model_that_goes_on():
    model, wanted = made("mse", chunk=2), made("mse")
    x, y = data("mse")
    model.begin(x[:10], y[:10])
    for _ in range(3):
        assert model.work() is False
    assert any(model.grad)
    model._discard()
    model.begin(x[10:20], y[10:20])
    while not model.work():
        pass
    wanted.learn(x[10:20], y[10:20])
    assert model.crc() == wanted.crc() and not model.work()

    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(model, batches("mse"), hook=stop)
    assert run(model, batches("mse"))[0]["epoch"] == 1


# --- early stopping -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LOSSES)
def test_stops_when_patience_ends_and_keeps_the_best(name):
    """Random targets cannot be learned: validation only gets worse after a while."""
    r = np.random.default_rng(4)
    x, y = data(name)
    y = r.permutation(y)
    train = picorl.Batches(x[:24], y[:24], 4, 10)
    validation = picorl.Batches(x[24:], y[24:], 4, 10, shuffle=False)
    model = made(name, hidden=(32,), learning_rate=0.02)
    crcs, records = {}, []
    for record in model.fit(train, validation, epochs=200, patience=5):
        records.append(record)
        crcs[record["epoch"]] = model.crc()
    losses = [record["validation_loss"] for record in records]
    best = losses.index(min(losses))
    assert len(records) == best + 1 + 5 < 200
    assert model.crc() == crcs[best + 1] != crcs[len(records)]
    assert model.evaluate(validation)["loss"] == losses[best] == records[-1]["best"]
    assert ("accuracy" in records[0]) == (name == "cross entropy")
    model.forget_best()
    with pytest.raises(ValueError, match="no policy was kept"):
        model.use_best()


def test_batches_hold_every_row_once_in_an_order_of_their_own():
    x, y = array("f", range(46)), array("i", range(23))
    shuffled = picorl.Batches(x, y, 2, batch_size=5, seed=1)
    orders = []
    for _ in range(2):
        order = []
        for inputs, targets in shuffled:
            assert len(inputs) == 2 * len(targets) and len(targets) == (5 if len(order) < 20 else 3)
            order += list(targets)
            assert list(inputs) == [float(2 * t + i) for t in targets for i in (0, 1)]
        assert sorted(order) == list(range(23))
        orders.append(order)
    assert orders[0] != orders[1] != list(range(23))
    assert [t for _, targets in picorl.Batches(x, y, 2, shuffle=False) for t in targets] == list(range(23))
    for inputs, targets, message in (
        (x, y[:7], "46 and targets 7"),
        (x[:45], y, "inputs holds 45"),
        (x[:0], y[:0], "inputs holds 0"),
        (x[:46], array("i", range(46)), "46 classes, must be one for each of 23 rows"),
    ):
        with pytest.raises(ValueError, match=message):
            picorl.Batches(inputs, targets, 2)


# --- bad input ----------------------------------------------------------------------------------------------------

NAN = float("nan")
GOOD = (array("f", [1, 2, 3, 4] * 2), array("f", [1, 2, 3] * 2))
GOOD_CHOICE = (GOOD[0], array("i", [0, 2]))
BAD = [
    ("mse", [], "batches is empty"),
    ("mse", [GOOD, GOOD[0]], "batch 1 is not a pair"),
    ("mse", [GOOD, None], "batch 1 is not a pair"),
    ("mse", [GOOD, (GOOD[0][:7], GOOD[1])], "batch 1: inputs holds 7 floats, must be whole rows of 4"),
    ("mse", [GOOD, (GOOD[0][:0], GOOD[1][:0])], "batch 1: inputs holds 0 floats"),
    ("mse", [GOOD, (GOOD[0], GOOD[1][:3])], "batch 1: targets holds 3 numbers, must be 6: 3 for each of the 2 rows"),
    ("mse", [GOOD, (GOOD[0], GOOD[1] * 2)], "batch 1: targets holds 12 numbers, must be 6"),
    ("mse", [(GOOD[0] * 6, GOOD[1] * 6)], "batch 0: inputs holds 12 rows, must be at most batch_size, 10"),
    ("mse", [GOOD, (array("f", [0] * 6 + [NAN, 0]), GOOD[1])], r"batch 1: inputs\[6\] is not finite"),
    ("mse", [GOOD, (GOOD[0], array("f", [math.inf] * 6))], r"batch 1: targets\[0\] is not finite"),
    ("mse", [(array("d", GOOD[0]), GOOD[1])], r"inputs is array\('d'\), must be array\('f'\)"),
    ("mse", [(GOOD[0], array("i", range(6)))], r"targets is array\('i'\), must be array\('f'\)"),
    ("cross entropy", [GOOD_CHOICE, (GOOD[0], array("i", [0, 3]))], r"batch 1: targets\[1\] is 3, must be 0 to 2"),
    ("cross entropy", [(GOOD[0], array("i", [-1, 0]))], r"targets\[0\] is -1, must be 0 to 2"),
    ("cross entropy", [(GOOD[0], array("f", [0, 1]))], r"targets is array\('f'\), must be array\('i'\)"),
    ("cross entropy", [(GOOD[0], array("i", range(3)))], "targets holds 3 numbers, must be 2"),
]


@pytest.mark.parametrize("normalise", [True, False])
@pytest.mark.parametrize("name, bad, message", BAD)
def test_bad_batches_are_named_and_nothing_is_learned_from_them(name, bad, message, normalise):
    model, wanted = made(name, normalise=normalise), made(name, normalise=normalise)
    with pytest.raises(ValueError, match="^fit: .*" + message):
        run(model, bad)
    if not normalise and len(bad) == 2:  # the first one was learned from
        wanted.learn(*bad[0])
    assert model.crc() == wanted.crc() and not any(model.moments) and not any(model.grad)
    assert model.updates == wanted.updates and not model.ready()
    with pytest.raises(ValueError, match=message.replace("batches is empty", "there is none")):
        model.evaluate(bad)
    good = GOOD_CHOICE if name == "cross entropy" else GOOD
    with pytest.raises(ValueError, match="validation batch"):
        run(model, [good], bad)
    assert run(model, [good], epochs=2)[1]["epoch"] == 2


def test_an_iterator_that_is_used_up_is_named():
    for normalise, epochs, message in (
        (True, 1, "empty in epoch 1: an iterator is used up after one pass, and normalise"),
        (False, 2, "empty in epoch 2: an iterator is used up after one pass; give a list"),
    ):
        with pytest.raises(ValueError, match=message):
            run(made("mse", normalise=normalise), iter([GOOD] * 3), epochs=epochs)

    def batches():
        yield GOOD
        yield GOOD

    assert run(made("mse"), batches, batches, epochs=3)[-1]["updates"] == 6
    assert len(run(made("mse", normalise=False), batches())) == 1


def test_learning_that_diverges_is_told():
    model = made("mse", normalise=False, optimiser="sgd", learning_rate=1.0)
    with pytest.raises(ValueError, match="diverged in epoch"):
        run(model, [(array("f", [1e4] * 8), array("f", [1e4] * 6))] * 50, epochs=10)


def test_bad_options_are_refused():
    for name, options, message in (
        ("mse", dict(loss="mae"), "loss is 'mae', must be mse or huber"),
        ("mse", dict(huber=0), "huber is 0"),
        ("mse", dict(outputs=0), "outputs is 0"),
        ("cross entropy", dict(classes=1), "classes is 1"),
        ("mse", dict(optimiser="rmsprop"), "optimiser is 'rmsprop', must be adam, adamw or sgd"),
        ("mse", dict(activation="swish"), "activation is 'swish'"),
        ("mse", dict(norm=1), "norm is 1, must be one of layer_norm, normalize"),
        ("mse", dict(momentum=2), "momentum is 2"),
        ("mse", dict(weight_decay=NAN), "weight_decay is nan"),
        ("mse", dict(batch_size=0), "batch_size is 0"),
        ("mse", dict(learning_rate=-1), "learning_rate is -1"),
    ):
        with pytest.raises(ValueError, match=message):
            made(name, **options)
    with pytest.raises(ValueError, match="patience needs validation"):
        made("mse").fit([GOOD], patience=3)
    with pytest.raises(ValueError, match="epochs is 0"):
        made("mse").fit([GOOD], epochs=0)
    with pytest.raises(ValueError, match="update: no batch was given"):
        made("mse").update()
    for inputs, outputs, message in ((5, 3, "inputs holds 5"), (8, 3, "outputs holds 3 numbers, must be 6")):
        with pytest.raises(ValueError, match=message):
            made("mse").predict(array("f", [0] * inputs), array("f", [0] * outputs))


def test_kernels_left_out_are_named(monkeypatch):
    class Without:
        def __getattr__(self, attribute, real=kernels.backend):
            if attribute == "sgd_delta":
                raise AttributeError(attribute)
            return getattr(real, attribute)

    monkeypatch.setattr(kernels, "backend", Without())
    with pytest.raises(ImportError, match="Classifier needs the kernel sgd_delta"):
        made("cross entropy")


@pytest.mark.parametrize("options", OPTIMISERS.values(), ids=OPTIMISERS)
@pytest.mark.parametrize("name", LOSSES)
def test_plan_is_what_is_taken(name, options):
    kind, own = LOSSES[name]
    planned = picorl.plan(kind, 4, **(SMALL | own | options))
    model = made(name, **options)
    assert dict(planned.parts) == {name: len(bytes(getattr(model, name))) for name, *_ in model.declare()}
    assert planned.update_macs == 10 * (2 * (4 * 8 + 8 * 5 + 5 * 3) + 8 * 5 + 5 * 3) and planned.update_every == 10


# --- the example --------------------------------------------------------------------------------------------------

DEVICE = Path(__file__).parent.parent / "device"
STOCK = DEVICE.parent / "build/stock/micropython"


@pytest.mark.parametrize("interpreter", [sys.executable, STOCK], ids=["cpython", "stock"])
def test_a_sensor_is_calibrated_to_a_degree(interpreter, tmp_path):
    if not Path(interpreter).exists():
        pytest.skip("no build/stock/micropython: make setup")
    path = {"MICROPYPATH": str(DEVICE), "PYTHONPATH": os.pathsep.join([str(DEVICE), str(DEVICE.parent / "host")])}
    done = subprocess.run(
        [interpreter, DEVICE / "examples/calibrate_sensor.py"],
        env=os.environ | path,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert records[-1]["event"] == "end" and records[-1]["rms"] < 0.5 and records[-1]["worst"] < 2
    assert picorl.Policy.load(str(tmp_path / "calibration.safetensors")).head == "regression"
