"""Real tasks of benchmarks/samplers: scores are scikit-learn's, kept evaluations are those that were made."""

import numpy as np
import pytest
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_score

from benchmarks.samplers import models
from benchmarks.samplers.axes import at, categorical, integer, is_conditional, real
from benchmarks.samplers.cache import Evaluations
from benchmarks.samplers.make_tables import STEPS, make_table
from benchmarks.samplers.peers import _nested, ours
from benchmarks.samplers.problems import PROBLEMS


@pytest.fixture(autouse=True)
def evaluations(tmp_path, monkeypatch):
    kept = Evaluations(tmp_path / "evaluations.sqlite")
    monkeypatch.setattr(models, "_evaluations", lambda: kept)
    return kept


def task(name, seed=0):
    return models.TASKS[name](seed)


def test_losses_are_those_of_cross_val_score():
    svc = task("svc-cancer")
    params = {"C": 2.0, "kernel": "rbf", "gamma": 0.01}
    X, y = svc.problem.load()
    cv = StratifiedKFold(5, shuffle=True, random_state=0)
    scores = cross_val_score(svc.problem.build(params), X, y, cv=cv, scoring="roc_auc")
    np.testing.assert_allclose(svc.fold_losses(params), 1.0 - scores)
    assert svc.truth(params) == svc.loss(7, params) == pytest.approx(1.0 - scores.mean())


def test_regression_is_relative_to_predicting_the_mean():
    svr = task("svr-friedman")
    X, y = svr.problem.load()
    params = {"C": 10.0, "gamma": 0.05, "epsilon": 0.1}
    expected = []
    for train, test in KFold(5, shuffle=True, random_state=0).split(X):
        predicted = svr.problem.build(params).fit(X[train], y[train]).predict(X[test])
        expected.append(
            np.sqrt(((predicted - y[test]) ** 2).sum() / ((y[train].mean() - y[test]) ** 2).sum())
        )
    np.testing.assert_allclose(svr.fold_losses(params), expected)
    # So narrow a kernel knows nothing of points that it has not seen.
    assert svr.truth({"C": 1.0, "gamma": 1e4, "epsilon": 0.1}) == pytest.approx(1.0, abs=0.05)


def test_reshuffled_folds_belong_to_the_seed_and_the_number_of_the_evaluation():
    tree = task("noisy-tree-cancer", seed=1)
    params = at(tree.axes, [0.4] * len(tree.axes))
    losses = [tree.loss(k, params) for k in range(8)]
    assert len(set(losses)) > 4
    assert losses == [task("noisy-tree-cancer", seed=1).loss(k, params) for k in range(8)]
    assert losses[0] != task("noisy-tree-cancer", seed=2).loss(0, params)
    # The truth is of other splits than any loss, and the same for all seeds.
    assert tree.truth(params) == task("noisy-tree-cancer", seed=2).truth(params)
    assert tree.repeated_fold_losses(params).shape == (models.REPEATS, 5)


def test_evaluations_are_made_once_for_exactly_these_parameters(tmp_path):
    path, made = tmp_path / "kept.sqlite", []

    def compute():
        made.append(1)
        return np.array([0.1 + 0.2, 1 / 3])

    arguments = ("p", 0, {"C": 0.1 + 0.2, "kernel": None}, {"sklearn": "1"})
    first = Evaluations(path).get(*arguments, compute)
    again = Evaluations(path).get("p", 0, {"kernel": None, "C": 0.1 + 0.2}, {"sklearn": "1"}, compute)
    assert first.tolist() == again.tolist() == [0.1 + 0.2, 1 / 3]
    assert len(made) == 1
    others = [
        ("p", 0, {"C": 0.3, "kernel": None}, {"sklearn": "1"}),
        ("p", 0, {"C": 0.1 + 0.2, "kernel": "None"}, {"sklearn": "1"}),
        ("p", 1, {"C": 0.1 + 0.2, "kernel": None}, {"sklearn": "1"}),
        ("q", 0, {"C": 0.1 + 0.2, "kernel": None}, {"sklearn": "1"}),
        ("p", 0, {"C": 0.1 + 0.2, "kernel": None}, {"sklearn": "2"}),
    ]
    for other in others:
        Evaluations(path).get(*other, compute)
    assert len(made) == 6


def test_rows_of_a_table_are_what_was_evaluated():
    tree = task("noisy-tree-cancer")
    table = make_table(tree, n_random=8, n_search=8, n_polish=2)
    assert table["losses"].shape == (18, models.REPEATS, 5)
    assert table["n_random"] == 8
    u = table["positions"][11].astype(int)
    np.testing.assert_allclose(
        table["losses"][11], tree.repeated_fold_losses(at(tree.axes, (u / STEPS).tolist())), rtol=1e-6
    )


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.name)
def test_tables_are_there_and_small(problem):
    path = models.TABLES / f"{problem.name}.npz"
    assert path.stat().st_size < 250_000
    found = task(problem.name)
    assert 0 <= found.optimum < found.typical
    with np.load(path) as table:
        assert table["positions"].shape == (len(table["losses"]), len(problem.axes))
        assert np.isfinite(table["losses"]).all()


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.name)
def test_every_space_is_one_of_ours(problem):
    space = ours.as_space(problem.axes)
    assert space.is_conditional == is_conditional(problem.axes)
    rng = np.random.default_rng(0)
    for u in rng.random((20, len(problem.axes))):
        params = space.to_params(space.canonical(u[None])[0])
        neutral = at(problem.axes, u)
        assert params.keys() == neutral.keys()
        for axis in problem.axes:
            if axis.name in params:
                expected = neutral[axis.name]
                assert params[axis.name] == (pytest.approx(expected) if axis.kind == "real" else expected)


def test_nested_choices_are_read_back():
    axes = [
        categorical("model", ["a", None]),
        integer("k", 1, 9, parent="model", when=("a",)),
        categorical("solver", [True, False], parent="model", when=("a", None)),
        real("rate", 0.5, 2.0, parent="solver", when=(False,)),
    ]
    tree = _nested.nest(axes, lambda axis: axis.high + 1e-12, lambda axis, levels: levels[-1])
    assert _nested.unnest(axes, tree) == {"model": None, "solver": False, "rate": 2.0}
    tree = _nested.nest(axes, lambda axis: 3.0, lambda axis, levels: levels[0])
    sampled = _nested.unnest(axes, tree)
    assert sampled == {"model": "a", "k": 3, "solver": True}
    assert isinstance(sampled["k"], int)
