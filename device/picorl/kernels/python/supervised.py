"""Losses of supervised learning."""

from . import arithmetic, checks


def huber_delta(q, target, limit, d_q, loss, row, rows, batch):
    kernel = "huber_delta"
    end = checks.row_range(kernel, row, rows)
    checks.integer(kernel, "batch", batch, 1)
    checks.need(kernel, "q", q, end)
    checks.need(kernel, "target", target, end)
    checks.need(kernel, "limit", limit, 1)
    checks.need(kernel, "d_q", d_q, end)
    checks.need(kernel, "loss", loss, 1)
    total = loss[0] if row else 0.0
    most = limit[0]
    for r in range(row, end):
        error = q[r] - target[r]
        clipped = arithmetic.clip(error, -most, most)
        d_q[r] = clipped / batch
        total += 0.5 * clipped * clipped + (abs(error) - abs(clipped)) * most
    loss[0] = total


def cross_entropy_delta(logits, choice, d_logits, loss, n, row, rows, batch):
    kernel = "cross_entropy_delta"
    checks.integer(kernel, "n", n, 1)
    checks.row_range(kernel, row, rows)
    checks.integer(kernel, "batch", batch, 1)
    end = checks.columns(kernel, "logits", logits, n, row, rows)
    checks.need(kernel, "choice", choice, end, "i")
    checks.need(kernel, "d_logits", d_logits, end * n)
    checks.need(kernel, "loss", loss, 1)
    checks.within(kernel, "choice", choice, row, end, n)
    total = loss[0] if row else 0.0
    for r in range(row, end):
        at = r * n
        log_sum = arithmetic.log_sum_exp(logits, at, n)
        total -= logits[at + choice[r]] - log_sum
        for k in range(n):
            d_logits[at + k] = (
                arithmetic.flushed_exp(logits[at + k] - log_sum) - (1.0 if k == choice[r] else 0.0)
            ) / batch
    loss[0] = total
