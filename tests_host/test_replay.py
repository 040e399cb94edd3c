"""The replay's kernels against a naive model: an endless tape of rows of which the ring keeps the last `capacity`.

Every observation carries its episode and its step, so that a transition that mixes two episodes shows.
"""

import math
from array import array

import pytest
from kernel_cases import Random

OBS, ACT = 3, 2
HALF, MIDDLE = (2.0, 0.5), (1.0, -3.0)
NAN = math.nan


class Tape:
    """What the ring should hold. A row: an observation, and the transition from it, if it was completed."""

    def __init__(self, capacity):
        self.capacity = capacity
        self.rows = []
        self.pending = False
        self.refused = 0

    def begin(self, obs):
        if not all(map(math.isfinite, obs)):
            self.pending = False
            self.refused += 1
            return 0
        needed = len(self.rows) > 1 and self.rows[-2]["kind"] == "transition"
        if self.rows and not needed:
            self.rows.pop()  # nobody needs the last observation
        self.rows.append({"obs": obs, "kind": None})
        self.pending = True
        return 1

    def observe(self, action, reward, next_obs, terminated, ended):
        if not self.pending or not all(map(math.isfinite, [*action, reward, *next_obs])):
            if not ended and all(map(math.isfinite, next_obs)):
                self.begin(next_obs)
            else:
                self.pending = False
            self.refused += 1
            return 0
        kind = "terminal" if terminated else "transition"
        self.rows[-1] |= {"action": action, "reward": reward, "next": next_obs, "kind": kind}
        self.rows.append({"obs": next_obs, "kind": None})
        self.pending = not ended
        return 1

    def kept(self):
        """{row of the ring: transition}"""
        first = max(0, len(self.rows) - self.capacity)
        return {i % self.capacity: row for i, row in enumerate(self.rows) if i >= first and row["kind"]}

    def state(self):
        last = max(0, len(self.rows) - 1)
        used = min(self.capacity, len(self.rows))
        return [last % self.capacity, used, int(self.pending), len(self.kept()), self.refused, 0]


class Ring:
    """The kernels of a backend, with buffers of their own."""

    def __init__(self, backend, capacity):
        self.backend, self.capacity = backend, capacity
        self.obs = array("f", [777]) * (capacity * OBS)
        self.action = array("f", [777]) * (capacity * ACT)
        self.reward = array("f", [777]) * capacity
        self.flags = bytearray(capacity)
        self.state = array("i", [0] * 6)
        self.rng = array("I", (1, 2, 0, 0))

    def begin(self, obs):
        return self.backend.replay_begin(self.obs, self.flags, self.state, array("f", obs), OBS, self.capacity)

    def observe(self, action, reward, next_obs, terminated, ended):
        stored = (self.obs, self.action, self.reward, self.flags, self.state)
        given = (array("f", action), array("f", [reward]), array("f", next_obs), array("f", HALF + MIDDLE))
        return self.backend.replay_observe(*stored, *given, OBS, ACT, self.capacity, terminated, ended)

    def gather(self, indices):
        """The transitions at `indices`, as dicts; the copies in obs_action and next_obs_action must agree."""
        n = len(indices)
        out = [array("f", [5] * (n * width)) for width in (OBS, OBS + ACT, OBS, OBS + ACT, 1, 1)]
        stored = (self.obs, self.action, self.reward, self.flags)
        self.backend.replay_gather(*stored, array("i", indices), *out, OBS, ACT, self.capacity, n)
        obs, obs_action, next_obs, next_obs_action, reward, not_terminated = out
        found = []
        for k in range(n):
            wide, next_wide = (x[k * (OBS + ACT) : (k + 1) * (OBS + ACT)] for x in (obs_action, next_obs_action))
            one = {"obs": obs[k * OBS : (k + 1) * OBS], "next": next_obs[k * OBS : (k + 1) * OBS]}
            assert wide[:OBS] == one["obs"] and next_wide == one["next"] + array("f", [5] * ACT)
            found.append(one | {"action": wide[OBS:], "reward": reward[k], "not_terminated": not_terminated[k]})
        return found

    def sample(self, count):
        indices = array("i", [-1] * count)
        self.backend.replay_sample(self.flags, self.state, self.rng, indices, self.capacity, count)
        return indices


class Pair:
    """The ring and its model, driven together and compared after every step."""

    def __init__(self, backend, capacity):
        self.ring, self.tape = Ring(backend, capacity), Tape(capacity)
        self.episode = self.step = self.now = 0

    def tagged(self, bad=False):
        self.now += 1
        return [float(self.episode), NAN if bad else float(self.step), float(self.now)]

    def begin(self, bad=False):
        self.episode += 1
        self.step = 0
        obs = self.tagged(bad)
        assert self.ring.begin(obs) == self.tape.begin(obs)
        self.compare()

    def observe(self, terminated=0, truncated=0, bad=None, value=NAN):
        self.step += 1
        action = [self.episode + 0.25, value if bad == "action" else self.step % 7 - 3.0]
        reward = value if bad == "reward" else self.episode * 100.0 + self.step
        next_obs = self.tagged()
        if bad == "next_obs":
            next_obs[self.now % OBS] = value
        arguments = (action, reward, next_obs, terminated, int(terminated or truncated))
        assert self.ring.observe(*arguments) == self.tape.observe(*arguments)
        self.compare()

    def compare(self):
        ring, kept = self.ring, self.tape.kept()
        assert list(ring.state) == self.tape.state()
        assert {i: flag for i, flag in enumerate(ring.flags) if flag} == {
            i: 2 if row["kind"] == "terminal" else 1 for i, row in kept.items()
        }
        for got, wanted in zip(ring.gather(list(kept)), kept.values(), strict=True):
            assert list(got["obs"]) == wanted["obs"]
            assert got["reward"] == wanted["reward"]
            assert got["not_terminated"] == (wanted["kind"] != "terminal")
            for j in range(ACT):
                scaled = (wanted["action"][j] - MIDDLE[j]) / HALF[j]
                assert got["action"][j] == pytest.approx(min(1, max(-1, scaled)), abs=1e-6)
            if got["not_terminated"]:  # otherwise nobody looks at it
                assert list(got["next"]) == wanted["next"]
                assert got["next"][0] == got["obs"][0], "a transition mixes two episodes"
                assert got["next"][1] == got["obs"][1] + 1, "a transition skips steps"
        if kept:
            assert set(ring.sample(8)) <= set(kept)


