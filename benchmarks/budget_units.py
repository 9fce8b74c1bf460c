"""Units trained by successive halving and Hyperband, counted inside the estimator.

Measured
    Trees that a forest grows, on each of two folds, in a search over the same 81 candidates by
    ``HalvingRandomSearchCV``, which trains every survivor again, and by ``HyperbandSearchCV(brackets=1)``,
    which trains on; and in all brackets of Hyperband, R = 81 and eta = 3.
Run
    ``make bench-units``, or ``python benchmarks/budget_units.py``.
Predicted
    By hand from the table: 81 + 27 x 3 + 9 x 9 + 3 x 27 + 81 = 405 from nothing, 81 + 27 x 2 + 9 x 6 +
    3 x 18 + 54 = 297 by increments; 297 + 276 + 279 + 324 + 405 = 1,581 in all brackets.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import HalvingRandomSearchCV

from skhpo import HyperbandSearchCV

N_FOLDS = 2


class CountingForest(RandomForestClassifier):
    """A forest that counts the trees it grows."""

    grown = 0

    def __init__(
        self,
        n_estimators: int = 81,
        *,
        max_leaf_nodes: Any = None,
        warm_start: bool = False,
        random_state: Any = None,
    ) -> None:
        super().__init__(
            n_estimators, max_leaf_nodes=max_leaf_nodes, warm_start=warm_start, random_state=random_state
        )

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> CountingForest:
        """Fit, and count what is new."""
        before = len(self.estimators_) if self.warm_start and hasattr(self, "estimators_") else 0
        super().fit(X, y, sample_weight)
        CountingForest.grown += len(self.estimators_) - before
        return self


def count(search: BaseEstimator) -> tuple[float, set[int]]:
    """Trees grown on each fold, and the candidates that were evaluated."""
    CountingForest.grown = 0
    search.fit(*load_breast_cancer(return_X_y=True))
    return CountingForest.grown / N_FOLDS, {
        params["max_leaf_nodes"] for params in search.cv_results_["params"]
    }


def main() -> None:
    """Count, and print beside what the tables say."""
    forest, candidates = CountingForest(random_state=0), {"max_leaf_nodes": list(range(2, 83))}
    common: dict[str, Any] = {"cv": N_FOLDS, "refit": False, "random_state": 0, "max_resources": 81}
    halving = HalvingRandomSearchCV(
        forest, candidates, n_candidates=81, resource="n_estimators", min_resources=1, **common
    )
    ours = HyperbandSearchCV(forest, candidates, brackets=1, sampler="grid", **common)
    hyperband = HyperbandSearchCV(forest, {"max_leaf_nodes": (2, 9999)}, **common)
    rows = [
        ("HalvingRandomSearchCV, 81 candidates", halving, 405),
        ("HyperbandSearchCV(brackets=1), the same", ours, 297),
        ("HyperbandSearchCV, all brackets", hyperband, 1581),
    ]
    counted = [count(search) for _, search, _ in rows]
    if counted[0][1] != counted[1][1]:
        raise RuntimeError("the candidates were not the same")
    print(f"{'search':<42}{'candidates':>12}{'units a fold':>14}{'by hand':>9}")
    for (name, _, by_hand), (units, evaluated) in zip(rows, counted, strict=True):
        print(f"{name:<42}{len(evaluated):>12}{units:>14g}{by_hand:>9}")
    print(f"halving again / training on: {counted[0][0] / counted[1][0]:.2f}")
    if not np.array_equal([units for units, _ in counted], [by_hand for *_, by_hand in rows]):
        raise SystemExit("units differ from the tables")


if __name__ == "__main__":
    main()
