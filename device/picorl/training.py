"""The training loop and the evaluation of a policy."""

from array import array

# Every evaluation of a training starts from the same states, so that the best policy is found on equal terms.
_EVALUATION_SEED = 1_000_000


def new_action(env):
    """A buffer for an action of env: array('i') of one choice where actions are discrete."""
    return array("i", (0,)) if hasattr(env, "n_actions") else array("f", [0] * len(env.action_low))


def _score(agent, env, episodes, total, action):
    """Write to total (1) the mean return of whole episodes with the deterministic policy; the sum is made by a kernel."""
    from . import float32, kernels

    accumulate = kernels.backend.accumulate
    total[0] = 0.0
    for _ in range(episodes):
        env.reset()
        agent.reset()
        while True:
            agent.predict(env.obs, action)
            env.step(action)
            accumulate(total, 0, env.reward)
            if env.terminated or env.truncated:
                break
    float32.divide(total, 0, episodes)


def _begin(agent, env):
    """Open an episode; ValueError when env begins it with an observation that is not finite."""
    env.reset()
    if not agent.begin(env.obs):
        raise ValueError("train: env.obs is not finite after env.reset()")


def _task(discrete, obs_size, actions):
    return "%d numbers in an observation and %d %s" % (obs_size, actions, "choices" if discrete else "actions")


def _fits(name, agent, env, single):
    """ValueError where env, called name, is not such as agent (or a Policy) was made for, or, if it must be single, is several."""
    n_envs = getattr(env, "n_envs", None)
    if single and n_envs is not None:
        raise ValueError("%s has n_envs, must be a single environment (its clone(seed) is one)" % name)
    layout = getattr(agent, "actor_layout", None) or getattr(agent, "layout", None)
    if layout is None:  # anything that has predict() and reset()
        return
    # An agent's own `head` is a buffer.
    discrete = (getattr(agent, "HEAD", None) or getattr(agent, "head", None)) == "categorical"
    chooses = hasattr(env, "n_actions")
    wanted = _task(discrete, agent.obs_size, layout[-2] if discrete else agent.act_size)
    found = _task(chooses, len(env.obs) // (n_envs or 1), env.n_actions if chooses else len(env.action_low))
    if found != wanted:
        raise ValueError("%s has %s, agent was made for %s" % (name, found, wanted))


def evaluate(agent, env, episodes=10):
    """Mean return of the deterministic policy of agent (or of a Policy) over episodes of env."""
    if episodes < 1:
        raise ValueError("evaluate: episodes is %r, must be at least 1" % (episodes,))
    _fits("evaluate: env", agent, env, True)
    total = array("f", (0,))
    _score(agent, env, episodes, total, new_action(env))
    return total[0]


def train(agent, env, steps, evaluate_every=1000, evaluate_episodes=10, evaluation_env=None, hook=None):
    """Let agent learn in env for steps; a generator of records, one every evaluate_every steps.

    A record is a dict: step and updates so far, `return` (mean over evaluate_episodes episodes of the deterministic policy), `best` (the
    best of these so far; agent.use_best() goes back to that policy) and `episode_return` (mean of the training episodes that began and
    ended since training or the last record did, None when none did). evaluate_episodes=0 leaves the evaluation, and its two keys, out.
    Evaluations run in evaluation_env, or in env.clone() when None, so they do not touch the episode that is being learned from.
    hook(), if given, is called between the pieces of an update (not in the warm-up nor in an evaluation, which have no long pieces).
    Transitions with a value that is not finite are not learned from; agent.refused counts them. ValueError when an episode begins with one.
    An episode that is open, in env and agent alike, is continued: train again, or after load, to go on.
    With several environments (`n_envs`) steps counts the transitions of all of them, and `episode_return` is None.
    """
    from .agent import whole

    whole("train: steps", steps, 0)
    whole("train: evaluate_every", evaluate_every, 1)
    whole("train: evaluate_episodes", evaluate_episodes, 0)
    if hasattr(env, "n_envs") and not hasattr(agent, "observe_all"):
        raise ValueError("train: %s learns from one environment, env has n_envs" % type(agent).__name__)
    found, wanted = getattr(env, "n_envs", 1), getattr(agent, "n_envs", 1)
    if found != wanted:
        raise ValueError("train: env has n_envs %d, must be %d" % (found, wanted))
    _fits("train: env", agent, env, False)
    if evaluate_episodes and evaluation_env is None:
        if not hasattr(env, "clone"):
            raise ValueError("train: env has no clone(): give an evaluation_env, or evaluate_episodes=0")
        evaluation_env = env.clone(_EVALUATION_SEED)
    if evaluate_episodes:
        _fits("train: evaluation_env", agent, evaluation_env, True)
    loop = _train_together if hasattr(env, "n_envs") else _train
    return loop(agent, env, steps, evaluate_every, evaluate_episodes, evaluation_env, hook)


def _train(agent, env, steps, evaluate_every, evaluate_episodes, evaluation_env, hook):
    from . import kernels

    accumulate = kernels.backend.accumulate
    act, step, observe = agent.act, env.step, agent.observe
    obs, reward = env.obs, env.reward
    action = new_action(env)
    returns = array("f", (0, 0))  # of the running episode, of the ended ones
    episodes = 0
    whole = not agent.in_episode(obs)  # the return of an episode that is continued is not known
    if whole:
        _begin(agent, env)
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
            _begin(agent, env)
        if agent.ready():
            _learn(agent, hook)
        if agent.steps % evaluate_every == 0:
            record = _record(agent, evaluation_env, evaluate_episodes)
            record["episode_return"] = returns[1] / episodes if episodes else None
            returns[1] = 0.0
            episodes = 0
            yield record


def _train_together(agent, env, steps, evaluate_every, evaluate_episodes, evaluation_env, hook):
    """_train for environments that are stepped together and begin anew by themselves."""
    act, step, observe, ready = agent.act, env.step, agent.observe_all, agent.ready
    obs, reward, ended, final_obs, n_envs = env.obs, env.reward, env.ended, env.final_obs, env.n_envs
    action = agent.new_action()
    if not agent.in_episode(obs):
        _begin(agent, env)
    due = (agent.steps // evaluate_every + 1) * evaluate_every
    for _ in range((steps + n_envs - 1) // n_envs):
        act(obs, action)
        step(action)
        observe(reward, obs, ended, final_obs)
        if ready():
            _learn(agent, hook)
        if agent.steps >= due:
            due += evaluate_every
            record = _record(agent, evaluation_env, evaluate_episodes)
            record["episode_return"] = None
            yield record


def _learn(agent, hook):
    """One update, whole or with hook() between its pieces."""
    if hook is None:
        agent.update()
        return
    # The hook may finish the update itself: `save` does.
    before, work = agent.updates, agent.work
    while not work():
        hook()
        if agent.updates != before:
            break


def _record(agent, env, episodes):
    """Where training is, and what the policy scores in env when episodes are wanted."""
    record = {"step": agent.steps, "updates": agent.updates}
    if episodes:
        score = array("f", (0,))
        if hasattr(env, "reseed"):
            env.reseed(_EVALUATION_SEED)
        _score(agent, env, episodes, score, new_action(env))
        agent.note_return(score)
        record["return"] = score[0]
        record["best"] = agent.best_return[0]
    return record
