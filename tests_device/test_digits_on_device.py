"""Handwritten digits (scikit-learn's) learned on the targets, as well as by scikit-learn's MLPClassifier with the same network."""

import contextlib
import io
import warnings
from pathlib import Path

import desktop
import numpy as np
import pytest

datasets = pytest.importorskip("sklearn.datasets")
SCRIPT = (Path(__file__).parent / "device_digits.py").read_text()
# (hidden, epochs): of an interpreter on a desktop, and of a microcontroller.
LARGE, SMALL = ((32,), 60), ((16,), 30)


def split():
    """Pixels and digits as bytes: rows to learn from, in random order, and rows to test with."""
    x, y = datasets.load_digits(return_X_y=True)
    rows = np.column_stack((x, y)).astype(np.uint8)[np.random.default_rng(0).permutation(len(y))]
    return rows[:1257], rows[1257:]


def accuracy_of_scikit_learn(hidden, epochs):
    """The mean of three seeds, with the same optimiser, batches and epochs."""
    from sklearn.neural_network import MLPClassifier

    train, test = split()
    scores = []
    for seed in range(3):
        peer = MLPClassifier(hidden, alpha=0, batch_size=50, max_iter=epochs, random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it would train longer
            peer.fit(train[:, :64] / 16, train[:, 64])
        scores.append(peer.score(test[:, :64] / 16, test[:, 64]))
    return np.mean(scores)


@pytest.mark.size("medium")
def test_digits_are_read_as_well_as_by_scikit_learn(native, tmp_path, monkeypatch):
    hidden, epochs = LARGE if native.size == "large" else SMALL
    train, test = split()
    case = dict(hidden=hidden, epochs=epochs, seed=0, rows=len(train), test_rows=len(test))
    program = f"CASE = {case!r}\n{SCRIPT}"
    files = (("digits.bin", train.tobytes()), ("test.bin", test.tobytes()))
    said = native.run(program, files)

    monkeypatch.chdir(tmp_path)
    for name, content in files:
        (tmp_path / name).write_bytes(content)
    expected = io.StringIO()
    with desktop.same_class(native), contextlib.redirect_stdout(expected):
        exec(program, {})
    assert said == expected.getvalue()

    right, updates = map(int, said.split()[2:])
    assert updates == epochs * -(-len(train) // 50)
    assert right / len(test) >= accuracy_of_scikit_learn(hidden, epochs) - 0.01
