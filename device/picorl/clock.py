"""The interpreter's clock in microseconds, as MicroPython's time has it: ticks_us(), ticks_add(), ticks_diff() and sleep_us()."""

try:
    import time
except ImportError:
    time = None

_PERIOD = 1 << 29  # us: half a small integer of a 32-bit board, so that counting takes no memory
_MASK = _PERIOD - 1
_HALF = _PERIOD // 2


class MonotonicClock:
    """For CircuitPython and CPython, whose time has monotonic_ns() and sleep() instead. Ticks wrap around after 9 minutes.

    On CircuitPython a look at the clock takes some 50 bytes of heap, because its nanoseconds are a large integer, and sleep() counts in
    milliseconds and ticks of the CPU's timer (1/1024 s): what was to happen then comes up to 2 ms late.
    """

    def ticks_us(self):
        return time.monotonic_ns() // 1000 & _MASK  # type: ignore[attr-defined]  # MicroPython has ticks_us instead

    def ticks_add(self, ticks, delta):
        return ticks + delta & _MASK

    def ticks_diff(self, end, start):
        return (end - start + _HALF & _MASK) - _HALF

    def sleep_us(self, us):
        time.sleep(us / 1000000)


def own():
    """time itself on MicroPython, else a MonotonicClock; None where the interpreter has no clock fit for this."""
    if hasattr(time, "ticks_us"):
        return time
    try:
        time.monotonic_ns()
    except (AttributeError, NotImplementedError):  # the latter on small boards without large integers
        return None
    return MonotonicClock()
