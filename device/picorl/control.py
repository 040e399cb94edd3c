"""A machine that is controlled at a fixed rate and learns between two ticks.

Each tick reads the sensors, stores what the last action led to, and drives the motors with the next one; until the following tick is
near the agent works on its updates, piece by piece. Whatever goes wrong, the motors are off: a sensor that fails, numbers that are
none, the end of an episode, a checkpoint being written, an exception.

What the loop asks of a robot:
    obs, reward, terminated, truncated, action_low, action_high (or n_actions)   as of an environment (envs/__init__.py)
    read()         measure and write obs, reward, terminated and truncated; True when all sensors can be believed (OSError: one cannot)
    apply(action)  drive the motors until the next tick
    stop()         motors off; the safe action, which must work without sensors
    home()         after a good read(), one tick of going back to where episodes begin; True when it is there
`Watch` helps read() to judge its sensors. Where a program that hangs could do harm, let read() feed a watchdog (machine.WDT): after
its reset `resume` goes on.
"""

import gc

from . import kernels, memory
from .agent import real, whole
from .clock import own
from .off_policy import OffPolicy
from .training import new_action

HOMING = 0  # going to where an episode begins
RUNNING = 1  # in an episode
FAULT = 2  # stopped, until the sensors have been good for a while

# What `counts` holds.
TICKS = 0
MISSED = 1
FAULTS = 2
BAD_ACTIONS = 3
EPISODES = 4
SAVES = 5
FAILED_SAVES = 6
SENT = 7
NAMES = ("ticks", "missed", "faults", "bad_actions", "episodes", "saves", "failed_saves", "sent")

# Ticks in which about two thirds of an unusually long piece are forgotten: a garbage collection may have fallen into it.
_FORGET = 64


