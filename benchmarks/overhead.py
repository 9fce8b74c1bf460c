"""What a search costs beside its fits, as a ratio to RandomizedSearchCV's CPU time.

Measured
    CPU time of ``fit`` for 300 candidates x 5 folds of a DummyClassifier on breast_cancer, in one
    process with ``n_jobs=1``. The fits are almost free, so what is left is scikit-learn's own work
    and ours. The searches take turns, once in each round, and the medians over rounds are compared:
    a machine that slows down slows all of them.
Run
    ``make bench-overhead``, or ``python benchmarks/overhead.py --rounds 9``.
Predicted, and what came out
    See ``benchmarks/README.md``. Bars: SearchCV(sampler="random") 1.1, TPE 1.5, CMA-ES 1.3.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.stats import loguniform, uniform
from sklearn.base import BaseEstimator
from sklearn.datasets import load_breast_cancer
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import RandomizedSearchCV
from sklearn.utils.validation import check_is_fitted

from skhpo import BayesSearchCV, CMAESSearchCV, SearchCV, TPESearchCV

BARS = {"random": 1.1, "tpe": 1.5, "cmaes": 1.3}


class Dummy(DummyClassifier):
    """A DummyClassifier with two numbers to search, which change its score but not its cost."""

    def __init__(self, a: float = 0.5, b: float = 1.0) -> None:
        super().__init__(strategy="prior")
        self.a, self.b = a, b

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """A smooth function of the two numbers."""
        check_is_fitted(self)
        return -((self.a - 0.3) ** 2) - (np.log10(self.b) - 0.4) ** 2


SPACE = {"a": uniform(0.0, 1.0), "b": loguniform(1e-3, 1e3)}


def _optuna(n_iter: int, seed: int) -> BaseEstimator:
    import optuna
    from optuna.distributions import FloatDistribution
    from optuna_integration import OptunaSearchCV

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    space = {"a": FloatDistribution(0.0, 1.0), "b": FloatDistribution(1e-3, 1e3, log=True)}
    return OptunaSearchCV(Dummy(), space, n_trials=n_iter, cv=5, random_state=seed)


def searches(n_iter: int, seed: int) -> dict[str, Callable[[], BaseEstimator]]:
    """Builders of all the searches; scikit-learn's, the measure of all, comes first."""
    common: dict[str, Any] = {"n_iter": n_iter, "cv": 5, "random_state": seed}
    return {
        "RandomizedSearchCV": lambda: RandomizedSearchCV(Dummy(), SPACE, **common),
        "random": lambda: SearchCV(Dummy(), SPACE, sampler="random", **common),
        "tpe": lambda: TPESearchCV(Dummy(), SPACE, **common),
        "cmaes": lambda: CMAESSearchCV(Dummy(), SPACE, **common),
        "gp": lambda: BayesSearchCV(Dummy(), SPACE, **common),
        "OptunaSearchCV": lambda: _optuna(n_iter, seed),
    }


def main() -> None:
    """Time all searches in turns and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    names = list(searches(1, 0))
    default = ["RandomizedSearchCV", *BARS]
    parser.add_argument("--searches", nargs="+", choices=names, default=default, metavar="SEARCH")
    parser.add_argument("--candidates", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    chosen = ["RandomizedSearchCV", *(name for name in arguments.searches if name != "RandomizedSearchCV")]
    X, y = load_breast_cancer(return_X_y=True)
    seconds: dict[str, list[float]] = {name: [] for name in chosen}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for seed in range(arguments.rounds + 1):
            for name in chosen:
                search = searches(arguments.candidates, seed)[name]()
                start = time.process_time()
                search.fit(X, y)
                if seed > 0:  # the first round warms caches and imports
                    seconds[name].append(time.process_time() - start)
    base = np.median(seconds["RandomizedSearchCV"])
    print(f"{arguments.candidates} candidates x 5 folds, CPU time, median of {arguments.rounds} rounds")
    for name in chosen:
        ratio = np.median(seconds[name]) / base
        spread = np.ptp(np.array(seconds[name]) / seconds["RandomizedSearchCV"])
        bar = f"  bar {BARS[name]}: {'ok' if ratio <= BARS[name] else 'MISSED'}" if name in BARS else ""
        print(f"{name:<20}{np.median(seconds[name]):8.3f} s  ratio {ratio:6.3f}  (range {spread:.3f}){bar}")


if __name__ == "__main__":
    main()
