"""Estimators and comparisons that several tests of the searches use."""

import numpy as np
from scipy.stats import loguniform
from sklearn.base import BaseEstimator, ClassifierMixin

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
