"""Models, data and ranges of the real tasks.

Ranges are those that a practitioner would write, in the units of the estimator; data are small enough for
five folds in about a tenth of a second. Losses are 1 - AUC, error rates and Brier scores for classes; for
numbers the root mean squared error over that of predicting the mean, never more than 2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_wine,
    make_classification,
    make_friedman1,
    make_friedman2,
    make_hastie_10_2,
    make_moons,
)
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    ExtraTreesRegressor,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.linear_model import ElasticNet, LogisticRegression, Ridge, SGDClassifier
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, PolynomialFeatures, RobustScaler, StandardScaler
from sklearn.svm import SVC, SVR
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from .axes import Axis, Params, categorical, integer, real

Data = tuple[np.ndarray, np.ndarray]
Loss = Callable[[BaseEstimator, np.ndarray, np.ndarray, np.ndarray], float]


@dataclass(frozen=True, eq=False)
class Problem:
    """A model, its space and the data.

    Attributes
    ----------
    name : str
    load : callable
        Gives X and y.
    build : callable
        Unfitted estimator of a parameter dict.
    loss : callable
        ``loss(model, X_test, y_test, y_train)``, a finite number.
    axes : list of Axis
    is_classification : bool
        Whether folds are stratified.
    reshuffled : bool
        Whether each evaluation has folds of its own.
    packages : tuple of str
        Distributions beside scikit-learn and numpy that a loss depends on.
    """

    name: str
    load: Callable[[], Data]
    build: Callable[[Params], BaseEstimator]
    loss: Loss
    axes: list[Axis] = field(repr=False)
    is_classification: bool = True
    reshuffled: bool = False
    packages: tuple[str, ...] = ()


# -- losses -------------------------------------------------------------------------------------


def _auc_loss(model: BaseEstimator, X: np.ndarray, y: np.ndarray, y_train: np.ndarray) -> float:
    if hasattr(model, "decision_function"):
        return 1.0 - float(roc_auc_score(y, model.decision_function(X)))
    return 1.0 - float(roc_auc_score(y, model.predict_proba(X)[:, 1]))


def _error_rate(model: BaseEstimator, X: np.ndarray, y: np.ndarray, y_train: np.ndarray) -> float:
    return float((model.predict(X) != y).mean())


def _brier(model: BaseEstimator, X: np.ndarray, y: np.ndarray, y_train: np.ndarray) -> float:
    one_hot = y[:, None] == model.classes_
    return float(((model.predict_proba(X) - one_hot) ** 2).sum(axis=1).mean())


def _relative_rmse(model: BaseEstimator, X: np.ndarray, y: np.ndarray, y_train: np.ndarray) -> float:
    with np.errstate(over="ignore", invalid="ignore"):
        mse = float(((model.predict(X) - y) ** 2).mean())
    ratio = float(np.sqrt(mse / ((y - y_train.mean()) ** 2).mean()))
    return min(ratio, 2.0) if np.isfinite(ratio) else 2.0


# -- data ---------------------------------------------------------------------------------------


def _bundled(load: Callable[..., Data], n: int | None = None) -> Data:
    X, y = load(return_X_y=True)
    rows = np.random.default_rng(0).permutation(len(y))[:n]
    return X[rows], y[rows]


def _informative(n: int, d: int, flip: float, seed: int, classes: int = 2) -> Data:
    """Classes of several clusters each, some columns that repeat others and some that are noise."""
    return make_classification(
        n, d, n_informative=d // 3, n_redundant=d // 4, n_classes=classes, n_clusters_per_class=2,
        class_sep=0.9, flip_y=flip, random_state=seed,
    )  # fmt: skip


def _wide_moons() -> Data:
    """Two moons beside eight columns of noise of other scales."""
    X, y = make_moons(300, noise=0.3, random_state=3)
    rng = np.random.default_rng(3)
    return np.hstack([X, rng.standard_normal((300, 8)) * rng.uniform(0.2, 2.0, 8)]), y


# -- models -------------------------------------------------------------------------------------


def _split(params: Params, prefix: str) -> dict[str, Any]:
    """Parameters of one branch, without its prefix."""
    start = f"{prefix}__"
    return {name.removeprefix(start): value for name, value in params.items() if name.startswith(start)}


def _svc(params: Params) -> BaseEstimator:
    return make_pipeline(StandardScaler(), SVC(**params, max_iter=20_000))


def _svr(params: Params) -> BaseEstimator:
    return make_pipeline(StandardScaler(), SVR(**params, max_iter=20_000))


def _histgb(params: Params) -> BaseEstimator:
    return HistGradientBoostingRegressor(**params, early_stopping=False, random_state=0)


def _forest(params: Params) -> BaseEstimator:
    return RandomForestClassifier(**params, n_estimators=15, random_state=0, n_jobs=1)


def _extra_trees(params: Params) -> BaseEstimator:
    return ExtraTreesRegressor(**params, n_estimators=15, random_state=0, n_jobs=1)


def _lightgbm(params: Params) -> BaseEstimator:
    from lightgbm import LGBMClassifier

    return LGBMClassifier(
        **params, subsample_freq=1, random_state=0, n_jobs=1, verbosity=-1, deterministic=True,
        force_row_wise=True,
    )  # fmt: skip


def _xgboost(params: Params) -> BaseEstimator:
    from xgboost import XGBRegressor

    return XGBRegressor(**params, random_state=0, n_jobs=1, tree_method="hist", max_bin=64)


def _mlp(params: Params) -> BaseEstimator:
    given = dict(params)
    depth, width = given.pop("n_layers"), given.pop("width")
    model = MLPClassifier(hidden_layer_sizes=(width,) * depth, **given, max_iter=15, random_state=0)
    return make_pipeline(StandardScaler(), model)


def _elastic_net(params: Params) -> BaseEstimator:
    given = dict(params)
    degree = given.pop("degree")
    return make_pipeline(
        StandardScaler(),
        PolynomialFeatures(degree, include_bias=False),
        StandardScaler(),
        ElasticNet(**given, max_iter=300, tol=1e-3),
    )


def _logistic(params: Params) -> BaseEstimator:
    model = LogisticRegression(**params, solver="saga", max_iter=60, random_state=0)
    return make_pipeline(StandardScaler(), model)


_SCALERS = {
    "none": "passthrough",
    "standard": StandardScaler(),
    "minmax": MinMaxScaler(),
    "robust": RobustScaler(),
}


def _knn(params: Params) -> BaseEstimator:
    from sklearn.decomposition import PCA

    given = dict(params)
    reduce = PCA(given.pop("n_components"), svd_solver="full")
    return make_pipeline(_SCALERS[given.pop("scaler")], reduce, KNeighborsClassifier(**given))


def _sgd(params: Params) -> BaseEstimator:
    return make_pipeline(StandardScaler(), SGDClassifier(**params, max_iter=20, tol=None, random_state=0))


def _tree(params: Params) -> BaseEstimator:
    return DecisionTreeClassifier(**params, random_state=0)


_CLASSIFIERS: dict[str, Callable[..., BaseEstimator]] = {
    "logistic": partial(LogisticRegression, max_iter=300),
    "neighbours": KNeighborsClassifier,
    "tree": partial(DecisionTreeClassifier, random_state=0),
    "discriminant": partial(LinearDiscriminantAnalysis, solver="lsqr"),
}
_REGRESSORS: dict[str, Callable[..., BaseEstimator]] = {
    "ridge": Ridge,
    "svr": partial(SVR, max_iter=20_000),
    "neighbours": KNeighborsRegressor,
    "tree": partial(DecisionTreeRegressor, random_state=0),
}


def _chosen(models: dict[str, Callable[..., BaseEstimator]], params: Params) -> Pipeline:
    """Scaler, polynomials where there is a degree, and the chosen model."""
    name = params["model"]
    steps: list[Any] = [_SCALERS[params["scaler"]]]
    if params.get("degree", 1) > 1:
        steps.append(PolynomialFeatures(params["degree"], include_bias=False))
    return make_pipeline(*steps, models[name](**_split(params, name)))


def _of(name: str) -> dict[str, Any]:
    return {"parent": "model", "when": (name,)}


# -- the problems -------------------------------------------------------------------------------

_SHAPED = {"parent": "kernel", "when": ("rbf", "poly", "sigmoid")}

PROBLEMS = (
    Problem(
        "svc-cancer", partial(_bundled, load_breast_cancer, 400), _svc, _auc_loss,
        [
            real("C", 1e-3, 1e3, log=True),
            categorical("kernel", ["rbf", "linear", "poly", "sigmoid"]),
            real("gamma", 1e-5, 1e1, log=True, **_SHAPED),
            integer("degree", 2, 5, parent="kernel", when=("poly",)),
            real("coef0", -1.0, 1.0, parent="kernel", when=("poly", "sigmoid")),
        ],
    ),
    Problem(
        "histgb-diabetes", partial(_bundled, load_diabetes), _histgb, _relative_rmse,
        [
            real("learning_rate", 5e-3, 1.0, log=True),
            integer("max_iter", 5, 60, log=True),
            integer("max_leaf_nodes", 2, 31, log=True),
            integer("min_samples_leaf", 1, 60, log=True),
            real("l2_regularization", 1e-3, 1e3, log=True),
            real("max_features", 0.1, 1.0),
        ],
        is_classification=False,
    ),
    Problem(
        "elasticnet-diabetes", partial(_bundled, load_diabetes), _elastic_net, _relative_rmse,
        [
            real("alpha", 1e-3, 1e2, log=True),
            real("l1_ratio", 0.0, 1.0),
            integer("degree", 1, 2),
            categorical("positive", [False, True]),
        ],
        is_classification=False,
    ),
    Problem(
        "knn-digits", partial(_bundled, load_digits, 400), _knn, _error_rate,
        [
            integer("n_neighbors", 1, 50, log=True),
            categorical("weights", ["uniform", "distance"]),
            real("p", 1.0, 5.0),
            integer("n_components", 2, 60),
            categorical("scaler", list(_SCALERS)),
        ],
    ),
    Problem(
        "pipeline-wine", partial(_bundled, load_wine), partial(_chosen, _CLASSIFIERS), _brier,
        [
            categorical("scaler", ["none", "standard", "minmax"]),
            categorical("model", list(_CLASSIFIERS)),
            real("logistic__C", 1e-4, 1e3, log=True, **_of("logistic")),
            integer("neighbours__n_neighbors", 1, 60, log=True, **_of("neighbours")),
            categorical("neighbours__weights", ["uniform", "distance"], **_of("neighbours")),
            real("neighbours__p", 1.0, 5.0, **_of("neighbours")),
            integer("tree__max_depth", 1, 12, **_of("tree")),
            integer("tree__min_samples_leaf", 1, 40, log=True, **_of("tree")),
            real("tree__ccp_alpha", 1e-4, 1e-1, log=True, **_of("tree")),
            real("discriminant__shrinkage", 0.0, 1.0, **_of("discriminant")),
        ],
    ),
    Problem(
        "extratrees-friedman", partial(make_friedman2, 300, noise=150.0, random_state=1), _extra_trees,
        _relative_rmse,
        [
            integer("max_depth", 1, 20),
            integer("min_samples_split", 2, 40, log=True),
            integer("min_samples_leaf", 1, 40, log=True),
            real("max_features", 0.1, 1.0),
            categorical("bootstrap", [False, True]),
            real("max_samples", 0.2, 1.0, parent="bootstrap", when=(True,)),
        ],
        is_classification=False,
    ),
    Problem(
        "noisy-svc-moons", _wide_moons, _svc, _error_rate,
        [
            real("C", 1e-2, 1e3, log=True),
            real("gamma", 1e-4, 1e1, log=True),
            categorical("kernel", ["rbf", "sigmoid"]),
        ],
        reshuffled=True,
    ),
    Problem(
        "mlp-digits", partial(_bundled, load_digits, 300), _mlp, _brier,
        [
            integer("n_layers", 1, 3),
            integer("width", 4, 64, log=True),
            categorical("activation", ["relu", "tanh", "logistic"]),
            real("learning_rate_init", 1e-4, 1e-1, log=True),
            real("alpha", 1e-6, 1e1, log=True),
            integer("batch_size", 16, 128, log=True),
            real("beta_1", 0.5, 0.99),
        ],
    ),
    Problem(
        "forest-classes", partial(_informative, 300, 16, 0.05, 11, classes=3), _forest, _brier,
        [
            categorical("criterion", ["gini", "entropy"]),
            integer("max_depth", 1, 20),
            integer("min_samples_split", 2, 40, log=True),
            integer("min_samples_leaf", 1, 40, log=True),
            real("max_features", 0.05, 1.0),
            real("max_samples", 0.1, 1.0),
            categorical("class_weight", [None, "balanced"]),
        ],
    ),
    Problem(
        "lightgbm-hastie", partial(make_hastie_10_2, 500, random_state=2), _lightgbm, _auc_loss,
        [
            integer("n_estimators", 5, 80, log=True),
            real("learning_rate", 5e-3, 1.0, log=True),
            integer("num_leaves", 2, 64, log=True),
            integer("min_child_samples", 1, 100, log=True),
            real("subsample", 0.3, 1.0),
            real("colsample_bytree", 0.3, 1.0),
            real("reg_alpha", 1e-6, 1e1, log=True),
            real("reg_lambda", 1e-6, 1e2, log=True),
        ],
        packages=("lightgbm",),
    ),
    Problem(
        "xgboost-friedman", partial(make_friedman1, 400, n_features=10, noise=1.5, random_state=4), _xgboost,
        _relative_rmse,
        [
            integer("n_estimators", 5, 80, log=True),
            real("learning_rate", 5e-3, 1.0, log=True),
            integer("max_depth", 1, 8),
            real("min_child_weight", 0.1, 50.0, log=True),
            real("subsample", 0.3, 1.0),
            real("colsample_bytree", 0.3, 1.0),
            real("gamma", 1e-4, 1e1, log=True),
            real("reg_lambda", 1e-3, 1e2, log=True),
        ],
        is_classification=False,
        packages=("xgboost",),
    ),
    Problem(
        "logistic-wide", partial(_informative, 200, 60, 0.1, 12), _logistic, _brier,
        [
            real("C", 1e-4, 1e3, log=True),
            real("l1_ratio", 0.0, 1.0),
            real("tol", 1e-5, 1e-1, log=True),
            categorical("fit_intercept", [True, False]),
            categorical("class_weight", [None, "balanced"]),
        ],
    ),
    Problem(
        "svr-friedman", partial(make_friedman1, 300, n_features=8, noise=1.0, random_state=5), _svr,
        _relative_rmse,
        [
            real("C", 1e-2, 1e3, log=True),
            real("gamma", 1e-4, 1e1, log=True),
            real("epsilon", 1e-3, 1e1, log=True),
        ],
        is_classification=False,
    ),
    Problem(
        "pipeline-diabetes", partial(_bundled, load_diabetes, 300), partial(_chosen, _REGRESSORS),
        _relative_rmse,
        [
            categorical("scaler", list(_SCALERS)),
            categorical("model", list(_REGRESSORS)),
            integer("degree", 1, 2, parent="model", when=("ridge", "svr")),
            real("ridge__alpha", 1e-4, 1e4, log=True, **_of("ridge")),
            real("svr__C", 1e-2, 1e4, log=True, **_of("svr")),
            real("svr__gamma", 1e-4, 1e1, log=True, **_of("svr")),
            real("svr__epsilon", 1e-2, 1e2, log=True, **_of("svr")),
            integer("neighbours__n_neighbors", 1, 80, log=True, **_of("neighbours")),
            categorical("neighbours__weights", ["uniform", "distance"], **_of("neighbours")),
            integer("tree__max_depth", 1, 12, **_of("tree")),
            integer("tree__min_samples_leaf", 1, 60, log=True, **_of("tree")),
            real("tree__max_features", 0.1, 1.0, **_of("tree")),
        ],
        is_classification=False,
    ),
    Problem(
        "sgd-classes", partial(_informative, 400, 24, 0.1, 13, classes=3), _sgd, _error_rate,
        [
            categorical("loss", ["hinge", "log_loss", "modified_huber"]),
            categorical("penalty", ["l2", "l1", "elasticnet"]),
            real("alpha", 1e-7, 1e0, log=True),
            real("l1_ratio", 0.0, 1.0, parent="penalty", when=("elasticnet",)),
            categorical("learning_rate", ["optimal", "constant", "invscaling"]),
            real("eta0", 1e-5, 1e1, log=True, parent="learning_rate", when=("constant", "invscaling")),
            real("power_t", 0.1, 1.0, parent="learning_rate", when=("invscaling",)),
            categorical("average", [False, True]),
        ],
    ),
    Problem(
        "noisy-tree-cancer", partial(_bundled, load_breast_cancer, 300), _tree, _brier,
        [
            categorical("criterion", ["gini", "entropy"]),
            integer("max_depth", 1, 15),
            integer("min_samples_split", 2, 60, log=True),
            integer("min_samples_leaf", 1, 60, log=True),
            real("max_features", 0.05, 1.0),
            real("ccp_alpha", 1e-5, 1e-1, log=True),
        ],
        reshuffled=True,
    ),
)  # fmt: skip
