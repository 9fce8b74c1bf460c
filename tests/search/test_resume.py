"""A search with a storage goes on where it was, whatever ended it."""

import os
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import accuracy_score
from sklearn.model_selection import KFold

from skhpo import ASHASearchCV, HyperbandSearchCV, SearchCV, TPESearchCV
from skhpo.journal import read
from skhpo.samplers import Sampler
from tests.search.helpers import assert_same_results


class Power(BaseException):
    """Gone, as by Ctrl-C."""


class Counted(ClassifierMixin, BaseEstimator):
    """Counts its fits, fails for some parameters, and ends the search when the allowance is used up."""

    n_fits, allowance = 0, np.inf

    def __init__(self, x=0.5, kind="a", n_estimators=9):
        self.x, self.kind, self.n_estimators = x, kind, n_estimators

    def fit(self, X, y):
        if Counted.n_fits >= Counted.allowance:
            raise Power
        Counted.n_fits += 1
        if self.kind == "bad":
            raise RuntimeError("on purpose")
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.where(X[:, 0] > self.x, *self.classes_[:2])


SPACE = {"x": (0.0, 8.0), "kind": ["a", "b", "bad"]}


@pytest.fixture(autouse=True)
def allowance():
    Counted.n_fits, Counted.allowance = 0, np.inf
    yield
    Counted.allowance = np.inf


def n_fits_of(search, data, allowance=np.inf):
    """Fits until the search ends or has used up its allowance."""
    Counted.n_fits, Counted.allowance = 0, allowance
    try:
        search.fit(*data)
    except Power:
        pass
    return Counted.n_fits


def options(**more):
    return {"n_iter": 14, "cv": 3, "random_state": 0, "refit": False, **more}


@pytest.mark.filterwarnings("ignore")
def test_the_same_object_goes_on_after_an_interrupt(search_class, data, tmp_path):
    whole = search_class(Counted(), SPACE, **options())
    n_all = n_fits_of(whole, data)
    search = search_class(Counted(), SPACE, **options(storage=tmp_path / "search.db"))
    n_done = 0
    for allowance in (0, 1, 7, 10):
        n_done += n_fits_of(search, data, allowance)
    assert n_done == 18
    assert not hasattr(search, "cv_results_")
    assert n_done + n_fits_of(search, data) == n_all
    assert_same_results(whole.cv_results_, search.cv_results_)
    assert search.journal_ == str(tmp_path / "search.db")
    assert n_fits_of(search, data) == 0
    assert_same_results(whole.cv_results_, search.cv_results_)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("n_jobs", [2, 3])
def test_a_parallel_search_goes_on(search_class, data, tmp_path, n_jobs):
    search = search_class(Counted(), SPACE, **options(storage=tmp_path / "search.db", n_jobs=n_jobs))
    with joblib.parallel_config(backend="threading"):
        n_fits_of(search, data, 13)
        before = read(search.storage)
        n_fits_of(search, data)
    after = read(search.storage)
    assert len(before["fold"]) > 5
    tasks = list(zip(after["candidate"], after["resource"], after["fold"], strict=True))
    assert len(set(tasks)) == len(tasks)
    assert tasks[: len(before["fold"])] == list(
        zip(before["candidate"], before["resource"], before["fold"], strict=True)
    )
    assert len(search.cv_results_["params"]) * 3 == len(tasks)


@pytest.mark.filterwarnings("ignore")
def test_no_journal_without_storage(data, tmp_path):
    search = TPESearchCV(Counted(), SPACE, **options(storage=tmp_path / "search.db")).fit(*data)
    assert search.journal_ == str(tmp_path / "search.db")
    search.set_params(storage=None).fit(*data)
    assert not hasattr(search, "journal_")


@pytest.mark.filterwarnings("ignore")
def test_initial_candidates_and_the_end_of_a_space_are_passed_again(data, tmp_path):
    space = {"x": [1, 2, 3], "kind": ["a", "b"]}
    more = {"initial_candidates": [{"x": 2}, {"x": 2, "kind": "a"}, {"x": 2, "kind": "b"}, {"kind": "b"}]}
    whole = ASHASearchCV(Counted(), space, **options(**more, n_iter=None, timeout=60.0))
    n_all = n_fits_of(whole, data)
    for allowance in (1, 8, n_all - 1):
        storage = tmp_path / f"{allowance}.db"
        search = ASHASearchCV(Counted(), space, **options(**more, n_iter=None, timeout=60.0, storage=storage))
        assert n_fits_of(search, data, allowance) + n_fits_of(search, data) == n_all
        assert_same_results(whole.cv_results_, search.cv_results_)


