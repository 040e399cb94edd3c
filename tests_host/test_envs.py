"""What all environments have in common, single and stepped together, and that agents learn in them."""

from array import array

import numpy as np
import pytest

import picorl
from picorl import envs

SINGLE = ("Acrobot", "AcrobotSwingUp", "CartPole", "MountainCar", "Pendulum", "PendulumWithoutVelocity", "Quadrotor")
each = pytest.mark.parametrize("name", SINGLE)
TOGETHER = tuple(name for name in SINGLE if name != "PendulumWithoutVelocity")
each_together = pytest.mark.parametrize("name", TOGETHER)


def make(name, *args, **options):
    return getattr(envs, name)(*args, **options)


def random_actions(env, n, seed=0):
    rng = np.random.default_rng(seed)
    together = getattr(env, "n_envs", 1)
    for _ in range(n):
        if hasattr(env, "n_actions"):
            yield array("i", rng.integers(0, env.n_actions, together).tolist())
        else:
            yield array("f", rng.uniform(-1.2, 1.2, together * len(env.action_low)))


def test_every_environment_is_tested_here():
    vectors = {f"Vector{name}" for name in TOGETHER}
    assert {name for name in envs.__all__ if name[0].isupper()} == {*SINGLE, *vectors}


@each
def test_a_seed_gives_the_same_episodes_and_another_seed_others(name):
    def episodes(env):
        seen = []
        for _ in range(2):
            env.reset()
            for action in random_actions(env, 20):
                seen.append(bytes(env.obs))
                env.step(action)
                seen.append(bytes(env.reward))
        return seen

    env = make(name, 3)
    first = episodes(env)
    assert episodes(env) != first  # the starts go on
    env.reseed(3)
    assert episodes(env) == first == episodes(env.clone(3)) != episodes(make(name, 4))


@each
def test_buffers_hold_the_whole_state(name):
    """Put into another environment, they make it go on the same: through the end of the episode and the next start."""
    env, other = make(name, 3, 25), make(name, 9, 25)
    env.reset()
    other.reset()
    actions = list(random_actions(env, 60))
    for action in actions[:10]:
        env.step(action)
    for (_, mine, _), (_, theirs, _) in zip(env.buffers(), other.buffers(), strict=True):
        theirs[:] = mine
    for action in actions[10:]:
        for one in (env, other):
            one.step(action)
            if one.terminated or one.truncated:
                one.reset()
        assert bytes(env.obs) == bytes(other.obs) and env.reward == other.reward


@each_together
@pytest.mark.parametrize("n_envs", [1, 5])
def test_together_each_does_what_it_does_alone(name, n_envs):
    """Beginning in the same state: the same observations and rewards, until it ends, and then a start."""
    together = make("Vector" + name, n_envs, 3, 20)
    together.reset()
    own = dict((key, buffer) for key, buffer, _ in together.buffers())
    state = "state" if "state" in own else "obs"
    size, per = len(together.obs) // n_envs, len(own[state]) // n_envs
    alone = [make(name, 0, 20) for _ in range(n_envs)]
    over = 0

    def put(i):
        row = own[state][per * i : per * (i + 1)]
        alone[i].set_state(row if name == "Quadrotor" else row[0], *(() if name == "Quadrotor" else row[1:]))

    for i in range(n_envs):
        put(i)
    for action in random_actions(together, 60, n_envs):
        together.step(action)
        width = len(action) // n_envs
        for i, env in enumerate(alone):
            env.step(action[width * i : width * (i + 1)])
            # One lane or sixteen, the bits of a kernel are the same.
            assert bytes(together.final_obs[size * i : size * (i + 1)]) == bytes(env.obs)
            assert together.reward[i] == env.reward[0]
            assert together.ended[i] == (1 if env.terminated else 2 if env.truncated else 0)
            if together.ended[i]:
                over += 1
                assert bytes(together.obs[size * i : size * (i + 1)]) != bytes(env.obs)
                put(i)
        for i in range(n_envs):
            assert bytes(together.obs[size * i : size * (i + 1)]) == bytes(alone[i].obs)
    assert over >= 3 * n_envs
    assert type(together.clone(1)) is type(alone[0]) and together.clone(1).time_limit == 20


