"""What a fit does beyond scikit-learn's own tests: data of all kinds, workers, time, failures."""

import pickle
import warnings
from typing import ClassVar

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from scipy.stats import loguniform, randint
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import FitFailedWarning, NotFittedError
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    RandomizedSearchCV,
    cross_val_score,
)
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skhpo import CMAESSearchCV, SearchCV, TPESearchCV
from skhpo.samplers import RandomSampler, SobolSampler
from skhpo.space import as_space

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


class TestDropIn:
    def test_is_a_search(self, search_class):
        assert issubclass(search_class, BaseSearchCV)

    def test_results_have_the_keys_types_and_masks_of_scikit_learn(self, search_class, iris, two_folds):
        space = [
            {"kernel": ["rbf"], "C": loguniform(1e-2, 1e2), "gamma": loguniform(1e-3, 1)},
            {"kernel": ["poly"], "degree": randint(2, 5)},
        ]
        options = {
            "n_iter": 12,
            "cv": two_folds,
            "scoring": ["accuracy", "neg_log_loss"],
            "refit": "accuracy",
            "return_train_score": True,
            "random_state": 0,
        }
        theirs = RandomizedSearchCV(SVC(probability=True), space, **options).fit(*iris)
        ours = search_class(SVC(probability=True), space, **options).fit(*iris)
        assert set(ours.cv_results_) == set(theirs.cv_results_)
        for key, expected in theirs.cv_results_.items():
            value = ours.cv_results_[key]
            assert type(value) is type(expected), key
            if key != "params":
                assert value.shape == expected.shape, key
                assert value.dtype == expected.dtype, key
        for name in ("degree", "gamma"):
            mask = np.ma.getmaskarray(ours.cv_results_[f"param_{name}"])
            assert list(mask) == [name not in params for params in ours.cv_results_["params"]]

    def test_best_attributes_agree(self, search_class, iris, two_folds):
        search = search_class(SVC(), SPACE, n_iter=8, cv=two_folds, random_state=0).fit(*iris)
        scores = search.cv_results_["mean_test_score"]
        assert search.best_index_ == np.argmax(scores)
        assert search.best_score_ == scores.max()
        assert search.best_params_ == search.cv_results_["params"][search.best_index_]
        again = clone(SVC()).set_params(**search.best_params_)
        assert search.best_score_ == pytest.approx(cross_val_score(again, *iris, cv=two_folds).mean())
        np.testing.assert_array_equal(search.predict(iris[0]), again.fit(*iris).predict(iris[0]))

    def test_finite_space_gives_what_grid_search_gives(self, search_class, iris):
        grid = {"C": [0.1, 1, 10], "gamma": [0.1, 1.0], "kernel": ["rbf", "poly"]}
        ours = search_class(SVC(), grid, n_iter=12, cv=3).fit(*iris)
        assert_same_results(ours.cv_results_, GridSearchCV(SVC(), grid, cv=3).fit(*iris).cv_results_)

    def test_exhausted_space_warns_and_ends(self, search_class, iris, two_folds):
        with pytest.warns(UserWarning, match=r"total space of parameters 3 is smaller than n_iter=20"):
            search = search_class(SVC(), {"C": [1, 2, 3]}, n_iter=20, cv=two_folds).fit(*iris)
        assert search.cv_results_["param_C"].tolist() == [1, 2, 3]

    def test_no_iteration_limit_on_a_finite_space(self, search_class, iris, two_folds):
        search = search_class(SVC(), {"C": [1, 2, 3]}, n_iter=None, cv=two_folds).fit(*iris)
        assert len(search.cv_results_["params"]) == 3

    def test_candidates_of_a_large_finite_space_differ(self, search_class, iris, two_folds):
        space = {"C": [0.1, 1, 10, 100], "gamma": [0.01, 0.1, 1], "kernel": ["rbf", "poly"]}
        search = search_class(SVC(), space, n_iter=20, cv=two_folds, random_state=0).fit(*iris)
        assert len({tuple(sorted(p.items())) for p in search.cv_results_["params"]}) == 20

    def test_clone_pickle_and_nested_cross_validation(self, search_class, iris, two_folds):
        search = search_class(SVC(), SPACE, n_iter=4, cv=two_folds, random_state=0)
        copy = pickle.loads(pickle.dumps(clone(search).fit(*iris)))
        np.testing.assert_array_equal(copy.predict(iris[0]), search.fit(*iris).predict(iris[0]))
        assert cross_val_score(search, *iris, cv=2).shape == (2,)

    def test_second_fit_starts_afresh(self, search_class, iris, two_folds):
        search = search_class(SVC(), SPACE, n_iter=5, cv=two_folds, random_state=0)
        first = search.fit(*iris).cv_results_
        assert_same_results(first, search.fit(*iris).cv_results_)

    def test_user_objects_are_left_alone(self, search_class, iris, two_folds):
        step = Ridge(alpha=3.0)
        space = {"ridge": [step, Ridge(alpha=5.0)], "ridge__alpha": loguniform(1e-2, 1e2)}
        pipeline = make_pipeline(StandardScaler(), Ridge())
        search = search_class(pipeline, space, n_iter=6, cv=KFold(2), random_state=0).fit(*iris)
        assert step.alpha == 3.0
        assert not hasattr(step, "coef_")
        assert all(any(p["ridge"] is e for e in space["ridge"]) for p in search.cv_results_["params"])


