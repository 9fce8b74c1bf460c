"""What budgeted searches refuse, before any model is trained."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skhpo import ASHASearchCV, HyperbandSearchCV
from skhpo.space import Choice

X, Y = np.random.default_rng(0).random((40, 3)), np.arange(40) % 2


class Untouchable(ClassifierMixin, BaseEstimator):
    """Fails the test that trains it."""

    def __init__(self, x=0.0, length=30, name="thirty"):
        self.x = x
        self.length = length
        self.name = name

    def fit(self, X, y):
        raise AssertionError("a model was trained")

    def predict(self, X):
        raise AssertionError("a model was trained")


class UntouchableForest(RandomForestClassifier):
    """A forest that fails the test that trains it."""

    def fit(self, X, y, sample_weight=None):
        raise AssertionError("a model was trained")


def refuse(search, match, error=ValueError):
    with pytest.raises(error, match=match):
        search.fit(X, Y)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"factor": 1}, "factor"),
        ({"factor": 0.5}, "factor"),
        ({"factor": -3}, "factor"),
        ({"factor": "three"}, "factor"),
        ({"factor": np.nan}, "factor"),
        ({"factor": np.inf}, "factor"),
        ({"resource": None}, "resource"),
        ({"min_resources": 0}, "min_resources"),
        ({"min_resources": 2.5}, "min_resources"),
        ({"min_resources": "exhaust"}, "min_resources"),
        ({"max_resources": 0}, "max_resources"),
        ({"max_resources": "all"}, "max_resources"),
        ({"max_resources": 9, "min_resources": 10}, "min_resources=10 is greater than max_resources=9"),
        ({"min_resources": 41}, "min_resources=41 is greater than max_resources=40"),
        ({"max_resources": 41}, "41 is greater than the number of samples, 40"),
        ({"resource": "trees"}, "Cannot use resource=trees which is not supported by estimator Untouchable"),
        ({"resource": "x", "max_resources": 9}, "Cannot use parameter x as the resource since it is part of"),
        ({"resource": "name"}, "Cannot use resource=name: .* is 'thirty'"),
        ({"brackets": 0}, "brackets"),
        ({"brackets": "some"}, "brackets"),
        ({"brackets": 7, "resource": "length"}, r"brackets=7 is more than .* resources \[1, 3, 10, 30\]"),
        ({"sampler": "magic"}, "sampler"),
        ({"sampler": 3}, "sampler"),
    ],
)
def test_options(budget_search, options, match):
    refuse(budget_search(Untouchable(), {"x": (0.0, 1.0)}, **options), match)


def test_a_length_that_is_searched(budget_search):
    space = {"n_estimators": (10, 100), "max_depth": (1, 9)}
    refuse(budget_search(UntouchableForest(), space), "Cannot use parameter n_estimators as the resource")
    piped = {f"untouchableforest__{name}": value for name, value in space.items()}
    refuse(
        budget_search(make_pipeline(StandardScaler(), UntouchableForest()), piped),
        "Cannot use parameter untouchableforest__n_estimators as the resource",
    )


def test_a_named_length_that_is_searched(budget_search):
    refuse(
        budget_search(Untouchable(), {"length": (1, 9)}, resource="length", max_resources=9),
        "Cannot use parameter length as the resource since it is part of",
    )


def test_a_length_that_only_some_candidates_have(budget_search):
    pipeline = make_pipeline(StandardScaler(), SVC())
    space = {
        "svc": Choice([(UntouchableForest(), {"svc__max_depth": (1, 9)}), (SVC(), {"svc__C": (0.1, 1.0)})])
    }
    refuse(
        budget_search(pipeline, space, resource="svc__n_estimators", max_resources=9),
        "Cannot use resource=svc__n_estimators which is not supported",
    )


def test_a_full_length_that_cannot_be_known(budget_search):
    forest = UntouchableForest(n_estimators="many")
    refuse(
        budget_search(forest, {"max_depth": (1, 9)}),
        "max_resources='auto' takes the full training length from 'n_estimators'",
    )


def test_no_end(budget_search):
    if budget_search is ASHASearchCV:
        refuse(budget_search(Untouchable(), {"x": (0.0, 1.0)}, n_iter=None), "finite space or a timeout")


def test_more_initial_candidates_than_candidates(budget_search):
    refuse(
        budget_search(Untouchable(), {"x": (0.0, 1.0)}, n_iter=2, initial_candidates=[{"x": 0.1}] * 3),
        "more than n_iter",
    )


def test_a_class_that_a_tiny_subsample_misses_is_the_models_affair(budget_search):
    # Two samples of a fold, and three classes: LogisticRegression trains on two of them.
    y = np.arange(40) % 3
    search = budget_search(
        LogisticRegression(), {"C": (0.1, 1.0)}, n_iter=17, min_resources=3, cv=2, random_state=0
    ).fit(X, y)
    assert search.n_resources_[0] == 4
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert list(search.classes_) == [0, 1, 2]


def test_a_subsample_of_a_single_class_is_a_failure():
    # Two of 40 samples are one of the 20 in a fold, and one class.
    options = {"min_resources": 1, "factor": 4, "cv": 2, "random_state": 0}
    hyperband = HyperbandSearchCV(LogisticRegression(), {"C": (0.1, 1.0)}, **options)
    with pytest.warns(Warning, match="fits failed"):
        hyperband.fit(X, Y)
    table = hyperband.cv_results_
    np.testing.assert_array_equal(np.isnan(table["mean_test_score"]), table["n_resources"] == 2)
    assert hyperband.best_score_ > 0
    # A single bracket has nobody else.
    refuse(ASHASearchCV(LogisticRegression(), {"C": (0.1, 1.0)}, **options), "fits failed")
