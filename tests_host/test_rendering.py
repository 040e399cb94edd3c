"""Pictures of environments: in text, and as images."""

from array import array

import numpy as np
import pytest

from picorl import envs
from picorl.envs import rendering
from picorl.envs.pendulum_python import PendulumPython
from picorl.wrappers import FrameStack, NormaliseObs
from picorl_host.rendering import image

KINDS = (
    envs.Acrobot,
    envs.AcrobotSwingUp,
    envs.CartPole,
    envs.MountainCar,
    envs.Pendulum,
    PendulumPython,
    envs.Quadrotor,
)


def lines(env, **options):
    return envs.render(env, **options).split("\n")


def where(text, mark):
    """(row, column) of each mark in a picture."""
    return [(r, c) for r, line in enumerate(text) for c, found in enumerate(line) if found == mark]


def test_a_pendulum_points_where_it_is():
    env = envs.Pendulum()
    for angle, row, column in ((0, 0, 0), (np.pi, 1, 0), (np.pi / 2, 0.5, -1), (-np.pi / 2, 0.5, 1)):
        env.set_state(angle, 0)
        text = lines(env)
        assert len(text) == 12 and len({len(line) for line in text[:11]}) == 1
        (r, c), middle = where(text, "#")[0], where(text, "o")[0]
        assert r == pytest.approx(1 + row * 8, abs=1) and np.sign(c - middle[1]) == column
    assert text[-1] == "angle -1.57 rad, 0.00 rad/s"


def test_a_cart_moves_and_its_pole_leans():
    env = envs.CartPole()
    columns = []
    for x, angle in ((-1, 0.3), (1, -0.3)):
        env.set_state(x, 0, angle, 0)
        text = lines(env)
        columns.append(where(text, "#")[0][1])
        top, bottom = where(text, "*")[0], where(text, "*")[-1]
        assert np.sign(top[1] - bottom[1]) == np.sign(angle)
    assert columns[0] < columns[1] - 15


def test_a_car_stands_on_its_hill():
    env = envs.MountainCar()
    rows = []
    for x in (-1.1, -0.52, 0.4):
        env.set_state(x, 0)
        rows += [where(lines(env), "#")[0][0]]
    assert rows[1] > rows[0] and rows[1] > rows[2]


def test_an_acrobot_hangs_and_stands():
    env = envs.Acrobot()
    env.set_state(0, 0, 0, 0)
    hanging = lines(env, height=21)
    env.set_state(np.pi, 0, 0, 0)
    standing = lines(env, height=21)
    line = where(hanging, ".")[0][0]
    assert where(standing, "#")[0][0] < line < where(hanging, "#")[0][0]
    env.set_state(0, np.pi / 2, 0, 0)  # the second link to the right
    assert where(lines(env), "#")[0][1] > where(lines(env), "o")[0][1] + 2


def test_a_quadrotor_is_where_it_is_and_tilts():
    env = envs.Quadrotor()
    state = [0.6, 0, 0.5, 0, 0, 0, np.cos(0.3), 0, np.sin(0.3), 0, 0, 0, 0, 0, 0, 0, 0]
    env.set_state(state)
    text = lines(env, height=31)
    body, target = where(text, "#"), where(text, "+")[0]
    assert all(r < target[0] and c > target[1] for r, c in body)
    # Turned about y by a positive angle: the front (x, to the right) is lower.
    assert min(body, key=lambda at: at[1])[0] < max(body, key=lambda at: at[1])[0]


@pytest.mark.parametrize("kind", KINDS)
def test_every_environment_can_be_drawn_wherever_it_is(kind):
    env = kind(seed=1)
    rng = np.random.default_rng(0)
    env.reset()
    size = None
    for _ in range(60):
        env.step(array("i", [0]) if hasattr(env, "n_actions") else array("f", rng.uniform(-2, 2, len(env.action_low))))
        text = lines(env)
        assert len(text) == 12 and all(text)
        picture = image(env, 90)
        assert picture.dtype == np.uint8 and picture.shape[::2] == (90, 3)
        assert size in (None, picture.shape) and picture.min() < 150
        size = picture.shape


def test_an_image_shows_what_the_text_does():
    env = envs.Pendulum()
    for angle, side in ((np.pi / 2, 0), (-np.pi / 2, 1)):
        env.set_state(angle, 0)
        red = image(env, 100).astype(int)
        arm = (red[:, :, 0] > 150) & (red[:, :, 2] < 120)
        assert (arm[:, :45].sum(), arm[:, 55:].sum())[side] > 5 * (arm[:, :45].sum(), arm[:, 55:].sum())[1 - side]


def test_wrapped_environments_show_what_they_wrap():
    bare = envs.MountainCar()
    env = FrameStack(NormaliseObs(bare), 3)
    env.reset()
    assert envs.render(env) == envs.render(bare)
    np.testing.assert_array_equal(image(env), image(bare))


class Robot:
    obs = array("f", (1.5, -2))


def test_other_environments_show_their_numbers_or_draw_themselves():
    assert envs.render(Robot()) == "Robot: 1.5, -2"

    class Drawn(Robot):
        def render(self):
            return "|o|"

    assert envs.render(Drawn()) == "|o|"
    with pytest.raises(ValueError, match="render: there is no picture of Robot, only of Acrobot, "):
        rendering.scene(Robot())


def test_what_is_not_finite_is_said_or_left_out():
    env = envs.Quadrotor()
    env.set_state([float("nan")] * 17)
    assert envs.render(env).startswith("Quadrotor: obs is not finite: nan, ")
    assert image(env, 50).shape == (50, 50, 3)
