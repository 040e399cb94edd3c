"""The on-policy kernels: gradients, distributions, limits and what they refuse, on every backend."""

import math
from array import array

import numpy as np
import pytest
import reference_kernels as reference
from kernel_cases import Random, as_arrays, make
from test_kernels import call, close, finite_differences, refuse, sturdy

ROWS, BATCH = 6, 9


def floats(*values):
    return array("f", values)


def zeros(n):
    return array("f", [0] * n)


# --- gradients: finite differences of the losses, and PyTorch's where it is installed -----------------------------


def ppo_case(name, seed, size):
    args = make(name, Random(f"{name} {seed}"), row=0, rows=ROWS, batch=BATCH, act_size=size, n=size)
    for key in ("d_mean", "d_log_std", "d_logits"):
        if key in args:
            args[key] = zeros(len(args[key]))
    return args, as_arrays(args)


def gaussian_loss(wide, size):
    mean, raw = wide["mean"].reshape(ROWS, size), wide["raw"].reshape(ROWS, size)
    log_prob = reference.normal_log_prob(mean, raw, wide["log_std"])
    objective = reference.ppo_objective(log_prob, wide["old_log_prob"], wide["advantage"], wide["clip"][0])
    entropy = (wide["log_std"] + np.log(2 * np.pi * np.e) / 2).sum()
    return (-objective - wide["entropy"][0] * entropy).sum() / BATCH


def categorical_loss(wide, size):
    p = reference.probabilities(wide["logits"].reshape(ROWS, size))
    log_prob = np.log(p[np.arange(ROWS), wide["choice"]])
    objective = reference.ppo_objective(log_prob, wide["old_log_prob"], wide["advantage"], wide["clip"][0])
    entropy = -(p * np.log(p)).sum(axis=1)
    return (-objective - wide["entropy"][0] * entropy).sum() / BATCH


@pytest.mark.parametrize("size", [1, 2, 3, 17])
@pytest.mark.parametrize("seed", range(4))
def test_ppo_gaussian_delta_is_the_gradient(backend, size, seed):
    args, wide = ppo_case("ppo_gaussian_delta", seed, size)
    call(backend, "ppo_gaussian_delta", args)
    for x in ("mean", "log_std"):
        close(args[f"d_{x}"], finite_differences(lambda: gaussian_loss(wide, size), wide[x]))


@pytest.mark.parametrize("size", [1, 2, 3, 17])
@pytest.mark.parametrize("seed", range(4))
def test_ppo_categorical_delta_is_the_gradient(backend, size, seed):
    args, wide = ppo_case("ppo_categorical_delta", seed, size)
    call(backend, "ppo_categorical_delta", args)
    close(args["d_logits"], finite_differences(lambda: categorical_loss(wide, size), wide["logits"]))


def clipped_value_loss(wide):
    value, old, clip = wide["value"], wide["old_value"], wide["clip"][0]
    plain = (value - wide["target"]) ** 2
    if old is None:
        return plain.sum() / BATCH / 2
    clipped = (old + np.clip(value - old, -clip, clip) - wide["target"]) ** 2
    return np.maximum(plain, clipped).sum() / BATCH / 2


@pytest.mark.parametrize("clipped", [False, True])
def test_value_delta_is_the_gradient(backend, clipped):
    r = Random(5)
    old = floats(*r.floats(ROWS)) if clipped else None
    args = make("value_delta", r, row=0, rows=ROWS, batch=BATCH, old_value=old, clip=floats(0.25))
    if clipped:
        args["old_value"][:3] = floats(*(v + d for v, d in zip(args["value"], (0.1, -0.2, 0), strict=False)))
    wide = as_arrays(args)
    call(backend, "value_delta", args)
    close(args["d_value"], finite_differences(lambda: clipped_value_loss(wide), wide["value"]))
    assert args["loss"][0] == pytest.approx(2 * BATCH * clipped_value_loss(wide), rel=1e-5)


