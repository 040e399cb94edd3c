"""The replay: experience goes in, batches and sequences come out."""

from .contract import REPLAY_USERS, RNG, ROWS, Buffer, F, Fw, Int, Kernel


def _replay(writes):
    return (
        Buffer("replay_obs", "f", "capacity * obs_size", writes),
        Buffer("replay_action", "f", "capacity * act_size", writes),
        Buffer("replay_reward", "f", "capacity", writes),
        Buffer("replay_flags", "B", "capacity", writes),
    )


KERNELS = (
    Kernel(
        "replay_begin",
        """Open an episode with obs (obs_size): write it to the pending row. The row at head is kept as a boundary row and
        head moves on when the transition before it needs it as its next observation (replay_flags[head - 1] == 1).
        Returns 1, or 0 for an obs that is not finite: it is refused and counted, and no row is pending.
        flags: 0 never sampled (empty, pending or boundary), 1 transition, 2 transition that terminated.
        replay_state: head (the pending row), size (rows ever used), pending (0 or 1), valid (rows with a flag), refused.""",
        (
            Buffer("replay_obs", "f", "capacity * obs_size", True),
            Buffer("replay_flags", "B", "capacity", True),
            Buffer("replay_state", "i", "6", True),
            F("obs", "obs_size"),
            Int("obs_size", 1),
            Int("capacity", 2),
        ),
        returns="int",
        check=True,
        of=REPLAY_USERS,
    ),
    Kernel(
        "replay_observe",
        """Complete the pending row with action and reward, flag it 1 (2 when terminated) and write next_obs to the row after it,
        which becomes the pending one unless ended (terminated or truncated). action (act_size) comes in the environment's
        units and is stored as clip((action - middle) / half, -1, 1); scaling = half[act_size], middle[act_size].
        Returns 1, or 0 when the transition was refused and counted: a value is not finite, or no row was pending. After a refusal
        the episode goes on from next_obs (as `replay_begin` would) if that is finite and the episode has not ended.""",
        (
            *_replay(True),
            Buffer("replay_state", "i", "6", True),
            F("action", "act_size"),
            F("reward", "1"),
            F("next_obs", "obs_size"),
            F("scaling", "2 * act_size"),
            Int("obs_size", 1),
            Int("act_size", 1),
            Int("capacity", 2),
            Int("terminated"),
            Int("ended"),
        ),
        returns="int",
        check=True,
        of=REPLAY_USERS,
    ),
    Kernel(
        "replay_sample",
        """Draw count rows uniformly, with replacement, among those with a flag. Draw k takes word k & 1 of block (step, k >> 1);
        its row is (word * size) >> 32; a row without a flag is rejected and the next draw taken. Advances rng one step.
        ValueError when no row has a flag.""",
        (
            Buffer("replay_flags", "B", "capacity"),
            Buffer("replay_state", "i", "6"),
            RNG,
            Buffer("indices", "i", "count", True),
            Int("capacity", 2),
            Int("count"),
        ),
        check=True,
        of=REPLAY_USERS,
    ),
    Kernel(
        "replay_gather",
        """Copy the transitions at indices[0:count] out of the replay: obs and next_obs (count, obs_size), obs_action
        (count, obs_size + act_size) whole, the obs columns of next_obs_action (the next actions are the algorithm's),
        reward (count) and not_terminated (count): 0 where the transition terminated, else 1.
        next_obs is the obs of the row after, modulo capacity. ValueError for an index outside the replay.""",
        (
            *_replay(False),
            Buffer("indices", "i", "count"),
            Fw("obs", "count * obs_size"),
            Fw("obs_action", "count * (obs_size + act_size)"),
            Fw("next_obs", "count * obs_size"),
            Fw("next_obs_action", "count * (obs_size + act_size)"),
            Fw("reward", "count"),
            Fw("not_terminated", "count"),
            Int("obs_size", 1),
            Int("act_size", 1),
            Int("capacity", 2),
            Int("count"),
        ),
        check=True,
        of=("sac", "td3", "dqn"),
    ),
    Kernel(
        "replay_gather_sequences",
        """Copy sequences out of the replay: number k is the `steps` rows from indices[k] on, modulo capacity, step t of it at k * steps + t. A row
        goes on from the row before it where that one has flag 1, else an episode begins there (and behind the ring's newest row the oldest).
        x (·, obs_size + act_size): the row's obs, then the action of the row before, or 0 where an episode begins. action (·, act_size): the
        row's, or 0 without a flag. keep: 1 where the row goes on from the step before, 0 where memory is to be cleared (at t = 0 always).
        reward: of the transition from the step before, 0 where there is none; keep tells whether that one did not terminate. weight: 0 at the last
        step, without a flag, and at the first burn_in steps of a sequence until an episode begins in it; elsewhere
        count * steps / (how many such steps there are), so that weights sum to count * steps. ValueError for an index outside
        the replay.""",
        (
            *_replay(False),
            Buffer("indices", "i", "count"),
            Fw("x", "count * steps * (obs_size + act_size)"),
            Fw("action", "count * steps * act_size"),
            Fw("reward", "count * steps"),
            Fw("keep", "count * steps"),
            Fw("weight", "count * steps"),
            Int("obs_size", 1),
            Int("act_size", 1),
            Int("capacity", 2),
            Int("count"),
            Int("steps", 1),
            Int("burn_in"),
        ),
        check=True,
        of=("recurrent_sac",),
    ),
    Kernel(
        "weigh_rows",
        """x (batch, width) at rows [row, row + rows) = weight[r] * x, or 0 where weight (batch) is 0.""",
        (F("weight", "row + rows"), Fw("x", "(row + rows) * width"), Int("width", 1), *ROWS),
        of=("recurrent_sac",),
    ),
)
