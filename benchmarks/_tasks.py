"""Functions with a known optimum, another instance of each for every seed.

The optimum is moved, and the axes are turned where the function allows it, so that no sampler
gains by looking at the centre, at a corner or along the axes. Cross-validated models, the other
kind of task, are in ``_models.py``.

Notation
--------
u     : point of the unit cube
u*    : the optimum's place there
loss  : to be minimised; ``observe`` gives what a sampler is told, ``true_loss`` the same without noise
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import special_ortho_group

from skhpo.space import Categorical, Column, Integer, Real, Space

Params = Mapping[str, Any]


@dataclass(frozen=True)
class Task:
    """One instance of a minimisation problem.

    Attributes
    ----------
    space : Space
        Column names are unique, also across branches.
    true_loss : callable
        Loss of a parameter dict, without noise.
    optimum : float
        Least possible loss; for a real task the least that is known.
    noise : float, default=0.0
        Standard deviation of what is added to each observation.
    seed : int, default=0
    """

    space: Space
    true_loss: Callable[[Params], float]
    optimum: float
    noise: float = 0.0
    seed: int = 0

    def observe(self, k: int, loss: float) -> float:
        """What the sampler sees of the k-th evaluation; the same noise for every sampler."""
        if not self.noise:
            return loss
        return loss + self.noise * float(np.random.default_rng([2027, self.seed, k]).standard_normal())


def unit_cube(d: int) -> Space:
    """Columns ``x0``, ``x1``, ... from 0 to 1."""
    return Space([Column(f"x{j}", Real(0.0, 1.0)) for j in range(d)])


def _vector(params: Params, d: int) -> np.ndarray:
    return np.array([params[f"x{j}"] for j in range(d)])


def _generator(seed: int) -> np.random.Generator:
    # Keyed apart from the samplers, which have the same seeds.
    return np.random.default_rng([2026, seed])


def _off_centre(rng: np.random.Generator, d: int) -> np.ndarray:
    """A place (d,) whose coordinates are all between 0.1 and 0.4 away from the centre."""
    return 0.5 + rng.choice([-1.0, 1.0], d) * rng.uniform(0.1, 0.4, d)


def _rotation(rng: np.random.Generator, d: int) -> np.ndarray:
    return special_ortho_group.rvs(d, random_state=rng)


# -- functions of the literature ----------------------------------------------------------------


def _moved(function: Callable[[np.ndarray], float], d: int, seed: int) -> Callable[[Params], float]:
    """The function on the unit cube with its axes shuffled, mirrored and shifted by up to a tenth.

    For functions that are defined, and have no deeper minimum, beyond their box.
    """
    rng = _generator(seed)
    order, mirrored, shift = rng.permutation(d), rng.random(d) < 0.5, rng.uniform(-0.1, 0.1, d)

    def moved(params: Params) -> float:
        u = _vector(params, d)[order]
        return function(np.where(mirrored, 1.0 - u, u) + shift)

    return moved


def _branin(u: np.ndarray) -> float:
    x1, x2 = 15.0 * u[0] - 5.0, 15.0 * u[1]
    b, c, t = 5.1 / (4 * math.pi**2), 5.0 / math.pi, 1.0 / (8 * math.pi)
    return (x2 - b * x1**2 + c * x1 - 6.0) ** 2 + 10.0 * (1.0 - t) * math.cos(x1) + 10.0


def branin(seed: int) -> Task:
    """Branin: three equal minima in a curved valley."""
    # min over x1 of 10 (1 - t) cos x1 + 10, where the square vanishes.
    return Task(unit_cube(2), _moved(_branin, 2, seed), optimum=10.0 / (8 * math.pi))


_HARTMANN_ALPHA = np.array([1.0, 1.2, 3.0, 3.2])
_HARTMANN_A = np.array(
    [
        [10, 3, 17, 3.5, 1.7, 8],
        [0.05, 10, 17, 0.1, 8, 14],
        [3, 3.5, 1.7, 10, 17, 8],
        [17, 8, 0.05, 10, 0.1, 14],
    ]
)
_HARTMANN_P = 1e-4 * np.array(
    [
        [1312, 1696, 5569, 124, 8283, 5886],
        [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650],
        [4047, 8828, 8732, 5743, 1091, 381],
    ]
)
_HARTMANN_MINIMUM = -3.322368011391339


def _hartmann(u: np.ndarray) -> float:
    return -float(_HARTMANN_ALPHA @ np.exp(-(_HARTMANN_A * (u - _HARTMANN_P) ** 2).sum(axis=1)))


def hartmann(seed: int) -> Task:
    """Hartmann-6: one global minimum, a second one nearly as deep."""
    return Task(unit_cube(6), _moved(_hartmann, 6, seed), optimum=_HARTMANN_MINIMUM)


def noisy_hartmann(seed: int) -> Task:
    """Hartmann-6 with noise of standard deviation 0.1."""
    return Task(unit_cube(6), _moved(_hartmann, 6, seed), _HARTMANN_MINIMUM, noise=0.1, seed=seed)


def ackley(seed: int) -> Task:
    """Ackley-5 on a box 65.536 wide: a needle in a wide, rippled bowl."""
    d, rng = 5, _generator(seed)
    optimum, turn = _off_centre(rng, d), _rotation(rng, d)

    def loss(params: Params) -> float:
        z = turn @ (_vector(params, d) - optimum) * 65.536
        far = -20.0 * math.exp(-0.2 * math.sqrt(float(z @ z) / d))
        return far - math.exp(float(np.cos(2 * math.pi * z).mean())) + 20.0 + math.e

    return Task(unit_cube(d), loss, optimum=0.0)


def rosenbrock(seed: int) -> Task:
    """Rosenbrock-4 on a box 4.096 wide: a narrow, bent valley, turned against the axes."""
    d, rng = 4, _generator(seed)
    optimum, turn = _off_centre(rng, d), _rotation(rng, d)

    def loss(params: Params) -> float:
        x = 1.0 + turn @ (_vector(params, d) - optimum) * 4.096
        return float((100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2).sum())

    return Task(unit_cube(d), loss, optimum=0.0)


# -- mixed and conditional functions ------------------------------------------------------------


def mixed(seed: int) -> Task:
    """Three real, two integer and two categorical parameters that depend on each other.

    A rippled, turned bowl over all ordered coordinates in units of their range. Each level of
    the categoricals adds a constant, and the first one also moves the bowl; the best pair of
    levels adds nothing, so the optimum is 0, taken at integers.
    """
    rng = _generator(seed)
    letters, shades = list("abcd"), ["light", "dark", "none"]
    space = Space(
        [
            Column("x0", Real(-1.0, 1.0)),
            Column("x1", Real(1e-4, 1e2, log=True)),
            Column("x2", Real(0.0, 10.0)),
            Column("n", Integer(1, 20)),
            Column("m", Integer(1, 1000, log=True)),
            Column("letter", Categorical(letters)),
            Column("shade", Categorical(shades)),
        ]
    )
    ordered = {str(column.name): column.dimension for column in space.columns[:5]}
    # The bowl's bottom stands on integers.
    bottom = np.array([dim.snap(u) for dim, u in zip(ordered.values(), _off_centre(rng, 5), strict=True)])
    turn = np.eye(5) + 0.3 * _rotation(rng, 5)
    letter_cost = dict(zip(letters, rng.permutation([0.0, 0.1, 0.3, 0.6]), strict=True))
    letter_move = {letter: 0.3 * cost * rng.standard_normal(5) for letter, cost in letter_cost.items()}
    shade_cost = dict(zip(shades, rng.permutation([0.0, 0.15, 0.5]), strict=True))

    def loss(params: Params) -> float:
        u = np.array([dim.encode(params[name]) for name, dim in ordered.items()])
        z = turn @ (u - bottom - letter_move[params["letter"]])
        ripple = 0.02 * (1.0 - np.cos(6 * math.pi * z)).sum()
        return float(4.0 * z @ z + ripple + letter_cost[params["letter"]] + shade_cost[params["shade"]])

    return Task(space, loss, optimum=0.0)


def conditional(seed: int) -> Task:
    """A choice of three models, each with its own parameters, one with a choice of its own.

    Every branch is a bowl; its floor is 0 for one branch, drawn by the seed, and higher for the
    others. The parameter above all branches is shared by the bowls. The best branch is not the
    one that looks best from afar: the lower the floor, the steeper the bowl.
    """
    rng = _generator(seed)
    models, solvers = ["kernel", "tree", "net"], ["plain", "momentum"]
    space = Space(
        [
            Column("shrink", Real(1e-3, 1.0, log=True)),
            Column("model", Categorical(models)),
            Column("kernel__C", Real(1e-3, 1e3, log=True), 1, frozenset({0})),
            Column("kernel__gamma", Real(1e-4, 1e1, log=True), 1, frozenset({0})),
            Column("tree__depth", Integer(1, 15), 1, frozenset({1})),
            Column("tree__leaf", Real(0.0, 0.5), 1, frozenset({1})),
            Column("net__solver", Categorical(solvers), 1, frozenset({2})),
            Column("net__units", Integer(4, 256, log=True), 1, frozenset({2})),
            Column("net__momentum", Real(0.0, 1.0), 6, frozenset({1})),
        ]
    )
    dimensions = {column.name: column.dimension for column in space.columns}
    place = {
        column.name: float(column.dimension.snap(u))
        for column, u in zip(space.columns, _off_centre(rng, space.d), strict=True)
        if column.name not in ("model", "net__solver")
    }
    floor = dict(zip(models, rng.permutation([0.0, 0.2, 0.4]), strict=True))
    steepness = {model: 6.0 - 10.0 * height for model, height in floor.items()}
    solver_cost = dict(zip(solvers, rng.permutation([0.0, 0.1]), strict=True))

    def loss(params: Params) -> float:
        z = np.array(
            [dimensions[name].encode(params[name]) - place[name] for name in place if name in params]
        )
        # Neighbours in the tree depend on each other.
        bowl = z @ z + 0.8 * z[:-1] @ z[1:]
        return float(
            floor[params["model"]]
            + steepness[params["model"]] * bowl
            + solver_cost.get(params.get("net__solver"), 0.0)
        )

    return Task(space, loss, optimum=0.0)
