"""PPO: the same bits whole, in pieces and resumed; what it refuses; that it learns."""

from array import array

import pytest

import picorl
from picorl.envs import CartPole, Pendulum, VectorCartPole, VectorPendulum

SMALL = dict(hidden=(8, 8), rollout_steps=32, batch_size=16, epochs=2, seed=3)
MAKE = {
    "pendulum": lambda: Pendulum(seed=3, time_limit=20),
    "cartpole": lambda: CartPole(seed=3),
    "4 pendulums": lambda: VectorPendulum(4, seed=3, time_limit=20),
    "4 cartpoles": lambda: VectorCartPole(4, seed=3, time_limit=25),
}
OPTIONS = {
    "plain": {},
    "all": dict(
        value_clip=0.2, entropy=0.01, anneal_steps=1000, max_kl=0.02, normalise_obs=True, activation="tanh", gamma=0.9
    ),
    "bare": dict(max_grad_norm=None, normalise_advantage=False),
}


@pytest.fixture(params=MAKE)
def make_env(request):
    return MAKE[request.param]


def trained(make_env, steps, hook=None, **options):
    env = make_env()
    agent = picorl.PPO(env, **(SMALL | options))
    for _ in picorl.train(agent, env, steps, evaluate_every=steps, evaluate_episodes=0, hook=hook):
        pass
    return agent, env


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_pieces_of_an_update_give_the_bits_of_whole_ones(make_env, options):
    whole, _ = trained(make_env, 512, **options)
    pieces, _ = trained(make_env, 512, hook=lambda: None, chunk=3, **options)
    assert whole.updates == pieces.updates == 512 // whole.rows
    assert whole.crc() == pieces.crc()


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("half", [128, 212])  # at the end of a rollout and in the middle of one
def test_resumed_equals_straight(make_env, tmp_path, options, half):
    path = str(tmp_path / "ppo.safetensors")
    straight, _ = trained(make_env, 512, **options)
    first, env = trained(make_env, half, **options)
    first.save(path, full=True, env=env)
    env = make_env()
    again = picorl.PPO(env, **(SMALL | options | {"seed": 9}))
    assert again.load(path, env=env) is True
    for _ in picorl.train(again, env, 512 - half, evaluate_every=512, evaluate_episodes=0):
        pass
    assert again.crc() == straight.crc() and again.steps == straight.steps


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_policy_file_acts_as_the_agent_does(make_env, tmp_path, options):
    agent, _ = trained(make_env, 256, **options)
    agent.save(str(tmp_path / "policy.safetensors"))
    policy = picorl.Policy.load(str(tmp_path / "policy.safetensors"))
    other = picorl.PPO(make_env(), **(SMALL | options | {"seed": 9}))
    assert other.load(str(tmp_path / "policy.safetensors")) is False
    one = make_env()
    one = one.clone(5) if hasattr(one, "n_envs") else one
    one.reset()
    code = "i" if agent.discrete else "f"
    actions = [array(code, [0]) for _ in range(3)]
    for _ in range(15):
        for who, action in zip((agent, policy, other), actions, strict=True):
            who.predict(one.obs, action)
        assert actions[0] == actions[1] == actions[2]
        one.step(actions[0])
    assert picorl.evaluate(policy, one, 2) < 0 or agent.discrete


def test_best_policy_is_kept_with_its_normalisation():
    agent, _ = trained(MAKE["pendulum"], 256, normalise_obs=True)
    agent.note_return(array("f", [-5]))
    actor, moments = bytes(agent.actor), bytes(agent.moments)
    agent.actor[0] += 1
    agent.moments[1] += 1
    agent.note_return(array("f", [-6]))
    agent.use_best()
    assert (bytes(agent.actor), bytes(agent.moments)) == (actor, moments)


def test_one_environment_alone_equals_a_vector_of_one():
    """The same numbers by both ways: one at a time through observe, together through observe_all."""
    single, _ = trained(lambda: Pendulum(seed=3, time_limit=20), 512)
    together, _ = trained(lambda: VectorPendulum(1, seed=3, time_limit=20), 512)
    assert single.crc() == together.crc()


