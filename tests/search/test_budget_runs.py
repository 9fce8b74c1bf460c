"""How budgeted searches end, what their resources are, and what they leave behind."""

import os
import stat
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier, RandomForestRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import PredefinedSplit, StratifiedKFold
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skhpo import ASHASearchCV, HyperbandSearchCV, TPESearchCV
from skhpo.evaluation import _checkpoints
from skhpo.evaluation._subsamples import NestedSubsamples
from skhpo.space import Choice
from tests.search.helpers import Learns, assert_same_results

DEPTH = {"max_depth": (1, 9999)}
TWO_FOLDS = StratifiedKFold(2)


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
        assert (search.resource_, search.n_resources_) == (["n_samples"], [13, 40, 120])
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
        assert (search.resource_, search.n_resources_) == (["max_iter"], [10, 30, 90])
        assert search.best_estimator_.max_iter == 90

    def test_the_estimators_own_length_is_the_full_one(self, data):
        search = HyperbandSearchCV(
            make_pipeline(StandardScaler(), RandomForestClassifier(n_estimators=12, random_state=0)),
            {"randomforestclassifier__max_depth": (1, 999)},
            cv=TWO_FOLDS,
            random_state=0,
        ).fit(*data)
        assert search.n_resources_ == [1, 4, 12]
        assert search.resource_ == ["randomforestclassifier__n_estimators"]
        assert search.best_params_["randomforestclassifier__n_estimators"] == 12

    def test_the_best_of_an_earlier_search_is_a_candidate(self, budget_search, data, capsys):
        forest, space = RandomForestClassifier(n_estimators=9, random_state=0), {"max_depth": (1, 99)}
        first = budget_search(forest, space, n_iter=9, cv=TWO_FOLDS, random_state=0).fit(*data)
        assert first.best_params_["n_estimators"] == 9
        again = budget_search(
            clone(forest), space, n_iter=4, cv=TWO_FOLDS, initial_candidates=[first.best_params_], verbose=1
        ).fit(*data)
        assert again.cv_results_["params"][0]["max_depth"] == first.best_params_["max_depth"]
        assert "in rungs of [1, 3, 9] n_estimators" in capsys.readouterr().out

    def test_lengths_of_different_names_are_counted_in_parts(self, data, capsys):
        space = {
            "model": Choice(
                [
                    (RandomForestClassifier(n_estimators=9), {"model__max_depth": (1, 9)}),
                    (MLPClassifier((2,), max_iter=18), {"model__alpha": (1e-3, 1.0, "log-uniform")}),
                ]
            )
        }
        search = HyperbandSearchCV(
            Pipeline([("model", SVC())]), space, n_iter=5, cv=TWO_FOLDS, random_state=0, verbose=1
        ).fit(*data)
        assert search.resource_ == ["model__max_iter", "model__n_estimators"]
        assert "parts of each candidate's own length (model__max_iter, model" in capsys.readouterr().out


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
        monkeypatch.setattr(_checkpoints.MemoryCheckpoints, "load", lambda self, trial, fold, like=None: None)
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
            "Fitting 2 folds for each of 17 candidates in rungs of [1, 3, 9] length, at most 44 fits\n"
        )