def test_values_within_the_range_keep_their_gradient(backend):
    """Were old + (value - old) not value, for rounding, the clipped loss could win and take the gradient away."""
    r = Random(8)
    value, old = floats(*r.floats(1000, 3)), zeros(1000)
    for i in range(1000):
        old[i] = value[i] + r.uniform(-0.19, 0.19)
    d_value = zeros(1000)
    backend.value_delta(value, zeros(1000), old, floats(0.2), d_value, floats(0), 0, 1000, 1000)
    np.testing.assert_allclose(d_value, np.array(value) / 1000, 1e-5)


@pytest.mark.torch
@pytest.mark.parametrize("size", [1, 3, 17])
def test_gradients_are_pytorchs(backend, size):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed here: make test-torch")

    def tensors(wide, *trained):
        return {
            key: torch.tensor(x, requires_grad=key in trained) for key, x in wide.items() if isinstance(x, np.ndarray)
        }

    def objective(log_prob, t):
        ratio = torch.exp(log_prob - t["old_log_prob"])
        e = t["clip"].item()
        return torch.min(ratio * t["advantage"], torch.clamp(ratio, 1 - e, 1 + e) * t["advantage"])

    def agree(got, tensor):
        wanted = tensor.grad.numpy().reshape(-1)
        np.testing.assert_allclose(got, wanted, 1e-5, 1e-5 * np.abs(wanted).max())

    for seed in range(5):
        args, wide = ppo_case("ppo_gaussian_delta", seed, size)
        t = tensors(wide, "mean", "log_std")
        policy = torch.distributions.Normal(t["mean"].reshape(ROWS, size), t["log_std"].exp().expand(ROWS, size))
        log_prob = policy.log_prob(t["raw"].reshape(ROWS, size)).sum(1)
        loss = -(objective(log_prob, t) + t["entropy"] * policy.entropy().sum(1)).sum() / BATCH
        loss.backward()
        call(backend, "ppo_gaussian_delta", args)
        agree(args["d_mean"], t["mean"])
        agree(args["d_log_std"], t["log_std"])

        args, wide = ppo_case("ppo_categorical_delta", seed, size)
        t = tensors(wide, "logits")
        policy = torch.distributions.Categorical(logits=t["logits"].reshape(ROWS, size))
        loss = -(objective(policy.log_prob(t["choice"]), t) + t["entropy"] * policy.entropy()).sum() / BATCH
        loss.backward()
        call(backend, "ppo_categorical_delta", args)
        if size > 1:  # of one choice there is no gradient but rounding
            agree(args["d_logits"], t["logits"])

        old = floats(*Random(seed).floats(ROWS))
        args = make("value_delta", Random(seed), row=0, rows=ROWS, batch=BATCH, old_value=old)
        t = tensors(as_arrays(args), "value")
        e = t["clip"].item()
        clipped = t["old_value"] + torch.clamp(t["value"] - t["old_value"], -e, e)
        (torch.max((t["value"] - t["target"]) ** 2, (clipped - t["target"]) ** 2).sum() / BATCH / 2).backward()
        call(backend, "value_delta", args)
        agree(args["d_value"], t["value"])


def ratio_gradient(backend, ratio, advantage, e=0.25):
    """d_mean and stats of one action of a standard normal policy whose probability is `ratio` times the old one."""
    log_prob = zeros(1)
    backend.gaussian_log_prob(zeros(1), floats(1), zeros(1), log_prob, 1, 0, 1)
    old = floats(log_prob[0] - math.log(ratio)) if ratio != 1 else log_prob
    d_mean, stats = zeros(1), floats(7, 7, 7)
    backend.ppo_gaussian_delta(
        zeros(1), floats(1), zeros(1), old, floats(advantage), floats(e), zeros(1), d_mean, zeros(1), stats, 1, 0, 1, 1
    )  # fmt: skip
    return d_mean[0], list(stats)


