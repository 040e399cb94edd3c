"""TD3 and SAC, with a memory too, as a whole: determinism, pieces, resuming, refusals, and what an exception leaves behind."""

from array import array

import pytest

import picorl
from picorl.envs import CartPole, Pendulum

SMALL = dict(hidden=(16, 16), batch_size=20, replay_capacity=500, warmup_steps=30)
ALGORITHMS = (picorl.SAC, picorl.TD3, picorl.RecurrentSAC)
WHITE_OR_CORRELATED = pytest.mark.parametrize(
    "algorithm", (picorl.SAC, picorl.TD3), ids=lambda one: one.__name__, indirect=True
)


def make(algorithm, **options):
    env = Pendulum(seed=3)
    return algorithm(env, seed=7, **{**SMALL, **options}), env


def run(agent, env, steps):
    for _ in picorl.train(agent, env, steps, evaluate_every=steps, evaluate_episodes=0):
        pass
    return agent.crc()


@pytest.fixture(params=ALGORITHMS, ids=lambda one: one.__name__)
def algorithm(request):
    return request.param


def test_same_seed_gives_the_same_bits_and_another_seed_does_not(algorithm):
    first, second = make(algorithm), make(algorithm)
    assert run(*first, 80) == run(*second, 80)
    env = Pendulum(seed=3)
    assert run(algorithm(env, seed=8, **SMALL), env, 80) != first[0].crc()


@pytest.mark.parametrize("chunk", (1, 7, 8, 16, 19, 20, 100))
def test_chunks_change_no_bit(algorithm, chunk):
    assert run(*make(algorithm, chunk=chunk), 90) == run(*make(algorithm), 90)


def test_work_with_acting_and_observing_in_between_equals_update(algorithm):
    """Between two pieces of an update the robot acts and observes: the update's batch was drawn in its first piece."""
    whole, env = make(algorithm)
    run(whole, env, 60)
    pieces, env2 = make(algorithm, chunk=8)
    run(pieces, env2, 60)
    action2 = array("f", [0])
    whole.update()
    counted = 0
    while not pieces.work():
        counted += 1
        if counted == 3:
            before = bytes(pieces.actor)
            pieces.act(env2.obs, action2)
            env2.step(action2)
            pieces.observe(action2, env2.reward, env2.obs, False, False)
            assert bytes(pieces.actor) == before
    assert counted > 10
    whole_crc = whole.crc()
    assert pieces.crc() == whole_crc
    assert pieces.updates == whole.updates


def test_the_acting_policy_changes_only_when_an_update_is_complete(algorithm):
    agent, env = make(algorithm, chunk=4, policy_delay=1) if algorithm is picorl.TD3 else make(algorithm, chunk=4)
    run(agent, env, 60)
    before = bytes(agent.actor)
    while not agent.work():
        assert bytes(agent.actor) == before
    assert bytes(agent.actor) != before


@pytest.mark.parametrize("steps", (30, 200, 230, 777))
def test_resumed_training_gives_the_bits_of_straight_training(algorithm, steps, tmp_path):
    path = str(tmp_path / "full.safetensors")
    straight, env = make(algorithm)
    run(straight, env, steps + 100)
    first, env1 = make(algorithm)
    run(first, env1, steps)
    first.save(path, full=True, env=env1)
    second, env2 = make(algorithm)
    env2.reset()
    assert second.load(path, env=env2) is True
    assert second.crc() == first.crc()
    assert run(second, env2, 100) == straight.crc()
    assert (second.steps, second.updates) == (straight.steps, straight.updates)


@WHITE_OR_CORRELATED
def test_correlated_noise_moves_slowly_and_starts_anew_with_an_episode(algorithm):
    """What is left of the policy's own part is an Ornstein-Uhlenbeck process: it keeps its sign for long, white noise does not."""
    changes = {}
    for rho in (0.0, 0.984375):
        agent, env = make(algorithm, noise_correlation=rho, warmup_steps=0)
        action, own = array("f", [0]), array("f", [0])
        env.reset()
        agent.begin(env.obs)
        noise = []
        for _ in range(400):
            agent.act(env.obs, action)
            agent.predict(env.obs, own)
            noise.append(action[0] - own[0])
        changes[rho] = sum(a * b < 0 for a, b in zip(noise, noise[1:], strict=False))
        agent.begin(env.obs)
        agent.act(env.obs, action)
        fresh = agent.act_noise[0]
        agent.rng_act[2] -= 1  # the same draw again
        agent.begin(env.obs)
        agent.act(env.obs, action)
        assert agent.act_noise[0] == fresh
    assert changes[0.0] > 150 and changes[0.984375] < 60


