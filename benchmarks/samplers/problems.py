"""Models, data and ranges of the real tasks.

Ranges are those that a practitioner would write, in the units of the estimator; data are small enough for
five folds in about a tenth of a second. Losses are 1 - AUC and Brier scores for classes, as
an error rate takes few values and its least is met by chance; for
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
    make_friedman1,
    make_friedman2,
    make_friedman3,
    make_hastie_10_2,
)

from . import estimators as models
from .axes import Axis, Params, categorical, integer, real

Loss = Callable[[BaseEstimator, np.ndarray, np.ndarray, np.ndarray], float]


@dataclass(frozen=True, eq=False)
class Problem:
    """A model, its space and the data.

    Attributes
    ----------
    name : str
        Another one for another definition: evaluations that are kept go by it.
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
        Modules beside scikit-learn and numpy that a loss depends on.
    """

    name: str
    load: Callable[[], models.Data]
    build: Callable[[Params], BaseEstimator]
    loss: Loss
    axes: list[Axis] = field(repr=False)
    is_classification: bool = True
    reshuffled: bool = False
    packages: tuple[str, ...] = ()


def _of(name: str) -> dict[str, Any]:
    return {"parent": "model", "when": (name,)}


_SHAPED = {"parent": "kernel", "when": ("rbf", "poly", "sigmoid")}

PROBLEMS = (
    Problem(
        "svc-cancer",
        partial(models.bundled, load_breast_cancer, 400),
        models.svc,
        models.auc_loss,
        [
            real("C", 1e-3, 1e3, log=True),
            categorical("kernel", ["rbf", "linear", "poly", "sigmoid"]),
            real("gamma", 1e-5, 1e1, log=True, **_SHAPED),
            integer("degree", 2, 5, parent="kernel", when=("poly",)),
            real("coef0", -1.0, 1.0, parent="kernel", when=("poly", "sigmoid")),
        ],
    ),
    Problem(
        "histgb-diabetes",
        partial(models.bundled, load_diabetes),
        models.histgb,
        models.relative_rmse,
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
        "elasticnet-diabetes",
        partial(models.bundled, load_diabetes),
        models.elastic_net,
        models.relative_rmse,
        [
            real("alpha", 1e-3, 1e2, log=True),
            real("l1_ratio", 0.0, 1.0),
            integer("degree", 1, 2),
            categorical("positive", [False, True]),
        ],
        is_classification=False,
    ),
    Problem(
        "neighbours-digits",
        partial(models.bundled, load_digits, 400),
        models.knn,
        models.brier,
        [
            integer("n_neighbors", 1, 50, log=True),
            categorical("weights", ["uniform", "distance"]),
            real("p", 1.0, 5.0),
            integer("n_components", 2, 60),
            categorical("scaler", list(models.SCALERS)),
        ],
    ),
    Problem(
        "pipeline-wine",
        partial(models.bundled, load_wine),
        partial(models.chosen, models.CLASSIFIERS),
        models.brier,
        [
            categorical("scaler", ["none", "standard", "minmax"]),
            categorical("model", list(models.CLASSIFIERS)),
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
        "extratrees-friedman",
        partial(make_friedman2, 300, noise=150.0, random_state=1),
        models.extra_trees,
        models.relative_rmse,
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
        "noisy-svc-wide",
        models.wide_moons,
        models.svc,
        models.auc_loss,
        [
            real("C", 1e-2, 1e3, log=True),
            real("gamma", 1e-4, 1e1, log=True),
            categorical("kernel", ["rbf", "sigmoid"]),
        ],
        reshuffled=True,
    ),
    Problem(
        "gradientboosting-friedman",
        partial(make_friedman3, 200, noise=0.15, random_state=6),
        models.gradient_boosting,
        models.relative_rmse,
        [
            integer("n_estimators", 3, 30, log=True),
            real("learning_rate", 5e-3, 1.0, log=True),
            integer("max_depth", 1, 6),
            integer("min_samples_split", 2, 60, log=True),
            integer("min_samples_leaf", 1, 40, log=True),
            real("subsample", 0.3, 1.0),
            real("max_features", 0.25, 1.0),
            categorical("loss", ["squared_error", "huber"]),
            real("alpha", 0.5, 0.99, parent="loss", when=("huber",)),
        ],
        is_classification=False,
    ),
    Problem(
        "kernelridge-diabetes",
        partial(models.bundled, load_diabetes, 300),
        models.kernel_ridge,
        models.relative_rmse,
        [
            categorical("kernel", ["rbf", "laplacian", "polynomial"]),
            real("alpha", 1e-4, 1e3, log=True),
            real("gamma", 1e-5, 1e1, log=True),
            integer("degree", 1, 4, parent="kernel", when=("polynomial",)),
            real("coef0", 0.0, 3.0, parent="kernel", when=("polynomial",)),
        ],
        is_classification=False,
    ),
    Problem(
        "selected-friedman",
        partial(make_friedman1, 250, n_features=9, noise=1.0, random_state=7),
        models.selected,
        models.relative_rmse,
        [
            integer("degree", 1, 3),
            categorical("interaction_only", [False, True]),
            real("percentile", 2.0, 100.0),
            real("alpha_1", 1e-8, 1e3, log=True),
            real("alpha_2", 1e-8, 1e3, log=True),
            real("lambda_1", 1e-8, 1e3, log=True),
            real("lambda_2", 1e-8, 1e3, log=True),
        ],
        is_classification=False,
    ),
    Problem(
        "generative-cancer",
        partial(models.bundled, load_breast_cancer, 300),
        models.generative,
        models.brier,
        [
            categorical("scaler", list(models.SCALERS)),
            integer("n_components", 1, 30),
            categorical("whiten", [False, True]),
            categorical("model", list(models.GENERATIVE)),
            real("quadratic__reg_param", 1e-6, 1.0, log=True, **_of("quadratic")),
            real("naive__var_smoothing", 1e-12, 1.0, log=True, **_of("naive")),
            real("linear__shrinkage", 0.0, 1.0, **_of("linear")),
        ],
    ),
    Problem(
        "mlp-digits",
        partial(models.bundled, load_digits, 300),
        models.mlp,
        models.brier,
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
        "forest-classes",
        partial(models.informative, 300, 16, 0.05, 11, classes=3),
        models.forest,
        models.brier,
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
        "lightgbm-hastie",
        partial(make_hastie_10_2, 500, random_state=2),
        models.lightgbm,
        models.auc_loss,
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
        "xgboost-friedman",
        partial(make_friedman1, 400, n_features=10, noise=1.5, random_state=4),
        models.xgboost,
        models.relative_rmse,
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
        "logistic-wide",
        partial(models.informative, 200, 60, 0.1, 12),
        models.logistic,
        models.brier,
        [
            real("C", 1e-4, 1e3, log=True),
            real("l1_ratio", 0.0, 1.0),
            real("tol", 1e-5, 1e-1, log=True),
            categorical("fit_intercept", [True, False]),
            categorical("class_weight", [None, "balanced"]),
        ],
    ),
    Problem(
        "svr-friedman",
        partial(make_friedman1, 300, n_features=8, noise=1.0, random_state=5),
        models.svr,
        models.relative_rmse,
        [
            real("C", 1e-2, 1e3, log=True),
            real("gamma", 1e-4, 1e1, log=True),
            real("epsilon", 1e-3, 1e1, log=True),
        ],
        is_classification=False,
    ),
    Problem(
        "pipeline-diabetes",
        partial(models.bundled, load_diabetes, 300),
        partial(models.chosen, models.REGRESSORS),
        models.relative_rmse,
        [
            categorical("scaler", list(models.SCALERS)),
            categorical("model", list(models.REGRESSORS)),
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
        "sgd-informative",
        partial(models.informative, 400, 24, 0.1, 13),
        models.sgd,
        models.auc_loss,
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
        "noisy-tree-cancer",
        partial(models.bundled, load_breast_cancer, 300),
        models.tree,
        models.brier,
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
)
