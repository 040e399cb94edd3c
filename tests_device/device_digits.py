"""Runs on a target and on the desktop: learns scikit-learn's digits from the file that the host put beside it, row by row.

The host puts `CASE = {...}` before this text. A row of the file is 64 pixels of 0 to 16 and the digit, a byte each.
"""

from array import array

import picorl

PIXELS = 64
BATCH = 50


def batches(path, rows):
    """Batches of up to BATCH rows in the order of the file, which is read again each time: never more than one in memory."""
    inputs, targets = array("f", [0] * (BATCH * PIXELS)), array("i", [0] * BATCH)
    row = bytearray(PIXELS + 1)
    with open(path, "rb") as file:
        while rows:
            count = min(BATCH, rows)
            for r in range(count):
                file.readinto(row)
                for i in range(PIXELS):
                    inputs[r * PIXELS + i] = row[i] / 16
                targets[r] = row[PIXELS]
            rows -= count
            yield (memoryview(inputs)[: count * PIXELS], memoryview(targets)[:count])


def learn(hidden, epochs, seed, rows, test_rows):
    model = picorl.Classifier(PIXELS, 10, hidden=hidden, batch_size=BATCH, normalise=False, seed=seed)
    for _ in model.fit(lambda: batches("digits.bin", rows), epochs=epochs):
        pass
    found = model.evaluate(batches("test.bin", test_rows))
    print("learned", model.crc(), round(found["accuracy"] * test_rows), model.updates)


learn(**CASE)  # noqa: F821