@WHITE_OR_CORRELATED
@pytest.mark.parametrize("steps", (60, 230))
def test_correlated_noise_goes_on_where_a_checkpoint_was_made(algorithm, steps, tmp_path):
    path = str(tmp_path / "full.safetensors")
    straight, env = make(algorithm, noise_correlation=0.9375)
    run(straight, env, steps + 60)
    first, env1 = make(algorithm, noise_correlation=0.9375)
    run(first, env1, steps)
    first.save(path, full=True, env=env1)
    second, env2 = make(algorithm)  # the correlation is one of the hyper-parameters that a full checkpoint brings
    second.load(path, env=env2)
    assert second.act_noise == first.act_noise and second.act_noise[0] != 0
    assert run(second, env2, 60) == straight.crc()


def test_save_in_mid_update_stores_an_update_boundary(algorithm, tmp_path):
    path = str(tmp_path / "full.safetensors")
    agent, env = make(algorithm, chunk=8)
    run(agent, env, 60)
    reference, env2 = make(algorithm)
    run(reference, env2, 60)
    reference.update()
    for _ in range(5):
        assert agent.work() is False
    agent.save(path, full=True, env=env)
    assert agent.crc() == reference.crc()
    loaded, _ = make(algorithm)
    loaded.load(path)
    assert loaded.crc() == reference.crc()
    assert loaded.updates == reference.updates


class Interrupting:
    """The kernels, with a KeyboardInterrupt at one call of one of them."""

    def __init__(self, kernels, name, call):
        self._kernels, self._name, self._left = kernels, name, call

    def __getattr__(self, name):
        kernel = getattr(self._kernels, name)
        if name != self._name:
            return kernel

        def interrupted(*args):
            kernel(*args)
            self._left -= 1
            if self._left == 0:
                raise KeyboardInterrupt

        return interrupted


@pytest.mark.parametrize("method", ("update", "work"))
@pytest.mark.parametrize("kernel", ("replay_sample", "forward", "backward", "adam", "adam_delta", "polyak"))
def test_an_interrupted_update_leaves_an_agent_that_goes_on(algorithm, kernel, method):
    agent, env = make(algorithm, policy_delay=1) if algorithm is picorl.TD3 else make(algorithm)
    run(agent, env, 60)
    real = agent._kernels
    agent._kernels = Interrupting(real, kernel, 1)
    agent._discard()  # makes a generator that uses the interrupting kernels
    with pytest.raises(KeyboardInterrupt):
        if method == "update":
            agent.update()
        else:
            while not agent.work():
                pass
    agent._kernels = real
    updates = agent.updates
    assert agent.work() is False  # the first piece of a new update, with empty gradients
    assert not any(agent.grad)
    for _ in range(5):
        agent.update()
    assert agent.updates == updates + 5
    assert all(agent._kernels.all_finite(getattr(agent, name), 0, len(getattr(agent, name))) for name in agent.PARAMS)


def test_after_an_interrupt_the_agent_restarts_by_itself(algorithm):
    agent, env = make(algorithm)
    run(agent, env, 60)
    agent._kernels = Interrupting(agent._kernels, "mse_delta", 2)
    agent._discard()
    with pytest.raises(KeyboardInterrupt):
        agent.update()
    updates = agent.updates
    agent.update()  # the counter has passed: this one runs through, on a fresh generator with an empty gradient
    assert agent.updates == updates + 1


def test_a_hook_that_raises_leaves_an_agent_that_goes_on(algorithm):
    agent, env = make(algorithm, chunk=8)
    run(agent, env, 60)
    calls = []

    def hook():
        calls.append(1)
        if len(calls) == 6:
            raise RuntimeError("estop")

    with pytest.raises(RuntimeError, match="estop"):
        list(picorl.train(agent, env, 10, evaluate_every=10, evaluate_episodes=0, hook=hook))
    before = agent.updates
    run(agent, env, 10)
    assert agent.updates >= before + 10


