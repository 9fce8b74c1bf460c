"""What the budgeted searches train, tell and choose."""

import os
import stat
from collections import Counter

import joblib
import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import make_classification
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skhpo import ASHASearchCV, HyperbandSearchCV
from skhpo.evaluation import _checkpoints
from skhpo.space import Choice
from tests.search.helpers import CountingForest, assert_same_results

DEPTH = {"max_depth": (1, 9999)}
TWO_FOLDS = StratifiedKFold(2)


@pytest.fixture(scope="module")
def data():
    return make_classification(120, 8, n_informative=4, flip_y=0.1, random_state=0)


@pytest.fixture(params=[HyperbandSearchCV, ASHASearchCV], ids=lambda cls: cls.__name__)
def budget_search(request):
    return request.param


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


class TestUnits:
    """What is trained is what the table of increments says."""

    def test_hyperband_trains_the_increments_and_no_more(self, data):
        CountingForest.grown = 0
        HyperbandSearchCV(
            CountingForest(random_state=0), DEPTH, max_resources=81, cv=TWO_FOLDS, refit=False, random_state=0
        ).fit(*data)
        # 297 + 276 + 279 + 324 + 405 by hand, see test_tables.py, on each of two folds.
        assert CountingForest.grown == 2 * 1581

    @pytest.mark.parametrize("backend", ["loky", "threading", "multiprocessing"])
    def test_workers_train_on_too(self, data, backend, tmp_path):
        log = tmp_path / "grown"
        with joblib.parallel_config(backend=backend):
            HyperbandSearchCV(
                make_pipeline(StandardScaler(), CountingForest(random_state=0, log=str(log))),
                {"countingforest__max_depth": (1, 9999)},
                max_resources=27,
                cv=TWO_FOLDS,
                refit=False,
                n_jobs=2,
                random_state=0,
            ).fit(*data)
        # R = 27: brackets 27/9/3/1, 12/4/1, 6/2, 4: 81 + 78 + 90 + 108 units.
        assert sum(map(int, log.read_text().split())) == 2 * (81 + 78 + 90 + 108)

    def test_asha_trains_the_increments_of_its_own_table(self, data):
        CountingForest.grown = 0
        search = ASHASearchCV(
            CountingForest(random_state=0),
            DEPTH,
            n_iter=30,
            max_resources=27,
            cv=TWO_FOLDS,
            refit=False,
            random_state=0,
        ).fit(*data)
        reached = {}
        for params, resource in zip(
            search.cv_results_["params"], search.cv_results_["n_resources"], strict=True
        ):
            reached[params["max_depth"]] = max(reached.get(params["max_depth"], 0), resource)
        assert len(reached) == 30
        assert CountingForest.grown == 2 * sum(reached.values())

    def test_scores_are_those_of_training_at_once(self, data):
        estimator = HistGradientBoostingClassifier(random_state=0)
        search = HyperbandSearchCV(
            estimator, {"max_leaf_nodes": (2, 30)}, max_resources=9, cv=TWO_FOLDS, random_state=0
        ).fit(*data)
        for params, score in zip(
            search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True
        ):
            at_once = clone(estimator).set_params(**params)
            assert cross_val_score(at_once, *data, cv=TWO_FOLDS).mean() == score

    def test_a_callable_that_cannot_be_pickled_goes_through_processes(self, data):
        class Local(CountingForest):
            def __init__(self, n_estimators=10, *, max_depth=None, warm_start=False, random_state=None):
                super().__init__(
                    n_estimators, max_depth=max_depth, warm_start=warm_start, random_state=random_state
                )

        search = HyperbandSearchCV(
            Local(random_state=0), DEPTH, max_resources=9, cv=TWO_FOLDS, n_jobs=2, random_state=0
        )
        serial = clone(search).set_params(n_jobs=1)
        assert_same_results(search.fit(*data).cv_results_, serial.fit(*data).cv_results_)


