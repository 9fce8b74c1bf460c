"""Evaluations that CMA-ES takes to reach a target, ours against the ``cma`` package.

Sphere, ellipsoid (condition 1e6) and Rosenbrock, each with its optimum off the centre of the box
[-5, 5]^d that is our unit cube. Both start from the same mean, drawn for each seed from
[-3, 3]^d, with the same step size, 1.5, the same population and no restarts; ours has
the box, ``cma`` has none. Prints the median over seeds and the ratio; the bar is 1.2.

    python benchmarks/cmaes_evaluations.py --seeds 10 --dimensions 5 10

A seed that did not arrive within the limit counts as infinite.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

import numpy as np

from skhpo.samplers import CMAESSampler
from skhpo.space import Column, Real, Space

BOX = 5.0
SIGMA_0 = 1.5

Objective = Callable[[np.ndarray], float]


def sphere(x: np.ndarray, optimum: np.ndarray) -> float:
    """Sum of squares."""
    return float(((x - optimum) ** 2).sum())


def ellipsoid(x: np.ndarray, optimum: np.ndarray) -> float:
    """Axes parallel to the coordinates, with condition number 1e6."""
    return float((10 ** (6 * np.linspace(0, 1, len(x))) * (x - optimum) ** 2).sum())


def rosenbrock(x: np.ndarray, optimum: np.ndarray) -> float:
    """The valley, moved from (1, ..., 1) to the optimum."""
    z = x - optimum + 1
    return float((100 * (z[1:] - z[:-1] ** 2) ** 2 + (1 - z[:-1]) ** 2).sum())


FUNCTIONS = {"sphere": sphere, "ellipsoid": ellipsoid, "rosenbrock": rosenbrock}


def ours(objective: Objective, start: np.ndarray, seed: int, target: float, limit: int) -> float:
    """Evaluations of CMAESSampler until the target, asked one at a time."""
    d = len(start)
    space = Space([Column(f"x{j}", Real(-BOX, BOX)) for j in range(d)])
    x0 = (start + BOX) / (2 * BOX)
    sampler = CMAESSampler(restarts=None, x0=x0, sigma0=SIGMA_0 / (2 * BOX)).start(space, seed=seed)
    for evaluation in range(1, limit + 1):
        X = sampler.ask()
        loss = objective(2 * BOX * X[0] - BOX)
        if loss <= target:
            return evaluation
        sampler.tell(X, np.array([loss]))
    return np.inf


def theirs(objective: Objective, start: np.ndarray, seed: int, target: float, limit: int) -> float:
    """Evaluations of the cma package until the target."""
    import cma

    strategy = cma.CMAEvolutionStrategy(start, SIGMA_0, {"seed": seed + 1, "verbose": -9, "tolfun": 0})
    evaluation = 0
    while evaluation < limit:
        population = strategy.ask()
        losses = [objective(x) for x in population]
        for loss in losses:
            evaluation += 1
            if loss <= target:
                return evaluation
        strategy.tell(population, losses)
    return np.inf


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=10, help="runs for each median (default: %(default)s)")
    parser.add_argument("--dimensions", type=int, nargs="+", default=[5, 10], help="default: 5 10")
    parser.add_argument("--functions", nargs="+", choices=FUNCTIONS, default=list(FUNCTIONS))
    parser.add_argument("--target", type=float, default=1e-8, help="loss to reach (default: %(default)s)")
    parser.add_argument("--limit", type=int, default=50_000, help="evaluations (default: %(default)s)")
    options = parser.parse_args()
    try:
        import cma
    except ImportError:
        sys.exit("This benchmark compares with the cma package: pip install 'skhpo[bench]'.")

    print(f"evaluations to {options.target:g}, median of {options.seeds} seeds, cma {cma.__version__}")
    print(f"{'function':<12}{'d':>4}{'ours':>10}{'cma':>10}{'ratio':>8}")
    for name in options.functions:
        for d in options.dimensions:
            counts = np.empty((2, options.seeds))
            for seed in range(options.seeds):
                rng = np.random.default_rng([seed, d])
                optimum, start = rng.uniform(-2, 2, d), rng.uniform(-3, 3, d)

                def objective(x: np.ndarray, f: Callable = FUNCTIONS[name], o: np.ndarray = optimum) -> float:
                    return f(x, o)

                for row, run in enumerate((ours, theirs)):
                    counts[row, seed] = run(objective, start, seed, options.target, options.limit)
            median = np.median(counts, axis=1)
            print(
                f"{name:<12}{d:>4}{median[0]:>10.0f}{median[1]:>10.0f}{median[0] / median[1]:>8.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
