"""A grid of 100 points against 30 candidates of each of our searches.

A scaler and a support vector machine on the digits data. The grid is the one that everybody writes; the
searches get the same two ranges, as ranges. Prints the best cross-validated score, the score on a
third of the data that no search has seen, how many models were trained, and the seconds.

    python examples/quickstart.py
"""

import argparse
import time

import numpy as np
from scipy.stats import loguniform
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, StratifiedKFold, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skhpo import BayesSearchCV, CMAESSearchCV, TPESearchCV

GRID = {"svc__C": np.logspace(-2, 3, 10), "svc__gamma": np.logspace(-5, 0, 10)}
RANGES = {"svc__C": loguniform(1e-2, 1e3), "svc__gamma": loguniform(1e-5, 1e0)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--candidates", type=int, default=30, help="for each of our searches")
    parser.add_argument("--jobs", type=int, default=-1, help="models trained at once")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=1 / 3, stratify=y, random_state=args.seed
    )
    pipeline = make_pipeline(StandardScaler(), SVC())
    common = {"cv": StratifiedKFold(3, shuffle=True, random_state=args.seed), "n_jobs": args.jobs}
    ours = {"n_iter": args.candidates, "random_state": args.seed, **common}
    searches = [
        GridSearchCV(pipeline, GRID, **common),
        TPESearchCV(pipeline, RANGES, **ours),
        BayesSearchCV(pipeline, RANGES, **ours),
        CMAESSearchCV(pipeline, RANGES, **ours),
    ]

    print(f"{'search':15s} {'best score':>10s} {'test score':>10s} {'fits':>5s} {'seconds':>8s}  best")
    for search in searches:
        start = time.perf_counter()
        search.fit(X_train, y_train)
        seconds = time.perf_counter() - start
        n_fits = len(search.cv_results_["params"]) * search.n_splits_ + 1
        best = ", ".join(f"{name[5:]}={value:.2g}" for name, value in search.best_params_.items())
        print(
            f"{type(search).__name__:15s} {search.best_score_:10.4f} {search.score(X_test, y_test):10.4f} "
            f"{n_fits:5d} {seconds:8.1f}  {best}",
            flush=True,
        )


if __name__ == "__main__":
    main()