@pytest.mark.parametrize("advantage", [2.0, -2.0])
@pytest.mark.parametrize("ratio", [0.5, 0.7499, 0.7501, 1, 1.2499, 1.2501, 2.0])
def test_gradient_ends_where_the_range_does(backend, ratio, advantage):
    """Only where a step further would gain nothing: above for good actions, below for bad ones."""
    d_mean, (loss, divergence, outside) = ratio_gradient(backend, ratio, advantage)
    clipped = ratio > 1.25 if advantage > 0 else ratio < 0.75
    assert d_mean == (0 if clipped else pytest.approx(-advantage * ratio, rel=1e-5))
    assert loss == pytest.approx(-min(advantage * ratio, advantage * min(max(ratio, 0.75), 1.25)), rel=1e-5)
    assert divergence == pytest.approx(ratio - 1 - math.log(ratio), abs=3e-7)
    assert outside == (not 0.75 <= ratio <= 1.25)


def test_the_range_ends_are_inside_it(backend):
    """A range of width 0: the ratio 1 is on both ends, counts as inside and keeps its gradient."""
    for advantage in (2.0, -2.0, 0.0):
        d_mean, stats = ratio_gradient(backend, 1, advantage, 0)
        assert d_mean == -advantage and stats == [-advantage, 0, 0]


@pytest.mark.parametrize("name", ["ppo_gaussian_delta", "ppo_categorical_delta", "value_delta"])
def test_statistics_gather_over_chunks(backend, name):
    args = make(name, Random(4), row=0, rows=20, batch=20)
    sums = [key for key in ("stats", "loss", "d_log_std") if key in args]
    if "d_log_std" in args:
        args["d_log_std"] = floats(0.5) * len(args["d_log_std"])  # what is there stays there
    pieces = {key: value[:] if hasattr(value, "__len__") else value for key, value in args.items()}
    call(backend, name, args)
    for row, rows in ((0, 3), (3, 17)):
        call(backend, name, pieces | {"row": row, "rows": rows})
    for key in sums:
        if backend.__name__ == "_picorl":
            assert bytes(pieces[key]) == bytes(args[key])
        else:
            np.testing.assert_allclose(pieces[key], args[key], 1e-5, 1e-6)


# --- policies -----------------------------------------------------------------------------------------------------


def test_first_ratio_is_one(backend):
    """Before the first step the new policy is the old one: each log-density is computed alike, to the last bit."""
    for size in (1, 3):
        args, _ = ppo_case("ppo_gaussian_delta", 1, size)
        backend.gaussian_log_prob(args["mean"], args["raw"], args["log_std"], args["old_log_prob"], size, 0, ROWS)
        call(backend, "ppo_gaussian_delta", args)
        assert args["stats"][1] == pytest.approx(0, abs=1e-12)
        assert args["stats"][2] == 0
        args, _ = ppo_case("ppo_categorical_delta", 1, size)
        backend.categorical_log_prob(args["logits"], args["choice"], args["old_log_prob"], size, 0, ROWS)
        call(backend, "ppo_categorical_delta", args)
        assert args["stats"][1] == pytest.approx(0, abs=1e-12)
        assert args["stats"][2] == 0


def test_action_is_clipped_and_raw_is_not(backend):
    raw, action = zeros(4), zeros(4)
    scaling = floats(2, 3, 1, -1)  # half, middle of two actions
    backend.policy_action(
        floats(0.5, -4, 3, 0), floats(1, 1, -1, 0), zeros(2), scaling, raw, action, 2, 0, 2
    )  # fmt: skip
    assert list(raw) == [1.5, -3, 2, 0]
    assert list(action) == [3, -4, 3, -1]


def test_categorical_sample_follows_the_softmax(backend):
    n = 4000 if backend.__name__ == "picorl.kernels.python" else 40_000
    logits = floats(1.0, -2.0, 0.0, 2.5, 1.0)
    p = reference.probabilities(np.array(logits, np.float64))
    choice = array("i", [0]) * n
    backend.categorical_sample(logits * n, array("I", (5, 6, 7, 0)), choice, 5, 0, n)
    counts = np.bincount(choice, minlength=5)
    assert ((counts - n * p) ** 2 / (n * p)).sum() < 18.5  # chi square, 4 degrees of freedom, 0.1 %
    again = array("i", [0]) * n
    backend.categorical_sample(logits * n, array("I", (5, 6, 8, 0)), again, 5, 0, n)
    table = np.zeros((5, 5))
    np.add.at(table, (np.array(choice), np.array(again)), 1)
    expected = n * np.outer(p, p)
    assert ((table - expected) ** 2 / expected).sum() < 52.6  # 24 degrees of freedom, 0.1 %: steps are independent


