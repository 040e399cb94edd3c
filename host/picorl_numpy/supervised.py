"""Losses of supervised learning."""

import numpy as np

from .arithmetic import exp, huber, log_softmax
from .contract import INT, POSITIVE, Buffer, F, W, kernel, within


@kernel
def huber_delta(
    q: F("row + rows"),
    target: F("row + rows"),
    limit: F("1"),
    d_q: W("row + rows"),
    loss: W("1"),
    row: INT,
    rows: INT,
    batch: POSITIVE,
):
    here = slice(row, row + rows)
    error = q[here] - target[here]
    clipped = np.clip(error, -limit[0], limit[0])
    np.multiply(clipped, np.float32(1) / np.float32(batch), out=d_q[here])
    loss[0] = (loss[0] if row else 0) + huber(error, clipped, limit)


@kernel
def cross_entropy_delta(
    logits: F("(row + rows) * n"),
    choice: Buffer("row + rows", "i"),
    d_logits: W("(row + rows) * n"),
    loss: W("1"),
    n: POSITIVE,
    row: INT,
    rows: INT,
    batch: POSITIVE,
):
    chosen = within("cross_entropy_delta", "choice", choice, row, rows, n)
    log_p = log_softmax(logits, n, row, rows)
    chosen = (np.arange(rows), chosen)
    d = exp(log_p)
    d[chosen] -= 1
    np.multiply(d, np.float32(1) / np.float32(batch), out=d_logits[row * n : (row + rows) * n].reshape(rows, n))
    loss[0] = (loss[0] if row else 0) - log_p[chosen].sum()