def test_truncation_bootstraps_and_termination_does_not():
    env = Pendulum(seed=0)
    agent = picorl.PPO(env, **(SMALL | dict(rollout_steps=4, batch_size=4)))
    obs, reward, action = array("f", (1, 0, 0)), array("f", [0.5]), array("f", [0])
    for terminated, truncated in ((False, True), (True, False), (False, False), (False, False)):
        agent.begin(obs)
        agent.act(obs, action)
        assert agent.observe(action, reward, obs, terminated, truncated)
    value = array("f", [0])
    agent._kernels.forward(agent.critic_layout, agent.critic, obs, value, agent.act_cache, 0, 1)
    agent.work()  # values
    while not any(agent.target):
        agent.work()
    gamma, lam, v = agent.gae_coeffs[0], agent.gae_coeffs[1], value[0]
    delta = 0.5 + gamma * v - v
    wanted = [0.5 + gamma * v, 0.5, delta + gamma * lam * delta + v, delta + v]
    assert list(agent.target) == pytest.approx(wanted, rel=1e-5)


def test_what_is_not_finite_is_refused_and_breaks_the_episode_off():
    env = Pendulum(seed=0)
    agent = picorl.PPO(env, **(SMALL | dict(rollout_steps=8, batch_size=8)))
    good, bad = array("f", (1, 0, 0)), array("f", (1, float("nan"), 0))
    reward, nothing, action = array("f", [-1]), array("f", [float("inf")]), array("f", [0])
    assert agent.begin(bad) is False and agent.refused == 1
    assert agent.observe(action, reward, good, False, False) is False  # no episode was open; from here on one is
    assert agent.refused == 2
    agent.act(good, action)
    assert agent.observe(action, reward, good, False, False)
    agent.act(good, action)
    assert agent.observe(action, nothing, good, False, False) is False
    assert agent.refused == 3 and agent.cursor[0] == 1
    assert list(agent.ended[:1]) == [2] and agent.final_value[0] != 0
    agent.act(good, action)
    assert agent.observe(action, reward, bad, False, False) is False
    assert agent.steps == 4
    while not agent.ready():
        agent.begin(good)
        agent.act(good, action)
        agent.observe(action, reward, good, False, False)
    agent.update()
    assert all(agent._kernels.all_finite(x, 0, len(x)) for x in (agent.actor, agent.critic, agent.log_std))


def test_steps_while_an_update_runs_are_not_learned_from():
    env = Pendulum(seed=3, time_limit=20)
    agent = picorl.PPO(env, **SMALL)
    straight, _ = trained(lambda: Pendulum(seed=3, time_limit=20), 32)
    action = array("f", [0])
    env.reset()
    agent.begin(env.obs)
    while not agent.ready():
        agent.act(env.obs, action)
        env.step(action)
        agent.observe(action, env.reward, env.obs, env.terminated, env.truncated)
        if env.truncated:
            env.reset()
            agent.begin(env.obs)
    done = agent.work()
    while not done:
        agent.act(env.obs, action)
        assert agent.observe(action, env.reward, env.obs, False, False) is False
        done = agent.work()
    assert agent.crc() == straight.crc() and not agent.ready() and agent.refused == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(batch_size=15), "batch_size is 15, must divide the 32 rows"),
        (dict(rollout_steps=0), "rollout_steps is 0, must be a whole number of at least 1"),
        (dict(epochs=0), "epochs is 0"),
        (dict(hidden=(0,)), "hidden is 0"),
        (dict(gamma=1.5), "gamma is 1.5, must be between 0 and 1"),
        (dict(gae_lambda=-1), "gae_lambda is -1"),
        (dict(clip=0), "clip is 0"),
        (dict(entropy=float("nan")), "entropy is nan"),
        (dict(sigma=0), "sigma is 0"),
        (dict(max_grad_norm=0), "max_grad_norm is 0"),
        (dict(max_kl=-1), "max_kl is -1"),
        (dict(value_clip=0), "value_clip is 0"),
        (dict(anneal_steps=0), "anneal_steps is 0"),
        (dict(activation="swish"), "activation is 'swish', must be one of identity, relu, tanh, leaky_relu"),
        (dict(norm="batch"), "norm is 'batch', must be one of layer_norm, normalize"),
        (dict(seed=-1), "seed is -1"),
        (dict(chunk=0), "chunk is 0"),
        (dict(critic_learning_rate=2), "critic_learning_rate is 2"),
    ],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        picorl.PPO(Pendulum(), **(SMALL | options))


