"""Tasks that are the cross-validated loss of a model on data that is bundled or generated.

A point is evaluated by fitting: no table is looked up and no surrogate stands in for the model, so no
sampler is helped by a grid that it may know, or by a surface smoother than the truth. Data and folds are
the same for all seeds, and nothing in a plain problem is random, so its loss is a function of the
parameters and an evaluation made once is kept on disk (``cache.py``). In a *reshuffled* problem the k-th
evaluation of a run has folds of its own, as with ``KFold(shuffle=True)`` and no ``random_state``; its
truth is the mean over repeated splits that no sampler sees.

``tables/<problem>.npz`` (made by ``make_tables.py``) has the losses of random points, which say what a
normalised regret of 1 is, and of a long search, which says what 0 is.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from functools import cache, cached_property, partial
from pathlib import Path

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import KFold, StratifiedKFold

from .axes import Axis, Params
from .cache import Evaluations, versions_of
from .problems import PROBLEMS, Problem
from .tasks import Task

TABLES = Path(__file__).parent / "tables"
N_FOLDS = 5
REPEATS = 6
"""Splits whose mean is the truth of a reshuffled problem."""


@cache
def _evaluations() -> Evaluations:
    return Evaluations()


@cache
def _data(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    return problem.load()


def folds_of(problem: Problem, split: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rows for training and testing, another partition for each ``split``."""
    kind = StratifiedKFold if problem.is_classification else KFold
    X, y = _data(problem)
    return list(kind(N_FOLDS, shuffle=True, random_state=split).split(X, y))


def _fit_folds(problem: Problem, params: Params, split: int) -> np.ndarray:
    X, y = _data(problem)
    losses = []
    for train, test in folds_of(problem, split):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            warnings.simplefilter("ignore", UserWarning)
            model = problem.build(params).fit(X[train], y[train])
            losses.append(problem.loss(model, X[test], y[test], y[train]))
    return np.array(losses)


class ModelTask(Task):
    """A problem as a task.

    Attributes
    ----------
    problem : Problem
    """

    knows_optimum = False
    # The optimum is hardly known better; and whoever finds the best that is known would lead by decades.
    floor = 1e-3

    def __init__(self, problem: Problem, seed: int) -> None:
        self.problem, self.seed = problem, seed

    @property
    def axes(self) -> list[Axis]:  # type: ignore[override]
        return self.problem.axes

    @property
    def is_noisy(self) -> bool:
        return self.problem.reshuffled

    @property
    def versions(self) -> Mapping[str, str]:
        return versions_of(self.problem.packages)

    def fold_losses(self, params: Params, split: int = 0) -> np.ndarray:
        """Losses (folds,) of the parameters on one partition of the data."""
        compute = partial(_fit_folds, self.problem, params, split)
        return _evaluations().get(self.problem.name, split, params, self.versions, compute)

    def repeated_fold_losses(self, params: Params) -> np.ndarray:
        """Losses (splits, folds) whose mean is the truth."""
        splits = range(REPEATS if self.problem.reshuffled else 1)
        return np.array([self.fold_losses(params, split) for split in splits])

    def truth(self, params: Params) -> float:
        return float(self.repeated_fold_losses(params).mean())

    def loss(self, k: int, params: Params) -> float:
        return float(np.mean(self.folds(k, params)))

    def folds(self, k: int, params: Params) -> list[float]:
        split = 1000 * (self.seed + 1) + k if self.problem.reshuffled else 0
        return self.fold_losses(params, split).tolist()

    @cached_property
    def _table(self) -> np.ndarray:
        path = TABLES / f"{self.problem.name}.npz"
        if not path.exists():
            raise FileNotFoundError(
                f"There is no table of {self.problem.name!r}; python -m benchmarks.samplers.make_tables "
                f"--tasks {self.problem.name} makes it."
            )
        with np.load(path) as table:
            means = table["losses"].mean(axis=(1, 2), dtype=float)
            return np.array([np.median(means[: table["n_random"]]), means.min()])

    @property
    def typical(self) -> float:
        return float(self._table[0])

    @property
    def optimum(self) -> float:
        return float(self._table[1])


TASKS: dict[str, Callable[[int], ModelTask]] = {
    problem.name: partial(ModelTask, problem) for problem in PROBLEMS
}
