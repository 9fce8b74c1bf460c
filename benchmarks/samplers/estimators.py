"""Data, losses and unfitted estimators of the real tasks."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.datasets import (
    make_classification,
    make_moons,
)
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.feature_selection import SelectPercentile, f_regression
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import BayesianRidge, ElasticNet, LogisticRegression, Ridge, SGDClassifier
from sklearn.metrics import roc_auc_score
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, PolynomialFeatures, RobustScaler, StandardScaler
from sklearn.svm import SVC, SVR
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from .axes import Params

Data = tuple[np.ndarray, np.ndarray]

# -- losses -------------------------------------------------------------------------------------


def auc_loss(model: BaseEstimator, X: np.ndarray, y: np.ndarray, y_train: np.ndarray) -> float:
    if hasattr(model, "decision_function"):
        return 1.0 - float(roc_auc_score(y, model.decision_function(X)))
    return 1.0 - float(roc_auc_score(y, model.predict_proba(X)[:, 1]))


def brier(model: BaseEstimator, X: np.ndarray, y: np.ndarray, y_train: np.ndarray) -> float:
    one_hot = y[:, None] == model.classes_
    return float(((model.predict_proba(X) - one_hot) ** 2).sum(axis=1).mean())


def relative_rmse(model: BaseEstimator, X: np.ndarray, y: np.ndarray, y_train: np.ndarray) -> float:
    with np.errstate(over="ignore", invalid="ignore"):
        mse = float(((model.predict(X) - y) ** 2).mean())
    ratio = float(np.sqrt(mse / ((y - y_train.mean()) ** 2).mean()))
    return min(ratio, 2.0) if np.isfinite(ratio) else 2.0


# -- data ---------------------------------------------------------------------------------------


def bundled(load: Callable[..., Data], n: int | None = None) -> Data:
    X, y = load(return_X_y=True)
    rows = np.random.default_rng(0).permutation(len(y))[:n]
    return X[rows], y[rows]


def informative(n: int, d: int, flip: float, seed: int, classes: int = 2) -> Data:
    """Classes of several clusters each, some columns that repeat others and some that are noise."""
    return make_classification(
        n, d, n_informative=d // 3, n_redundant=d // 4, n_classes=classes, n_clusters_per_class=2,
        class_sep=0.9, flip_y=flip, random_state=seed,
    )  # fmt: skip


def wide_moons() -> Data:
    """Two moons beside eight columns of noise of other scales."""
    X, y = make_moons(300, noise=0.3, random_state=3)
    rng = np.random.default_rng(3)
    return np.hstack([X, rng.standard_normal((300, 8)) * rng.uniform(0.2, 2.0, 8)]), y


# -- models -------------------------------------------------------------------------------------


def _split(params: Params, prefix: str) -> dict[str, Any]:
    """Parameters of one branch, without its prefix."""
    start = f"{prefix}__"
    return {name.removeprefix(start): value for name, value in params.items() if name.startswith(start)}


def svc(params: Params) -> BaseEstimator:
    return make_pipeline(StandardScaler(), SVC(**params, max_iter=20_000))


def svr(params: Params) -> BaseEstimator:
    return make_pipeline(StandardScaler(), SVR(**params, max_iter=20_000))


def histgb(params: Params) -> BaseEstimator:
    return HistGradientBoostingRegressor(**params, early_stopping=False, random_state=0)


def forest(params: Params) -> BaseEstimator:
    return RandomForestClassifier(**params, n_estimators=15, random_state=0, n_jobs=1)


def extra_trees(params: Params) -> BaseEstimator:
    return ExtraTreesRegressor(**params, n_estimators=15, random_state=0, n_jobs=1)


def lightgbm(params: Params) -> BaseEstimator:
    from lightgbm import LGBMClassifier

    return LGBMClassifier(
        **params, subsample_freq=1, random_state=0, n_jobs=1, verbosity=-1, deterministic=True,
        force_row_wise=True,
    )  # fmt: skip


def xgboost(params: Params) -> BaseEstimator:
    from xgboost import XGBRegressor

    return XGBRegressor(**params, random_state=0, n_jobs=1, tree_method="hist", max_bin=64)


def mlp(params: Params) -> BaseEstimator:
    given = dict(params)
    depth, width = given.pop("n_layers"), given.pop("width")
    model = MLPClassifier(hidden_layer_sizes=(width,) * depth, **given, max_iter=15, random_state=0)
    return make_pipeline(StandardScaler(), model)


def elastic_net(params: Params) -> BaseEstimator:
    given = dict(params)
    degree = given.pop("degree")
    return make_pipeline(
        StandardScaler(),
        PolynomialFeatures(degree, include_bias=False),
        StandardScaler(),
        ElasticNet(**given, max_iter=300, tol=1e-3),
    )


def logistic(params: Params) -> BaseEstimator:
    model = LogisticRegression(**params, solver="saga", max_iter=60, random_state=0)
    return make_pipeline(StandardScaler(), model)


SCALERS = {
    "none": "passthrough",
    "standard": StandardScaler(),
    "minmax": MinMaxScaler(),
    "robust": RobustScaler(),
}


def knn(params: Params) -> BaseEstimator:
    given = dict(params)
    reduce = PCA(given.pop("n_components"), svd_solver="full")
    return make_pipeline(SCALERS[given.pop("scaler")], reduce, KNeighborsClassifier(**given))


def sgd(params: Params) -> BaseEstimator:
    return make_pipeline(StandardScaler(), SGDClassifier(**params, max_iter=20, tol=None, random_state=0))


def tree(params: Params) -> BaseEstimator:
    return DecisionTreeClassifier(**params, random_state=0)


def gradient_boosting(params: Params) -> BaseEstimator:
    return GradientBoostingRegressor(**params, random_state=0)


def kernel_ridge(params: Params) -> BaseEstimator:
    return make_pipeline(StandardScaler(), KernelRidge(**params))


def selected(params: Params) -> BaseEstimator:
    """Products of columns, those of them that correlate with the target, and a Bayesian ridge."""
    given = dict(params)
    products = PolynomialFeatures(
        given.pop("degree"), interaction_only=given.pop("interaction_only"), include_bias=False
    )
    selection = SelectPercentile(f_regression, percentile=given.pop("percentile"))
    return make_pipeline(
        StandardScaler(), products, StandardScaler(), selection, BayesianRidge(**given, max_iter=100)
    )


GENERATIVE: dict[str, Callable[..., BaseEstimator]] = {
    # Whatever the scale of the columns: what is small is regularised and no error.
    "quadratic": partial(QuadraticDiscriminantAnalysis, tol=0.0),
    "naive": GaussianNB,
    "linear": partial(LinearDiscriminantAnalysis, solver="lsqr"),
}


def generative(params: Params) -> BaseEstimator:
    name = params["model"]
    reduce = PCA(params["n_components"], whiten=params["whiten"], svd_solver="full")
    return make_pipeline(SCALERS[params["scaler"]], reduce, GENERATIVE[name](**_split(params, name)))


CLASSIFIERS: dict[str, Callable[..., BaseEstimator]] = {
    "logistic": partial(LogisticRegression, max_iter=300),
    "neighbours": KNeighborsClassifier,
    "tree": partial(DecisionTreeClassifier, random_state=0),
    "discriminant": partial(LinearDiscriminantAnalysis, solver="lsqr"),
}
REGRESSORS: dict[str, Callable[..., BaseEstimator]] = {
    "ridge": Ridge,
    "svr": partial(SVR, max_iter=20_000),
    "neighbours": KNeighborsRegressor,
    "tree": partial(DecisionTreeRegressor, random_state=0),
}


def chosen(models: dict[str, Callable[..., BaseEstimator]], params: Params) -> Pipeline:
    """Scaler, polynomials where there is a degree, and the chosen model."""
    name = params["model"]
    steps: list[Any] = [SCALERS[params["scaler"]]]
    if params.get("degree", 1) > 1:
        steps.append(PolynomialFeatures(params["degree"], include_bias=False))
    return make_pipeline(*steps, models[name](**_split(params, name)))
