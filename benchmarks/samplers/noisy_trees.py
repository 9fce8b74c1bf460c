"""Decision trees with folds that are shuffled anew each time: ``python -m benchmarks.samplers.noisy_trees``.

The held-out half has one such tree, on which another library's Gaussian process leads ours. Whether that is
the kind of task or the one task: seven more trees, on other data. Regret is normalised as in the benchmark,
with the least truth that any sampler of the command or a random point had as the optimum.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.datasets import load_diabetes, load_digits, load_wine, make_friedman1
from sklearn.tree import DecisionTreeRegressor

from . import aggregate, estimators
from .axes import Axis, Params, categorical, integer, real
from .models import ModelTask
from .peers import Job, load
from .problems import Problem
from .tasks import random_points

N_RANDOM = 150
"""Random points whose median truth is a regret of 1."""


def _axes(choice: Axis, largest_alpha: float) -> list[Axis]:
    return [
        choice,
        integer("max_depth", 1, 15),
        integer("min_samples_split", 2, 60, log=True),
        integer("min_samples_leaf", 1, 60, log=True),
        real("max_features", 0.05, 1.0),
        real("ccp_alpha", 1e-5, largest_alpha, log=True),
    ]


def _classes(name: str, data: Callable[[], estimators.Data]) -> Problem:
    axes = _axes(categorical("criterion", ["gini", "entropy"]), 1e-1)
    return Problem(f"tree-{name}", data, estimators.tree, estimators.brier, axes, reshuffled=True)


def _regressor(params: Params) -> BaseEstimator:
    return DecisionTreeRegressor(**params, random_state=0)


def _numbers(name: str, data: Callable[[], estimators.Data]) -> Problem:
    axes = _axes(categorical("splitter", ["best", "random"]), 1e1)
    return Problem(
        f"tree-{name}", data, _regressor, estimators.relative_rmse, axes,
        is_classification=False, reshuffled=True,
    )  # fmt: skip


PROBLEMS = (
    _classes("wine", partial(estimators.bundled, load_wine)),
    _classes("digits", partial(estimators.bundled, load_digits, 300)),
    _classes("two-classes", partial(estimators.informative, 300, 12, 0.05, 3)),
    _classes("three-classes", partial(estimators.informative, 400, 20, 0.0, 4, 3)),
    _classes("moons", estimators.wide_moons),
    _numbers("diabetes", partial(estimators.bundled, load_diabetes, 300)),
    _numbers("friedman", partial(make_friedman1, 250, noise=1.0, random_state=5)),
)


class _Evaluate:
    """The task as a sampler sees it; keeps what was seen best.

    Attributes
    ----------
    folds : list of float
        Losses of the last evaluation's folds.
    best : tuple of float and dict
        Least loss that was seen, and its parameters.
    """

    def __init__(self, task: ModelTask) -> None:
        self.folds: list[float] | None = None
        self.best: tuple[float, Params] = (np.inf, {})
        self._task, self._k = task, 0

    def __call__(self, params: Params) -> float:
        self.folds = self._task.folds(self._k, params)
        self._k += 1
        loss = float(np.mean(self.folds))
        if loss < self.best[0]:
            self.best = loss, dict(params)
        return loss


def truth_found(problem: Problem, sampler: str, seed: int, n: int) -> float:
    """Truth at the point with the least loss of n evaluations."""
    task = ModelTask(problem, seed)
    evaluate = _Evaluate(task)
    load(sampler)(Job(problem.axes, seed, n, noisy=True), evaluate)
    return task.truth(evaluate.best[1])


def _print(title: str, samplers: Sequence[str], regret: np.ndarray) -> None:
    """Means of log10 regret (T, S, R) over tasks and seeds, and what each is more than the first."""
    mean, error = aggregate.mean_over_tasks(np.log10(aggregate.floored(regret, ModelTask.floor)))
    for s, sampler in enumerate(samplers):
        pair = aggregate.compare(regret[:, s], regret[:, 0], ModelTask.floor)
        print(
            f"{title:<20}{sampler:<24}{mean[s]:>7.2f} ± {error[s]:.2f}"
            f"   less {samplers[0]}: {pair.difference:+.2f} ± {pair.error:.2f}",
            flush=True,
        )


def main(given: Sequence[str] | None = None) -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.samplers.noisy_trees", description=__doc__)
    parser.add_argument("--samplers", nargs="+", default=["gp", "gp:transform=False", "tpe", "optuna-gp"])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--n", type=int, default=50, help="evaluations")
    arguments = parser.parse_args(given)
    samplers, seeds = arguments.samplers, range(arguments.seeds)
    regret = np.empty((len(PROBLEMS), len(samplers), len(seeds)))
    for t, problem in enumerate(PROBLEMS):
        task = ModelTask(problem, 0)
        random = [task.truth(params) for params in random_points(problem.axes, N_RANDOM)]
        for s, sampler in enumerate(samplers):
            regret[t, s] = [truth_found(problem, sampler, seed, arguments.n) for seed in seeds]
        regret[t] = aggregate.normalised(regret[t], min(*random, regret[t].min()), float(np.median(random)))
        _print(problem.name, samplers, regret[t : t + 1])
    _print("all", samplers, regret)


if __name__ == "__main__":
    main()
