"""The same search wherever it runs, and whoever dies in it."""

import os
import signal
import time
import warnings

import joblib
import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import FitFailedWarning
from sklearn.svm import SVC

from skhpo import ASHASearchCV, HyperbandSearchCV, SearchCV, TPESearchCV
from tests.search.helpers import assert_same_results

SPACE = {"C": (1e-2, 1e2, "log-uniform"), "kernel": ["rbf", "linear"]}
N_JOBS = {"sequential": 1, "ray": 2}


@pytest.fixture(
    params=[
        "sequential",
        "threading",
        "loky",
        "multiprocessing",
        pytest.param("dask", marks=pytest.mark.xdist_group("clusters")),
        pytest.param("ray", marks=pytest.mark.xdist_group("clusters")),
    ]
)
def backend(request):
    """A joblib backend, made active."""
    name = request.param
    if name == "dask":
        request.getfixturevalue("dask_client")
    elif name == "ray":
        request.getfixturevalue("ray_cluster")
        from ray.util.joblib import register_ray

        register_ray()
    with joblib.parallel_config(backend=name, n_jobs=N_JOBS.get(name, 2)):
        yield name


@pytest.mark.parametrize(
    ("search_class", "options"),
    [
        (SearchCV, {"n_iter": 8, "sampler": "random"}),
        (HyperbandSearchCV, {"n_iter": 12, "max_resources": 27}),
    ],
)
def test_a_search_that_ignores_results_is_the_same_everywhere(search_class, options, backend, data):
    options = {**options, "cv": 3, "random_state": 0, "return_train_score": True}
    here = search_class(SVC(), SPACE, n_jobs=1, **options)
    with joblib.parallel_config(backend="sequential"):
        here.fit(*data)
    there = search_class(SVC(), SPACE, **options).fit(*data)
    assert_same_results(here.cv_results_, there.cv_results_)
    assert here.best_params_ == there.best_params_


def test_a_learning_search_evaluates_what_it_asks_for_everywhere(backend, data):
    search = TPESearchCV(SVC(), SPACE, n_iter=15, cv=2, n_startup=4, random_state=0).fit(*data)
    assert len(search.cv_results_["params"]) == 15
    with joblib.parallel_config(backend="sequential"):
        for params, scores in zip(
            search.cv_results_["params"],
            zip(*(search.cv_results_[f"split{i}_test_score"] for i in range(2)), strict=True),
            strict=True,
        ):
            again = SearchCV(SVC(), {"C": [params["C"]], "kernel": [params["kernel"]]}, n_iter=None, cv=2)
            results = again.fit(*data).cv_results_
            assert scores == (results["split0_test_score"][0], results["split1_test_score"][0])


class Deadly(ClassifierMixin, BaseEstimator):
    """Kills its own process, or hangs, for a tenth of its parameters."""

    def __init__(self, x=0, how="kill", main_pid=None, resource=1):
        self.x = x
        self.how = how
        self.main_pid = main_pid
        self.resource = resource

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        if is_deadly(self.x) and os.getpid() != self.main_pid:
            if self.how == "hang":
                time.sleep(600)
            os.kill(os.getpid(), signal.SIGKILL)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[self.x % 2])


def is_deadly(x):
    return x % 10 == 3


def is_right(results, X, y):
    """Whether exactly the deadly candidates failed, and all others have the scores that they must."""
    x = np.asarray(results["param_x"].data, dtype=int)
    failed = np.isnan(results["mean_test_score"])
    np.testing.assert_array_equal(failed, is_deadly(x))
    expected = np.array([np.mean(y == c) for c in np.unique(y)])[x % 2]
    np.testing.assert_allclose(results["mean_test_score"][~failed], expected[~failed], atol=0.02)
    return failed.sum()


@pytest.mark.parametrize("backend", ["loky", "multiprocessing", "dask", "ray"], indirect=True)
def test_murder_costs_the_murderers_and_nobody_else(backend, data):
    search = SearchCV(
        Deadly(main_pid=os.getpid()), {"x": list(range(24))}, n_iter=None, cv=2, random_state=0, n_jobs=2
    )
    with pytest.warns(FitFailedWarning) as caught:
        search.fit(*data)
    assert is_right(search.cv_results_, *data) == 3
    named = {str(w.message) for w in caught if "The fit was lost" in str(w.message)}
    for x in (3, 13, 23):
        assert sum(f"{{'x': {x}}}" in message for message in named) >= 2


@pytest.mark.parametrize("backend", ["loky", "dask", "ray"], indirect=True)
def test_hanging_fits_are_ended(backend, data):
    search = SearchCV(
        Deadly(how="hang", main_pid=os.getpid()),
        {"x": [2, 3, 4]},
        n_iter=None,
        cv=2,
        n_jobs=2,
        trial_timeout=4.0,
    )
    with pytest.warns(FitFailedWarning, match=r"trial_timeout=4\.0"):
        search.fit(*data)
    assert is_right(search.cv_results_, *data) == 1


@pytest.mark.parametrize("search_class", [HyperbandSearchCV, ASHASearchCV])
def test_schedulers_live_with_murder(search_class, data):
    search = search_class(
        Deadly(main_pid=os.getpid()),
        {"x": list(range(20))},
        n_iter=9,
        resource="resource",
        max_resources=3,
        cv=2,
        n_jobs=2,
        random_state=2,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search.fit(*data)
    results = search.cv_results_
    assert is_right(results, *data) > 0
    assert results["n_resources"][search.best_index_] == 3


def test_a_lost_fit_raises_where_failures_are_to(data):
    search = SearchCV(
        Deadly(main_pid=os.getpid()), {"x": [1, 2, 3]}, n_iter=None, cv=2, n_jobs=2, error_score="raise"
    )
    with pytest.raises(
        RuntimeError, match=r"Candidate 2, \{'x': 3\}, on fold \d: The fit was lost: its worker died"
    ):
        search.fit(*data)


def test_no_process_and_no_file_is_left_behind(data, tmp_path, monkeypatch):
    psutil = pytest.importorskip("psutil")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.warns(FitFailedWarning), joblib.parallel_config(backend="multiprocessing"):
        test_search = HyperbandSearchCV(
            Deadly(main_pid=os.getpid()),
            {"x": list(range(10))},
            n_iter=9,
            resource="resource",
            max_resources=3,
            cv=2,
            n_jobs=2,
            random_state=2,
        )
        before = {process.pid for process in psutil.Process().children(recursive=True)}
        test_search.fit(*data)
    after = {process.pid for process in psutil.Process().children(recursive=True)}
    assert after <= before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("skhpo")] == []


@pytest.mark.slow
def test_a_hundred_deaths_in_a_row_do_not_end_a_search(data):
    space = {"x": [10 * i + 3 for i in range(50)] + [1]}
    search = SearchCV(Deadly(main_pid=os.getpid()), space, n_iter=None, cv=2, n_jobs=2)
    with pytest.warns(FitFailedWarning):
        search.fit(*data)
    assert is_right(search.cv_results_, *data) == 50
    assert search.best_params_ == {"x": 1}


def test_filters_of_warnings_are_left_alone_by_threads(iris):
    before = list(warnings.filters), warnings.showwarning
    with joblib.parallel_config("threading"):
        for seed in range(5):
            SearchCV(SVC(), SPACE, n_iter=8, n_jobs=4, cv=3, random_state=seed).fit(*iris)
    assert (list(warnings.filters), warnings.showwarning) == before
