"""Quadrotor: what physics keep, what a rotor does, where it ends, and that it can be flown."""

from array import array

import numpy as np
import pytest
from reference_kernels import QUADROTOR_HOVER, rotation

from picorl.envs import Quadrotor

MASS, INERTIA = 0.028, np.array([1.66e-5, 1.66e-5, 2.93e-5])
OFF, HOVER = array("f", [-1] * 4), array("f", [2 * QUADROTOR_HOVER - 1] * 4)


def state_of(position=(0, 0, 0), velocity=(0, 0, 0), attitude=(1, 0, 0, 0), omega=(0, 0, 0), thrusts=(0, 0, 0, 0)):
    return [*position, *velocity, *np.array(attitude) / np.linalg.norm(attitude), *omega, *thrusts]


def flying(**start):
    env = Quadrotor()
    env.set_state(state_of(**start))
    return env


def parts(env):
    obs = np.array(env.obs, np.float64)
    return obs[:3], obs[3:6], obs[6:10], obs[10:13], obs[13:]


def test_falls_freely():
    env = flying(velocity=(0.4, -0.3, 2), attitude=(0.9, 0.2, -0.3, 0.1))
    for _ in range(30):
        env.step(OFF)
    t = 0.3
    position, velocity, *_ = parts(env)
    np.testing.assert_allclose(position, [0.4 * t, -0.3 * t, 2 * t - 9.81 * t**2 / 2], atol=1e-5)
    np.testing.assert_allclose(velocity, [0.4, -0.3, 2 - 9.81 * t], atol=1e-5)


def test_without_torque_angular_momentum_and_energy_are_kept():
    env = flying(attitude=(0.8, 0.1, 0.5, -0.2), omega=(6, -4, 9))

    def momentum():
        _, _, attitude, omega, _ = parts(env)
        return rotation(attitude) @ (INERTIA * omega) / INERTIA[0], omega @ (INERTIA * omega) / INERTIA[0]

    (start, energy), turned = momentum(), 0
    for _ in range(200):
        before = complex(*env.obs[10:12])
        env.step(OFF)
        now, energy_now = momentum()
        np.testing.assert_allclose(now, start, atol=0.004 * np.linalg.norm(start))
        assert energy_now == pytest.approx(energy, rel=1e-3)
        assert np.linalg.norm(env.obs[6:10]) == pytest.approx(1, abs=1e-6) and env.obs[6] >= 0
        turned += abs(np.angle(complex(*env.obs[10:12]) / before))
    # A symmetric body: in its own frame omega turns about z at (1 - Jz / J) omega_z.
    assert turned == pytest.approx(2 * 9 * 0.76506, rel=1e-2)


def test_thrust_that_carries_the_weight_keeps_it_where_it_is():
    env = flying(thrusts=[QUADROTOR_HOVER] * 4)
    for _ in range(500):
        env.step(HOVER)
        assert env.reward[0] > 0.9999
    position, velocity, attitude, omega, _ = parts(env)
    assert np.abs(np.concatenate([position, velocity, attitude[1:], omega])).max() < 1e-4
    assert env.truncated and not env.terminated


@pytest.mark.parametrize("rotor", range(4))
def test_a_rotor_pushes_where_it_is(rotor):
    """One rotor faster than hover: it rises, tips away from that rotor, and yaws against its spin."""
    command = array("f", HOVER)
    command[rotor] += 0.2
    env = flying(thrusts=[QUADROTOR_HOVER] * 4)
    for _ in range(5):
        env.step(command)
    _, velocity, _, omega, thrusts = parts(env)
    x, y = ((1, -1), (-1, -1), (-1, 1), (1, 1))[rotor]
    assert velocity[2] > 0
    assert np.sign(omega).tolist() == [y, -x, -1 if rotor in (0, 2) else 1]
    # The motors follow with a time constant of 50 ms: 1 - exp(-1) of the way after 50 ms.
    assert (thrusts[rotor] - QUADROTOR_HOVER) / 0.1 == pytest.approx(1 - np.exp(-1), abs=1e-4)


def test_a_tilted_machine_accelerates_where_its_axis_points():
    tilt = np.radians(30)
    env = flying(
        attitude=(np.cos(tilt / 2), 0, np.sin(tilt / 2), 0), thrusts=[0.8] * 4
    )  # about y: the axis leans to +x
    for _ in range(10):
        env.step(array("f", [0.6] * 4))
    lift = 4 * 0.8 * 0.15 / MASS
    np.testing.assert_allclose(
        env.obs[3:6], [0.1 * lift * np.sin(tilt), 0, 0.1 * (lift * np.cos(tilt) - 9.81)], atol=1e-4
    )


