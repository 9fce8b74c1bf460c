"""Tasks of budgets.py: a model, a space of six or more dimensions, data that no search sees.

The data are drawn anew for each seed, some to search on and many to tell what the chosen candidate is
worth. ``max_resources`` is 81 units of ``unit`` trees, rounds or epochs for all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import loguniform, randint, uniform
from sklearn.base import BaseEstimator
from sklearn.datasets import make_classification
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

UNITS = 81
N_HELD_OUT = 10_000

Data = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class BudgetTask:
    """What is searched, and on what.

    Attributes
    ----------
    build : callable
        Estimator for a seed.
    space : dict
        For scikit-learn's searches and ours alike.
    resource : str
    unit : int
        Trees, rounds or epochs that count as one unit.
    n_samples, n_classes : int
    """

    build: Callable[[int], BaseEstimator]
    space: dict[str, Any]
    resource: str
    unit: int
    n_samples: int
    n_classes: int = 2

    @property
    def scoring(self) -> str:
        """What is maximised."""
        return "roc_auc" if self.n_classes == 2 else "accuracy"

    @property
    def max_resources(self) -> int:
        """Length of the full training."""
        return UNITS * self.unit

    def data(self, seed: int) -> Data:
        """X, y to search on, and X, y held out."""
        X, y = make_classification(
            self.n_samples + N_HELD_OUT,
            n_features=20,
            n_informative=8,
            n_redundant=4,
            n_classes=self.n_classes,
            n_clusters_per_class=3,
            class_sep=0.7,
            flip_y=0.1,
            random_state=seed,
        )
        X = X.astype(np.float32)
        n = self.n_samples
        return X[:n], y[:n], X[n:], y[n:]


def _lightgbm(seed: int) -> BaseEstimator:
    from lightgbm import LGBMClassifier

    return LGBMClassifier(n_jobs=1, random_state=seed, verbose=-1)


def _histgb(seed: int) -> BaseEstimator:
    return HistGradientBoostingClassifier(early_stopping=False, random_state=seed)


def _forest(seed: int) -> BaseEstimator:
    return RandomForestClassifier(n_jobs=1, random_state=seed)


def _mlp(seed: int) -> BaseEstimator:
    # Stops early by no rule of its own, so that all searches train what they say.
    mlp = MLPClassifier(random_state=seed, tol=0.0, n_iter_no_change=1000)
    return Pipeline([("scale", StandardScaler()), ("mlp", mlp)])


def _skorch(seed: int) -> BaseEstimator:
    import torch
    from skorch import NeuralNetClassifier

    from _net import Net

    torch.set_num_threads(1)
    net = NeuralNetClassifier(
        Net,
        module__n_features=20,
        module__n_classes=4,
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.SGD,
        batch_size=64,
        train_split=None,
        verbose=0,
    )
    return Pipeline([("scale", StandardScaler()), ("net", net)])


TASKS = {
    "lightgbm": BudgetTask(
        _lightgbm,
        {
            "learning_rate": loguniform(0.003, 0.5),
            "num_leaves": randint(4, 64),
            "min_child_samples": randint(2, 80),
            "colsample_bytree": uniform(0.2, 0.8),
            "reg_lambda": loguniform(1e-3, 1e2),
            "min_split_gain": loguniform(1e-4, 1.0),
        },
        resource="n_estimators",
        unit=10,
        n_samples=2000,
    ),
    "histgb": BudgetTask(
        _histgb,
        {
            "learning_rate": loguniform(0.003, 0.5),
            "max_leaf_nodes": randint(4, 64),
            "min_samples_leaf": randint(2, 80),
            "max_features": uniform(0.2, 0.8),
            "l2_regularization": loguniform(1e-3, 1e2),
            "max_bins": randint(16, 256),
        },
        resource="max_iter",
        unit=5,
        n_samples=2000,
    ),
    "forest": BudgetTask(
        _forest,
        {
            "max_features": uniform(0.05, 0.95),
            "min_samples_leaf": randint(1, 30),
            "min_samples_split": randint(2, 40),
            "max_depth": randint(2, 25),
            "criterion": ["gini", "entropy"],
            "max_samples": uniform(0.3, 0.7),
        },
        resource="n_estimators",
        unit=1,
        n_samples=1500,
    ),
    "mlp": BudgetTask(
        _mlp,
        {
            "mlp__learning_rate_init": loguniform(1e-4, 1e-1),
            "mlp__alpha": loguniform(1e-5, 1e1),
            "mlp__hidden_layer_sizes": [(16,), (32,), (64,), (32, 32), (64, 64)],
            "mlp__batch_size": [32, 64, 128],
            "mlp__beta_1": uniform(0.5, 0.49),
            "mlp__activation": ["relu", "tanh"],
        },
        resource="mlp__max_iter",
        unit=1,
        n_samples=1000,
        n_classes=4,
    ),
    "skorch": BudgetTask(
        _skorch,
        {
            "net__lr": loguniform(1e-3, 1.0),
            "net__optimizer__momentum": uniform(0.0, 0.99),
            "net__optimizer__weight_decay": loguniform(1e-6, 1e-1),
            "net__module__dropout": uniform(0.0, 0.7),
            "net__module__width": randint(8, 128),
            "net__module__depth": randint(1, 4),
        },
        resource="net__max_epochs",
        unit=1,
        n_samples=500,
        n_classes=4,
    ),
}
"""The tasks by name."""
