"""What an agent will take, told before anything is allocated."""

from . import memory, network
from .off_policy import least_capacity

# MicroPython on a 32-bit board: a heap block, and what an agent needs beside its buffers (the instance with its attributes, the update's
# generator, bound functions); measured on a Cortex-M7, tests_device checks it there.
_BLOCK = 16
_AGENT = 2400
_SPAN = 32 + 4  # a (start, count) tuple and its place in the tuple around it

# Instructions of one garbage collection, per byte of heap in use that belongs to float arrays: the collector scans them word by word.
# Counted on a Cortex-M7.
_GC_PER_BYTE = 8


class _Declared(Exception):
    """Ends a constructor where it would have taken its memory."""


def _stop(agent, declared):
    raise _Declared(agent, declared)


def _blocks(nbytes):
    return (nbytes + _BLOCK - 1) // _BLOCK * _BLOCK


class Plan:
    """Bytes and work of an agent.

    parts           [(name, bytes), …] of every buffer, biggest first
    buffers         bytes of all buffers (exact)
    objects         bytes of Python objects around them on a 32-bit board (within 1 KB)
    largest         bytes of the largest contiguous block
    gc_instructions an estimate of what one garbage collection costs because of these buffers
    act_macs, update_macs  multiply-adds of the networks in one act and one update (all of its parts)
    params          parameters of actor and critics
    """

    def __init__(self, agent, declared):
        sized = [(name, memory.nbytes(typecode, length)) for name, typecode, length, _ in declared]
        self.parts = sorted(sized, key=lambda one: -one[1])
        self.buffers = sum(nbytes for _, nbytes in sized)
        rounding = sum(_blocks(nbytes) - nbytes for _, nbytes in sized)
        actor, critic = agent.actor_layout, agent.critic_layout
        chunks = len(memory.spans(agent.batch_size, agent.chunk))
        spans = sum(len(memory.spans(network.n_params(one), agent.chunk * 256)) for one in (actor, critic))
        self.objects = _AGENT + _BLOCK * len(sized) + rounding + _SPAN * (chunks + spans)
        self.largest = self.parts[0][1]
        self.batch_size = agent.batch_size
        self.gc_instructions = _GC_PER_BYTE * self.buffers
        self.params = network.n_params(actor) + 2 * network.n_params(critic)
        self.act_macs = _macs(actor)
        self.update_macs = agent.batch_size * agent.row_macs(_macs(actor), _inner(actor), _macs(critic), _inner(critic))

    @property
    def total(self):
        """Bytes of heap: buffers and objects."""
        return self.buffers + self.objects

    def __str__(self):
        lines = ["%10d  %s" % (nbytes, name) for name, nbytes in self.parts]
        lines.append("%10d  buffers" % self.buffers)
        lines.append("%10d  objects (32-bit MicroPython, about)" % self.objects)
        lines.append("%10d  together; the largest block is %d" % (self.total, self.largest))
        return "\n".join(lines)


def _macs(layout):
    return sum(inputs * outputs for inputs, outputs in network.layers(layout))


def _inner(layout):
    """Multiply-adds of the input gradient of all layers but the first."""
    return sum(inputs * outputs for inputs, outputs in network.layers(layout)[1:])


def plan(algorithm, env, **options):
    """The Plan of algorithm(env, **options). Nothing is allocated for it; ValueError for options the algorithm refuses."""
    try:
        algorithm(env, take=_stop, **options)
    except _Declared as declared:
        return Plan(*declared.args)


def largest_replay(algorithm, env, heap, **options):
    """The most rows of replay with which algorithm(env, **options) fits `heap` bytes; 0 when not even one batch does."""
    many = 1_000_000
    large = plan(algorithm, env, **dict(options, replay_capacity=many))
    row = 4 * (len(env.obs) + len(env.action_low) + 1) + 1
    rows = min(many, many - (large.total - heap + row - 1) // row)
    # Buffers end on whole blocks, which can cost a few rows more.
    least = least_capacity(large.batch_size)
    while rows >= least and plan(algorithm, env, **dict(options, replay_capacity=rows)).total > heap:
        rows -= 1
    return rows if rows >= least else 0