def test_commands_are_clipped():
    for command, limit in ((5, 1), (-7, -1)):
        a, b = flying(thrusts=[0.5] * 4), flying(thrusts=[0.5] * 4)
        a.step(array("f", [command] * 4))
        b.step(array("f", [limit] * 4))
        assert a.obs == b.obs and a.reward == b.reward


@pytest.mark.parametrize(
    "start, ended",
    [
        (dict(position=(0.99, -0.99, 0.99)), False),
        (dict(position=(1.01, 0, 0)), True),
        (dict(position=(0, -1.01, 0)), True),
        (dict(position=(0, 0, -1.01)), True),
        (dict(attitude=(np.cos(0.78), np.sin(0.78), 0, 0)), False),  # 89.4 degrees
        (dict(attitude=(np.cos(0.79), 0, -np.sin(0.79), 0)), True),
        (dict(attitude=(0.01, 0, 0, 1)), False),  # turned about z only
        (dict(omega=(0, 0, 34.9)), False),
        (dict(omega=(0, 0, -35.1)), True),
        (dict(attitude=(float("nan"), 0, 0, 1)), True),
    ],
)
def test_ends_beyond_its_limits(start, ended):
    env = flying(thrusts=[QUADROTOR_HOVER] * 4, **start)
    env.step(HOVER)
    assert env.terminated == ended


def test_reward_is_1_at_rest_in_the_origin_and_less_anywhere_else():
    base = flying(thrusts=[QUADROTOR_HOVER] * 4)
    base.step(HOVER)
    assert base.reward[0] == pytest.approx(1, abs=1e-6)
    for start in (
        dict(position=(0, 0.1, 0)),
        dict(velocity=(0.3, 0, 0)),
        dict(attitude=(1, 0, 0, 0.1)),
        dict(omega=(0, 1, 0)),
    ):
        env = flying(thrusts=[QUADROTOR_HOVER] * 4, **start)
        env.step(HOVER)
        assert 0 < env.reward[0] < 0.99


def controller(obs):
    """Two nested PD loops: the position asks for a tilt, the tilt for torques."""
    p, v, q, omega, _ = obs[:3], obs[3:6], obs[6:10], obs[10:13], obs[13:]
    wanted = -4 * p - 3 * v  # m/s^2
    lift = QUADROTOR_HOVER * (1 + wanted[2] / 9.81)
    tilt = np.array([-wanted[1], wanted[0], 0]) / 9.81
    roll, pitch, yaw = (80 * (tilt - 2 * q[1:]) - 14 * omega) / (293.7, 293.7, 61.4)
    thrusts = lift + np.array([-roll - pitch - yaw, -roll + pitch + yaw, roll + pitch - yaw, roll - pitch + yaw]) / 4
    return array("f", 2 * thrusts - 1)


def test_a_simple_controller_hovers_from_every_start():
    env = Quadrotor(seed=3)
    returns = []
    for _ in range(20):
        env.reset()
        total = 0
        while not (env.terminated or env.truncated):
            env.step(controller(np.array(env.obs, np.float64)))
            total += env.reward[0]
        assert env.truncated and not env.terminated
        assert np.abs(env.obs[:3]).max() < 0.03
        returns.append(total)
    assert min(returns) > 400


def test_without_control_it_crashes():
    env = Quadrotor(seed=3)
    lengths = []
    for _ in range(10):
        env.reset()
        steps = 0
        while not (env.terminated or env.truncated):
            env.step(HOVER)
            steps += 1
        assert env.terminated
        lengths.append(steps)
    assert max(lengths) < 450


def test_starts(backend):
    n = 500
    state = array("f", [9] * (17 * n))
    backend.quadrotor_reset(array("I", (3, 0, 0, 0)), state, 0, n)
    starts = np.array(state).reshape(n, 17)
    assert np.abs(starts[:, :6]).max() <= 0.2 and np.abs(starts[:, 10:13]).max() <= 0.5
    assert np.allclose(np.linalg.norm(starts[:, 6:10], axis=1), 1, atol=1e-6) and starts[:, 6].min() > 0.98
    assert np.allclose(starts[:, 13:], QUADROTOR_HOVER)
    varied = np.delete(starts, [6, 13, 14, 15, 16], axis=1)
    assert np.abs(np.corrcoef(varied.T) - np.eye(12)).max() < 0.2
    assert varied.std(axis=0) == pytest.approx([0.2 / 3**0.5] * 6 + [0.1 / 3**0.5] * 3 + [0.5 / 3**0.5] * 3, rel=0.15)


def test_a_state_of_another_size_is_refused():
    with pytest.raises(ValueError, match="Quadrotor: state holds 13 numbers, must be 17"):
        Quadrotor().set_state([0] * 13)
