"""The training loop and the evaluation of a policy."""

from array import array

# Every evaluation of a training starts from the same states, so that the best policy is found on equal terms.
_EVALUATION_SEED = 1_000_000


def _score(agent, env, episodes, total, action):
    """Write to total (1) the mean return of whole episodes with the deterministic policy; the sum is made by a kernel."""
    from . import kernels

    accumulate = kernels.backend.accumulate
    total[0] = 0.0
    for _ in range(episodes):
        env.reset()
        while True:
            agent.predict(env.obs, action)
            env.step(action)
            accumulate(total, 0, env.reward)
            if env.terminated or env.truncated:
                break
    total[0] /= episodes


def evaluate(agent, env, episodes=10):
    """Mean return of the deterministic policy of agent (or of a Policy) over episodes of env."""
    if episodes < 1:
        raise ValueError("evaluate: episodes is %r, must be at least 1" % (episodes,))
    total = array("f", (0,))
    _score(agent, env, episodes, total, array("f", [0] * len(env.action_low)))
    return total[0]


def train(agent, env, steps, evaluate_every=1000, evaluate_episodes=10, evaluation_env=None, hook=None):
    """Let agent learn in env for steps; a generator of records, one every evaluate_every steps.

    A record is a dict: step and updates so far, `return` (mean over evaluate_episodes episodes of the deterministic policy), `best` (the
    best of these so far; agent.use_best() goes back to that policy) and `episode_return` (mean of the training episodes that began and
    ended since training or the last record did, None when none did). evaluate_episodes=0 leaves the evaluation, and its two keys, out.
    Evaluations run in evaluation_env, or in env.clone() when None, so they do not touch the episode that is being learned from.
    hook(), if given, is called between the pieces of an update (not in the warm-up nor in an evaluation, which have no long pieces).
    An episode that is open, in env and agent alike, is continued: train again, or after load, to go on.
    """
    if evaluate_every < 1:
        raise ValueError("train: evaluate_every is %r, must be at least 1" % (evaluate_every,))
    if evaluate_episodes and evaluation_env is None:
        if not hasattr(env, "clone"):
            raise ValueError("train: env has no clone(): give an evaluation_env, or evaluate_episodes=0")
        evaluation_env = env.clone(_EVALUATION_SEED)
    return _train(agent, env, steps, evaluate_every, evaluate_episodes, evaluation_env, hook)


def _train(agent, env, steps, evaluate_every, evaluate_episodes, evaluation_env, hook):
    from . import kernels

    accumulate = kernels.backend.accumulate
    act, step, observe, work = agent.act, env.step, agent.observe, agent.work
    obs, reward = env.obs, env.reward
    action = array("f", [0] * agent.act_size)
    score = array("f", (0,))
    returns = array("f", (0, 0))  # of the running episode, of the ended ones
    episodes = 0
    whole = not agent.in_episode(obs)  # the return of an episode that is continued is not known
    if whole:
        env.reset()
        agent.begin(obs)
    for _ in range(steps):
        act(obs, action)
        step(action)
        observe(action, reward, obs, env.terminated, env.truncated)
        accumulate(returns, 0, reward)
        if env.terminated or env.truncated:
            if whole:
                returns[1] += returns[0]
                episodes += 1
            whole = True
            returns[0] = 0.0
            env.reset()
            agent.begin(obs)
        if agent.ready():
            if hook is None:
                agent.update()
            else:
                # The hook may finish the update itself: `save` does.
                before = agent.updates
                while not work():
                    hook()
                    if agent.updates != before:
                        break
        if agent.steps % evaluate_every == 0:
            record = {"step": agent.steps, "updates": agent.updates}
            if evaluate_episodes:
                if hasattr(evaluation_env, "reseed"):
                    evaluation_env.reseed(_EVALUATION_SEED)
                _score(agent, evaluation_env, evaluate_episodes, score, action)
                agent.note_return(score)
                record["return"] = score[0]
                record["best"] = agent.best_return[0]
            record["episode_return"] = returns[1] / episodes if episodes else None
            returns[1] = 0.0
            episodes = 0
            yield record