def test_certain_choices_are_made(backend):
    """Probabilities that round to 0 and 1, and logits beyond what exp takes."""
    for favourite in range(3):
        logits = floats(*(1e5 if k == favourite else -1e5 for k in range(3))) * 20
        choice = array("i", [-1] * 20)
        backend.categorical_sample(logits, array("I", (1, 2, 3, 0)), choice, 3, 0, 20)
        assert set(choice) == {favourite}
        log_prob = zeros(20)
        backend.categorical_log_prob(logits, choice, log_prob, 3, 0, 20)
        assert list(log_prob) == [0] * 20


def test_argmax_takes_the_first_of_equals(backend):
    choice = array("i", [-1] * 4)
    x = floats(1, 1, 0, -3, -2, -2, 0, -0.0, 0, -math.inf, -1, math.inf)
    backend.argmax(x, choice, 3, 0, 4)
    assert list(choice) == [0, 1, 0, 2]


# --- advantages ---------------------------------------------------------------------------------------------------


def advantages(rewards, ends, values, final_values, gamma, lam):
    """One environment, episode by episode: exponentially weighted n-step returns (Schulman et al. 2016, eq. 14)."""
    result, start = [], 0
    for t in range(len(rewards)):
        if not ends[t] and t + 1 < len(rewards):
            continue
        after = {0: values[t + 1], 1: 0.0, 2: final_values[t]}[ends[t]]
        bootstraps = [*values[start + 1 : t + 1], after]
        for first in range(start, t + 1):
            estimates = []
            for last in range(first, t + 1):
                discounted = sum(gamma ** (k - first) * rewards[k] for k in range(first, last + 1))
                estimates.append(discounted + gamma ** (last - first + 1) * bootstraps[last - start] - values[first])
            n = len(estimates)
            weights = [(1 - lam) * lam**k for k in range(n - 1)] + [lam ** (n - 1)]
            result.append(sum(w * e for w, e in zip(weights, estimates, strict=True)))
        start = t + 1
    return result


@pytest.mark.parametrize("envs", [1, 3, 17])
def test_gae_averages_returns_of_all_lengths(backend, envs):
    args = make("gae", Random(envs), envs=envs, steps=25)
    args["coeffs"] = floats(0.97, 0.9)
    assert {0, 1, 2} <= set(args["ended"])
    call(backend, "gae", args)
    gamma, lam = args["coeffs"]
    for e in range(envs):
        reward, ended, value, final_value = (
            args[k][e::envs].tolist() if k != "ended" else list(args[k][e::envs])
            for k in ("reward", "ended", "value", "final_value")
        )
        wanted = np.array(advantages(reward, ended, value, final_value, gamma, lam))
        np.testing.assert_allclose(args["advantage"][e::envs], wanted, 1e-4, 1e-5)
        np.testing.assert_allclose(args["target"][e::envs], wanted + value[:-1], 1e-4, 1e-5)


def test_gae_reads_final_values_of_truncated_episodes_only(backend):
    args = make("gae", Random(3), envs=5, steps=30)
    clean = {key: value[:] if hasattr(value, "__len__") else value for key, value in args.items()}
    for i, end in enumerate(args["ended"][:150]):
        if end != 2:
            args["final_value"][i] = math.nan
    call(backend, "gae", args)
    call(backend, "gae", clean)
    assert bytes(args["advantage"]) == bytes(clean["advantage"])


# --- rollouts -----------------------------------------------------------------------------------------------------


def observe_rollout(backend, **changed):
    """Two environments with observations of three, at row 4 of a rollout of 8: (what was found, last_obs, rewards, ended)."""
    last_obs, rewards, ended = zeros(6), zeros(8), bytearray(8)
    given = {"reward": floats(1, 2), "next_obs": floats(*range(6)), "final_obs": floats(*range(6)), "ended": (0, 0)}
    given |= changed
    found = backend.rollout_observe(
        given["reward"],
        given["next_obs"],
        bytearray(given["ended"]),
        given["final_obs"],
        last_obs,
        rewards,
        ended,
        2,
        3,
        4,
    )
    return found, list(last_obs), list(rewards), list(ended)


