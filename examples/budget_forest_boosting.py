"""Five ways to spend a budget of trees: full trainings, halving, Hyperband, BOHB and ASHA.

A generated table and four models, for each of which every search gets the same space and the same folds. A
unit is a tree of the forest, or five rounds of boosting, and 81 units are a full training.
RandomizedSearchCV trains each of 27 candidates in full. HalvingRandomSearchCV trains those that go on again
from nothing, and the searches of skhpo train them on, so that theirs are the units that were added. Needs
the extra ``boosting``.

    pip install "skhpo[boosting]"
    python examples/budget_forest_boosting.py --rows 1000 --units 9
    python examples/budget_forest_boosting.py

The first takes half a minute on two cores, the second a quarter of an hour. With few rows and short
trainings units are saved and time is not: to prepare the data of a fit and to score it costs more than its
rounds.
"""

import argparse
import time
from collections import defaultdict

import numpy as np
from lightgbm import LGBMClassifier
from scipy.stats import loguniform, randint, uniform
from sklearn.datasets import make_classification
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import (
    HalvingRandomSearchCV,
    RandomizedSearchCV,
    StratifiedKFold,
    cross_val_score,
    train_test_split,
)
from xgboost import XGBClassifier

from skhpo import ASHASearchCV, HyperbandSearchCV

# Name: estimator, what its length is called, trees or rounds in a unit, and the space.
MODELS = {
    "lightgbm": (
        LGBMClassifier(n_jobs=1, verbose=-1, random_state=0),
        "n_estimators",
        5,
        {
            "learning_rate": loguniform(0.02, 0.5),
            "num_leaves": randint(4, 64),
            "min_child_samples": randint(2, 80),
            "colsample_bytree": uniform(0.2, 0.8),
            "reg_lambda": loguniform(1e-3, 1e2),
        },
    ),
    "xgboost": (
        XGBClassifier(n_jobs=1, random_state=0),
        "n_estimators",
        5,
        {
            "learning_rate": loguniform(0.02, 0.5),
            "max_depth": randint(2, 9),
            "min_child_weight": loguniform(0.1, 60.0),
            "colsample_bytree": uniform(0.2, 0.8),
            "reg_lambda": loguniform(1e-3, 1e2),
        },
    ),
    "histgb": (
        HistGradientBoostingClassifier(early_stopping=False, random_state=0),
        "max_iter",
        5,
        {
            "learning_rate": loguniform(0.02, 0.5),
            "max_leaf_nodes": randint(4, 64),
            "min_samples_leaf": randint(2, 80),
            "max_features": uniform(0.2, 0.8),
            "l2_regularization": loguniform(1e-3, 1e2),
        },
    ),
    "forest": (
        RandomForestClassifier(n_jobs=1, random_state=0),
        "n_estimators",
        1,
        {
            "max_features": uniform(0.05, 0.55),
            "min_samples_leaf": randint(1, 30),
            "max_depth": randint(2, 25),
            "max_samples": uniform(0.1, 0.5),
            "criterion": ["gini", "entropy"],
        },
    ),
}


def searches(estimator, space, budget, common):
    """The five, by name."""
    n_candidates = budget["max_resources"] // budget["min_resources"]
    return {
        "RandomizedSearchCV": RandomizedSearchCV(estimator, space, n_iter=27, **common),
        "HalvingRandomSearchCV": HalvingRandomSearchCV(
            estimator, space, n_candidates=n_candidates, **budget, **common
        ),
        "HyperbandSearchCV": HyperbandSearchCV(estimator, space, **budget, **common),
        "BOHB (sampler='tpe')": HyperbandSearchCV(estimator, space, sampler="tpe", **budget, **common),
        "ASHASearchCV": ASHASearchCV(estimator, space, n_iter=n_candidates, **budget, **common),
    }


def trained(search, budget):
    """Trees or rounds that a search trained on each fold."""
    table = search.cv_results_
    if "n_resources" not in table:
        return len(table["params"]) * budget["max_resources"]
    if "candidate" not in table:
        return sum(table["n_resources"])
    # Whoever comes back in a higher rung has been trained on, to as many in all as the last row says.
    longest = defaultdict(int)
    for candidate, n_resources in zip(table["candidate"], table["n_resources"], strict=True):
        longest[candidate] = max(longest[candidate], n_resources)
    return sum(longest.values())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--units", type=int, default=81, help="a full training")
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS), metavar="MODEL")
    parser.add_argument("--jobs", type=int, default=-1, help="models trained at once")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    X, y = make_classification(
        args.rows,
        n_features=20,
        n_informative=8,
        n_redundant=4,
        n_clusters_per_class=3,
        class_sep=0.7,
        flip_y=0.1,
        random_state=args.seed,
    )
    X_train, X_test, y_train, y_test = train_test_split(
        X.astype(np.float32), y, test_size=0.3, random_state=args.seed
    )
    common = {
        "scoring": "roc_auc",
        "cv": StratifiedKFold(3, shuffle=True, random_state=args.seed),
        "n_jobs": args.jobs,
        "random_state": args.seed,
    }
    print(f"{'model':10s}{'search':24s}{'best AUC':>9s}{'test AUC':>10s}{'units':>7s}{'seconds':>9s}")
    for name in args.models:
        estimator, resource, unit, space = MODELS[name]
        budget = {
            "resource": resource,
            "min_resources": unit,
            "max_resources": args.units * unit,
            "factor": 3,
        }
        estimator.set_params(**{resource: args.units * unit})
        # Starts the workers, whose time would else be the first search's.
        cross_val_score(estimator, X_train, y_train, cv=common["cv"], n_jobs=args.jobs)
        for title, search in searches(estimator, space, budget, common).items():
            start = time.perf_counter()
            search.fit(X_train, y_train)
            seconds = time.perf_counter() - start
            print(
                f"{name:10s}{title:24s}{search.best_score_:9.4f}{search.score(X_test, y_test):10.4f}"
                f"{trained(search, budget) // unit:7d}{seconds:9.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