def test_without_a_seed_a_search_goes_on_with_the_one_it_had(data, tmp_path):
    search = TPESearchCV(
        Counted(), {"x": (0.0, 8.0)}, **options(random_state=None, storage=tmp_path / "search.db")
    )
    n_fits_of(search, data, 20)
    before = read(search.storage)
    n_fits_of(search, data)
    assert read(search.storage)["param_x"][:20] == before["param_x"]
    assert len(search.cv_results_["params"]) == 14


@pytest.mark.parametrize(
    ("part", "changes"),
    [
        ("n_iter", {"n_iter": 15}),
        ("splits", {"cv": 4}),
        ("splits", {"cv": KFold(3, shuffle=True, random_state=1)}),
        ("scoring", {"scoring": "balanced_accuracy"}),
        ("random_state", {"random_state": 1}),
        ("param_distributions", {"param_distributions": {"x": (0.0, 9.0)}}),
        ("estimator", {"estimator": Counted(kind="b")}),
        ("error_score", {"error_score": 0.0}),
        ("n_startup", {"n_startup": 5}),
        ("initial_candidates", {"initial_candidates": [{"x": 1.0}]}),
        ("return_train_score", {"return_train_score": True}),
    ],
)
def test_another_search_is_refused_and_told_what_differs(part, changes, data, tmp_path):
    search = TPESearchCV(Counted(), {"x": (0.0, 8.0)}, **options(storage=tmp_path / "search.db"))
    n_fits_of(search, data, 10)
    search.set_params(**changes)
    Counted.n_fits = 0
    with pytest.raises(ValueError, match=rf"another search, which differs in:.*\b{part}\b"):
        search.fit(*data)
    assert Counted.n_fits == 0


@pytest.mark.parametrize("what", ["X", "y", "sample_weight"])
def test_other_data_are_refused(what, data, tmp_path):
    X, y = data
    search = TPESearchCV(
        RandomForestClassifier(3), {"max_depth": (1, 9)}, **options(storage=tmp_path / "a.db")
    )
    weight = np.ones(len(X))
    search.fit(X, y, sample_weight=weight)
    X, y, weight = X.copy(), y.copy(), weight.copy()
    if what == "X":
        X[7, 3] = np.nextafter(X[7, 3], 9.0)
    elif what == "y":
        y[[0, 1]] = 1 - y[[0, 1]]
    else:
        weight[5] = 2.0
    with pytest.raises(ValueError, match="another search, which differs in"):
        search.fit(X, y, sample_weight=weight)


def test_another_class_of_search_is_refused(data, tmp_path):
    storage = tmp_path / "search.db"
    HyperbandSearchCV(Counted(), {"x": (0.0, 8.0)}, **options(storage=storage)).fit(*data)
    with pytest.raises(ValueError, match=r"search \('HyperbandSearchCV' there, 'ASHASearchCV' here\)"):
        ASHASearchCV(Counted(), {"x": (0.0, 8.0)}, **options(storage=storage)).fit(*data)


def test_what_has_no_effect_on_the_results_may_change(data, tmp_path, capsys):
    search = TPESearchCV(Counted(), {"x": (0.0, 8.0)}, **options(storage=tmp_path / "search.db"))
    whole = TPESearchCV(Counted(), {"x": (0.0, 8.0)}, **options()).fit(*data)
    n_fits_of(search, data, 10)
    Counted.allowance = np.inf
    search.set_params(verbose=1, refit=True, timeout=1000.0, pre_dispatch="all", trial_timeout=None)
    search.fit(*data)
    assert_same_results(whole.cv_results_, search.cv_results_)
    assert search.best_params_ == whole.best_params_


def test_a_longer_timeout_takes_the_end_back(data, tmp_path):
    search = SearchCV(
        Counted(), {"x": (0.0, 8.0)}, **options(n_iter=None, timeout=0.2, storage=tmp_path / "search.db")
    ).fit(*data)
    n = len(search.cv_results_["params"])
    search.fit(*data)
    # The time of earlier runs counts.
    assert len(search.cv_results_["params"]) == n
    for timeout in (0.6, 1.0):
        search.set_params(timeout=timeout).fit(*data)
        assert len(search.cv_results_["params"]) > n
        n = len(search.cv_results_["params"])
    search.fit(*data)
    assert len(search.cv_results_["params"]) == n


@pytest.mark.filterwarnings("ignore")
def test_the_last_jobs_of_a_search_that_was_stopped_stay_its_last(data, tmp_path):
    search = ASHASearchCV(
        Counted(),
        {"x": (0.0, 8.0)},
        resource="n_estimators",
        **options(n_iter=None, timeout=1e-6, storage=tmp_path / "a.db"),
    )
    search.fit(*data)
    resources = search.cv_results_["n_resources"].tolist()
    # One candidate is all that was begun, and it was brought to the full training.
    assert resources == [1, 9]
    search.set_params(timeout=60.0).fit(*data)
    assert search.cv_results_["n_resources"].tolist() == resources


