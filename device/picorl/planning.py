"""What an agent will take, told before anything is allocated."""

from . import memory, network

# MicroPython on a 32-bit board: a heap block, and what an agent needs beside its buffers (the instance with its attributes, the update's
# generator, bound functions); measured on a Cortex-M7, tests_device checks it there.
_BLOCK = 16
_AGENT = 1400
_SPAN = 16 + 4  # a (start, count) tuple and its place in the tuple around it

# Instructions of one garbage collection, per byte of heap in use that belongs to float arrays: the collector scans them word by word.
# Counted on a Cortex-M7.
_GC_PER_BYTE = 8

# Instructions of a Cortex-M7 for the longest piece of work(), a backward pass: per row and multiply-add, and beside them. The former
# are 1.06 when training begins; the rest is for units that it wakes.
_PIECE_PER_MAC = 1.15
_PIECE = 4000


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
    arena           bytes of the buffers that go into the firmware's arena, where it has one; the others are in the heap
    gc_instructions an estimate of what one garbage collection costs because of these buffers
    act_macs, update_macs  multiply-adds of the networks in one act and one update (all of its parts)
    backward_macs   multiply-adds of the longest backward pass, per row
    update_every    environment steps from one update to the next
    optimiser_steps of every network in one update
    param_work, other_work  what an update does beside running networks, to a parameter and else, as parts of what SAC and TD3 do
    params          parameters of all networks that are learned
    units, sequence  units of a GRU, and steps of each sequence that an update runs it over (0: no GRU)
    chunks          parts that a batch is handled in
    """

    def __init__(self, agent, declared, arena):
        sized = [(name, memory.nbytes(typecode, length)) for name, typecode, length, _ in declared]
        self.parts = sorted(sized, key=lambda one: -one[1])
        self.buffers = sum(nbytes for _, nbytes in sized)
        rounding = sum(_blocks(nbytes) - nbytes for _, nbytes in sized)
        self.objects = _AGENT + agent.extra_objects() + _BLOCK * len(sized) + rounding + _SPAN * agent.count_spans()
        self.largest = self.parts[0][1]
        self.batch_size = agent.batch_size
        self.least_capacity = getattr(agent, "least_capacity", 0)  # rows of a replay
        self.arena = _fitting(declared, arena)
        self.gc_instructions = _GC_PER_BYTE * (self.buffers - self.arena)
        self.params = sum(network.n_params(one) for one in agent.learned())
        self.act_macs = network.macs(agent.actor_layout)
        self.update_macs = agent.update_macs()
        self.backward_macs = agent.backward_macs()
        self.update_every = agent.update_every()
        self.optimiser_steps = agent.optimiser_steps()
        self.param_work = agent.PARAM_WORK
        self.other_work = agent.OTHER_WORK
        self.units = agent.units
        self.sequence = getattr(agent, "steps_of_sequence", 0)
        self.chunks = (agent.batch_size - 1) // agent.chunk + 1

    def chunk(self, instructions=120_000):
        """The most rows a piece of work() may handle (`chunk=`) to stay below so many instructions of a Cortex-M7; at least 1.

        An estimate for networks of which half the units rest, as is usual behind ReLUs.
        """
        rows = int((instructions - _PIECE) / (_PIECE_PER_MAC * self.backward_macs))
        pieces = (self.batch_size - 1) // max(1, min(rows, self.batch_size)) + 1
        return (self.batch_size - 1) // pieces + 1  # all of about the same size

    @property
    def total(self):
        """Bytes of buffers and objects."""
        return self.buffers + self.objects

    @property
    def heap(self):
        """Bytes of heap: what of the total is not in the arena."""
        return self.total - self.arena

    def __str__(self):
        lines = ["%10d  %s" % (nbytes, name) for name, nbytes in self.parts]
        lines.append("%10d  buffers" % self.buffers)
        lines.append("%10d  objects (32-bit MicroPython, about)" % self.objects)
        lines.append("%10d  together; the largest block is %d" % (self.total, self.largest))
        if self.arena:
            lines.append("%10d  of it in the firmware's arena, %d in the heap" % (self.arena, self.heap))
        return "\n".join(lines)


def _fitting(declared, arena):
    """Bytes of the buffers for which memory.take finds room in an arena of so many bytes, all of them free."""
    found = 0
    for _, typecode, length, _ in sorted(declared, key=lambda one: -memory.nbytes(one[1], one[2])):
        size = memory.arena_bytes(typecode, length)
        if size <= arena:
            arena -= size
            found += memory.nbytes(typecode, length)
    return found


def plan(algorithm, env, arena=None, **options):
    """The Plan of algorithm(env, **options). Nothing is allocated for it; ValueError for options the algorithm refuses.

    arena: bytes of the firmware's arena; None: of this firmware's own.
    """
    try:
        algorithm(env, take=_stop, **options)
    except _Declared as stopped:
        agent, declared = stopped.args
        return Plan(agent, declared, memory.arena() if arena is None else arena)


def largest_replay(algorithm, env, heap, arena=None, **options):
    """The most rows of replay with which algorithm(env, **options) fits `heap` bytes; 0 when not even one batch does.

    The options are plan()'s; with an arena it may be fewer rows than possible, where buffers fill it badly.
    """
    many = 1_000_000
    if arena is None:
        arena = memory.arena()
    large = plan(algorithm, env, arena, **dict(options, replay_capacity=many))
    actions = 1 if hasattr(env, "n_actions") else len(env.action_low)
    row = 4 * (len(env.obs) + actions + 1) + 1
    rows = min(many, many - (large.total - heap - arena + row - 1) // row)
    # Buffers end on whole blocks, and do not fill an arena to its end, which costs more rows.
    while rows >= large.least_capacity:
        short = plan(algorithm, env, arena, **dict(options, replay_capacity=rows)).heap - heap
        if short <= 0:
            return rows
        rows -= max(1, short // row - _BLOCK)  # in steps of one where rounding decides
    return 0