@pytest.mark.parametrize("bad", (float("nan"), float("inf"), float("-inf")))
@pytest.mark.parametrize("where", ("action", "reward", "next_obs"))
def test_a_value_that_is_not_finite_is_refused_and_counted(algorithm, bad, where):
    agent, env = make(algorithm)
    run(agent, env, 60)
    values = {"action": array("f", [0.5]), "reward": array("f", [-1]), "next_obs": array("f", [1, 0, 0])}
    values[where][-1] = bad
    before = bytes(agent.replay_reward) + bytes(agent.replay_action)
    valid = agent.replay_state[3]
    assert agent.observe(values["action"], values["reward"], values["next_obs"], False, False) is False
    assert agent.refused == 1
    assert agent.replay_state[3] <= valid
    assert bytes(agent.replay_reward) + bytes(agent.replay_action) == before
    assert agent._kernels.all_finite(agent.replay_obs, 0, len(agent.replay_obs))
    run(agent, env, 30)
    assert agent.begin(array("f", [0, bad, 0])) is False
    assert agent.refused == 2


def test_update_needs_a_batch_of_experience(algorithm):
    agent, env = make(algorithm)
    assert agent.work() is False
    with pytest.raises(ValueError, match="update: the replay holds 0 transitions after 0 steps"):
        agent.update()
    run(agent, env, 29)
    assert not agent.ready()
    run(agent, env, 1)
    assert agent.ready() and agent.updates == 1


@pytest.mark.parametrize(
    "options, message",
    (
        (dict(batch_size=501), r"batch_size is 501, must be at most 249 with a replay_capacity of 500"),
        (dict(batch_size=0), "batch_size is 0"),
        (dict(hidden=(16, 0)), "hidden is 0"),
        (dict(hidden=(16, 2.5)), "hidden is 2.5"),
        (dict(hidden=16), "hidden is 16, must be the units of each hidden layer"),
        (dict(learning_rate="high"), "learning_rate is 'high', must be between 0 and 1"),
        (dict(seed=None), "seed is None, must be a whole number between 0 and 4294967295"),
        (dict(replay_capacity=1), "replay_capacity is 1"),
        (dict(gamma=1.5), "gamma is 1.5"),
        (dict(tau=-0.1), "tau is -0.1"),
        (dict(learning_rate=float("nan")), "learning_rate is nan"),
        (dict(critic_learning_rate=-1), "critic_learning_rate is -1"),
        (dict(chunk=0), "chunk is 0"),
        (dict(seed=-1), "seed is -1"),
        (dict(seed=2**32), "seed is 4294967296"),
        (dict(warmup_steps=-5), "warmup_steps is -5"),
    ),
)
def test_bad_hyper_parameters_are_named(algorithm, options, message):
    with pytest.raises(ValueError, match=message):
        algorithm(Pendulum(), **{**SMALL, **options})


def test_a_folder_that_is_not_there_is_named(algorithm, tmp_path):
    agent = algorithm(Pendulum(), **SMALL)
    with pytest.raises(FileNotFoundError, match="save: .*nowhere/policy.new cannot be written"):
        agent.save(str(tmp_path / "nowhere" / "policy"))


def test_what_is_no_environment_is_named(algorithm):
    with pytest.raises(ValueError, match=r"env \(type\) has neither n_actions nor action_low"):
        algorithm(Pendulum)


def test_bad_hyper_parameters_of_one_algorithm_are_named():
    with pytest.raises(ValueError, match="temperature is 0"):
        picorl.SAC(Pendulum(), temperature=0, **SMALL)
    with pytest.raises(ValueError, match="noise_correlation is 1, must be between 0 and 0.9999"):
        picorl.SAC(Pendulum(), noise_correlation=1, **SMALL)
    with pytest.raises(ValueError, match="policy_delay is 0"):
        picorl.TD3(Pendulum(), policy_delay=0, **SMALL)
    with pytest.raises(ValueError, match="exploration_noise is -1"):
        picorl.TD3(Pendulum(), exploration_noise=-1, **SMALL)


def test_action_bounds_must_be_finite_and_ascending(algorithm):
    env = Pendulum()
    env.action_high = array("f", [-3])
    with pytest.raises(ValueError, match="action bounds are -2.0 to -3.0"):
        algorithm(env, **SMALL)