@pytest.mark.parametrize("allowance", [1, 5, 9, 13])
def test_models_that_are_trained_in_stretches_are_trained_in_the_same_again(allowance, data, tmp_path):
    """One epoch and two more are not the same as three: the rows are shuffled anew in each call."""

    class Stops:
        n_left = np.inf

        def __call__(self, estimator, X, y):
            Stops.n_left -= 1
            if Stops.n_left < 0:
                raise Power
            return estimator.decision_function(X).sum()

    def search(**more):
        model = SGDClassifier(max_iter=9, tol=None, random_state=0)
        space = {"alpha": (1e-4, 1.0, "log-uniform")}
        return ASHASearchCV(model, space, n_iter=6, cv=2, refit=False, random_state=0, **more)

    scoring = Stops()
    whole = search(scoring=scoring).fit(*data).cv_results_
    Stops.n_left = allowance
    with pytest.raises(Power):
        search(scoring=scoring, storage=tmp_path / "search.db").fit(*data)
    Stops.n_left = np.inf
    assert_same_results(whole, search(scoring=scoring, storage=tmp_path / "search.db").fit(*data).cv_results_)


def test_a_generator_that_has_moved_on_does_not_make_another_search(data, tmp_path):
    search = TPESearchCV(
        Counted(),
        {"x": (0.0, 8.0)},
        **options(random_state=np.random.RandomState(0), storage=tmp_path / "search.db"),
    )
    n_fits_of(search, data, 10)
    assert n_fits_of(search, data) == 42 - 10


class Forgetful(Sampler):
    """A sampler that does not propose the same when it is told the same."""

    def _propose(self, n, pending, rng):
        return np.random.default_rng().random((n, self.space.d))


def test_a_scheduler_or_sampler_that_is_not_one_is_found_out(data, tmp_path):
    more = {"initial_candidates": [{"x": 1.0}, {}], "storage": tmp_path / "search.db"}
    search = SearchCV(Counted(), {"x": (0.0, 8.0)}, sampler=Forgetful(), **options(**more))
    n_fits_of(search, data, 4)
    # What it proposed stands in the journal and is not asked for again.
    whole = read(search.storage)["param_x"]
    n_fits_of(search, data)
    assert read(search.storage)["param_x"][: len(whole)] == whole


def test_a_journal_in_use_is_refused(data, tmp_path):
    storage = tmp_path / "search.db"

    class Nested(Counted):
        def fit(self, X, y):
            with pytest.raises(ValueError, match="another running search"):
                TPESearchCV(Counted(), {"x": (0.0, 8.0)}, **options(storage=storage)).fit(X, y)
            return super().fit(X, y)

    TPESearchCV(Nested(), {"x": (0.0, 8.0)}, **options(n_iter=1, storage=storage)).fit(*data)


def dislikes_the_first_row(estimator, X, y):
    if X[0, 0] > 0:
        raise RuntimeError("on purpose")
    return len(X)


def two_scores(estimator, X, y):
    return {"a": accuracy_score(y, estimator.predict(X)), "b": float(len(X))}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("scoring", [{"a": "accuracy", "b": dislikes_the_first_row}, two_scores])
def test_several_metrics_and_their_failures_come_back_as_they_were(scoring, data, tmp_path):
    more = {"scoring": scoring, "refit": "a", "n_iter": 6, "return_train_score": True, "error_score": -1.0}
    search = TPESearchCV(Counted(), SPACE, **options(**more))
    whole = search.fit(*data).cv_results_
    assert (whole["mean_test_a"] == -1.0).any()
    search.set_params(storage=tmp_path / "search.db").fit(*data)
    assert_same_results(whole, search.cv_results_)
    assert_same_results(whole, search.fit(*data).cv_results_)


@pytest.mark.parametrize("storage", [3, b"search.db", ["search.db"]])
def test_a_storage_that_is_no_path_is_refused(storage, data):
    with pytest.raises(ValueError, match="storage"):
        TPESearchCV(Counted(), SPACE, **options(storage=storage)).fit(*data)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the searches run in forked processes")
@pytest.mark.parametrize("kind", ["tpe", "gp", "cmaes", "hyperband", "asha"])
@pytest.mark.parametrize("n_moments", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_searches_killed_at_random_moments_are_those_never_killed(kind, n_moments):
    if kind in ("hyperband", "asha"):
        pytest.importorskip({"hyperband": "lightgbm", "asha": "skorch"}[kind])
    program = Path(__file__).with_name("killed_searches.py")
    command = [sys.executable, str(program), kind, str(n_moments), "0"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("all others run once") == n_moments