class TestDeterminism:
    def test_same_seed_same_search(self, search_class, iris, two_folds):
        runs = [
            search_class(SVC(), SPACE, n_iter=25, cv=two_folds, random_state=3).fit(*iris) for _ in range(2)
        ]
        assert_same_results(runs[0].cv_results_, runs[1].cv_results_)

    def test_other_seed_other_search(self, search_class, iris, two_folds):
        values = [
            search_class(SVC(), SPACE, n_iter=3, cv=two_folds, random_state=s)
            .fit(*iris)
            .cv_results_["params"]
            for s in range(2)
        ]
        assert values[0] != values[1]

    def test_global_generator_is_neither_read_nor_moved(self, search_class, iris, two_folds):
        np.random.seed(0)  # noqa: NPY002
        before = np.random.get_state()[1].copy()  # noqa: NPY002
        search_class(FailsAbove(limit=2.0), {"x": (0.0, 1.0)}, n_iter=25, cv=two_folds, random_state=0).fit(
            *iris
        )
        np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002

    def test_generator_instance_moves_on(self, iris, two_folds):
        search = TPESearchCV(SVC(), SPACE, n_iter=2, cv=two_folds, random_state=np.random.RandomState(0))
        first, second = (search.fit(*iris).cv_results_["params"] for _ in range(2))
        assert first != second

    @pytest.mark.parametrize("backend", ["threading", "loky"])
    def test_sampler_that_ignores_results_is_the_same_on_every_backend(self, backend, iris, two_folds):
        search = SearchCV(SVC(), SPACE, sampler="random", n_iter=8, cv=two_folds, random_state=0)
        serial = clone(search).fit(*iris).cv_results_
        with joblib.parallel_config(backend=backend, n_jobs=2):
            assert_same_results(clone(search).fit(*iris).cv_results_, serial)


class TestParallel:
    @pytest.mark.parametrize("backend", ["threading", "loky", "multiprocessing"])
    def test_every_candidate_arrives(self, backend, search_class, iris, two_folds):
        with joblib.parallel_config(backend=backend):
            search = search_class(SVC(), SPACE, n_iter=7, n_jobs=2, cv=two_folds, random_state=0).fit(*iris)
        assert len(search.cv_results_["params"]) == 7
        assert np.isfinite(search.cv_results_["mean_test_score"]).all()

    def test_routing_reaches_the_workers(self, iris):
        X, y = iris
        groups = np.arange(len(y)) % 5
        with config_context(enable_metadata_routing=True), joblib.parallel_config(backend="loky"):
            estimator = LogisticRegression().set_fit_request(sample_weight=True)
            search = TPESearchCV(
                estimator,
                {"C": loguniform(1e-2, 1e2)},
                n_iter=2,
                cv=GroupKFold(3),
                scoring=make_scorer(accuracy_score).set_score_request(sample_weight=True),
                n_jobs=2,
                random_state=0,
            )
            search.fit(X, y, sample_weight=np.ones(len(y)), groups=groups)
        assert np.isfinite(search.best_score_)