@pytest.mark.parametrize(("ended", "found"), [((0, 0), 3), ((1, 0), 3), ((0, 2), 7), ((2, 1), 7)])
def test_a_rollout_stores_what_was_observed(backend, ended, found):
    wanted = (found, [0, 1, 2, 3, 4, 5], [0, 0, 0, 0, 1, 2, 0, 0], [0, 0, 0, 0, *ended, 0, 0])
    assert observe_rollout(backend, ended=ended) == wanted


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_rollout_stores_finite_numbers_only(backend, bad):
    nothing = (0, [0] * 6, [0] * 8, [0] * 8)
    assert observe_rollout(backend, reward=floats(1, bad)) == nothing
    assert observe_rollout(backend, final_obs=floats(0, 1, 2, 3, 4, bad)) == nothing
    found, last_obs, rewards, _ = observe_rollout(backend, next_obs=floats(0, 1, bad, 3, 4, 5))
    assert (found, last_obs, rewards) == (1, [0] * 6, [0, 0, 0, 0, 1, 2, 0, 0])


# --- statistics ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [2, 15, 16, 17, 250, 4096])
@pytest.mark.parametrize("shift", [0, 1000])
def test_standardised_numbers_have_mean_0_and_variance_1(backend, count, shift):
    x = floats(*(3 * v + shift for v in Random(count).floats(count)))
    wide = np.array(x, np.float64)
    backend.standardise(x, count)
    np.testing.assert_allclose(x, (wide - wide.mean()) / wide.std(), 1e-4, 1e-4 if shift else 1e-5)
    assert abs(np.mean(x, dtype=np.float64)) < 1e-5
    assert abs(np.std(x, dtype=np.float64) - 1) < 1e-5


def test_one_number_stays_as_it_is(backend):
    x = floats(0.3, 5)
    backend.standardise(x, 1)
    assert x == floats(0.3, 5)


@pytest.mark.parametrize("value", [0.0, 1.0, 0.1, -1234.567, 1e6])
def test_equal_numbers_become_0(backend, value):
    """Divided by 1e-8, what rounding leaves of a mean would become 1."""
    for count in (2, 3, 7, 100, 255):
        x = floats(value) * count
        backend.standardise(x, count)
        assert np.abs(x).max() < 1e-5


def test_gradient_clipping(backend):
    """As torch.nn.utils.clip_grad_norm_ does it: the norm of what comes out is the largest allowed."""
    x = floats(*Random(9).floats(300))
    norm = np.linalg.norm(np.array(x, np.float64))
    factor = zeros(1)
    for most in (0.5, 2 * norm):
        total = zeros(1)
        for start, count in ((0, 100), (100, 37), (137, 163)):
            backend.add_squares(x, total, start, count)
        assert total[0] == pytest.approx(norm**2, rel=1e-5)
        backend.norm_scale(total, floats(most), factor)
        y = x[:]
        backend.scale(y, factor, 0, 300)
        np.testing.assert_allclose(y, np.array(x) * min(1, most / norm), 1e-5)
    assert factor[0] == 1
    backend.norm_scale(floats(0.25), floats(0.5), factor)
    assert factor[0] == 1
    backend.norm_scale(zeros(1), zeros(1), factor)
    assert factor[0] == 1


def test_schedule_goes_from_end_to_end(backend):
    out = floats(7, 7, 7)
    for step, wanted in ((0, 3e-4), (250, 2.25e-4), (500, 1.5e-4), (1000, 0), (2000, 0)):
        backend.linear_schedule(floats(3e-4, 0), out, 1, step, 1000)
        assert out[1] == pytest.approx(wanted, rel=1e-6, abs=1e-11)
    assert (out[0], out[2]) == (7, 7)


