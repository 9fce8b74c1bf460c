"""How a search goes: failures, the objective, time, the user's candidates, samplers and messages."""

import warnings
from typing import ClassVar

import numpy as np
import pytest
from scipy.stats import loguniform
from sklearn.base import clone
from sklearn.exceptions import FitFailedWarning, NotFittedError
from sklearn.linear_model import Ridge
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skhpo import CMAESSearchCV, SearchCV, TPESearchCV
from skhpo.samplers import RandomSampler, SobolSampler
from skhpo.space import as_space
from tests.search.helpers import SPACE, FailsAbove, assert_same_results


class TestFailures:
    def test_failing_candidates_cost_their_score_only(self, full_search_class, iris, two_folds):
        search = full_search_class(FailsAbove(), {"x": (0.0, 1.0)}, n_iter=15, cv=two_folds, random_state=0)
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

    # With refit=False no metric is named, and the first counts. Random candidates would have mean 0.5.
    @pytest.mark.parametrize(("refit", "end"), [("low", 0.0), ("high", 1.0), (False, 0.0)])
    def test_the_metric_that_is_searched(self, iris, refit, end):
        search = CMAESSearchCV(
            FailsAbove(limit=2.0),
            {"x": (0.0, 1.0)},
            n_iter=40,
            cv=2,
            scoring=self.contradiction,
            refit=refit,
            random_state=0,
        ).fit(*iris)
        late = np.asarray(search.cv_results_["param_x"][-10:], dtype=float)
        assert np.abs(late - end).max() < 0.2

    def test_refit_may_be_callable(self, full_search_class, iris, two_folds):
        search = full_search_class(
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

    def test_tiny_timeout_completes_one_candidate(self, full_search_class, iris, two_folds):
        search = full_search_class(SVC(), SPACE, timeout=1e-9, cv=two_folds).fit(*iris)
        assert len(search.cv_results_["params"]) == 1

    def test_initial_candidates_come_first(self, full_search_class, iris, two_folds):
        initial = [{"C": 1.0, "kernel": "rbf"}, {"kernel": "linear"}]
        search = full_search_class(
            SVC(), SPACE, n_iter=6, cv=two_folds, initial_candidates=initial, random_state=0
        ).fit(*iris)
        params = search.cv_results_["params"]
        assert len(params) == 6
        assert params[0] == {"C": pytest.approx(1.0), "kernel": "rbf"}
        assert params[1]["kernel"] == "linear"
        assert 1e-2 <= params[1]["C"] <= 1e2

    def test_initial_candidates_keep_their_last_digits(self, full_search_class, iris, two_folds, tmp_path):
        space = {"C": (1e-4, 1e2, "log-uniform"), "gamma": loguniform(1e-4, 1.0), "degree": (1, 9)}
        given = {"C": 0.3, "gamma": np.float64(0.1), "degree": 3}
        options = {"n_iter": 3, "cv": two_folds, "storage": tmp_path / "search.db", "random_state": 0}
        first = full_search_class(SVC(), space, initial_candidates=[given, {"C": 0.7}], **options).fit(*iris)
        assert first.cv_results_["params"][0] == given
        assert type(first.cv_results_["params"][0]["gamma"]) is float
        assert first.cv_results_["params"][1]["C"] == 0.7
        again = full_search_class(SVC(), space, initial_candidates=[given, {"C": 0.7}], **options).fit(*iris)
        assert again.cv_results_["params"] == first.cv_results_["params"]

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

    def test_what_a_journal_has_is_told(self, capsys, iris, tmp_path):
        search = SearchCV(SVC(), SPACE, n_iter=4, cv=2, verbose=1, random_state=0, storage=tmp_path / "s.db")
        search.fit(*iris)
        assert "not repeated" not in capsys.readouterr().out
        search.fit(*iris)
        assert f"8 fits are in {search.journal_} and are not repeated" in capsys.readouterr().out

    def test_an_early_end_is_told(self, capsys, iris):
        SearchCV(SVC(), SPACE, n_iter=100, timeout=1e-9, cv=2, verbose=1, random_state=0).fit(*iris)
        out = capsys.readouterr().out
        assert "totalling 200 fits, until 1e-09 seconds are over" in out
        assert "Ended with 1 candidates" in out

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
        with pytest.warns(UserWarning, match=r"64 points, of which n_iter=20 evaluates a random sample"):
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
