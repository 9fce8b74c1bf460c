"""What a search tells its sampler."""

from typing import ClassVar

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.exceptions import FitFailedWarning
from sklearn.svm import SVC

from skhpo import SearchCV
from skhpo.samplers import History, RandomSampler

X, Y = load_iris(return_X_y=True)
SPACE = {"C": (1e-2, 1e2, "log-uniform"), "gamma": (1e-3, 1e1, "log-uniform")}


class Listening(RandomSampler):
    """Random search whose history is kept for the test."""

    heard: ClassVar[list[History]] = []

    def _start(self):
        self.heard.append(self.history)


def test_the_sampler_hears_the_losses_of_the_folds():
    Listening.heard.clear()
    search = SearchCV(SVC(), SPACE, sampler=Listening(), n_iter=4, cv=3, random_state=0).fit(X, Y)
    folds = np.stack([search.cv_results_[f"split{i}_test_score"] for i in range(3)], axis=1)
    (history,) = Listening.heard
    np.testing.assert_array_equal(history.folds, -folds)
    np.testing.assert_allclose(history.loss, history.folds.mean(axis=1))


def test_of_a_failed_fold_the_sampler_hears_nan():
    class Fragile(SVC):
        def fit(self, X, y, sample_weight=None):
            if X[0, 0] == X_FIRST:
                raise RuntimeError("fold 1")
            return super().fit(X, y)

    cv = [(np.arange(0, 150, 2), np.arange(1, 150, 2)), (np.arange(1, 150, 2), np.arange(0, 150, 2))]
    X_FIRST = X[1, 0]
    assert X[0, 0] != X_FIRST
    Listening.heard.clear()
    with pytest.warns(FitFailedWarning), pytest.warns(UserWarning, match="non-finite"):
        SearchCV(Fragile(), SPACE, sampler=Listening(), n_iter=2, cv=cv, refit=False).fit(X, Y)
    (history,) = Listening.heard
    assert np.isnan(history.loss).all()
    np.testing.assert_array_equal(np.isnan(history.folds), [[False, True]] * 2)


def test_of_a_candidate_that_was_given_up_the_sampler_hears_the_folds_that_were_seen():
    Listening.heard.clear()
    search = SearchCV(
        SVC(), SPACE, sampler=Listening(), n_iter=12, cv=5, random_state=0, fold_racing=True
    ).fit(X, Y)
    (history,) = Listening.heard
    seen = np.isfinite(history.folds).sum(axis=1)
    assert seen.min() < 5
    np.testing.assert_array_equal(seen, search.cv_results_["n_splits_evaluated"])
    assert np.isfinite(history.loss).all()
