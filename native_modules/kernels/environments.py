"""Environments: rows [row, row + rows) of a vector of environments."""

from .contract import DISCRETE, RNG, ROWS, Buffer, F, Fw, Kernel

KERNELS = (
    Kernel(
        "pendulum_reset",
        """Start Pendulum (Gymnasium's Pendulum-v1): state (n, 2) = angle in [-pi, pi), velocity in [-1, 1) rad/s; environment r
        takes words 0 and 1 of block (step, r): pi * u0 and u1, u as in `uniform`. Writes obs like `pendulum_observe`.
        Advances rng one step.""",
        (RNG, Fw("state", "(row + rows) * 2"), Fw("obs", "(row + rows) * 3"), *ROWS),
    ),
    Kernel(
        "pendulum_observe",
        """obs (n, 3) = cos(angle), sin(angle), velocity.""",
        (F("state", "(row + rows) * 2"), Fw("obs", "(row + rows) * 3"), *ROWS),
    ),
    Kernel(
        "pendulum_step",
        """One step of 0.05 s of Gymnasium's Pendulum-v1 (g 10 m/s^2, m 1 kg, l 1 m, torque clipped at ±2 N m, velocity at ±8 rad/s):
        reward = -(angle^2 + 0.1 velocity^2 + 0.001 torque^2) of the state before; the angle is kept in [-pi, pi). All in
        float32, in this order: s = fma(15, sin(angle), 3 u); velocity = clip(fma(s, 0.05, velocity), -8, 8);
        angle = wrap(fma(velocity, 0.05, angle)), wrap(x) = x - 2 pi if x >= pi, x + 2 pi if x < -pi, else x;
        cost = fma(angle, angle, 0.1 velocity^2 as (0.1 * velocity) * velocity), then fma(0.001 * u, u, cost).""",
        (
            Fw("state", "(row + rows) * 2"),
            F("action", "row + rows"),
            Fw("obs", "(row + rows) * 3"),
            Fw("reward", "row + rows"),
            *ROWS,
        ),
    ),
    Kernel(
        "cartpole_reset",
        """Start CartPole (Gymnasium's CartPole-v1): state (n, 4), which is its observation, = position (m), velocity (m/s), angle (rad),
        angular velocity (rad/s), each 0.05 u; environment r takes words 0 and 1 of block (step, 2 r), then those of
        block (step, 2 r + 1), u as in `uniform`. Advances rng one step.""",
        (RNG, Fw("state", "(row + rows) * 4"), *ROWS),
        of=DISCRETE,
    ),
    Kernel(
        "cartpole_step",
        """One step of 0.02 s of Gymnasium's CartPole-v1 (cart 1 kg, pole 0.1 kg, half its length 0.5 m, force 10 N, to the right when action is
        1, to the left otherwise), explicit Euler. ended = 1 when |position| > 2.4 m or |angle| > 12 degrees afterwards, else 0. In float32, in this
        order: t = fma((0.05 * omega) * omega, sin, force) / 1.1; a = fma(-cos, t, 9.8 * sin) / (0.5 * (4/3 - ((0.1 * cos) * cos)
        / 1.1)); x_acc = t - ((0.05 * a) * cos) / 1.1;
        position = fma(0.02, velocity, position); velocity = fma(0.02, x_acc, velocity); angle = fma(0.02, omega, angle); omega = fma(0.02, a, omega).""",
        (
            Fw("state", "(row + rows) * 4"),
            Buffer("action", "i", "row + rows"),
            Buffer("ended", "B", "row + rows", True),
            *ROWS,
        ),
        of=DISCRETE,
    ),
    Kernel(
        "mountain_car_reset",
        """Start MountainCar (Gymnasium's MountainCarContinuous-v0): state (n, 2), which is its observation, = position in [-0.6, -0.4),
        velocity 0; environment r takes word 0 of block (step, r): position = fma(0.1, u, -0.5), u as in `uniform`. Advances rng one
        step.""",
        (RNG, Fw("state", "(row + rows) * 2"), *ROWS),
        of=("mountain_car",),
    ),
    Kernel(
        "mountain_car_step",
        """One step of Gymnasium's MountainCarContinuous-v0. In float32, in this order: push = 0.0015 * clip(action, -1, 1); velocity =
        clip(velocity + fma(-0.0025, cos(3 * position), push), -0.07, 0.07); position = clip(position + velocity, -1.2, 0.6); a negative
        velocity becomes 0 at the left end. ended = 1 when position >= 0.45 and velocity >= 0, else 0; reward = fma(-0.1 * action, action,
        100 where it ended, else 0), with the action as it came.""",
        (
            Fw("state", "(row + rows) * 2"),
            F("action", "row + rows"),
            Fw("reward", "row + rows"),
            Buffer("ended", "B", "row + rows", True),
            *ROWS,
        ),
        of=("mountain_car",),
    ),
    Kernel(
        "acrobot_reset",
        """Start Acrobot (Gymnasium's Acrobot-v1): state (n, 4) = angle of the first link from hanging, angle of the second from the first
        (rad), their velocities (rad/s), each 0.1 u; environment r takes words 0 and 1 of block (step, 2 r), then those of block (step, 2 r + 1),
        u as in `uniform`. Writes obs like `acrobot_observe`. Advances rng one step.""",
        (RNG, Fw("state", "(row + rows) * 4"), Fw("obs", "(row + rows) * 6"), *ROWS),
        of=("acrobot",),
    ),
    Kernel(
        "acrobot_observe",
        """obs (n, 6) = cos and sin of the first angle, cos and sin of the second, both velocities.""",
        (F("state", "(row + rows) * 4"), Fw("obs", "(row + rows) * 6"), *ROWS),
        of=("acrobot",),
    ),
    Kernel(
        "acrobot_step",
        """One step of 0.2 s of Gymnasium's Acrobot-v1 (the equations of Sutton and Barto's book; links of 1 m, 1 kg, 1 kg m^2; g 9.8 m/s^2; torque
        at the elbow -1, 0 or 1 N m for action 0, 1 or 2; another action is 1), Runge and Kutta's method of order 4. With a1, a2, w1, w2 the state, c
        and s cos and sin: d1 = 3.5 + c2; d2 = fma(0.5, c2, 1.25); p2 = 4.9 * fma(s1, c2, c1 * s2); p1 = fma(-(fma(0.5, w2, w1) * w2), s2, fma(14.7,
        s1, p2)); h = d2 / d1; w2' = fma((-0.5 * w1) * w1, s2, fma(h, p1, torque) - p2) / fma(-h, d2, 1.25); w1' = -(fma(d2, w2', p1) / d1).
        Stages and the new state are fma(by, rate, state) with by 0.1, 0.1, 0.2 and 0.2 / 6 (of the sum 1, 2, 2, 1, in order). Angles are then
        fma(-2 pi, round(a / 2 pi), a), velocities clipped at 4 pi and 9 pi. ended = 1 when the tip is more than 1 m above the pivot, c1 + fma(-s1,
        s2, c1 * c2) < -1 of the new state, else 0; reward = 0 where it ended, else -1.""",
        (
            Fw("state", "(row + rows) * 4"),
            Buffer("action", "i", "row + rows"),
            Fw("obs", "(row + rows) * 6"),
            Fw("reward", "row + rows"),
            Buffer("ended", "B", "row + rows", True),
            *ROWS,
        ),
        of=("acrobot",),
    ),
    Kernel(
        "acrobot_swing_up_step",
        """As `acrobot_step`, with a torque of clip(action, -1, 1) N m. Nothing ends; reward = fma(-0.25, c1 + fma(-s1, s2, c1 * c2), -0.5) of the new
        state: -1 hanging, 0 with both links upright.""",
        (
            Fw("state", "(row + rows) * 4"),
            F("action", "row + rows"),
            Fw("obs", "(row + rows) * 6"),
            Fw("reward", "row + rows"),
            *ROWS,
        ),
        of=("acrobot",),
    ),
    Kernel(
        "quadrotor_reset",
        """Start a quadrotor near its target: state (n, 17), which is its observation, = position and velocity (3 each, m, m/s, in the
        world: z is up), attitude (4: a unit quaternion w, x, y, z with w >= 0, from the body to the world), angular velocity (3, rad/s, in the body),
        thrust of the rotors (4, as a share of their greatest). Position and velocity are 0.2 u, x, y and z of the attitude 0.1 u beside w = 1, then
        normalised as in `quadrotor_step`, the angular velocity 0.5 u, the thrusts 0.4578, which carries the weight; the twelve u, in order, are
        words 0 and 1 of blocks (step, 6 r) to (step, 6 r + 5), u as in `uniform`. Advances rng one step.""",
        (RNG, Fw("state", "(row + rows) * 17"), *ROWS),
        of=("quadrotor",),
    ),
    Kernel(
        "quadrotor_step",
        """One step of 0.01 s of a rigid body of 0.028 kg with inertia 1.66e-5, 1.66e-5, 2.93e-5 kg m^2 and four rotors of 0.15 N at x, y = (+,-), (-,-),
        (-,+), (+,+) 0.0325 m, the first and the third turning it about -z with 0.006 m times their thrust, the others about +z. The body's x is
        forward, y left, z up. asked = fma(0.5, clip(action (n, 4), -1, 1), 0.5); thrust = fma(1 - exp(-0.01 / 0.05), asked - thrust, thrust) (motors
        of the first order, 0.05 s). These thrusts t hold for the step: lift = 0.15 / 0.028 * ((t2 + t3) + (t0 + t1)); turn = 0.15 * 0.0325 / 1.66e-5 *
        ((t2 + t3) - (t0 + t1)) and ((t1 + t2) - (t0 + t3)), 0.15 * 0.006 / 2.93e-5 * ((t1 + t3) - (t0 + t2)). Rates: of the position the velocity; of the
        velocity 2 lift * fma(x, z, w y), 2 lift * fma(y, z, -(w x)), fma(-2 lift, fma(x, x, y y), lift) - 9.81; of the attitude half its product with the angular velocity (p, q, r): with a, b, c
        half of these, -fma(x, a, fma(y, b, z c)), fma(w, a, fma(y, c, -(z b))), fma(w, b, fma(z, a, -(x c))), fma(w, c, fma(x, b, -(y a))); of that
        fma(g r, q, turn), fma(-(g r), p, turn), turn, g = 1 - 2.93 / 1.66: Newton and Euler's equations, without drag. Runge and Kutta's method of order 4, summed as in
        `acrobot_step`; then the attitude is multiplied by 1 / sqrt of its squares, or by -1 times that where w < 0.
        reward = 1 / (1 + cost), cost = 10 |position|^2 + |velocity|^2 + 4 (x^2 + y^2 + z^2) + 0.02 |angular velocity|^2 + 0.1 |asked - 0.4578|^2 of
        the new state, terms and squares added in order with fma. ended = 1 where a position is beyond 1 m, the body axis 90 degrees or
        more from upright, an angular velocity beyond 35 rad/s (what gyroscopes measure) or the attitude not a number, else 0.""",
        (
            Fw("state", "(row + rows) * 17"),
            F("action", "(row + rows) * 4"),
            Fw("reward", "row + rows"),
            Buffer("ended", "B", "row + rows", True),
            *ROWS,
        ),
        of=("quadrotor",),
    ),
)