@each_together
def test_together_loaded_just_after_an_end_no_other_has_ended(name):
    """What a checkpoint does: buffers() of one are written into another."""
    env, used = (make("Vector" + name, 2, time_limit=4) for _ in range(2))
    actions = list(random_actions(env, 4))
    env.reset()
    used.reset()
    for action in actions[:2]:
        env.step(action)
    for action in actions:
        used.step(action)
    assert bytes(used.ended) == b"\2\2"
    for (_, theirs, _), (_, buffer, _) in zip(used.buffers(), env.buffers(), strict=True):
        theirs[:] = buffer
    used.step(actions[2])
    env.step(actions[2])
    assert used.obs == env.obs and bytes(used.ended) == bytes(env.ended) == b"\0\0"


@each_together
@pytest.mark.parametrize("n_envs", [0, -1, 2.0])
def test_a_wrong_number_of_environments_is_named(name, n_envs):
    with pytest.raises(ValueError, match=f"n_envs is {n_envs}, must be a whole number of at least 1"):
        make("Vector" + name, n_envs)


@pytest.mark.parametrize("name", ["Acrobot", "AcrobotSwingUp", "CartPole", "MountainCar", "Quadrotor"])
def test_a_build_without_its_kernels_says_so(name, monkeypatch):
    class Without:
        def __getattr__(self, attribute, real=picorl.kernels.backend):
            if attribute.endswith("_step"):
                raise AttributeError(attribute)
            return getattr(real, attribute)

    monkeypatch.setattr(picorl.kernels, "backend", Without())
    with pytest.raises(ImportError, match="needs the kernel .*_step, which this .* was built without"):
        make(name)


@each
def test_states_that_are_not_finite_are_refused_by_agents_and_over_with_the_next_reset(name):
    env = make(name, 1)
    options = dict(hidden=(4,), batch_size=4, replay_capacity=50, warmup_steps=5)
    agent = (picorl.DQN if hasattr(env, "n_actions") else picorl.SAC)(env, **options)
    env.reset()
    agent.begin(env.obs)
    bad = [float("nan")] * (17 if name == "Quadrotor" else 2 if len(env.obs) < 4 else 4)
    env.set_state(bad) if name == "Quadrotor" else env.set_state(*bad)
    action = next(random_actions(env, 1))
    env.step(action)
    agent.observe(action, env.reward, env.obs, env.terminated, env.truncated)
    assert agent.refused == 1
    env.reset()
    assert np.isfinite(env.obs).all()


# --- that they can be learned: seconds, not the best that there is ----------------------------------------------


def returns(agent, env, steps, every):
    return [record["return"] for record in picorl.train(agent, env, steps, evaluate_every=every, evaluate_episodes=5)]


def test_ppo_swings_an_acrobot_up():
    env = envs.VectorAcrobot(16, 1)
    agent = picorl.PPO(env, hidden=(64, 64), rollout_steps=64, seed=1)
    assert max(returns(agent, env, 60_000, 15_000)) > -130  # steps until the tip is up; never: -500


def test_sac_swings_an_acrobot_higher():
    env = envs.AcrobotSwingUp(1)
    agent = picorl.SAC(env, hidden=(32, 32), batch_size=64, replay_capacity=8000, seed=1)
    assert max(returns(agent, env, 8_000, 4_000)) > -330  # hanging: -500


def test_ppo_hovers():
    env = envs.VectorQuadrotor(16, 1)
    agent = picorl.PPO(env, hidden=(64, 64), rollout_steps=256, normalise_obs=True, seed=1)
    assert max(returns(agent, env, 120_000, 40_000)) > 440  # of 500


def test_sac_learns_to_hover():
    env = envs.Quadrotor(1)
    agent = picorl.SAC(env, hidden=(32, 32), batch_size=64, replay_capacity=20_000, seed=1)
    scores = returns(agent, env, 20_000, 2_000)
    assert scores[0] < 60 and max(scores) > 150
