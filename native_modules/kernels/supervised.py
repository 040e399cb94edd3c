"""Supervised learning."""

from .contract import ROWS, SPAN, Buffer, F, Fw, Int, Kernel

KERNELS = (
    Kernel(
        "huber_delta",
        """As `mse_delta`, of the mean Huber loss (1964): with e = q - target, l = limit[0] and c = clip(e, -l, l), d_q = c * (1 / batch);
        loss[0] gathers (0.5 c) c + (|e| - |c|) l.""",
        (
            F("q", "row + rows"),
            F("target", "row + rows"),
            F("limit", "1"),
            Fw("d_q", "row + rows"),
            Fw("loss", "1"),
            *ROWS,
            Int("batch", 1),
        ),
        of=("supervised",),
    ),
    Kernel(
        "cross_entropy_delta",
        """Gradient of the mean of -log_prob of choice (batch) under softmax(logits (batch, n)): with l_k = (logit_k - max) - log(sum) as in
        `categorical_log_prob`, d_logits_k = (exp(l_k) - (1 if k is the choice, else 0)) * (1 / batch). loss[0] gathers -l_choice, rows
        ascending, starting at 0 when row is 0. ValueError for a choice that is not in 0 to n - 1.""",
        (
            F("logits", "(row + rows) * n"),
            Buffer("choice", "i", "row + rows"),
            Fw("d_logits", "(row + rows) * n"),
            Fw("loss", "1"),
            Int("n", 1),
            *ROWS,
            Int("batch", 1),
        ),
        check=True,
        of=("supervised",),
    ),
    Kernel(
        "sgd_delta",
        """Gradient descent with momentum (Sutskever et al. 2013, as PyTorch has it) on elements [start, start + count): hyper = learning rate,
        momentum; velocity = flush(fma(momentum, velocity, flush(grad))), and grad becomes the step, learning rate * velocity, to be
        subtracted by `apply_delta`. velocity None: no momentum, the step is learning rate * flush(grad).""",
        (
            Fw("grad", "start + count"),
            Fw("velocity", "start + count", optional=True),
            F("hyper", "2"),
            *SPAN,
        ),
        of=("supervised",),
    ),
)