def test_rates_stay_0_beyond_what_kernels_count():
    agent, env = trained(MAKE["pendulum"], 32, anneal_steps=1000)
    agent.counters[0] = 2**24
    for _ in picorl.train(agent, env, 32, evaluate_episodes=0):
        pass
    assert agent.updates == 2 and agent.actor_hyper[0] == agent.critic_hyper[0] == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(max_grad_norm=None), "has clips_grad False, must be True"),
        (dict(value_clip=0.1), "has clips_value True, must be False"),
        (dict(max_kl=0.1), "has limits_kl True, must be False"),
        (dict(normalise_advantage=False), "has normalise_advantage False, must be True"),
    ],
)
def test_a_checkpoint_that_learns_otherwise_is_refused(tmp_path, options, message):
    path = str(tmp_path / "ppo.safetensors")
    trained(MAKE["pendulum"], 32, **options)[0].save(path, full=True)
    with pytest.raises(ValueError, match=message):
        picorl.PPO(MAKE["pendulum"](), **SMALL).load(path)


def test_update_before_the_rollout_is_complete_says_so():
    agent = picorl.PPO(Pendulum(), **SMALL)
    with pytest.raises(ValueError, match="update: the rollout holds 0 of 32 rows"):
        agent.update()
    assert agent.work() is False


def test_a_checkpoint_of_other_settings_is_refused(tmp_path):
    path = str(tmp_path / "ppo.safetensors")
    agent, env = trained(MAKE["pendulum"], 64)
    agent.save(path, full=True, env=env)
    for name, value in (("rollout_steps", 64), ("batch_size", 8), ("epochs", 3), ("anneal_steps", 10)):
        other = picorl.PPO(Pendulum(), **(SMALL | {name: value}))
        with pytest.raises(ValueError, match=f"load: .* has {name} "):
            other.load(path)
    with pytest.raises(ValueError, match="has algorithm PPO, must be SAC"):
        picorl.SAC(Pendulum(), hidden=(8, 8)).load(path)


def test_off_policy_agents_refuse_environments_they_cannot_learn_from():
    with pytest.raises(ValueError, match="train: SAC learns from one environment"):
        env = VectorPendulum(2)
        list(picorl.train(picorl.SAC(Pendulum()), env, 10))
    for algorithm, env in (("SAC", VectorPendulum(2)), ("DQN", VectorCartPole(2)), ("StreamQ", VectorCartPole(2))):
        with pytest.raises(ValueError, match=algorithm + ": env has n_envs, must be a single environment"):
            getattr(picorl, algorithm)(env)


def test_as_many_environments_are_wanted_as_the_agent_was_made_for():
    agent = picorl.PPO(VectorPendulum(4), **SMALL)
    for env, found in ((Pendulum(), 1), (VectorPendulum(2), 2)):
        with pytest.raises(ValueError, match=f"train: env has n_envs {found}, must be 4"):
            picorl.train(agent, env, 10)
    with pytest.raises(ValueError, match="evaluate: env has n_envs, must be a single environment"):
        picorl.evaluate(agent, VectorPendulum(4))


def test_it_learns_to_balance_the_pole():
    env = VectorCartPole(4, seed=0)
    options = dict(hidden=(32, 32), rollout_steps=128, batch_size=128, epochs=4, learning_rate=1e-3, activation="tanh")
    agent = picorl.PPO(env, anneal_steps=60_000, seed=0, **options)
    for _ in picorl.train(agent, env, 60_000, evaluate_every=10_000):
        pass
    agent.use_best()
    assert picorl.evaluate(agent, CartPole(seed=77), 20) >= 475