class TestReviewed:
    """What once went wrong."""

    def test_who_cannot_be_trained_in_full_is_not_best(self, data, budget_search):
        search = budget_search(
            Learns(fails_at=9),
            {"x": (0.0, 1.0)},
            resource="length",
            n_iter=9,
            max_resources=9,
            random_state=0,
        )
        with pytest.warns(UserWarning, match="No candidate has a score at 9 length"):
            search.fit(*data)
        table = search.cv_results_
        third = np.flatnonzero(table["n_resources"] == 3)
        assert np.isnan(table["mean_test_score"][table["n_resources"] == 9]).all()
        assert search.best_index_ == third[np.nanargmax(table["mean_test_score"][third])]
        assert search.best_estimator_.length == search.best_params_["length"] == 3

    def test_a_metric_that_is_not_defined_in_full_is_no_reason_to_take_a_shorter_training(self, data):
        def scoring(model, X, y):
            return {"score": model.x, "other": np.nan if model.length == 9 else 1.0}

        search = HyperbandSearchCV(
            Learns(),
            {"x": (0.0, 1.0)},
            resource="length",
            n_iter=9,
            max_resources=9,
            scoring=scoring,
            refit="score",
            random_state=0,
        ).fit(*data)
        assert search.best_params_["length"] == 9

    def test_a_fold_without_a_score_is_told(self, data, budget_search):
        X, y = data
        one_class = np.where(y == 1, np.arange(len(y)) % 3, np.arange(len(y)) % 2)
        search = budget_search(
            RandomForestClassifier(n_estimators=9, random_state=0),
            {"max_depth": (1, 99)},
            n_iter=9,
            brackets=1,
            scoring="roc_auc",
            cv=PredefinedSplit(one_class),
            random_state=0,
        )
        with pytest.warns(UserWarning, match="No candidate has a score at 9 n_estimators"):
            search.fit(X, y)

    def test_a_choice_of_nothing_is_another_kind_of_model(self, data):
        # TransformedTargetRegressor(None) is a linear model, which has no length.
        search = HyperbandSearchCV(
            TransformedTargetRegressor(),
            {"regressor": [None, RandomForestRegressor(n_estimators=9, random_state=0)]},
            sampler="grid",
            n_iter=2,
            min_resources=1,
            brackets=1,
            cv=2,
        ).fit(data[0], data[0][:, 0] + data[0][:, 1])
        full = search.cv_results_["n_resources"] == 9
        linear = [params["regressor"] is None for params in search.cv_results_["params"]]
        assert search.cv_results_["mean_test_score"][full & linear].max() > 0.999
        assert search.best_params_["regressor"] is None

    def test_initial_candidates_are_all_evaluated(self, data):
        initial = [{"x": x} for x in np.linspace(0.0, 0.9, 25)]
        search = HyperbandSearchCV(
            Learns(),
            {"x": (0.0, 1.0)},
            resource="length",
            max_resources=9,
            initial_candidates=initial,
            random_state=0,
        ).fit(*data)
        assert {params["x"] for params in initial} <= {p["x"] for p in search.cv_results_["params"]}

    def test_a_single_rung_is_told(self, data, budget_search):
        search = budget_search(Learns(), {"x": (0.0, 1.0)}, n_iter=3, min_resources=100, cv=2, random_state=0)
        with pytest.warns(UserWarning, match="each is trained to 120 n_samples") as caught:
            search.fit(*data)
        assert caught[0].filename == __file__

    @pytest.mark.parametrize("search_class", [HyperbandSearchCV, ASHASearchCV, TPESearchCV])
    def test_warnings_point_at_the_users_line(self, data, search_class):
        search = search_class(LogisticRegression(), {"C": [0.1, 1.0]}, n_iter=5, cv=2, random_state=0)
        with pytest.warns(UserWarning, match="total space of parameters") as caught:
            search.fit(*data)
        assert caught[0].filename == __file__

    def test_subsamples_are_the_same_objects_in_every_call(self, data, monkeypatch):
        seen = []
        original = NestedSubsamples.at
        monkeypatch.setattr(NestedSubsamples, "at", lambda *args: seen.append(original(*args)) or seen[-1])
        HyperbandSearchCV(LogisticRegression(), {"C": (0.1, 1.0)}, cv=2, random_state=0).fit(*data)
        assert len(seen) > len({id(indices) for indices in seen}) == 2 * 2

    def test_a_short_network_does_not_complain(self, data):
        search = HyperbandSearchCV(
            MLPClassifier((4,), random_state=0),
            {"alpha": (1e-5, 1.0, "log-uniform")},
            max_resources=9,
            cv=2,
            brackets=1,
            refit=False,
            random_state=0,
        )
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            search.fit(*data)
        # Only the training in full may: one candidate on two folds.
        assert len([w for w in caught if issubclass(w.category, ConvergenceWarning)]) <= 2
