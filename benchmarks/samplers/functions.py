"""Functions of the literature in real variables, another instance of each for every seed.

The optimum is moved, and the axes are turned where the function allows it, so that no sampler gains
by looking at the centre, at a corner or along the axes.

Notation
--------
u  : (d,), point of the unit cube
u* : (d,), the optimum's place there
Q  : (d, d), rotation
z  : (d,) = width Q (u - u*), what the function is a function of; its optimum is at z = 0
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
from scipy.stats import special_ortho_group

from .axes import Params, unit_cube
from .tasks import FunctionTask, Task, generator

Function = Callable[[np.ndarray], float]


def off_centre(rng: np.random.Generator, d: int) -> np.ndarray:
    """A place (d,) whose coordinates are all between 0.1 and 0.4 away from the centre."""
    return 0.5 + rng.choice([-1.0, 1.0], d) * rng.uniform(0.1, 0.4, d)


def rotation(rng: np.random.Generator, d: int) -> np.ndarray:
    return np.atleast_2d(special_ortho_group.rvs(d, random_state=rng))


def vector(params: Params, d: int) -> np.ndarray:
    return np.array([params[f"x{j}"] for j in range(d)])


# -- functions of z, which are defined everywhere -----------------------------------------------


def ackley(z: np.ndarray) -> float:
    """A needle in a wide, rippled bowl."""
    far = -20.0 * math.exp(-0.2 * math.sqrt(float(z @ z) / len(z)))
    return far - math.exp(float(np.cos(2 * math.pi * z).mean())) + 20.0 + math.e


def rosenbrock(z: np.ndarray) -> float:
    """A narrow, bent valley."""
    x = 1.0 + z
    return float((100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2).sum())


def levy(z: np.ndarray) -> float:
    """Waves across a bowl, each wall of another height."""
    w = 1.0 + z / 4.0
    first = math.sin(math.pi * w[0]) ** 2
    last = (w[-1] - 1.0) ** 2 * (1.0 + math.sin(2 * math.pi * w[-1]) ** 2)
    inner = (w[:-1] - 1.0) ** 2 * (1.0 + 10.0 * np.sin(math.pi * w[:-1] + 1.0) ** 2)
    return float(first + inner.sum() + last)


def griewank(z: np.ndarray) -> float:
    """A bowl with waves that grow fainter with the number of dimensions."""
    waves = np.cos(z / np.sqrt(np.arange(1, len(z) + 1))).prod()
    return float(z @ z / 4000.0 - waves + 1.0)


def dixon_price(z: np.ndarray) -> float:
    """A bent valley with weights that rise with the coordinate."""
    i = np.arange(1, len(z) + 1)
    x = 2.0 ** -((2.0**i - 2.0) / 2.0**i) + z
    return float((x[0] - 1.0) ** 2 + (i[1:] * (2.0 * x[1:] ** 2 - x[:-1]) ** 2).sum())


def _turned(name: str, function: Function, d: int, width: float, seed: int) -> Task:
    """The function of z on a box ``width`` wide."""
    rng = generator(seed, name)
    place, turn = off_centre(rng, d), rotation(rng, d)

    def truth(params: Params) -> float:
        return function(width * turn @ (vector(params, d) - place))

    return FunctionTask(unit_cube(d), truth, 0.0, seed)


# -- functions of the unit cube ---------------------------------------------------------------


def branin(u: np.ndarray) -> float:
    """Three equal minima in a curved valley."""
    x1, x2 = 15.0 * u[0] - 5.0, 15.0 * u[1]
    b, c, t = 5.1 / (4 * math.pi**2), 5.0 / math.pi, 1.0 / (8 * math.pi)
    return (x2 - b * x1**2 + c * x1 - 6.0) ** 2 + 10.0 * (1.0 - t) * math.cos(x1) + 10.0


# min over x1 of 10 (1 - t) cos x1 + 10, where the square vanishes.
BRANIN_MINIMUM = 10.0 / (8 * math.pi)

_ALPHA = np.array([1.0, 1.2, 3.0, 3.2])
_A6 = np.array(
    [
        [10, 3, 17, 3.5, 1.7, 8],
        [0.05, 10, 17, 0.1, 8, 14],
        [3, 3.5, 1.7, 10, 17, 8],
        [17, 8, 0.05, 10, 0.1, 14],
    ]
)
_P6 = 1e-4 * np.array(
    [
        [1312, 1696, 5569, 124, 8283, 5886],
        [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650],
        [4047, 8828, 8732, 5743, 1091, 381],
    ]
)
HARTMANN_MINIMUM = -3.322368011391339


def hartmann(u: np.ndarray) -> float:
    """One global minimum, a second one nearly as deep."""
    return -float(_ALPHA @ np.exp(-(_A6 * (u - _P6) ** 2).sum(axis=1)))


STYBLINSKI_PLACE = -2.903534027771177
STYBLINSKI_MINIMUM = -39.166165703771416


def styblinski(u: np.ndarray) -> float:
    """Two pits in each coordinate, one of them deeper: 2^d minima; the least for each coordinate."""
    x = 10.0 * u - 5.0
    return float((x**4 - 16.0 * x**2 + 5.0 * x).mean()) / 2.0


def moved(name: str, function: Function, d: int, seed: int) -> Callable[[Params], float]:
    """The function with its axes shuffled, mirrored and shifted by up to a tenth.

    For functions that are defined, and have no deeper minimum, a tenth beyond the unit cube, and whose
    minimum is more than a tenth inside.
    """
    rng = generator(seed, name)
    order, mirrored, shift = rng.permutation(d), rng.random(d) < 0.5, rng.uniform(-0.1, 0.1, d)

    def truth(params: Params) -> float:
        u = vector(params, d)[order]
        return function(np.where(mirrored, 1.0 - u, u) + shift)

    return truth


def _moved_task(name: str, function: Function, d: int, least: float, seed: int) -> Task:
    return FunctionTask(unit_cube(d), moved(name, function, d, seed), least, seed)


TASKS: dict[str, Callable[[int], Task]] = {
    "branin": partial(_moved_task, "branin", branin, 2, BRANIN_MINIMUM),
    "hartmann": partial(_moved_task, "hartmann", hartmann, 6, HARTMANN_MINIMUM),
    "ackley": partial(_turned, "ackley", ackley, 5, 65.536),
    "rosenbrock": partial(_turned, "rosenbrock", rosenbrock, 4, 4.096),
    "levy": partial(_turned, "levy", levy, 5, 20.0),
    "griewank": partial(_turned, "griewank", griewank, 4, 20.0),
    "dixon-price": partial(_turned, "dixon-price", dixon_price, 6, 8.0),
    "styblinski": partial(_moved_task, "styblinski", styblinski, 5, STYBLINSKI_MINIMUM),
}