class TestData:
    def test_polars(self, search_class, two_folds, iris):
        frame = pl.DataFrame(iris[0], schema=list("abcd"))
        pipeline = make_pipeline(
            ColumnTransformer([("scale", StandardScaler(), ["a", "b"])], remainder="passthrough"), SVC()
        )
        space = {"svc__C": loguniform(1e-2, 1e2)}
        search = search_class(pipeline, space, n_iter=3, cv=two_folds).fit(frame, pl.Series(iris[1]))
        assert search.predict(frame).shape == (150,)
        assert list(search.feature_names_in_) == list("abcd")

    def test_pandas_output_of_transformers(self, iris, two_folds):
        frame = pd.DataFrame(iris[0], columns=list("abcd"))
        pipeline = make_pipeline(StandardScaler(), SVC()).set_output(transform="pandas")
        search = TPESearchCV(pipeline, {"svc__C": (1e-2, 1e2, "log-uniform")}, n_iter=3, cv=two_folds)
        search.fit(frame, pd.Series(iris[1]))
        assert list(search.best_estimator_[:-1].transform(frame).columns) == list("abcd")

    def test_strings(self, search_class):
        texts = ["red apple", "green apple", "blue sky", "grey sky"] * 5
        labels = ["fruit", "fruit", "weather", "weather"] * 5
        pipeline = make_pipeline(CountVectorizer(), LogisticRegression())
        search = search_class(pipeline, {"logisticregression__C": loguniform(1e-2, 1e2)}, n_iter=3, cv=2)
        assert list(search.fit(texts, labels).predict(["apple"])) == ["fruit"]

    def test_sparse_and_multi_output(self, search_class, iris):
        X = sparse.csr_array(iris[0])
        Y = np.column_stack([iris[0][:, 0], iris[1]])
        search = search_class(Ridge(), {"alpha": loguniform(1e-2, 1e2)}, n_iter=3, cv=KFold(2)).fit(X, Y)
        assert search.predict(X).shape == (150, 2)

    def test_precomputed_kernel(self, search_class, iris, two_folds):
        X, y = iris
        kernel = X @ X.T
        ours = search_class(SVC(kernel="precomputed"), {"C": loguniform(1e-2, 1)}, n_iter=3, cv=two_folds)
        plain = SVC(kernel="linear", C=ours.fit(kernel, y).best_params_["C"])
        assert ours.best_score_ == pytest.approx(cross_val_score(plain, X, y, cv=two_folds).mean())

    def test_unsupervised(self, search_class, iris):
        space = {"n_clusters": randint(2, 6)}
        search = search_class(KMeans(n_init=1, random_state=0), space, n_iter=3, cv=2).fit(iris[0])
        assert search.best_estimator_.n_clusters == search.best_params_["n_clusters"]

    def test_splits_are_made_once(self, search_class, iris):
        class Counting(KFold):
            calls = 0

            def split(self, X, y=None, groups=None):
                type(self).calls += 1
                return super().split(X, y, groups)

        search_class(SVC(), SPACE, n_iter=6, cv=Counting(2, shuffle=True)).fit(*iris)
        assert Counting.calls == 1


