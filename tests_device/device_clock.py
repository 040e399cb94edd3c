"""Runs on a target, and on the desktop: a clock for control.ControlLoop by which a test tells the time."""


class Clock:
    """Time that passes when it is slept, when a test lets it, and by `look` microseconds when it is looked at.

    Where looks take time there is always some to learn in, on a machine that is busy with other things too.
    """

    def __init__(self, look=0):
        self.now = 0
        self.look = look

    def ticks_us(self):
        self.now += self.look
        return self.now

    def ticks_add(self, ticks, delta):
        return ticks + delta

    def ticks_diff(self, end, start):
        return end - start

    def sleep_us(self, us):
        self.now += us
