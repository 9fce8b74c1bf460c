from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.svm import SVC

from skhpo import BayesSearchCV, CMAESSearchCV, HyperbandSearchCV, SearchCV, TPESearchCV
from skhpo.samplers import Earlier, RandomSampler
from skhpo.search._warm_start import earlier_results
from skhpo.space import as_space

X, Y = load_iris(return_X_y=True)
SPACE = {"C": (1e-2, 1e2, "log-uniform"), "gamma": (1e-3, 1e1, "log-uniform")}
ALL = pytest.mark.parametrize("cls", [TPESearchCV, BayesSearchCV, CMAESSearchCV])


class Recording(RandomSampler):
    """Random search that shows what it was started with."""

    warm_starts = True
    seen: ClassVar[list[Earlier | None]] = []

    def _start(self):
        self.seen.append(self.earlier)


def table(**columns):
    return {"params": [{"C": 1.0, "gamma": 0.1}, {"C": 10.0, "gamma": 1.0}], **columns}


def best_params(earlier, space):
    return space.to_params(earlier.X[0])


def test_of_a_table_the_points_are_best_first():
    space = as_space(SPACE, seed=0)
    earlier = earlier_results(table(mean_test_score=[0.5, 0.75]), space)
    assert earlier.loss.tolist() == [-0.75, -0.5]
    assert best_params(earlier, space) == pytest.approx({"C": 10.0, "gamma": 1.0})
    # log10(10 / 0.01) of four decades, log10(1 / 0.001) of four.
    np.testing.assert_allclose(earlier.X[0], [0.75, 0.75])


@pytest.mark.parametrize(
    "source",
    [
        pd.DataFrame(table(mean_test_score=[0.5, 0.75])),
        [({"C": 1.0, "gamma": 0.1}, 0.5), ({"C": 10.0, "gamma": 1.0}, 0.75)],
        table(mean_test_auc=[0.5, 0.75]),
        table(mean_test_loss=[3.0, 2.0], mean_test_auc=[0.5, 0.75]),
    ],
    ids=["frame", "pairs", "one metric", "named metric"],
)
def test_equal_results_in_other_clothes(source):
    space = as_space(SPACE, seed=0)
    earlier = earlier_results(source, space, metric="auc")
    assert earlier.loss.tolist() == [-0.75, -0.5]
    np.testing.assert_allclose(earlier.X, [[0.75, 0.75], [0.5, 0.5]])


def test_of_repeated_points_the_best_result_stays():
    space = as_space({"C": (0.0, 1.0)}, seed=0)
    pairs = [({"C": 0.25}, 1.0), ({"C": 0.5}, 2.0), ({"C": 0.25}, 3.0), ({"C": 0.75}, float("nan"))]
    earlier = earlier_results(pairs, space)
    assert earlier.X.tolist() == [[0.25], [0.5]]
    assert earlier.loss.tolist() == [-3.0, -2.0]


def test_rows_that_were_not_evaluated_in_full_are_left_out():
    space = as_space({"C": (0.0, 1.0)}, seed=0)
    results = {
        "params": [{"C": 0.1}, {"C": 0.2}, {"C": 0.3}, {"C": 0.4}],
        "mean_test_score": [0.9, 0.8, np.nan, 0.6],
        "dropped": [False, True, False, False],
    }
    assert earlier_results(results, space).X.ravel().tolist() == [0.1, 0.4]
    results = {**results, "n_resources": [1, 9, 9, 9], "dropped": np.zeros(4, bool)}
    assert earlier_results(results, space).X.ravel().tolist() == [0.2, 0.4]


def test_parameters_that_are_not_searched_now_are_passed_over():
    space = as_space({"C": (0.0, 1.0)}, seed=0)
    earlier = earlier_results([({"C": 0.5, "kernel": "rbf"}, 1.0)], space)
    assert earlier.X.tolist() == [[0.5]]