def test_actions_stay_in_the_bounds_and_explore(algorithm):
    agent, env = make(algorithm)
    action = array("f", [0])
    env.reset()
    seen = set()
    for _ in range(200):
        agent.act(env.obs, action)
        assert -2 <= action[0] <= 2
        seen.add(action[0])
    assert len(seen) > 150
    run(agent, env, 60)
    again = array("f", [0])
    for wanted in (action, again):
        agent.reset()
        agent.predict(env.obs, wanted)
    assert action == again
    agent.act(env.obs, again)
    assert action != again


def test_saving_in_a_hook_changes_no_bit_of_the_training(algorithm, tmp_path):
    plain, env = make(algorithm, chunk=8)
    run(plain, env, 60)
    saved, env2 = make(algorithm, chunk=8)
    calls = []

    def hook():
        calls.append(1)
        if len(calls) % 7 == 0:
            saved.save(str(tmp_path / "x.safetensors"), full=True, env=env2)

    list(picorl.train(saved, env2, 60, evaluate_every=60, evaluate_episodes=0, hook=hook))
    assert len(calls) > 20
    assert saved.updates == plain.updates
    assert saved.crc() == plain.crc()


def test_the_best_policy_is_what_is_saved_even_in_mid_update(algorithm, tmp_path):
    agent, env = make(algorithm, chunk=8)
    list(picorl.train(agent, env, 60, evaluate_every=30, evaluate_episodes=1))
    for _ in range(10):
        agent.work()
    agent.use_best()
    agent.save(str(tmp_path / "best.safetensors"))
    assert bytes(picorl.Policy.load(str(tmp_path / "best.safetensors")).params) == bytes(agent.best)


def test_the_replay_always_comes_to_hold_a_batch(algorithm):
    """Episodes of one step, each cut off, cost two rows a transition; the smallest replay allowed still learns."""
    env = Pendulum(seed=1, time_limit=1)
    agent = algorithm(env, hidden=(4,), batch_size=20, replay_capacity=42, warmup_steps=0)
    list(picorl.train(agent, env, 200, evaluate_every=200, evaluate_episodes=0))
    assert agent.updates > 150


MOST = 0x7F000000  # 2^31 less what steps can grow by at a time


@pytest.mark.parametrize(
    ("kind", "make_env", "action"),
    [
        (picorl.SAC, Pendulum, array("f", (0,))),
        (picorl.TD3, Pendulum, array("f", (0,))),
        (picorl.RecurrentSAC, Pendulum, array("f", (0,))),
        (picorl.StreamAC, Pendulum, array("f", (0,))),
        (picorl.PPO, Pendulum, array("f", (0,))),
        (picorl.DQN, CartPole, array("i", (0,))),
        (picorl.StreamQ, CartPole, array("i", (0,))),
    ],
)
def test_counters_end_before_they_overflow(kind, make_env, action):
    env = make_env()
    agent = kind(env, hidden=(4,))
    env.reset()
    agent.begin(env.obs)
    agent.counters[0] = MOST
    assert agent.observe(action, env.reward, env.obs, False, False)
    assert agent.steps == MOST + 1
    before = {name: bytes(getattr(agent, name)) for name, *_ in agent.declare()}
    with pytest.raises(ValueError, match=r"steps or updates are beyond 2130706432: save the policy"):
        agent.observe(action, env.reward, env.obs, False, False)
    assert {name: bytes(getattr(agent, name)) for name, *_ in agent.declare()} == before


def test_updates_end_before_they_overflow(algorithm, tmp_path):
    agent, env = make(algorithm)
    run(agent, env, 40)
    agent.counters[1] = MOST
    agent.update()
    before = agent.crc()
    for more in (agent.update, agent.work):
        with pytest.raises(ValueError, match="steps or updates are beyond 2130706432"):
            more()
    assert agent.crc() == before and agent.updates == MOST + 1
    agent.save(str(tmp_path / "policy"))
    fresh, env = make(algorithm)
    fresh.load(str(tmp_path / "policy"))
    assert bytes(fresh.actor) == bytes(agent.actor)
    run(fresh, env, 40)
    assert fresh.updates == 40 - SMALL["warmup_steps"] + 1
