"""Everything that is refused, and that it is refused before any model is trained."""

import numpy as np
import pytest
from scipy.stats import loguniform
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skhpo import BayesSearchCV, CMAESSearchCV, SearchCV, TPESearchCV
from skhpo.space import Categorical, Choice, Integer, Real

GOOD = {"x": (0.0, 1.0)}


class Untouchable(ClassifierMixin, BaseEstimator):
    """Fails the test that trains it."""

    def __init__(self, x=0.0):
        self.x = x

    def fit(self, X, y):
        raise AssertionError("a model was trained")

    def predict(self, X):
        raise AssertionError("a model was trained")


def refuse(search, match, error=ValueError):
    before = dict(vars(search))
    X, y = np.zeros((20, 2)), np.arange(20) % 2
    with pytest.raises(error, match=match):
        search.fit(X, y)
    assert vars(search) == before, "something is left on the estimator"


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"n_iter": 0}, "n_iter"),
        ({"n_iter": -3}, "n_iter"),
        ({"n_iter": 2.5}, "n_iter"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": -1.0}, "timeout"),
        ({"n_jobs": 0}, "n_jobs"),
        ({"scoring": "accuraci"}, "scoring"),
        ({"scoring": ["accuracy", "recal"]}, "recal"),
        ({"scoring": ["accuracy", "recall"], "refit": True}, "refit"),
        ({"scoring": ["accuracy", "recall"], "refit": "precision"}, "refit"),
        ({"scoring": "accuracy", "refit": "recal"}, "no metric"),
        ({"refit": "best"}, "no metric"),
        ({"error_score": "rise"}, "error_score"),
        ({"random_state": -1}, "random_state"),
        ({"cv": 1}, "n_splits"),
        ({"initial_candidates": [{"x": 2.0}]}, "outside"),
        ({"initial_candidates": [{"z": 0.5}]}, "not in the search space"),
        ({"n_iter": 50, "initial_candidates": [{"x": 0.1}] * 51}, "more than n_iter"),
    ],
)
def test_options(search_class, options, match):
    refuse(search_class(Untouchable(), GOOD, **options), match)


def test_a_search_without_an_end(full_search_class):
    refuse(full_search_class(Untouchable(), GOOD, n_iter=None), "finite space or a timeout")


@pytest.mark.parametrize("initial", [{"x": 0.5}, [0.5]])
def test_initial_candidates_of_a_wrong_type(search_class, initial):
    refuse(
        search_class(Untouchable(), GOOD, initial_candidates=initial),
        "initial_candidates",
        (TypeError, ValueError),
    )


@pytest.mark.parametrize(
    ("space", "match"),
    [
        ({}, "empty"),
        ([], "empty"),
        ({"x": []}, "non-empty"),
        ({"x": (1.0, 1.0)}, "low"),
        ({"x": (2.0, 1.0)}, "low"),
        ({"x": (0.0, 1.0, "log-uniform")}, "low > 0"),
        ({"x": (-1.0, 1.0, "log-uniform")}, "low > 0"),
        ({"x": (0.0, np.inf)}, "finite"),
        ({"x": (np.nan, 1.0)}, "finite"),
        ({"x": (0.0, 1.0, "loguniform")}, "unknown prior"),
        ({"x": np.ones((2, 2))}, "one-dimensional"),
        ({"x": loguniform(1, 1)}, "x"),
        ({"x": ["scale", loguniform(1e-4, 1)]}, "handed to the estimator as it is"),
        ({"x": [0.5, Real(1e-4, 1)]}, "pass a list of dicts"),
        ({"x": Choice([("scale", None), (loguniform(1e-4, 1), None)])}, "pass a list of dicts"),
    ],
)
def test_spaces(search_class, space, match):
    refuse(search_class(Untouchable(), space), match)


@pytest.mark.parametrize("space", [{"x": 1.0}, {"x": "abc"}, {1: [2]}, ["x"], "x", None])
def test_spaces_of_a_wrong_type(search_class, space):
    refuse(search_class(Untouchable(), space), ".", (TypeError, ValueError))


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: Real(1.0, 0.0), "low"),
        (lambda: Real(0.0, 1.0, log=True), "low > 0"),
        (lambda: Real(0.0, np.inf), "finite"),
        (lambda: Integer(3, 3), "low"),
        (lambda: Integer(0, 3, log=True), "low"),
        (lambda: Categorical([]), "at least one choice"),
        (lambda: Choice([]), "at least one option"),
    ],
)
def test_dimensions(make, match):
    with pytest.raises(ValueError, match=match):
        make()


def test_unknown_parameter_names_the_valid_ones(search_class):
    refuse(search_class(Untouchable(), {"y": (0.0, 1.0)}), r"Invalid parameter 'y'.*\['x'\]")


def test_unknown_parameter_of_a_step_under_choice(search_class):
    pipeline = Pipeline([("scale", StandardScaler()), ("model", SVC())])
    space = [
        {"model": [SVC()], "model__C": (0.1, 1.0)},
        {"model": [LogisticRegression()], "model__gamma": (0.1, 1.0)},
    ]
    refuse(search_class(pipeline, space), r"Invalid parameter 'gamma'.*LogisticRegression")


def test_unknown_parameter_in_a_single_branch_of_many(search_class):
    space = {"kernel": Choice([("linear", {}), ("rbf", {"gama": (0.1, 1.0)})])}
    refuse(search_class(SVC(), space), "Invalid parameter 'gama'")


@pytest.mark.parametrize(
    ("search", "match"),
    [
        (SearchCV(Untouchable(), GOOD, sampler="tpee"), "tpee.*|.*sampler"),
        (BayesSearchCV(Untouchable(), GOOD, acquisition="eii"), "acquisition"),
        (CMAESSearchCV(Untouchable(), GOOD, restarts="bibop"), "restarts"),
    ],
)
def test_names_of_methods(search, match):
    refuse(search, match)


def test_sampler_of_a_wrong_type():
    refuse(SearchCV(Untouchable(), GOOD, sampler=3), "sampler", (TypeError, ValueError))


def test_bad_input_after_a_good_fit_keeps_the_fit():
    X, y = np.random.default_rng(0).normal(size=(20, 2)), np.arange(20) % 2
    search = TPESearchCV(SVC(), {"C": (0.1, 1.0)}, n_iter=2, cv=2).fit(X, y)
    results = search.cv_results_
    with pytest.raises(ValueError, match="n_iter"):
        search.set_params(n_iter=0).fit(X, y)
    assert search.cv_results_ is results