def test_what_lies_outside_is_left_out_with_a_warning():
    space = as_space({"C": (0.0, 1.0)}, seed=0)
    with pytest.warns(UserWarning, match="1 of 2 results of warm_start_from lie outside the space"):
        earlier = earlier_results([({"C": 2.0}, 1.0), ({"C": 0.5}, 0.5)], space)
    assert len(earlier.X) == 1


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        ([({"C": 200.0, "gamma": 1.0}, 1.0)], ValueError, "no result that this search could have had"),
        ([({"C": 1.0}, 1.0)], ValueError, "lacks a value for gamma"),
        ([({"C": 1.0, "gamma": 1.0}, float("nan"))], ValueError, "none with a score"),
        ([], ValueError, "none with a score"),
        ([({"C": 1.0, "gamma": 1.0}, None)], ValueError, "none with a score"),
        ([({"C": 1.0, "gamma": 1.0}, "good")], TypeError, "score of {'C': 1.0.* must be a number"),
        ([({"D": 1.0}, 1.0)], ValueError, "The last one: {'D': 1.0}: {} lacks a value for C"),
        ({"params": [{"C": 1.0}]}, ValueError, "mean_test_score"),
        ({"mean_test_score": [1.0]}, ValueError, "'params'"),
        ("journal.db", TypeError, "must be a fitted search"),
        (3, TypeError, "must be a fitted search"),
        ([{"C": 1.0}], TypeError, "pairs"),
        (GridSearchCV(SVC(), {"C": [1]}), NotFittedError, "cv_results_ can be passed instead"),
    ],
)
def test_bad_sources_are_refused_before_any_fit(source, error, message):
    class Untouched(SVC):
        def fit(self, X, y=None, sample_weight=None):
            raise AssertionError("trained")

    with pytest.raises(error, match=message):
        TPESearchCV(Untouched(), SPACE, n_iter=3, warm_start_from=source, error_score="raise").fit(X, Y)


def test_a_sampler_without_memory_says_so():
    with pytest.raises(ValueError, match="of which a RandomSampler makes no use"):
        SearchCV(SVC(), SPACE, sampler="random", warm_start_from=[({"C": 1.0, "gamma": 1.0}, 1.0)]).fit(X, Y)


def test_a_search_of_scikit_learn_is_a_source():
    grid = GridSearchCV(SVC(), {"C": [0.1, 1.0, 10.0], "gamma": [0.01, 0.1], "kernel": ["rbf"]}).fit(X, Y)
    Recording.seen.clear()
    SearchCV(SVC(), SPACE, sampler=Recording(), n_iter=2, warm_start_from=grid, random_state=0).fit(X, Y)
    (earlier,) = Recording.seen
    assert len(earlier.X) == 6
    assert earlier.loss[0] == -grid.best_score_
    assert (np.diff(earlier.loss) >= 0).all()


@ALL
def test_the_first_candidates_are_near_the_earlier_best(cls):
    # The earlier search says that small C are good, of which data without an earlier search know nothing.
    rng = np.random.default_rng(0)
    logs = rng.uniform([-2, -3], [2, 1], size=(40, 2))
    pairs = [({"C": 10.0**c, "gamma": 10.0**g}, -((c + 1.5) ** 2) - (g + 2.5) ** 2) for c, g in logs.tolist()]
    warm = cls(SVC(), SPACE, n_iter=6, random_state=0, warm_start_from=pairs).fit(X, Y)
    C = np.log10(warm.cv_results_["param_C"].data.astype(float))[:2]
    gamma = np.log10(warm.cv_results_["param_gamma"].data.astype(float))[:2]
    assert np.hypot(C + 1.5, gamma + 2.5).mean() < 1.2  # of random points it is 3.1; later ones know better
    assert len(warm.cv_results_["params"]) == 6


@ALL
def test_the_same_start_gives_the_same_search_and_a_clone_has_it(cls):
    first = cls(SVC(), SPACE, n_iter=5, random_state=0).fit(X, Y)
    second = cls(SVC(), SPACE, n_iter=5, random_state=1, warm_start_from=first.cv_results_)
    once, again = (second.fit(X, Y).cv_results_["params"] for _ in range(2))
    assert once == again
    cold = cls(SVC(), SPACE, n_iter=5, random_state=1).fit(X, Y)
    assert once != cold.cv_results_["params"]
    assert np.isfinite(cross_val_score(second.set_params(n_iter=2), X, Y, cv=2)).all()


def test_a_budgeted_search_is_a_source():
    from sklearn.ensemble import RandomForestClassifier

    space = {"max_depth": (2, 6), "max_features": (0.3, 1.0)}
    forest = RandomForestClassifier(n_estimators=9, random_state=0)
    hyperband = HyperbandSearchCV(forest, space, cv=2, random_state=0).fit(X, Y)
    in_full = np.array(hyperband.cv_results_["n_resources"]) == 9
    Recording.seen.clear()
    SearchCV(forest, space, sampler=Recording(), n_iter=1, cv=2, warm_start_from=hyperband).fit(X, Y)
    assert len(Recording.seen[0].X) == in_full.sum()


def test_a_journal_knows_what_the_search_was_started_from(tmp_path):
    first = [({"C": 1.0, "gamma": 0.1}, 0.5)]
    search = SearchCV(
        SVC(), SPACE, sampler=Recording(), n_iter=2, cv=2, random_state=0, storage=tmp_path / "j.db"
    )
    search.set_params(warm_start_from=first).fit(X, Y)
    search.fit(X, Y)
    with pytest.raises(ValueError, match="warm_start_from"):
        search.set_params(warm_start_from=[({"C": 1.0, "gamma": 0.1}, 0.25)]).fit(X, Y)