class TestFailures:
    def test_failing_candidates_cost_their_score_only(self, search_class, iris, two_folds):
        search = search_class(FailsAbove(), {"x": (0.0, 1.0)}, n_iter=15, cv=two_folds, random_state=0)
        with pytest.warns(FitFailedWarning, match="fits failed out of a total of 30"):
            search.fit(*iris)
        failed = np.array([params["x"] > 0.5 for params in search.cv_results_["params"]])
        assert 0 < failed.sum() < 15
        np.testing.assert_array_equal(np.isnan(search.cv_results_["mean_test_score"]), failed)
        assert search.best_params_["x"] <= 0.5

    def test_number_as_error_score(self, iris, two_folds):
        search = TPESearchCV(
            FailsAbove(), {"x": (0.0, 1.0)}, n_iter=10, cv=two_folds, error_score=-7.0, random_state=0
        )
        with pytest.warns(FitFailedWarning):
            search.fit(*iris)
        failed = np.array([params["x"] > 0.5 for params in search.cv_results_["params"]])
        assert (search.cv_results_["mean_test_score"][failed] == -7.0).all()

    def test_all_failing_is_an_error_that_leaves_nothing_fitted(self, search_class, iris, two_folds):
        search = search_class(FailsAbove(limit=-1.0), {"x": (0.0, 1.0)}, n_iter=4, cv=two_folds)
        with pytest.raises(ValueError, match="All the 8 fits failed"):
            search.fit(*iris)
        assert not [name for name in vars(search) if name.endswith("_") and not name.startswith("_")]
        with pytest.raises(NotFittedError):
            search.predict(iris[0])

    @pytest.mark.parametrize("n_jobs", [1, 2])
    def test_raise(self, search_class, iris, two_folds, n_jobs):
        search = search_class(
            FailsAbove(limit=-1.0),
            {"x": (0.0, 1.0)},
            n_iter=4,
            cv=two_folds,
            error_score="raise",
            n_jobs=n_jobs,
        )
        with pytest.raises(RuntimeError, match="above the limit"):
            search.fit(*iris)

    def test_scorer_that_raises(self, search_class, iris, two_folds):
        def picky(estimator, X, y):
            if estimator.C > 1:
                raise RuntimeError("no score for this one")
            return estimator.score(X, y)

        search = search_class(
            SVC(), {"C": loguniform(1e-2, 1e2)}, scoring=picky, n_iter=10, cv=two_folds, random_state=0
        )
        with pytest.warns(UserWarning, match="Scoring failed"):
            search.fit(*iris)
        assert search.best_params_["C"] <= 1

    def test_scorer_that_raises_repels_whatever_error_score_says(self, iris):
        def picky(estimator, X, y):
            if estimator.x > 0.5:
                raise RuntimeError("no score for this one")
            return -1.0 - estimator.x

        search = TPESearchCV(
            FailsAbove(limit=2.0),
            {"x": (0.0, 1.0)},
            n_iter=40,
            cv=2,
            scoring=picky,
            error_score=0.0,
            random_state=0,
        )
        with pytest.warns(UserWarning, match="will be set to 0.0"):
            search.fit(*iris)
        assert np.mean(np.asarray(search.cv_results_["param_x"][-15:], dtype=float) > 0.5) < 0.3
        failed = np.asarray(search.cv_results_["param_x"], dtype=float) > 0.5
        assert (search.cv_results_["mean_test_score"][failed] == 0.0).all()

    def test_callable_with_several_metrics_may_raise_for_some(self, iris, two_folds):
        def picky(estimator, X, y):
            if estimator.x > 0.5:
                raise RuntimeError("no score for this one")
            return {"a": estimator.x, "b": 1.0}

        search = TPESearchCV(
            FailsAbove(limit=2.0), {"x": (0.0, 1.0)}, n_iter=12, cv=two_folds, scoring=picky, refit="a"
        )
        with pytest.warns(UserWarning, match="Scoring failed"):
            search.fit(*iris)
        assert search.best_params_["x"] <= 0.5

    @pytest.mark.parametrize("refit", [True, "c"])
    def test_refit_that_does_not_suit_a_callable_ends_the_search_early(self, iris, two_folds, refit):
        calls = []

        def several(estimator, X, y):
            calls.append(estimator.x)
            return {"a": 1.0, "b": 2.0}

        search = SearchCV(
            FailsAbove(limit=2.0), {"x": (0.0, 1.0)}, n_iter=50, cv=two_folds, scoring=several, refit=refit
        )
        with pytest.raises(ValueError, match="refit must be set to a scorer key"):
            search.fit(*iris)
        assert len(calls) == 2

    def test_multimetric_with_failures(self, search_class, iris, two_folds):
        search = search_class(
            FailsAbove(),
            {"x": (0.0, 1.0)},
            n_iter=8,
            cv=two_folds,
            scoring={"first": "accuracy", "second": "balanced_accuracy"},
            refit="second",
            random_state=0,
        )
        with pytest.warns(FitFailedWarning):
            search.fit(*iris)
        assert search.best_params_["x"] <= 0.5

    def test_interrupt_leaves_nothing_running(self, iris, two_folds):
        class Interrupts(FailsAbove):
            def fit(self, X, y):
                raise KeyboardInterrupt

        search = TPESearchCV(Interrupts(), {"x": (0.0, 1.0)}, n_iter=4, cv=two_folds)
        with pytest.raises(KeyboardInterrupt):
            search.fit(*iris)
        assert not hasattr(search, "cv_results_")


