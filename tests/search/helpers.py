"""Estimators and comparisons that several tests of the searches use."""

import ast
import importlib.util
import threading
import types
from pathlib import Path

import numpy as np
from scipy.stats import loguniform
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier

SPACE = {"C": loguniform(1e-2, 1e2), "kernel": ["rbf", "linear"]}


def without_times(cv_results):
    return {key: value for key, value in cv_results.items() if "time" not in key}


def assert_same_results(a, b):
    a, b = without_times(a), without_times(b)
    assert list(a) == list(b)
    for key in a:
        if key == "params":
            assert a[key] == b[key]
        else:
            np.testing.assert_array_equal(np.ma.getmaskarray(a[key]), np.ma.getmaskarray(b[key]))
            np.testing.assert_array_equal(np.ma.compressed(a[key]), np.ma.compressed(b[key]))


class FailsAbove(ClassifierMixin, BaseEstimator):
    """A classifier whose fit raises where ``x`` exceeds a limit."""

    def __init__(self, x=0.0, limit=0.5):
        self.x = x
        self.limit = limit

    def fit(self, X, y):
        if self.x > self.limit:
            raise RuntimeError(f"x={self.x} is above the limit")
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


_LOCK = threading.Lock()


class CountingForest(RandomForestClassifier):
    """A forest that counts the trees it grows, in memory, and in a file for workers without common memory."""

    grown = 0

    def __init__(self, n_estimators=10, *, max_depth=None, warm_start=False, random_state=None, log=None):
        super().__init__(n_estimators, max_depth=max_depth, warm_start=warm_start, random_state=random_state)
        self.log = log

    def fit(self, X, y, sample_weight=None):
        before = len(self.estimators_) if self.warm_start and hasattr(self, "estimators_") else 0
        super().fit(X, y, sample_weight)
        new = len(self.estimators_) - before
        with _LOCK:
            CountingForest.grown += new
        if self.log is not None:
            with open(self.log, "a") as file:
                file.write(f"{new}\n")
        return self


class Learns(ClassifierMixin, BaseEstimator):
    """Scores what its parameters and its length say, and nothing that depends on data."""

    def __init__(self, x=0.0, length=1, fails_at=None):
        self.x = x
        self.length = length
        self.fails_at = fails_at

    def fit(self, X, y):
        if self.fails_at is not None and self.length >= self.fails_at:
            raise RuntimeError(f"length {self.length} is too much")
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])

    def score(self, X, y, sample_weight=None):
        # Short training flatters: the best score of all belongs to no full-length candidate.
        return self.x + 1.0 / self.length


def load_suite(suite, **seats):
    """A module of scikit-learn's tests, with names bound to our classes before any test is made."""
    source = Path(importlib.util.find_spec(suite).origin)
    tree = ast.parse(source.read_text(), str(source))
    last_import = max(i for i, node in enumerate(tree.body) if isinstance(node, ast.Import | ast.ImportFrom))
    tree.body[last_import + 1 : last_import + 1] = ast.parse(
        "\n".join(f"{name} = _seat_of_{name}" for name in seats)
    ).body
    module = types.ModuleType(suite)
    module.__dict__.update(__file__=str(source), __package__=suite.rpartition(".")[0])
    module.__dict__.update({f"_seat_of_{name}": seat for name, seat in seats.items()})
    exec(compile(ast.fix_missing_locations(tree), str(source), "exec"), module.__dict__)
    return module