class TestTable:
    def test_columns_tell_rung_resource_bracket_and_cost(self, data):
        search = HyperbandSearchCV(
            RandomForestClassifier(random_state=0), DEPTH, max_resources=9, cv=TWO_FOLDS, random_state=0
        ).fit(*data)
        table = search.cv_results_
        # Worked by hand: 9@1 3@3 1@9; 5@3 1@9; 3@9.
        rows = Counter(zip(table["bracket"], table["iter"], table["n_resources"], strict=True))
        assert rows == {(0, 0, 1): 9, (0, 1, 3): 3, (0, 2, 9): 1, (1, 1, 3): 5, (1, 2, 9): 1, (2, 2, 9): 3}
        assert [p["n_estimators"] for p in table["params"]] == list(table["n_resources"])
        assert list(table["param_n_estimators"]) == list(table["n_resources"])
        assert search.n_resources_ == [1, 3, 9]
        assert search.n_candidates_ == [9, 8, 5]
        assert (search.n_iterations_, search.n_possible_iterations_) == (3, 3)
        assert (search.min_resources_, search.max_resources_, search.factor) == (1, 9, 3)

    def test_total_fit_time_adds_up(self, data):
        search = HyperbandSearchCV(
            RandomForestClassifier(random_state=0), DEPTH, max_resources=9, cv=TWO_FOLDS, random_state=0
        ).fit(*data)
        table = search.cv_results_
        spent = {}
        for i in np.argsort(table["iter"], kind="stable"):
            key = table["params"][i]["max_depth"]
            spent[key] = spent.get(key, 0.0) + 2 * table["mean_fit_time"][i]
            assert table["total_fit_time"][i] == pytest.approx(spent[key])
        assert max(Counter(p["max_depth"] for p in table["params"]).values()) == 3

    @pytest.mark.parametrize(
        ("n_iter", "factor", "least", "most", "resources", "candidates"),
        [
            (6, 3, 1, 1000, [333, 1000], [6, 2]),
            (60, 3, 20, 180, [20, 60, 180], [60, 20, 6]),
            (20, 2, 4, 511, [31, 63, 127, 255, 511], [20, 10, 5, 2, 1]),
            (7, 2, 5, 5, [5], [7]),
            (2, 3, 1, 100, [100], [2]),
        ],
    )
    def test_one_bracket_is_successive_halving(
        self, n_iter, factor, least, most, resources, candidates, data
    ):
        search = HyperbandSearchCV(
            Learns(),
            {"x": (0.0, 1.0)},
            resource="length",
            n_iter=n_iter,
            factor=factor,
            min_resources=least,
            max_resources=most,
            brackets=1,
            random_state=0,
        ).fit(*data)
        assert search.n_resources_ == resources
        assert search.n_candidates_ == candidates
        assert search.best_params_["x"] == max(params["x"] for params in search.cv_results_["params"])

    def test_rows_stand_in_the_same_order_whatever_finished_first(self, data, budget_search):
        search = budget_search(
            RandomForestClassifier(random_state=0),
            DEPTH,
            n_iter=12,
            max_resources=9,
            cv=TWO_FOLDS,
            random_state=0,
        )
        table = clone(search).set_params(n_jobs=2).fit(*data).cv_results_
        keys = list(zip(table["bracket"], table["iter"], strict=True))
        assert keys == sorted(keys)

    def test_same_seed_same_search(self, data, budget_search):
        for sampler in ("random", "tpe", "gp", "cmaes", "sobol"):
            searches = [
                budget_search(
                    HistGradientBoostingClassifier(random_state=0),
                    {"learning_rate": (0.01, 1.0, "log-uniform"), "max_leaf_nodes": (2, 30)},
                    sampler=sampler,
                    n_iter=20,
                    max_resources=9,
                    cv=TWO_FOLDS,
                    random_state=3,
                ).fit(*data)
                for _ in range(2)
            ]
            assert_same_results(searches[0].cv_results_, searches[1].cv_results_)


class TestChoice:
    def test_only_the_largest_resource_can_be_best(self, data, budget_search):
        search = budget_search(
            Learns(), {"x": (0.0, 1.0)}, resource="length", n_iter=20, max_resources=27, random_state=0
        ).fit(*data)
        table = search.cv_results_
        full = np.flatnonzero(table["n_resources"] == 27)
        assert search.best_index_ == full[np.argmax(table["mean_test_score"][full])]
        assert search.best_score_ == table["mean_test_score"][full].max() < table["mean_test_score"].max()
        assert search.best_params_ == table["params"][search.best_index_]
        assert search.best_params_["length"] == search.best_estimator_.length == 27

    def test_a_callable_refit_sees_the_largest_resource_only(self, data, budget_search):
        seen = {}

        def worst(table):
            seen.update(table)
            return np.argmin(table["mean_test_score"])

        search = budget_search(
            Learns(),
            {"x": (0.0, 1.0)},
            resource="length",
            n_iter=30,
            max_resources=9,
            refit=worst,
            random_state=0,
        ).fit(*data)
        full = np.flatnonzero(search.cv_results_["n_resources"] == 9)
        assert len(full) > 1
        assert list(seen["n_resources"]) == [9] * len(full)
        assert seen["params"] == [search.cv_results_["params"][i] for i in full]
        assert search.best_index_ == full[np.argmin(search.cv_results_["mean_test_score"][full])]

    def test_refit_is_what_one_would_get_by_hand(self, data, budget_search):
        search = budget_search(
            RandomForestClassifier(random_state=0),
            DEPTH,
            n_iter=12,
            max_resources=9,
            cv=TWO_FOLDS,
            random_state=0,
        ).fit(*data)
        by_hand = RandomForestClassifier(random_state=0, **search.best_params_).fit(*data)
        assert search.best_estimator_.get_params() == by_hand.get_params()
        np.testing.assert_array_equal(search.predict_proba(data[0]), by_hand.predict_proba(data[0]))

    def test_several_metrics(self, data, budget_search):
        search = budget_search(
            RandomForestClassifier(random_state=0),
            DEPTH,
            n_iter=12,
            max_resources=9,
            cv=TWO_FOLDS,
            scoring=["accuracy", "roc_auc"],
            refit="roc_auc",
            return_train_score=True,
            random_state=0,
        ).fit(*data)
        table = search.cv_results_
        full = np.flatnonzero(table["n_resources"] == 9)
        assert search.best_index_ == full[np.argmax(table["mean_test_roc_auc"][full])]
        assert "mean_train_accuracy" in table


