"""The kernel contract, declared once.

`generate.py` makes the three C bindings from these tables (MicroPython user module, native .mpy module, CPython
extension); the tests run every backend against it. ../README.md says what the numbers must be.

Buffers: `F` float32 ('f'), `I` int32 ('i'), `U` uint32 ('I'), `B` bytes (bytearray or 'B'). A size is an
expression in the integer arguments, `len_NAME` (the length of buffer NAME) and, where a kernel takes a `Layout`,
`n_params`, `n_in`, `n_out` and `n_hidden` (the sum of the widths of all layers but the last). A buffer may be longer
than its size. Sizes and integers are checked before the first write; a wrong one raises ValueError, for example

    forward: out holds 12 floats, needs 16 ((row + rows) * n_out)
"""

from . import (
    acting,
    actor_critic,
    batches,
    buffers,
    choices,
    environments,
    networks,
    on_policy,
    optimizer,
    random_numbers,
    recurrent,
    replay,
    streaming,
    supervised,
)
from .contract import (
    ACTIVATIONS,
    ALGORITHMS,
    ENVIRONMENTS,
    INPUT_ACTIVATIONS,
    KINDS,
    LAYERS,
    MAX_INT,
    RECORD,
    REPLAY_STATE,
    RNG,
    ROWS,
    SPAN,
    WRAPPERS,
    AnyBuffer,
    Buffer,
    F,
    Fw,
    Int,
    Kernel,
    Layers,
    Layout,
)

ABI = 4  # changes whenever a signature or a meaning in these files changes; the library refuses another

# In this order the bindings have them.
KERNELS = (
    *networks.KERNELS,
    *optimizer.KERNELS,
    *random_numbers.KERNELS,
    *replay.KERNELS,
    *recurrent.KERNELS,
    *acting.KERNELS,
    *actor_critic.KERNELS,
    *choices.KERNELS,
    *buffers.KERNELS,
    *on_policy.KERNELS,
    *batches.KERNELS,
    *streaming.KERNELS,
    *supervised.KERNELS,
    *environments.KERNELS,
)
