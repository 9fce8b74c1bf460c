"""Which preprocessing, which model, which parameters: one search over all of it.

The breast cancer data, with a ``ColumnTransformer`` whose scaler is searched along with the model. Each model
brings parameters of its own. The same space is written twice: as a list of dicts, as ``GridSearchCV`` takes
it, and with ``Choice``, which keeps what is common to all models in one place. Inside they are the
same tree, and one model of the search sees all of it.

    python examples/model_selection.py
"""

import argparse
from collections import Counter

from scipy.stats import loguniform, randint, uniform
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import PowerTransformer, RobustScaler, StandardScaler
from sklearn.svm import SVC

from skhpo import TPESearchCV
from skhpo.space import Choice

LINEAR = LogisticRegression(solver="saga", max_iter=1000, tol=1e-2)
SCALERS = [StandardScaler(), RobustScaler(), PowerTransformer()]

LIST_OF_DICTS = [
    {
        "prepare__errors": SCALERS,
        "model": [LINEAR],
        "model__C": loguniform(1e-3, 1e2),
        "model__l1_ratio": uniform(0, 1),
    },
    {
        "prepare__errors": SCALERS,
        "model": [SVC()],
        "model__C": loguniform(1e-2, 1e3),
        "model__gamma": loguniform(1e-4, 1e0),
    },
    {
        "prepare__errors": ["passthrough"],
        "model": [HistGradientBoostingClassifier(random_state=0)],
        "model__learning_rate": loguniform(1e-2, 1e0),
        "model__max_iter": randint(20, 120),
        "model__max_leaf_nodes": [4, 8, 16, 32],
    },
]

CHOICE = {
    "prepare__errors": SCALERS,
    "model": Choice(
        [
            (LINEAR, {"model__C": loguniform(1e-3, 1e2), "model__l1_ratio": uniform(0, 1)}),
            (SVC(), {"model__C": loguniform(1e-2, 1e3), "model__gamma": loguniform(1e-4, 1e0)}),
            (
                HistGradientBoostingClassifier(random_state=0),
                {
                    "model__learning_rate": loguniform(1e-2, 1e0),
                    "model__max_iter": randint(20, 120),
                    "model__max_leaf_nodes": [4, 8, 16, 32],
                },
            ),
        ]
    ),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--candidates", type=int, default=40)
    parser.add_argument("--jobs", type=int, default=-1, help="models trained at once")
    args = parser.parse_args()

    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, stratify=y, random_state=0)
    errors = [name for name in X.columns if name.endswith("error")]
    others = [name for name in X.columns if name not in errors]
    pipeline = Pipeline(
        [
            (
                "prepare",
                ColumnTransformer([("errors", "passthrough", errors), ("others", StandardScaler(), others)]),
            ),
            ("model", LINEAR),
        ]
    )

    for title, space in (("list of dicts", LIST_OF_DICTS), ("Choice", CHOICE)):
        search = TPESearchCV(
            pipeline,
            space,
            n_iter=args.candidates,
            scoring="roc_auc",
            cv=5,
            n_jobs=args.jobs,
            random_state=0,
        ).fit(X_train, y_train)
        tried = Counter(type(params["model"]).__name__ for params in search.cv_results_["params"])
        print(
            f"{title}: cross-validated AUC {search.best_score_:.4f}, test {search.score(X_test, y_test):.4f}"
        )
        print(f"  tried {', '.join(f'{name} {n} times' for name, n in tried.most_common())}")
        for name, value in sorted(search.best_params_.items()):
            print(f"  {name} = {value}")


if __name__ == "__main__":
    main()