class TestFailures:
    def test_a_candidate_that_fails_is_never_promoted(self, data, budget_search):
        class Scores(Learns):
            def fit(self, X, y):
                if self.x > 0.5:
                    raise RuntimeError("too large")
                return super().fit(X, y)

        with pytest.warns(Warning, match="fits failed"):
            search = budget_search(
                Scores(), {"x": (0.0, 1.0)}, resource="length", n_iter=30, max_resources=9, random_state=0
            ).fit(*data)
        failed = [params["x"] for params in search.cv_results_["params"] if params["x"] > 0.5]
        assert len(failed) == len(set(failed)) > 5
        assert search.best_params_["x"] <= 0.5

    def test_where_the_best_fails_at_the_top_the_next_one_goes_there(self, data):
        class Scores(Learns):
            def fit(self, X, y):
                if self.length == 9 and self.x > 0.5:
                    raise RuntimeError("too large")
                return super().fit(X, y)

        with pytest.warns(Warning, match="fits failed"):
            search = HyperbandSearchCV(
                Scores(), {"x": (0.0, 1.0)}, resource="length", brackets=1, max_resources=9, random_state=2
            ).fit(*data)
        assert search.best_params_["x"] <= 0.5
        assert search.best_params_["length"] == 9

    def test_error_score_raise(self, data, budget_search):
        search = budget_search(
            Learns(fails_at=3), {"x": (0.0, 1.0)}, resource="length", max_resources=9, error_score="raise"
        )
        with pytest.raises(RuntimeError, match="too much"):
            search.fit(*data)


class TestTime:
    def test_a_tiny_timeout_completes_one_candidate(self, data, budget_search):
        search = budget_search(
            Learns(), {"x": (0.0, 1.0)}, resource="length", max_resources=81, timeout=1e-9, random_state=0
        ).fit(*data)
        assert search.n_candidates_[-1] == 1
        assert sum(search.n_candidates_) == 2
        assert search.best_params_["length"] == 81

    def test_a_timeout_alone_bounds_asha(self, data):
        search = ASHASearchCV(
            Learns(),
            {"x": (0.0, 1.0)},
            resource="length",
            max_resources=9,
            n_iter=None,
            timeout=0.5,
            random_state=0,
        ).fit(*data)
        assert search.n_candidates_[0] > 3


