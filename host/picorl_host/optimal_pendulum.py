"""How good a Pendulum policy can be: dynamic programming on a fine grid, in NumPy.

Gymnasium's Pendulum-v1 is deterministic, has two state variables and runs for 200 steps, so backward induction over
those steps (Bellman 1957) gives an almost optimal policy: values on a grid, linear in between, torques in small steps.
The dynamics are written here once more, in float64, so that nothing of picorl is measured with its own ruler.
"""

import csv
import hashlib
import json
from importlib.resources import files
from pathlib import Path

import numpy as np

HORIZON = 200  # steps an episode
MAX_SPEED = 8.0  # rad/s
MAX_TORQUE = 2.0  # N m


def starts():
    """The committed starts that policies are scored on: (200, 2) float64, angle in rad and velocity in rad/s."""
    with files(__package__).joinpath("data/pendulum_starts.csv").open() as file:
        return np.array([(float(row["angle"]), float(row["velocity"])) for row in csv.DictReader(file)])


def step(angle, velocity, torque):
    """Gymnasium's Pendulum-v1: next angle in [-pi, pi), next velocity, cost. Arrays broadcast."""
    cost = angle**2 + 0.1 * velocity**2 + 0.001 * torque**2
    velocity = np.clip(velocity + (15.0 * np.sin(angle) + 3.0 * torque) * 0.05, -MAX_SPEED, MAX_SPEED)
    angle = (angle + velocity * 0.05 + np.pi) % (2 * np.pi) - np.pi
    return angle, velocity, cost


class Grid:
    """Values at `angles` (periodic) x `velocities` (both ends included), linear in between."""

    def __init__(self, angles, velocities):
        self.shape = angles, velocities
        self.angle = -np.pi + np.arange(angles) * (2 * np.pi / angles)
        self.velocity = np.linspace(-MAX_SPEED, MAX_SPEED, velocities)

    def locate(self, angle, velocity):
        """The cells that states lie in: flat index of the lower corner, of the next angle's, and the two weights."""
        angles, velocities = self.shape
        a = (angle + np.pi) * (angles / (2 * np.pi))
        v = (velocity + MAX_SPEED) * ((velocities - 1) / (2 * MAX_SPEED))
        a0 = np.floor(a).astype(np.int32)
        v0 = np.minimum(v.astype(np.int32), velocities - 2)
        low = a0 % angles * velocities + v0
        high = (a0 + 1) % angles * velocities + v0
        return low, high, (a - a0).astype(np.float32), (v - v0).astype(np.float32)

    @staticmethod
    def interpolate(values, cells):
        """values (angles * velocities), flat, at what `locate` returned."""
        low, high, a, v = cells
        slope = np.diff(values, append=values[-1])
        lower = values[low] + v * slope[low]
        return lower + a * (values[high] + v * slope[high] - lower)


class Optimal:
    """Cost-to-go of every step, and the policy that is greedy with it.

    angles and velocities size the grid, torques is how many are tried between -2 and 2 N m. The default takes some
    seconds and 150 MB.
    """

    def __init__(self, angles=361, velocities=321, torques=31):
        self.grid = Grid(angles, velocities)
        torque = np.linspace(-MAX_TORQUE, MAX_TORQUE, torques)
        # Mirror images cost the same, so half of the angles are enough: row i mirrors row -i, from -pi to 0.
        half = self.grid.angle[: angles // 2 + 1]
        moves = [step(half[:, None], self.grid.velocity[None, :], u) for u in torque]
        cells = [self.grid.locate(angle, velocity) for angle, velocity, _ in moves]
        costs = [cost.astype(np.float32) for _, _, cost in moves]
        self.cost_to_go = np.zeros((HORIZON + 1, angles * velocities), np.float32)
        mirror = -np.arange(angles) % angles
        for t in reversed(range(HORIZON)):
            after = self.cost_to_go[t + 1]
            best = np.full(costs[0].shape, np.inf, np.float32)
            for cost, cell in zip(costs, cells, strict=True):
                np.minimum(best, cost + self.grid.interpolate(after, cell), out=best)
            whole = self.cost_to_go[t].reshape(angles, velocities)
            whole[: len(half)] = best
            whole[mirror[1 : len(half)]] = best[1:, ::-1]

    def torque(self, t, angle, velocity, torques=161):
        """The best torque (n) at step t of an episode in states angle, velocity (n)."""
        candidates = np.linspace(-MAX_TORQUE, MAX_TORQUE, torques)
        angle, velocity, cost = step(angle[:, None], velocity[:, None], candidates)
        total = cost + self.grid.interpolate(self.cost_to_go[t + 1], self.grid.locate(angle, velocity))
        return candidates[np.argmin(total, axis=1)]

    def returns(self, starts):
        """Undiscounted return (n) of one episode from each of starts (n, 2)."""
        angle, velocity = np.array(starts, np.float64).T
        total = np.zeros(len(angle))
        for t in range(HORIZON):
            angle, velocity, cost = step(angle, velocity, self.torque(t, angle, velocity))
            total -= cost
        return total


def score(cache=Path("build/bench/optimal_pendulum.json")):
    """Mean return of the near-optimal policy on `starts`, kept in `cache` (None: nowhere)."""
    key = hashlib.sha256(starts().tobytes() + Path(__file__).read_bytes()).hexdigest()
    if cache and cache.exists():
        kept = json.loads(cache.read_text())
        if kept["key"] == key:
            return kept["mean"]
    mean = float(Optimal().returns(starts()).mean())
    if cache:
        cache.parent.mkdir(parents=True, exist_ok=True)
        cache.write_text(json.dumps({"key": key, "mean": mean}))
    return mean


if __name__ == "__main__":
    print(f"near-optimal policy on {len(starts())} starts: mean return {score():.2f}")