class TestObjective:
    """The number that the sampler learns from."""

    @staticmethod
    def contradiction(estimator, X, y):
        return {"low": -estimator.x, "high": estimator.x}

    @pytest.mark.parametrize(("refit", "end"), [("low", 0.0), ("high", 1.0)])
    def test_refit_names_the_metric_that_is_searched(self, iris, refit, end):
        search = CMAESSearchCV(
            FailsAbove(limit=2.0),
            {"x": (0.0, 1.0)},
            n_iter=40,
            cv=2,
            scoring=self.contradiction,
            refit=refit,
            random_state=0,
        ).fit(*iris)
        assert np.mean(search.cv_results_["param_x"][-10:]) == pytest.approx(end, abs=0.2)

    def test_the_first_metric_counts_where_none_is_named(self, iris):
        search = CMAESSearchCV(
            FailsAbove(limit=2.0),
            {"x": (0.0, 1.0)},
            n_iter=40,
            cv=2,
            scoring=self.contradiction,
            refit=False,
            random_state=0,
        ).fit(*iris)
        assert np.mean(search.cv_results_["param_x"][-10:]) == pytest.approx(0.0, abs=0.2)

    def test_refit_may_be_callable(self, search_class, iris, two_folds):
        search = search_class(
            SVC(),
            SPACE,
            n_iter=5,
            cv=two_folds,
            refit=lambda results: int(np.argmin(results["mean_test_score"])),
            random_state=0,
        ).fit(*iris)
        assert search.best_index_ == np.argmin(search.cv_results_["mean_test_score"])


class TestTimeAndCandidates:
    def test_timeout_ends_the_search(self, search_class, iris, two_folds):
        search = search_class(SVC(), SPACE, n_iter=10**6, timeout=0.2, cv=two_folds, random_state=0)
        n = len(search.fit(*iris).cv_results_["params"])
        assert 1 <= n < 10**5

    def test_timeout_without_a_number_of_candidates(self, iris, two_folds):
        search = TPESearchCV(SVC(), SPACE, n_iter=None, timeout=0.2, cv=two_folds).fit(*iris)
        assert len(search.cv_results_["params"]) >= 1

    def test_tiny_timeout_completes_one_candidate(self, search_class, iris, two_folds):
        search = search_class(SVC(), SPACE, timeout=1e-9, cv=two_folds).fit(*iris)
        assert len(search.cv_results_["params"]) == 1

    def test_initial_candidates_come_first(self, search_class, iris, two_folds):
        initial = [{"C": 1.0, "kernel": "rbf"}, {"kernel": "linear"}]
        search = search_class(
            SVC(), SPACE, n_iter=6, cv=two_folds, initial_candidates=initial, random_state=0
        ).fit(*iris)
        params = search.cv_results_["params"]
        assert len(params) == 6
        assert params[0] == {"C": pytest.approx(1.0), "kernel": "rbf"}
        assert params[1]["kernel"] == "linear"
        assert 1e-2 <= params[1]["C"] <= 1e2

    def test_initial_candidates_are_found_again_after_clone(self, search_class, iris):
        ridge, svc = Ridge(alpha=2.0), Ridge(alpha=3.0)
        pipeline = make_pipeline(StandardScaler(), Ridge())
        search = search_class(
            pipeline,
            {"ridge": [ridge, svc], "ridge__fit_intercept": [True, False], "ridge__tol": (1e-5, 1e-2)},
            n_iter=2,
            cv=KFold(2),
            initial_candidates=[{"ridge": svc, "ridge__tol": 1e-3}],
        )
        fitted = clone(search).fit(*iris)
        assert fitted.cv_results_["params"][0]["ridge"].alpha == 3.0

    def test_initial_candidates_twice_leave_room_for_all(self, search_class, iris, two_folds):
        search = search_class(
            SVC(),
            {"C": [1, 2], "kernel": ["rbf", "poly"]},
            n_iter=4,
            cv=two_folds,
            initial_candidates=[{"C": 1}, {"C": 1}, {"C": 1}],
        ).fit(*iris)
        assert len({tuple(params.values()) for params in search.cv_results_["params"]}) == 4