CAPACITIES = (2, 3, 4, 5)


@pytest.mark.parametrize("capacity", CAPACITIES)
@pytest.mark.parametrize("length", [1, 2, 3, 6])
@pytest.mark.parametrize("ending", ["terminated", "truncated", "alternating"])
def test_wrap_around_at_every_offset(backend, capacity, length, ending):
    """Episodes of one length, back to back, until each row was the first of an episode."""
    for offset in range(capacity):
        pair = Pair(backend, capacity)
        pair.begin()
        for _ in range(offset):
            pair.observe()
        for episode in range(2 * capacity):
            pair.begin()
            terminated = ending == "terminated" or (ending == "alternating" and episode % 2)
            for step in range(length):
                last = step == length - 1
                pair.observe(terminated=int(last and terminated), truncated=int(last and not terminated))


def test_terminated_episodes_waste_no_row(backend):
    pair = Pair(backend, 5)
    for _ in range(9):
        pair.begin()
        pair.observe(terminated=1)
    assert pair.ring.state[3] == 4  # all rows but the one that comes next


def test_truncated_episodes_cost_a_row_each(backend):
    pair = Pair(backend, 6)
    for _ in range(9):
        pair.begin()
        pair.observe(truncated=1)
    assert pair.ring.state[3] == 3


def test_truncation_and_termination_at_once_is_termination(backend):
    pair = Pair(backend, 5)
    pair.begin()
    pair.observe(terminated=1, truncated=1)
    assert [one["not_terminated"] for one in pair.ring.gather([0])] == [0]


@pytest.mark.parametrize("bad", ["action", "reward", "next_obs"])
@pytest.mark.parametrize("value", [NAN, math.inf, -math.inf])
@pytest.mark.parametrize("position", range(5))
def test_refused_transition_splits_the_episode(backend, bad, value, position):
    for capacity in CAPACITIES:
        pair = Pair(backend, capacity)
        pair.begin()
        for step in range(5):
            pair.observe(bad=bad if step == position else None, value=value)
            assert all(map(math.isfinite, [*pair.ring.obs, *pair.ring.action, *pair.ring.reward]))
        # The observation after a bad one is not known, so one more transition is lost.
        lost = 1 if bad != "next_obs" or position == 4 else 2
        assert pair.ring.state[4] == lost
        pair.observe(terminated=1)
        pair.begin()
        pair.observe()


@pytest.mark.parametrize("bad", ["action", "reward", "next_obs"])
@pytest.mark.parametrize("end", ["terminated", "truncated"])
def test_refused_last_transition_leaves_no_row_pending(backend, bad, end):
    pair = Pair(backend, 6)
    pair.begin()
    pair.observe()
    pair.observe(bad=bad, **{end: 1})
    assert pair.ring.state[2] == 0
    pair.observe()  # nobody began: refused, but it may go on from here
    assert pair.ring.state[4] == 2 and pair.ring.state[2] == 1
    pair.observe()
    assert pair.ring.state[4] == 2


def test_begin_without_an_end_closes_the_episode(backend):
    for capacity in CAPACITIES:
        for steps in range(4):
            pair = Pair(backend, capacity)
            for _ in range(2 * capacity):
                pair.begin()
                for _ in range(steps):
                    pair.observe()


def test_begin_with_nan_opens_nothing(backend):
    pair = Pair(backend, 4)
    pair.begin(bad=True)
    assert list(pair.ring.state) == [0, 0, 0, 0, 1, 0]
    pair.observe()  # goes on from its next_obs
    pair.observe()
    pair.begin(bad=True)
    pair.begin()
    pair.observe(truncated=1)
    pair.begin(bad=True)
    pair.observe(truncated=1)
    pair.begin()
    pair.observe()


def test_observe_before_any_begin_is_refused(backend):
    pair = Pair(backend, 3)
    pair.observe(truncated=1)
    assert list(pair.ring.state) == [0, 0, 0, 0, 1, 0]


def test_actions_are_stored_in_minus_one_to_one(backend):
    ring = Ring(backend, 3)
    ring.begin([0, 0, 0])
    ring.observe([2.0, -99.0], 1.0, [0, 0, 0], 0, 0)
    assert list(ring.gather([0])[0]["action"]) == [0.5, -1.0]


@pytest.mark.parametrize("capacity", [2, 3, 4, 5, 7, 11])
def test_random_histories(backend, capacity):
    for seed in range(8):
        r = Random(f"{capacity} {seed}")
        pair = Pair(backend, capacity)
        for _ in range(120):
            if r.random() < 0.25:
                pair.begin(bad=r.random() < 0.15)
                continue
            bad = r.choice(("action", "reward", "next_obs")) if r.random() < 0.12 else None
            ends = r.random()
            pair.observe(
                terminated=int(ends < 0.2),
                truncated=int(0.1 < ends < 0.35),
                bad=bad,
                value=r.choice((NAN, math.inf, -math.inf)),
            )
