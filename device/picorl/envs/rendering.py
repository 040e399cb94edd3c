"""Pictures of environments: what there is to see as strokes, and strokes as lines of text. picorl_host.rendering makes images of them.

A scene is (left, bottom, right, top), the part of the world that is shown in m, and a list of strokes (mark, x0, y0, x1, y1). The mark
says what it is, and is the character that draws it: "-" ground, "." a line to reach, "#" a body, "*" a moving part, "o" a joint, "+" a target.
"""

from math import atan2, cos, floor, pi, sin


def _pendulum(obs):
    x, y = -obs[1], obs[0]
    return (-1.3, -1.3, 1.3, 1.3), [("*", 0, 0, x, y), ("o", 0, 0, 0, 0), ("#", x, y, x, y)]


def _cartpole(obs):
    x, angle = obs[0], obs[2]
    strokes = [("-", -2.4, -0.1, 2.4, -0.1), (".", -2.4, 0, -2.4, 0.3), (".", 2.4, 0, 2.4, 0.3)]
    strokes += [("*", x, 0.15, x + sin(angle), 0.15 + cos(angle)), ("#", x - 0.25, 0.1, x + 0.25, 0.1)]
    return (-2.6, -0.2, 2.6, 1.3), strokes


def _height(x):
    return 0.45 * sin(3 * x) + 0.55


def _mountain_car(obs):
    xs = [-1.2 + 0.1 * i for i in range(19)]
    strokes = [("-", a, _height(a), b, _height(b)) for a, b in zip(xs, xs[1:])]
    x, goal = obs[0], 0.45
    strokes += [(".", goal, _height(goal), goal, _height(goal) + 0.25)]
    return (-1.25, -0.05, 0.65, 1.35), strokes + [("#", x, _height(x) + 0.06, x, _height(x) + 0.06)]


def _acrobot(obs):
    x, y = obs[1], -obs[0]
    sine, cosine = obs[1] * obs[2] + obs[0] * obs[3], obs[0] * obs[2] - obs[1] * obs[3]
    tip = x + sine, y - cosine
    strokes = [(".", -2.1, 1, 2.1, 1), ("*", 0, 0, x, y), ("*", x, y, tip[0], tip[1])]
    return (-2.2, -2.2, 2.2, 2.2), strokes + [
        ("o", 0, 0, 0, 0),
        ("o", x, y, x, y),
        ("#", tip[0], tip[1], tip[0], tip[1]),
    ]


def _quadrotor(obs):
    """Seen along y: x to the right, z up. The arms are drawn four times as long, their thrusts as strokes upwards."""
    x, z = obs[0], obs[2]
    w, i, j, k = obs[6], obs[7], obs[8], obs[9]
    along = (1 - 2 * (j * j + k * k), 2 * (i * k - w * j))  # the body's x axis
    up = (2 * (i * k + w * j), 1 - 2 * (i * i + j * j))  # and its z axis
    strokes = [("-", -1, -1, 1, -1), ("+", 0, 0, 0, 0)]
    for side, thrust in ((0.18, (obs[13] + obs[16]) / 2), (-0.18, (obs[14] + obs[15]) / 2)):
        at = x + side * along[0], z + side * along[1]
        strokes += [("#", x, z, at[0], at[1])]
        strokes += [("*", at[0], at[1], at[0] + 0.3 * thrust * up[0], at[1] + 0.3 * thrust * up[1])]
    return (-1.1, -1.1, 1.1, 1.1), strokes


def _swing(obs):
    return "angle %.2f rad" % atan2(obs[1], obs[0]) + (", %.2f rad/s" % obs[2] if len(obs) > 2 else "")


def _links(obs):
    angles = atan2(obs[1], obs[0]), atan2(obs[3], obs[2])
    return "angles %.2f, %.2f rad, %.2f, %.2f rad/s" % (angles[0], angles[1], obs[4], obs[5])


_KINDS = {
    "Acrobot": (_acrobot, _links),
    "AcrobotSwingUp": (_acrobot, _links),
    "CartPole": (
        _cartpole,
        lambda obs: "%.2f m, %.2f m/s, %.1f degrees, %.2f rad/s" % (obs[0], obs[1], obs[2] * 180 / pi, obs[3]),
    ),
    "MountainCar": (_mountain_car, lambda obs: "position %.2f, velocity %.3f" % (obs[0], obs[1])),
    "Pendulum": (_pendulum, _swing),
    "PendulumPython": (_pendulum, _swing),
    "PendulumWithoutVelocity": (_pendulum, _swing),
    "Quadrotor": (_quadrotor, lambda obs: "x %.2f, y %.2f, z %.2f m" % (obs[0], obs[1], obs[2])),
}


def scene(env):
    """What is to be seen of env (or of what its wrappers wrap): bounds and strokes. ValueError for an environment without a picture."""
    env = getattr(env, "unwrapped", env)
    kind = type(env).__name__
    if kind not in _KINDS:
        raise ValueError("render: there is no picture of %s, only of %s" % (kind, ", ".join(sorted(_KINDS))))
    return _KINDS[kind][0](env.obs)


class _Page:
    """Characters, twice as high as they are wide."""

    def __init__(self, bounds, height):
        left, bottom, right, top = bounds
        self.left, self.top = left, top
        self.per_row = (top - bottom) / height
        self.width = max(1, round((right - left) / self.per_row * 2))
        self.height = height
        self.text = bytearray(b" " * ((self.width + 1) * height))
        for row in range(height):
            self.text[(row + 1) * (self.width + 1) - 1] = 10

    def cell(self, x, y):
        """Column and row of a place; of one far off the page, a cell beside it."""
        column, row = floor((x - self.left) / self.per_row * 2), floor((self.top - y) / self.per_row)
        return max(-1, min(self.width, column)), max(-1, min(self.height, row))

    def stroke(self, mark, x0, y0, x1, y1):
        column, row = self.cell(x0, y0)
        right, down = self.cell(x1, y1)
        right -= column
        down -= row
        steps = max(1, abs(right), abs(down))
        for i in range(steps + 1):  # in whole numbers, which take no memory
            c = column + (2 * right * i + steps) // (2 * steps)
            r = row + (2 * down * i + steps) // (2 * steps)
            if 0 <= c < self.width and 0 <= r < self.height:
                self.text[r * (self.width + 1) + c] = ord(mark)


def render(env, height=11):
    """A picture of env as a string of `height` lines and one with its state in numbers; an environment without one shows its obs.

    Takes some KB of heap for a moment. An environment of your own that has a method render() draws itself.
    """
    inner = getattr(env, "unwrapped", env)
    if hasattr(inner, "render"):
        return inner.render()
    name = type(inner).__name__
    if name not in _KINDS:
        return "%s: %s" % (name, ", ".join(["%.3g" % x for x in inner.obs]))
    for x in inner.obs:
        if x - x != 0:
            return "%s: obs is not finite: %s" % (name, ", ".join(["%.3g" % x for x in inner.obs]))
    draw, say = _KINDS[name]
    bounds, strokes = draw(inner.obs)
    page = _Page(bounds, height)
    for stroke in strokes:
        page.stroke(*stroke)
    return str(page.text, "utf-8") + say(inner.obs)
