"""LightGBM and XGBoost on the diabetes data, each with six parameters of its own.

Both are searched by a Gaussian process and by a Parzen estimator, and compared with the libraries'
defaults on rows that no search has seen. Needs the extra ``boosting``.

    pip install "skhpo[boosting]"
    python examples/boosting.py
"""

import argparse

from lightgbm import LGBMRegressor
from sklearn.datasets import load_diabetes
from sklearn.model_selection import KFold, train_test_split
from xgboost import XGBRegressor

from skhpo import BayesSearchCV, TPESearchCV
from skhpo.space import Integer, Real

LIGHTGBM = {
    "n_estimators": Integer(20, 300, log=True),
    "learning_rate": Real(0.01, 0.5, log=True),
    "num_leaves": Integer(2, 64, log=True),
    "min_child_samples": Integer(2, 60, log=True),
    "colsample_bytree": Real(0.3, 1.0),
    "reg_lambda": Real(1e-3, 1e2, log=True),
}

XGBOOST = {
    "n_estimators": Integer(20, 300, log=True),
    "learning_rate": Real(0.01, 0.5, log=True),
    "max_depth": Integer(1, 8),
    "min_child_weight": Real(0.1, 60.0, log=True),
    "colsample_bytree": Real(0.3, 1.0),
    "reg_lambda": Real(1e-3, 1e2, log=True),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--candidates", type=int, default=30)
    args = parser.parse_args()

    X, y = load_diabetes(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, random_state=0)
    folds = KFold(5, shuffle=True, random_state=0)
    print(f"{'model':14s} {'search':14s} {'cross-validated R2':>18s} {'test R2':>8s}")
    for estimator, space in (
        (LGBMRegressor(n_jobs=1, random_state=0, verbose=-1), LIGHTGBM),
        (XGBRegressor(n_jobs=1, random_state=0), XGBOOST),
    ):
        name = type(estimator).__name__
        default = estimator.fit(X_train, y_train).score(X_test, y_test)
        print(f"{name:14s} {'defaults':14s} {'':18s} {default:8.3f}")
        for search_class in (TPESearchCV, BayesSearchCV):
            search = search_class(
                estimator, space, n_iter=args.candidates, cv=folds, scoring="r2", random_state=0
            ).fit(X_train, y_train)
            print(
                f"{name:14s} {search_class.__name__:14s} {search.best_score_:18.3f} "
                f"{search.score(X_test, y_test):8.3f}"
            )


if __name__ == "__main__":
    main()
