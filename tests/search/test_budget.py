"""What the budgeted searches train, tell and choose."""

from collections import Counter

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skhpo import ASHASearchCV, HyperbandSearchCV
from tests.search.helpers import CountingForest, Learns, assert_same_results

DEPTH = {"max_depth": (1, 9999)}
TWO_FOLDS = StratifiedKFold(2)


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
        for candidate, resource in zip(
            search.cv_results_["candidate"], search.cv_results_["n_resources"], strict=True
        ):
            reached[candidate] = max(reached.get(candidate, 0), resource)
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
            key = table["candidate"][i]
            spent[key] = spent.get(key, 0.0) + 2 * table["mean_fit_time"][i]
            assert table["total_fit_time"][i] == pytest.approx(spent[key])
        assert max(Counter(table["candidate"]).values()) == 3
        depths = {(c, p["max_depth"]) for c, p in zip(table["candidate"], table["params"], strict=True)}
        assert len(depths) == len(set(table["candidate"])) == 17

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
