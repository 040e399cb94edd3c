"""What changes params: Adam, and the average that a target network is."""

from .contract import REPLAY_USERS, SPAN, F, Fw, Kernel

KERNELS = (
    Kernel(
        "adam_advance",
        """Begin an Adam step (Kingma & Ba 2015, algorithm 1): hyper = learning rate, beta1, beta2, epsilon; state =
        beta1^t, beta2^t, lr / (1 - beta1^t), 1 / sqrt(1 - beta2^t); state starts as 1, 1, 0, 0. The powers are
        multiplied up in float32.""",
        (F("hyper", "4"), Fw("state", "4")),
    ),
    Kernel(
        "adam",
        """Adam on elements [start, start + count) with the step sizes of `adam_advance`; grad is zeroed behind it.
        m = flush(fma(beta1, m, (1 - beta1) * g)); v = flush(fma(beta2, v, ((1 - beta2) * g) * g));
        step = (state[2] * m) / fma(sqrt(v), state[3], epsilon); params = flush(params - step). g is flush(grad).""",
        (
            Fw("params", "start + count"),
            Fw("grad", "start + count"),
            Fw("m", "start + count"),
            Fw("v", "start + count"),
            F("hyper", "4"),
            F("state", "4"),
            *SPAN,
        ),
    ),
    Kernel(
        "adam_delta",
        """Like `adam`, but params stay and grad becomes the step (to be subtracted by `apply_delta`): the acting policy
        then changes in one short call, however finely its Adam is cut into pieces.""",
        (
            Fw("grad", "start + count"),
            Fw("m", "start + count"),
            Fw("v", "start + count"),
            F("hyper", "4"),
            F("state", "4"),
            *SPAN,
        ),
        of=(*REPLAY_USERS, "supervised"),
    ),
    Kernel(
        "apply_delta",
        """params = flush(params - delta) on elements [start, start + count); delta is zeroed behind it.""",
        (Fw("params", "start + count"), Fw("delta", "start + count"), *SPAN),
        of=(*REPLAY_USERS, "supervised"),
    ),
    Kernel(
        "polyak",
        """target = flush(fma(tau[0], source - target, target)) on elements [start, start + count).""",
        (Fw("target", "start + count"), F("source", "start + count"), F("tau", "1"), *SPAN),
        of=REPLAY_USERS,
    ),
)