def test_moments_are_numpys(backend):
    """Rows in chunks, some not finite, far from 0: mean and variance of those that are finite."""
    r = Random(2)
    x = np.array([[r.gauss(100, 0.5), r.gauss(0, 3), 5.0] for _ in range(500)], np.float32)
    x[17, 1], x[200, 0], x[499, 2] = np.nan, np.inf, -np.inf
    moments = zeros(7)
    for first, rows in ((0, 1), (1, 99), (100, 0), (100, 400)):
        backend.moments_update(array("f", x[first : first + rows].tobytes()), moments, 3, rows)
    good = x[np.isfinite(x).all(axis=1)].astype(np.float64)
    assert moments[0] == len(good) == 497
    np.testing.assert_allclose(moments[1:4], good.mean(axis=0), 1e-5)
    np.testing.assert_allclose(np.array(moments[4:7]) / 497, good.var(axis=0), 1e-3, 1e-6)
    out = zeros(6)
    backend.moments_apply(floats(101, -3, 6, 1e9, 0, 5), moments, out, 3, 0, 2)
    wanted = (np.array([[101, -3, 6], [1e9, 0, 5]]) - good.mean(axis=0)) / np.sqrt(good.var(axis=0) + 1e-8)
    np.testing.assert_allclose(out, wanted.clip(-10, 10).reshape(-1), 2e-3, 1e-5)


def test_moments_stop_where_float32_counts_no_further(backend):
    for count, kept in ((2.0**24 - 1, False), (2.0**24, True)):
        moments = floats(count, 1, 2 * count)
        backend.moments_update(floats(1e6), moments, 1, 1)
        assert moments[0] == 2**24
        assert (moments == floats(2.0**24, 1, 2 * count)) is kept


def test_moments_of_nothing_leave_numbers_alone(backend):
    x = floats(1, -2, 30, 4)
    out = zeros(4)
    backend.moments_apply(x, zeros(5), out, 2, 1, 1)
    assert list(out) == [0, 0, 30, 4]
    moments = floats(4, 1, 2, 16, 4)
    backend.moments_apply(x, moments, out, 2, 0, 2)
    backend.moments_apply(x, moments, x, 2, 0, 2)
    assert x == out


# --- minibatches --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 3, 31, 32, 33, 64, 1000])
def test_permutation_is_one(backend, count):
    rng, indices = array("I", (1, 2, 0xFFFFFFFF, 0)), array("i", [-1] * (count + 1))
    backend.permutation(rng, indices, count)
    assert sorted(indices[:count]) == list(range(count)) and indices[count] == -1
    assert list(rng) == [1, 2, 0, 0]


def test_every_permutation_is_as_likely(backend):
    n = 2400
    rng, indices, counts = array("I", (3, 4, 0, 0)), array("i", [0] * 4), {}
    for _ in range(n):
        backend.permutation(rng, indices, 4)
        counts[tuple(indices)] = counts.get(tuple(indices), 0) + 1
    assert len(counts) == 24
    assert sum((c - n / 24) ** 2 / (n / 24) for c in counts.values()) < 49.7  # 23 degrees of freedom, 0.1 %


@pytest.mark.parametrize("name", ["gather_rows", "gather_ints"])
def test_gathered_indices_must_be_in_the_source(backend, name):
    args = sturdy(name)
    for k in (1, 4):
        for wrong in (-1, args["limit"], 2**31 - 1, -(2**31)):
            indices = args["indices"][:]
            indices[k] = wrong
            message = f"indices[{k}] is {wrong}, must be 0 to {args['limit'] - 1}"
            refuse(backend, name, args | {"indices": indices}, message)
    args["indices"][0] = -1  # before start: not read
    call(backend, name, args)


@pytest.mark.parametrize("name", ["categorical_log_prob", "ppo_categorical_delta", "cross_entropy_delta"])
def test_choices_must_be_among_the_logits(backend, name):
    args = sturdy(name)
    for k in (1, 3):
        for wrong in (-1, args["n"], 2**31 - 1, -(2**31)):
            choice = args["choice"][:]
            choice[k] = wrong
            refuse(backend, name, args | {"choice": choice}, f"choice[{k}] is {wrong}, must be ")
    args["choice"][0] = -1  # before row: not read
    call(backend, name, args)