class TestResources:
    """Names resolve through pipelines and choices, each model by its own length."""

    MODELS = Choice(
        [
            (RandomForestClassifier(n_estimators=30, random_state=0), {"model__max_features": (0.1, 1.0)}),
            (
                HistGradientBoostingClassifier(max_iter=60, random_state=0),
                {"model__learning_rate": (0.01, 1.0)},
            ),
            (SVC(), {"model__C": (0.01, 100.0, "log-uniform")}),
        ]
    )

    def test_each_model_has_its_own_length(self, data, budget_search):
        search = budget_search(
            Pipeline([("scale", StandardScaler()), ("model", SVC())]),
            {"model": self.MODELS},
            n_iter=30,
            min_resources=1,
            cv=TWO_FOLDS,
            random_state=0,
        ).fit(*data)
        # The shortest length is the scale: 30 units.
        assert search.max_resources_ == 30
        kinds = set()
        for params, resource in zip(
            search.cv_results_["params"], search.cv_results_["n_resources"], strict=True
        ):
            kinds.add(type(params["model"]))
            if isinstance(params["model"], RandomForestClassifier):
                assert params["model__n_estimators"] == resource
            elif isinstance(params["model"], HistGradientBoostingClassifier):
                assert params["model__max_iter"] == 2 * resource
            else:
                assert set(params) == {"model", "model__C"}
        assert len(kinds) == 3

    def test_samples_are_the_resource_of_what_has_no_length(self, data, budget_search):
        sizes = []

        class Counts(Learns):
            def fit(self, X, y):
                sizes.append((len(X), tuple(np.bincount(y))))
                return super().fit(X, y)

        search = budget_search(
            Counts(), {"x": (0.0, 1.0)}, n_iter=17, min_resources=12, cv=TWO_FOLDS, random_state=0
        )
        search.fit(*data)
        assert search.max_resources_ == 120
        assert search.n_resources_ == [13, 40, 120]
        assert {size for size, _ in sizes[:-1]} == {6, 20, 60}
        # Stratified: 60 samples of a fold have 30 and 30, up to one.
        assert all(abs(a - b) <= 2 for _, (a, b) in sizes[:-1])

    def test_the_least_number_of_samples_is_scikit_learns(self, data):
        # 2 for each of 5 folds and 2 classes.
        search = HyperbandSearchCV(LogisticRegression(), {"C": (0.1, 1.0)}, factor=6, n_iter=10).fit(*data)
        assert search.n_resources_ == [20, 120]

    def test_a_length_that_cannot_be_trained_on_is_trained_again(self, data):
        search = HyperbandSearchCV(
            LogisticRegression(),
            {"C": (0.1, 1.0)},
            resource="max_iter",
            max_resources=90,
            n_iter=9,
            brackets=1,
            random_state=0,
        ).fit(*data)
        assert search.n_resources_ == [10, 30, 90]
        assert search.best_estimator_.max_iter == 90

    def test_the_estimators_own_length_is_the_full_one(self, data):
        search = HyperbandSearchCV(
            make_pipeline(StandardScaler(), RandomForestClassifier(n_estimators=12, random_state=0)),
            {"randomforestclassifier__max_depth": (1, 999)},
            cv=TWO_FOLDS,
            random_state=0,
        ).fit(*data)
        assert search.n_resources_ == [1, 4, 12]
        assert search.best_params_["randomforestclassifier__n_estimators"] == 12


class TestCheckpoints:
    def kept(self, monkeypatch):
        """Directories that are made, with what is in them when they are deleted."""
        made = []
        original = _checkpoints.FileCheckpoints.__init__

        def init(self):
            original(self)
            made.append(self.directory)
            assert stat.S_IMODE(os.stat(self.directory).st_mode) == 0o700

        monkeypatch.setattr(_checkpoints.FileCheckpoints, "__init__", init)
        return made

    def test_nothing_is_left_behind(self, data, monkeypatch, budget_search):
        made = self.kept(monkeypatch)
        budget_search(
            RandomForestClassifier(random_state=0), DEPTH, n_iter=9, max_resources=9, n_jobs=2, random_state=0
        ).fit(*data)
        assert len(made) == 1
        assert not made[0].exists()

    def test_nothing_is_left_behind_after_an_exception(self, data, monkeypatch):
        made = self.kept(monkeypatch)
        search = HyperbandSearchCV(
            Learns(fails_at=9),
            {"x": (0.0, 1.0)},
            resource="length",
            max_resources=9,
            n_jobs=2,
            error_score="raise",
        )
        with pytest.raises(RuntimeError, match="too much"):
            search.fit(*data)
        assert len(made) == 1
        assert not made[0].exists()

    def test_only_what_may_be_promoted_is_kept(self, data, monkeypatch):
        most = []
        original = _checkpoints.MemoryCheckpoints.save

        def save(self, trial, fold, checkpoint):
            original(self, trial, fold, checkpoint)
            most.append(len(self._kept))

        monkeypatch.setattr(_checkpoints.MemoryCheckpoints, "save", save)
        HyperbandSearchCV(
            RandomForestClassifier(random_state=0), DEPTH, max_resources=27, cv=TWO_FOLDS, random_state=0
        ).fit(*data)
        # Of 27 in the lowest rung never more than 9 are in question, and the one that has just finished.
        assert max(most) == 10

    def test_a_lost_checkpoint_means_training_again(self, data, monkeypatch):
        search = HyperbandSearchCV(
            RandomForestClassifier(random_state=0), DEPTH, max_resources=9, cv=TWO_FOLDS, random_state=0
        )
        expected = clone(search).fit(*data).cv_results_
        monkeypatch.setattr(_checkpoints.MemoryCheckpoints, "load", lambda self, trial, fold: None)
        assert_same_results(search.fit(*data).cv_results_, expected)


class TestMessages:
    def test_rungs_are_told(self, data, capsys):
        search = HyperbandSearchCV(
            Learns(),
            {"x": (0.0, 1.0)},
            resource="length",
            max_resources=9,
            cv=TWO_FOLDS,
            verbose=1,
            random_state=0,
        )
        search.fit(*data)
        # 9 + 3 + 1 + 5 + 1 + 3 jobs of two folds.
        assert capsys.readouterr().out == (
            "Fitting 2 folds for each of 17 candidates in rungs of [1, 3, 9], at most 44 fits\n"
        )