class TestMessages:
    def test_verbose(self, capsys, iris):
        SearchCV(SVC(), SPACE, sampler="random", n_iter=2, cv=2, verbose=3, random_state=0).fit(*iris)
        out = capsys.readouterr().out
        assert "Fitting 2 folds for each of 2 candidates, totalling 4 fits" in out
        assert out.count("[CV 1/2] END") == 2
        assert "score=" in out

    def test_quiet(self, capsys, iris):
        SearchCV(SVC(), SPACE, sampler="random", n_iter=2, cv=2, random_state=0).fit(*iris)
        assert capsys.readouterr() == ("", "")


class TestSamplers:
    @pytest.mark.parametrize(
        "sampler", ["random", "sobol", "tpe", "gp", "cmaes", RandomSampler(), SobolSampler()]
    )
    def test_every_sampler(self, sampler, iris, two_folds):
        search = SearchCV(SVC(), SPACE, sampler=sampler, n_iter=6, cv=two_folds, random_state=0).fit(*iris)
        assert len(search.cv_results_["params"]) == 6

    def test_grid(self, iris, two_folds):
        space = {"C": [1, 10], "gamma": [0.1, 1.0]}
        search = SearchCV(SVC(), space, sampler="grid", n_iter=None, cv=two_folds).fit(*iris)
        assert_same_results(
            search.cv_results_, GridSearchCV(SVC(), space, cv=two_folds).fit(*iris).cv_results_
        )

    def test_grid_that_is_larger_than_the_search_warns_and_is_spread(self, iris, two_folds):
        space = {"C": np.logspace(-2, 2, 8), "gamma": np.logspace(-3, 1, 8)}
        search = SearchCV(SVC(), space, sampler="grid", n_iter=20, cv=two_folds, random_state=0)
        with pytest.warns(UserWarning, match=r"64 points, of which n_iter=20 leaves out 44"):
            search.fit(*iris)
        assert len(set(search.cv_results_["param_C"])) > 4

    def test_grid_goes_on_beside_initial_candidates_that_are_off_it(self, iris, two_folds):
        search = SearchCV(
            SVC(),
            {"C": (0.1, 10.0)},
            sampler="grid",
            n_iter=None,
            cv=two_folds,
            initial_candidates=[{"C": 0.123}],
        ).fit(*iris)
        assert len(search.cv_results_["params"]) == 11

    def test_own_sampler_is_used_whatever_the_space(self, iris, two_folds):
        class Mine(RandomSampler):
            proposed: ClassVar[list] = []

            def _propose(self, n, pending, rng):
                self.proposed.append(n)
                return super()._propose(n, pending, rng)

        SearchCV(SVC(), {"C": [1, 2, 3]}, sampler=Mine(), n_iter=3, cv=two_folds).fit(*iris)
        assert Mine.proposed == [1, 1, 1]

    def test_space_object(self, search_class, iris, two_folds):
        space = as_space(SPACE)
        search = search_class(SVC(), space, n_iter=3, cv=two_folds, random_state=0).fit(*iris)
        assert set(search.best_params_) == set(SPACE)

    def test_presets_are_their_samplers(self, iris, two_folds):
        options = {"n_iter": 14, "cv": two_folds, "random_state": 0}
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            preset = TPESearchCV(SVC(), SPACE, **options).fit(*iris)
            general = SearchCV(SVC(), SPACE, sampler="tpe", **options).fit(*iris)
        assert_same_results(preset.cv_results_, general.cv_results_)
