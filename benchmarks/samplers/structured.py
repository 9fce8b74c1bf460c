"""Functions of mixed, integer and conditional parameters, and noisy ones; a new instance for each seed.

Notation
--------
u  : positions of the ordered parameters in their ranges
u* : the optimum's place there, on a value that an integer can take
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from .axes import Axis, Params, categorical, integer, real, unit_cube
from .functions import HARTMANN_MINIMUM, hartmann, levy, moved, off_centre, rotation, vector
from .tasks import FunctionTask, Task, generator


def _places(rng: np.random.Generator, axes: Sequence[Axis]) -> dict[str, float]:
    """A place off the centre for each ordered parameter, on one of its values."""
    u = off_centre(rng, len(axes))
    return {
        axis.name: axis.position(axis.at(x))
        for axis, x in zip(axes, u, strict=True)
        if axis.kind != "categorical"
    }


def _costs(rng: np.random.Generator, axis: Axis, costs: Sequence[float]) -> dict[Any, float]:
    return dict(zip(axis.choices, rng.permutation(costs).tolist(), strict=True))


# -- mixed and integer --------------------------------------------------------------------------


def mixed(seed: int) -> Task:
    """Three real, two integer and two categorical parameters that depend on each other.

    A rippled, turned bowl over all ordered positions. Each level of the categoricals adds a constant,
    and the first one also moves the bowl; the best pair of levels adds nothing, so the optimum is 0.
    """
    rng = generator(seed, "mixed")
    axes = [
        real("x0", -1.0, 1.0),
        real("x1", 1e-4, 1e2, log=True),
        real("x2", 0.0, 10.0),
        integer("n", 1, 20),
        integer("m", 1, 1000, log=True),
        categorical("letter", "abcd"),
        categorical("shade", ["light", "dark", "none"]),
    ]
    place = _places(rng, axes)
    bottom = np.array(list(place.values()))
    turn = np.eye(5) + 0.3 * rotation(rng, 5)
    letter_cost = _costs(rng, axes[5], [0.0, 0.1, 0.3, 0.6])
    letter_move = {letter: 0.3 * cost * rng.standard_normal(5) for letter, cost in letter_cost.items()}
    shade_cost = _costs(rng, axes[6], [0.0, 0.15, 0.5])

    def truth(params: Params) -> float:
        u = np.array([axis.position(params[axis.name]) for axis in axes[:5]])
        z = turn @ (u - bottom - letter_move[params["letter"]])
        ripple = 0.02 * (1.0 - np.cos(6 * math.pi * z)).sum()
        return float(4.0 * z @ z + ripple + letter_cost[params["letter"]] + shade_cost[params["shade"]])

    return FunctionTask(axes, truth, 0.0, seed)


def switches(seed: int) -> Task:
    """Four categoricals of five levels whose worth depends on each other, and three real parameters.

    The worth of a level is drawn without order, so that nothing is learnt from its neighbours; pairs of
    categoricals have costs of their own, and each level of the first turns the bowl of the real ones.
    """
    rng = generator(seed, "switches")
    names = [f"s{i}" for i in range(4)]
    axes = [categorical(name, range(5)) for name in names] + [real(f"x{j}", 0.0, 1.0) for j in range(3)]
    best = rng.integers(5, size=4)
    alone = rng.uniform(0.1, 0.4, (4, 5))
    together = rng.uniform(0.0, 0.3, (3, 5, 5))
    alone[np.arange(4), best] = 0.0
    together[np.arange(3), best[:-1], best[1:]] = 0.0
    place, turns = off_centre(rng, 3), [rotation(rng, 3) for _ in range(5)]
    stretch = np.array([1.0, 3.0, 9.0])

    def truth(params: Params) -> float:
        s = [params[name] for name in names]
        z = turns[s[0]] @ (vector(params, 3) - place)
        return float(
            sum(alone[i, s[i]] for i in range(4))
            + sum(together[i, s[i], s[i + 1]] for i in range(3))
            + stretch @ z**2
        )

    return FunctionTask(axes, truth, 0.0, seed)


def integers(seed: int) -> Task:
    """Six integers, from three levels to a thousand, in a turned bowl with steps."""
    rng = generator(seed, "integers")
    axes = [
        integer("a", 1, 3),
        integer("b", 1, 8),
        integer("c", 0, 20),
        integer("d", 1, 128, log=True),
        integer("e", 10, 1000, log=True),
        integer("f", -50, 50),
    ]
    bottom = np.array(list(_places(rng, axes).values()))
    turn = rotation(rng, 6) * np.array([1.0, 1.0, 1.5, 2.0, 3.0, 4.0])

    def truth(params: Params) -> float:
        z = turn @ (np.array([axis.position(params[axis.name]) for axis in axes]) - bottom)
        return float(np.abs(z).max() + z @ z)

    return FunctionTask(axes, truth, 0.0, seed)


# -- conditional --------------------------------------------------------------------------------


def _chain(axes: Sequence[Axis], place: Mapping[str, float], params: Params) -> float:
    """A bowl over the ordered parameters that exist; neighbours depend on each other."""
    z = np.array(
        [
            axis.position(params[axis.name]) - place[axis.name]
            for axis in axes
            if axis.name in place and axis.name in params
        ]
    )
    return float(z @ z + 0.8 * z[:-1] @ z[1:])


def conditional(seed: int) -> Task:
    """A choice of three models, each with its own parameters, one with a choice of its own.

    Every branch is a bowl; its floor is 0 for one branch, drawn by the seed, and higher for the others.
    The parameter above all branches is shared. The best branch is not the one that looks best from
    afar: the lower the floor, the steeper the bowl.
    """
    rng = generator(seed, "conditional")
    under: list[dict[str, Any]] = [{"parent": "model", "when": (name,)} for name in ("kernel", "tree", "net")]
    kernel, tree, net = under
    axes = [
        real("shrink", 1e-3, 1.0, log=True),
        categorical("model", ["kernel", "tree", "net"]),
        real("kernel__C", 1e-3, 1e3, log=True, **kernel),
        real("kernel__gamma", 1e-4, 1e1, log=True, **kernel),
        integer("tree__depth", 1, 15, **tree),
        real("tree__leaf", 0.0, 0.5, **tree),
        categorical("net__solver", ["plain", "momentum"], **net),
        integer("net__units", 4, 256, log=True, **net),
        real("net__momentum", 0.0, 1.0, parent="net__solver", when=("momentum",)),
    ]
    place = _places(rng, axes)
    floor = _costs(rng, axes[1], [0.0, 0.2, 0.4])
    solver_cost = _costs(rng, axes[6], [0.0, 0.1])

    def truth(params: Params) -> float:
        model = params["model"]
        bowl = (6.0 - 10.0 * floor[model]) * _chain(axes, place, params)
        return floor[model] + bowl + solver_cost.get(params.get("net__solver"), 0.0)

    return FunctionTask(axes, truth, 0.0, seed)


def layers(seed: int) -> Task:
    """One to four layers, each with its own width and rate: parameters that exist by a number above them.

    The best depth is 2 or 3, by the seed, and a wrong depth costs more with each layer too many or too few;
    a layer's parameters matter less the deeper it lies.
    """
    rng = generator(seed, "layers")
    depths = ("1", "2", "3", "4")
    axes = [real("rate", 1e-5, 1e-1, log=True), categorical("depth", depths)]
    for i in range(4):
        under: dict[str, Any] = {"parent": "depth", "when": depths[i:]}
        axes += [
            integer(f"width{i}", 8, 512, log=True, **under),
            real(f"drop{i}", 0.0, 0.6, **under),
        ]
    place = _places(rng, axes)
    best = int(rng.integers(2, 4))
    weight = {
        axis.name: 4.0 if axis.name == "rate" else 2.0 ** -int(axis.name[-1])
        for axis in axes
        if axis.name in place
    }

    def truth(params: Params) -> float:
        gaps = {
            axis.name: axis.position(params[axis.name]) - place[axis.name]
            for axis in axes
            if axis.name in place and axis.name in params
        }
        # Narrow layers want a higher rate.
        lean = gaps["rate"] + 0.5 * gaps["width0"]
        return (
            0.15 * abs(int(params["depth"]) - best)
            + 2.0 * lean**2
            + sum(weight[name] * gap**2 for name, gap in gaps.items())
        )

    return FunctionTask(axes, truth, 0.0, seed)


# -- noisy --------------------------------------------------------------------------------------


def noisy_hartmann(seed: int) -> Task:
    """Hartmann-6, between -3.3 and 0, with noise of standard deviation 0.1."""
    truth = moved("noisy-hartmann", hartmann, 6, seed)
    return FunctionTask(unit_cube(6), truth, HARTMANN_MINIMUM, seed, noise=lambda params: 0.1)


def heteroscedastic(seed: int) -> Task:
    """A turned Levy function in four dimensions; noise grows to one side, up to a tenth of its range."""
    rng = generator(seed, "heteroscedastic")
    place, turn = off_centre(rng, 4), rotation(rng, 4)
    towards = rotation(rng, 4)[0]

    def truth(params: Params) -> float:
        return levy(12.0 * turn @ (vector(params, 4) - place))

    def noise(params: Params) -> float:
        return 0.05 + 2.0 / (1.0 + math.exp(-4.0 * float(towards @ (vector(params, 4) - place))))

    return FunctionTask(unit_cube(4), truth, 0.0, seed, noise)


def noisy_branches(seed: int) -> Task:
    """The conditional function with noise that each model has in another measure."""
    quiet = conditional(seed)
    level = dict(zip(("kernel", "tree", "net"), (0.02, 0.05, 0.15), strict=True))
    return FunctionTask(quiet.axes, quiet.truth, 0.0, seed, noise=lambda params: level[params["model"]])


# -- many dimensions ----------------------------------------------------------------------------


def mostly_irrelevant(d: int, seed: int) -> Task:
    """A turned bowl in a fifth of ``d`` dimensions; the others do nothing."""
    rng = generator(seed, f"irrelevant-{d}")
    matters = rng.permutation(d)[: d // 5]
    place, turn = off_centre(rng, len(matters)), rotation(rng, len(matters))

    def truth(params: Params) -> float:
        z = turn @ (vector(params, d)[matters] - place)
        return float(np.linspace(1.0, 4.0, len(z)) @ z**2)

    return FunctionTask(unit_cube(d), truth, 0.0, seed)


TASKS: dict[str, Callable[[int], Task]] = {
    "mixed": mixed,
    "switches": switches,
    "integers": integers,
    "conditional": conditional,
    "layers": layers,
    "noisy-hartmann": noisy_hartmann,
    "heteroscedastic": heteroscedastic,
    "noisy-branches": noisy_branches,
    **{f"irrelevant-{d}": partial(mostly_irrelevant, d) for d in (20, 50, 100)},
}
