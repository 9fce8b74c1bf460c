"""Searches that give candidates up after some of their folds."""

import warnings

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skhpo import BayesSearchCV, SearchCV, TPESearchCV
from tests.search.helpers import FailsAbove, assert_same_results

X, y = load_breast_cancer(return_X_y=True)
X, y = X[:200], y[:200]
SPACE = {"svc__C": (1e-3, 1e3, "log-uniform"), "svc__gamma": (1e-5, 1.0, "log-uniform")}
CV = StratifiedKFold(5, shuffle=True, random_state=0)


def search(cls=SearchCV, **options):
    model = make_pipeline(StandardScaler(), SVC())
    defaults = {"n_iter": 25, "cv": CV, "random_state": 0, "fold_racing": True}
    return cls(model, SPACE, **{**defaults, **options})


def split_scores(fitted, metric="score"):
    return np.array([fitted.cv_results_[f"split{i}_test_{metric}"] for i in range(fitted.n_splits_)]).T


class Counting(ClassifierMixin, BaseEstimator):
    """Scores what its parameter says, and counts its fits."""

    n_fits = 0

    def __init__(self, x=0.0):
        self.x = x

    def fit(self, X, y):
        type(self).n_fits += 1
        self.classes_ = np.unique(y)
        return self

    def score(self, X, y):
        return self.x + 0.001 * (X[0, 0] % 0.7)


def test_the_table_tells_of_those_who_are_out():
    plain = search(sampler="random", fold_racing=False).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        raced = search(sampler="random").fit(X, y)
    results = raced.cv_results_
    dropped, seen = results["dropped"], results["n_splits_evaluated"]
    assert dropped.any() and not dropped.all()
    assert ((seen < 5) == dropped).all() and seen.min() >= 1
    # What was seen is what would have been seen, from fold n mod 5 on in a circle; the rest is missing.
    scores = split_scores(raced)
    known = (np.arange(5) - np.arange(25)[:, None]) % 5 < seen[:, None]
    np.testing.assert_array_equal(scores[known], split_scores(plain)[known])
    assert np.isnan(scores[~known]).all()
    assert (np.isnan(results["mean_test_score"]) == dropped).all()
    assert np.isfinite(results["mean_fit_time"]).all()
    assert (results["rank_test_score"][dropped] > results["rank_test_score"][~dropped].max()).all()
    assert not dropped[raced.best_index_]
    error = split_scores(plain)[plain.best_index_].std(ddof=1) / np.sqrt(5)
    assert raced.best_score_ >= plain.best_score_ - error
    assert "dropped" not in plain.cv_results_


def test_no_fit_is_run_for_nothing():
    Counting.n_fits = 0
    space = {"x": [0.9, 0.1, 0.2, 0.95, 0.3]}
    fitted = SearchCV(Counting(), space, n_iter=None, cv=4, fold_racing=True, refit=False).fit(X, y)
    assert fitted.cv_results_["n_splits_evaluated"].tolist() == [4, 1, 1, 4, 1]
    assert Counting.n_fits == 11
    assert fitted.best_params_ == {"x": 0.95}


@pytest.mark.parametrize("cls", [TPESearchCV, BayesSearchCV])
def test_the_sampler_learns_of_those_who_are_out(cls):
    """The later half is better than the first on the folds that they have been through."""
    raced, again = search(cls).fit(X, y), search(cls).fit(X, y)
    assert_same_results(raced.cv_results_, again.cv_results_)
    assert raced.cv_results_["n_splits_evaluated"].sum() < 0.8 * 125
    means = np.nanmean(split_scores(raced), axis=1)
    assert np.median(means[12:]) > np.median(means[:10])


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_side_by_side(backend):
    with parallel_config(backend):
        fitted = search(sampler="random", n_jobs=2).fit(X, y)
    assert 25 <= fitted.cv_results_["n_splits_evaluated"].sum() < 125
    assert np.isfinite(fitted.best_score_)


@pytest.mark.parametrize("n_begun", [7, 31])
def test_a_search_goes_on_where_it_was(tmp_path, n_begun):
    whole = search(TPESearchCV).fit(X, y)

    class Interrupted(SVC):
        def fit(self, X, y):
            Interrupted.n_left -= 1
            if Interrupted.n_left < 0:
                raise KeyboardInterrupt
            return super().fit(X, y)

    def fit():
        model = make_pipeline(StandardScaler(), SVC())
        model.steps[1] = ("svc", Interrupted())
        options = {"n_iter": 25, "cv": CV, "random_state": 0, "fold_racing": True, "refit": False}
        return TPESearchCV(model, SPACE, **options, storage=tmp_path / "search.db").fit(X, y)

    Interrupted.n_left = n_begun
    with pytest.raises(KeyboardInterrupt):
        fit()
    Interrupted.n_left = n_left = 1000
    assert_same_results(fit().cv_results_, whole.cv_results_)
    assert n_left - Interrupted.n_left == whole.cv_results_["n_splits_evaluated"].sum() - n_begun


def test_several_metrics():
    fitted = search(scoring=["accuracy", "roc_auc"], refit="roc_auc", return_train_score=True).fit(X, y)
    dropped = fitted.cv_results_["dropped"]
    assert dropped.any()
    for metric in ("test_accuracy", "test_roc_auc", "train_accuracy"):
        assert (np.isnan(fitted.cv_results_[f"mean_{metric}"]) == dropped).all()


def test_who_fails_is_told_of_as_ever():
    space = {"x": [0.1, 0.9, 0.2]}
    with pytest.warns(FitFailedWarning, match="4 fits failed out of a total of 11"):
        fitted = SearchCV(FailsAbove(), space, n_iter=None, cv=4, fold_racing=True).fit(X, y)
    # The failed one is brought to its end; the last scores as the first, and is out after three of four.
    assert fitted.cv_results_["n_splits_evaluated"].tolist() == [4, 4, 3]
    assert fitted.cv_results_["dropped"].tolist() == [False, False, True]
    assert np.isnan(fitted.cv_results_["mean_test_score"]).tolist() == [False, True, True]


def test_what_is_refused():
    with pytest.raises(ValueError, match="'fold_racing' parameter"):
        search(fold_racing="yes").fit(X, y)


def test_a_callable_refit_sees_only_who_was_not_given_up():
    seen = {}

    def best(table):
        seen.update(table)
        # The first NaN would be the greatest.
        return int(np.argmax(table["mean_test_score"]))

    fitted = search(sampler="random", refit=best).fit(X, y)
    dropped = fitted.cv_results_["dropped"]
    assert dropped.any()
    assert len(seen["params"]) == (~dropped).sum() and not seen["dropped"].any()
    assert fitted.best_index_ == np.nanargmax(fitted.cv_results_["mean_test_score"])
    assert fitted.best_params_ == fitted.cv_results_["params"][fitted.best_index_]
