"""Tasks that are the cross-validated loss of a model on data that scikit-learn ships.

Data and folds are the same for all seeds, and nothing in the models is random, so a loss is a
function of the parameters; those seen once are kept in memory. The least possible loss is not
known: ``optimum`` is the least one that a long search found (``python benchmarks/_models.py``
repeats that search), and ``quality.py`` lowers it when a run found better.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import mean_squared_error, roc_auc_score
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from _tasks import Params, Task
from skhpo.space import Categorical, Column, Integer, Real, Space

Loss = Callable[[BaseEstimator, np.ndarray, np.ndarray], float]


def _auc_loss(model: BaseEstimator, X: np.ndarray, y: np.ndarray) -> float:
    return 1.0 - roc_auc_score(y, model.decision_function(X))


def _rmse(model: BaseEstimator, X: np.ndarray, y: np.ndarray) -> float:
    return float(np.sqrt(mean_squared_error(y, model.predict(X))))


def _brier(model: BaseEstimator, X: np.ndarray, y: np.ndarray) -> float:
    one_hot = y[:, None] == model.classes_
    return float(((model.predict_proba(X) - one_hot) ** 2).sum(axis=1).mean())


@cache
def _data(load: Callable[..., Any], n_folds: int, stratified: bool) -> tuple[np.ndarray, np.ndarray, list]:
    X, y = load(return_X_y=True)
    kind = StratifiedKFold if stratified else KFold
    return X, y, list(kind(n_folds, shuffle=True, random_state=0).split(X, y))


def _cross_validated(
    build: Callable[[Params], BaseEstimator],
    loss: Loss,
    load: Callable[..., Any],
    n_folds: int,
    stratified: bool = True,
) -> Callable[[Params], float]:
    """Mean loss over the folds, as a function of the parameters."""
    seen: dict[tuple, float] = {}

    def evaluate(params: Params) -> float:
        key = tuple(sorted(params.items()))
        if key not in seen:
            X, y, folds = _data(load, n_folds, stratified)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                seen[key] = float(
                    np.mean([loss(build(params).fit(X[a], y[a]), X[b], y[b]) for a, b in folds])
                )
        return seen[key]

    return evaluate


def _svc(params: Params) -> BaseEstimator:
    return make_pipeline(StandardScaler(), SVC(**params, max_iter=20_000))


_svc_loss = _cross_validated(_svc, _auc_loss, load_breast_cancer, n_folds=5)


def svc(seed: int) -> Task:
    """Support vector machine on breast_cancer: 1 - AUC over C, gamma and kernel."""
    space = Space(
        [
            Column("C", Real(1e-3, 1e3, log=True)),
            Column("gamma", Real(1e-5, 1e1, log=True)),
            Column("kernel", Categorical(["rbf", "linear", "poly", "sigmoid"])),
        ]
    )
    return Task(space, _svc_loss, optimum=_OPTIMA["svc"])


def _boosting(params: Params) -> BaseEstimator:
    return HistGradientBoostingRegressor(**params, early_stopping=False, random_state=0)


_boosting_loss = _cross_validated(_boosting, _rmse, load_diabetes, n_folds=3, stratified=False)


def boosting(seed: int) -> Task:
    """Gradient boosting on diabetes: root mean squared error over five parameters."""
    space = Space(
        [
            Column("learning_rate", Real(5e-3, 1.0, log=True)),
            Column("max_iter", Integer(5, 60, log=True)),
            Column("max_leaf_nodes", Integer(2, 31, log=True)),
            Column("min_samples_leaf", Integer(1, 60, log=True)),
            Column("l2_regularization", Real(1e-3, 1e3, log=True)),
        ]
    )
    return Task(space, _boosting_loss, optimum=_OPTIMA["boosting"])


_SCALERS: Mapping[str, Any] = {"none": "passthrough", "standard": StandardScaler(), "minmax": MinMaxScaler()}
_MODELS: Mapping[str, Callable[..., BaseEstimator]] = {
    "logistic": lambda **given: LogisticRegression(max_iter=300, **given),
    "neighbours": KNeighborsClassifier,
    "tree": DecisionTreeClassifier,
    "discriminant": lambda **given: LinearDiscriminantAnalysis(solver="lsqr", **given),
}


def _pipeline(params: Params) -> BaseEstimator:
    own = {name.partition("__")[2]: value for name, value in params.items() if "__" in name}
    if params["model"] == "tree":
        own["random_state"] = 0
    return make_pipeline(_SCALERS[params["scaler"]], _MODELS[params["model"]](**own))


_pipeline_loss = _cross_validated(_pipeline, _brier, load_wine, n_folds=5)


def pipeline(seed: int) -> Task:
    """Scaler and one of four models with its own parameters on wine: Brier score."""

    def under(model: int, name: str, dimension: Any) -> Column:
        return Column(name, dimension, 1, frozenset({model}))

    space = Space(
        [
            Column("scaler", Categorical(list(_SCALERS))),
            Column("model", Categorical(list(_MODELS))),
            under(0, "logistic__C", Real(1e-4, 1e3, log=True)),
            under(1, "neighbours__n_neighbors", Integer(1, 60, log=True)),
            under(1, "neighbours__weights", Categorical(["uniform", "distance"])),
            under(1, "neighbours__p", Real(1.0, 5.0)),
            under(2, "tree__max_depth", Integer(1, 12)),
            under(2, "tree__min_samples_leaf", Integer(1, 40, log=True)),
            under(2, "tree__ccp_alpha", Real(1e-4, 1e-1, log=True)),
            under(3, "discriminant__shrinkage", Real(0.0, 1.0)),
        ]
    )
    return Task(space, _pipeline_loss, optimum=_OPTIMA["pipeline"])


# The least of the reference search and of some hundred runs of quality.py.
_OPTIMA = {"svc": 0.0036242433065230674, "boosting": 55.88654103548398, "pipeline": 0.013114438261372924}


def _reference(task: Task, n: int = 2000) -> float:
    """Least loss of n random points and then n steps of hill climbing with shrinking steps."""
    rng = np.random.default_rng(0)
    best, least = rng.random(task.space.d), np.inf
    for k in range(2 * n):
        width = 0.3 * 0.003 ** ((k - n) / n)
        moved = rng.random(task.space.d) < 0.5
        u = rng.random(task.space.d) if k < n else best + moved * width * rng.standard_normal(task.space.d)
        u = np.clip(u, 0.0, 1.0)
        loss = task.true_loss(task.space.to_params(task.space.canonical(u[None])[0]))
        if loss < least:
            best, least = u, loss
    return least


if __name__ == "__main__":
    for make in (svc, boosting, pipeline):
        print(make.__name__, repr(_reference(make(0))), flush=True)