class ControlLoop:
    """Runs robot at rate (Hz) with agent (SAC, TD3, RecurrentSAC or DQN), which learns from what happens.

    update_every  steps from one update to the next, where there is time for so many
    path          of the checkpoint; None: none is written
    save_every    seconds from one checkpoint to the next. When one is due the episode is cut off (truncated), so that the motors
                  are off while it is written, however long that takes
    recover       good readings in a row after which a fault is over
    clock         with ticks_us(), ticks_add(), ticks_diff() and sleep_us() as MicroPython's time has them (clock.py); None: the board's

    state is HOMING, RUNNING or FAULT; counts ('i') holds what NAMES says: ticks, ticks missed because something took too long, faults
    of sensors (or motor drivers), actions that were not finite, episodes, checkpoints written, not written (`problem` says why), and sent
    over the serial port because programs may only read the drive (Agent.send); worst_late is the longest (us) that a tick began after its time since the last record of `run`; longest (us) is
    what a piece of learning may take, as measured. After construction `tick` allocates nothing but where an episode ends.
    """

    def __init__(self, agent, robot, rate, update_every=1, path=None, save_every=60, recover=10, clock=None):
        if not isinstance(agent, OffPolicy):
            raise ValueError("ControlLoop: agent is a %s, must be SAC, TD3, RecurrentSAC or DQN" % type(agent).__name__)
        for name in ("read", "apply", "stop", "home"):
            if not hasattr(robot, name):
                raise ValueError("ControlLoop: robot (%s) has no %s()" % (type(robot).__name__, name))
        real("rate", rate, 1, 10_000)
        real("save_every", save_every, 0, 1e6)
        if clock is None:
            clock = own()
            if clock is None:
                raise ValueError("clock is None, must be given where time has neither ticks_us() nor monotonic_ns()")
        self.agent = agent
        self.robot = robot
        self.path = path
        self.update_every = whole("update_every", update_every, 1)
        self.period = int(1_000_000 / rate)
        self.state = HOMING
        self.counts = memory.zeros("i", len(NAMES))
        self.longest = 0
        self.worst_late = 0
        self.problem = None
        self._recover = whole("recover", recover, 1)
        self._good = 0  # readings in a row, in a fault
        self._save_ticks = int(save_every * rate)
        self._saved = 0  # at this tick
        self._action = new_action(robot)
        self._returns = memory.zeros("f", 2)  # of this episode, of the last one
        self._discrete = hasattr(robot, "n_actions")
        self._finite = kernels.backend.all_finite
        self._accumulate = kernels.backend.accumulate
        # Bound here: making a bound method allocates.
        self._work, self._pending = agent.work, agent.pending
        self._us, self._add, self._diff, self._sleep = clock.ticks_us, clock.ticks_add, clock.ticks_diff, clock.sleep_us
        self._start_clock()

    def resume(self):
        """Go on from the checkpoint at path (or begin with a policy's): True if there is one.

        ValueError names what is wrong with the file or does not fit the agent, or that there is no path.
        """
        if self.path is None:
            raise ValueError("resume: path is None, must be the checkpoint's (ControlLoop(..., path=...))")
        try:
            self.agent.load(self.path)
        except OSError as error:
            if error.args[0] != 2:  # no such file
                raise
            return False
        return True

    def run(self, ticks=None):
        """Control for so many ticks (None: for ever); a generator of records, one at the end of each episode, when the motors are off.

        A record is a dict: step and updates of the agent, `return` of the episode, worst_late, longest, and the counts by name.
        """
        left = -1 if ticks is None else ticks
        self._start_clock()
        try:
            while left:
                left -= 1
                if self.tick():
                    yield self._record()
                    self._start_clock()  # nobody was driven meanwhile
        finally:
            self.robot.stop()

    def _record(self):
        record = {"step": self.agent.steps, "updates": self.agent.updates, "return": self._returns[1]}
        record["worst_late"], record["longest"] = self.worst_late, self.longest
        for name, count in zip(NAMES, self.counts):
            record[name] = count
        self.worst_late = 0
        return record

    def _start_clock(self):
        """The next tick is one period from now."""
        self._due = self._add(self._us(), self.period)

    def tick(self):
        """Learn until the next tick, then control; True when an episode ended."""
        self._learn_until_due()
        self._keep_time()
        robot, state = self.robot, self.state
        self.counts[TICKS] += 1
        try:
            good = robot.read() and self._numbers(robot.obs) and self._numbers(robot.reward)
        except OSError:
            good = False
        if not good:
            self._fault(FAULTS)
        elif state == RUNNING:
            return self._step()
        elif state == FAULT:
            robot.stop()
            self._good += 1
            if self._good >= self._recover:
                self.state = HOMING
        else:
            self._home()
        return False

    def _learn_until_due(self):
        """Pieces of updates while the longest of them would end in time; then sleep."""
        # In pairs: of more MicroPython would make a tuple.
        us, diff = self._us, self._diff
        agent, work = self.agent, self._work
        due, every = self._due, self.update_every
        longest = self.longest - self.longest // _FORGET
        if self._pending():
            now = us()
            while diff(due, now) > longest and agent.updates * every < agent.steps:
                work()
                after = us()
                took = diff(after, now)
                if took > longest:
                    longest = took
                now = after
        self.longest = longest
        left = diff(due, us())
        if left > 0:
            self._sleep(left)

    def _keep_time(self):
        """Set the time of the next tick; leave out those that are over already."""
        late = self._diff(self._us(), self._due)
        if late > self.worst_late:
            self.worst_late = late
        missed = late // self.period if late > 0 else 0
        self.counts[MISSED] += missed
        self._due = self._add(self._due, self.period * (1 + missed))

    def _numbers(self, x):
        return self._finite(x, 0, len(x))

    def _fault(self, kind):
        """Motors off; count what happens in an episode or on the way to one."""
        self.robot.stop()
        self._good = 0
        if self.state != FAULT:
            self.counts[kind] += 1
            self.state = FAULT

    def _home(self):
        try:
            there = self.robot.home()
        except OSError:
            self._fault(FAULTS)
            return
        if there:
            self._returns[0] = 0.0
            self.agent.begin(self.robot.obs)
            self.state = RUNNING
            self._drive()

    def _step(self):
        """Store what the last action led to, then act again or end the episode."""
        robot = self.robot
        # A checkpoint must not wait for an episode that may never end.
        ended = robot.terminated or robot.truncated or self._save_due()
        if ended:
            robot.stop()
        self.agent.observe(self._action, robot.reward, robot.obs, robot.terminated, ended)
        self._accumulate(self._returns, 0, robot.reward)
        if ended:
            self._end_episode()
        else:
            self._drive()
        return ended

    def _drive(self):
        action = self._action
        self.agent.act(self.robot.obs, action)
        if not (self._discrete or self._numbers(action)):
            self._fault(BAD_ACTIONS)
            return
        try:
            self.robot.apply(action)
        except OSError:
            self._fault(FAULTS)

    def _save_due(self):
        # Where the count of ticks goes on with negative numbers, after 2^31 on a board, a checkpoint is due too.
        return self.path is not None and not 0 <= self.counts[TICKS] - self._saved < self._save_ticks

    def _end_episode(self):
        """While the motors are off there is time: for a checkpoint, and to collect the robot's garbage."""
        self.state = HOMING
        self.counts[EPISODES] += 1
        self._returns[1] = self._returns[0]
        gc.collect()
        if self._save_due():
            self.save()
        self._start_clock()

    def save(self):
        """Write the checkpoint, or send it where programs may only read the drive; whether that was done.

        The motors must be off: at the end of an episode, or before the first tick.
        """
        self._saved = self.counts[TICKS]
        try:
            saved = self.agent.save_or_send(self.path, full=True)
        except (OSError, ValueError, MemoryError) as error:  # the old one is still there, and control goes on
            self.problem = str(error)
            self.counts[FAILED_SAVES] += 1
            return False
        self.counts[SAVES if saved else SENT] += 1
        gc.collect()
        return True


class Watch:
    """Tells whether the readings of a sensor can be believed: that they are numbers between low and high, and move.

    still: the most readings in a row that may be the same while the machine is driven (None: any number); a sensor that has stopped
    measuring often repeats its last value.
    """

    def __init__(self, low, high, still=None):
        self.low = low
        self.high = high
        self.still = still
        self._last = None
        self._same = 0

    def good(self, reading, driven=False):
        """Whether reading, None where there was none, can be believed. Allocates nothing."""
        if reading is None or not self.low <= reading <= self.high:  # also refuses NaN
            return False
        if reading != self._last:
            self._last = reading
            self._same = 0
        elif driven:
            self._same += 1
        return self.still is None or self._same <= self.still
