"""Every form of ``param_distributions``, the trees that it makes, and what is refused."""

import copy
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import stats
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import ParameterSampler, RandomizedSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.svm import SVC

from skhpo.space import Categorical, Choice, Integer, Ordinal, Real, Space, as_space


def only(given):
    space = as_space({"a": given})
    assert space.d == 1
    assert space.columns[0].name == "a"
    return space.columns[0].dimension


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ([0.1, 1, 10], Ordinal),
        ([1, 100], Ordinal),
        ([3], Ordinal),
        ((1, 2, 3), Ordinal),
        (np.array([1.0, 2.0]), Ordinal),
        (np.logspace(-2, 2, 5), Ordinal),
        (pd.Series([3, 1, 2], index=[7, 8, 9]), Ordinal),
        (pd.Index([3, 1, 2]), Ordinal),
        (pl.Series([3, 1, 2]), Ordinal),
        (range(0, 10, 3), Ordinal),
        (range(5, 6), Ordinal),
        (range(2, 6), Integer),
        ((1, 100), Integer),
        ((np.int64(1), 100), Integer),
        ((1, 100, "log-uniform"), Integer),
        ((1, 100.0), Real),
        ((0.1, 10), Real),
        ((0.1, 10, "log-uniform"), Real),
        ((0.1, 10, "uniform"), Real),
        (["rbf", "linear"], Categorical),
        (("rbf", "linear"), Categorical),
        (("rbf", 1), Categorical),
        ((True, False), Categorical),
        ([True, False], Categorical),
        (np.array([True, False]), Categorical),
        ([None, 1, 2], Categorical),
        ([1, True], Categorical),
        ([np.nan, 1.0], Categorical),
        ((2, 5, "sqrt"), Categorical),
        ((2, 5, "log2"), Categorical),
        ([(1, 100), (50,)], Categorical),
        ([(0.1, 10, "log-uniform")], Categorical),
        ([SVC(), LogisticRegression()], Categorical),
        pytest.param([np.mean, len], Categorical, id="functions"),
        ([[1, 2], [3, 4]], Categorical),
        ([np.zeros(2), np.ones(2)], Categorical),
        ([{"x": 1}], Categorical),
        (np.array(["x", "y"]), Categorical),
        (pd.Series(["x", None]), Categorical),
    ],
    ids=repr,
)
def test_forms(given, kind):
    dimension = only(given)
    assert type(dimension) is kind
    if kind in (Ordinal, Categorical):
        values = [dimension.decode(p) for p in dimension.levels()]
        items = given.iloc if isinstance(given, pd.Series) else given
        expected = [items[i] for i in range(len(given))]
        assert [type(value) for value in values] == [type(value) for value in expected]
        for value, item in zip(values, expected, strict=True):
            assert value is item or np.array_equal(value, item, equal_nan=isinstance(item, float))
        if isinstance(given, list | tuple | range | np.ndarray):  # what scikit-learn's grid takes
            drawn = {type(p["a"]) for p in ParameterSampler({"a": given}, len(given), random_state=0)}
            assert {type(value) for value in values} == drawn


def test_ranges():
    whole = only((1, 100))
    assert (whole.low, whole.high, whole.log, type(whole.decode(0.5))) == (1, 100, False, int)
    assert only((1, 100, "log-uniform")).log is True
    wide = only((1e-3, 10, "log-uniform"))
    assert (wide.low, wide.high, wide.log, type(wide.decode(0.5))) == (1e-3, 10, True, float)
    assert (only(range(2, 6)).low, only(range(2, 6)).high) == (2, 5)


def test_own_dimensions_are_taken_as_they_are():
    for dimension in (
        Real(0, 1),
        Integer(1, 5, log=True),
        Categorical("ab" for _ in range(2)),
        Ordinal([2, 1]),
    ):
        assert only(dimension) is dimension
    space = as_space({"a": [1, 2]})
    assert as_space(space) is space


def test_dimensions_of_scikit_optimize():
    skopt = pytest.importorskip("skopt", exc_type=ImportError)
    assert repr(only(skopt.space.Real(1, 10, "log-uniform"))) == "Real(1.0, 10.0, log=True)"
    assert repr(only(skopt.space.Integer(1, 10))) == "Integer(1, 10)"
    assert repr(only(skopt.space.Integer(1, 10, "log-uniform"))) == "Integer(1, 10, log=True)"
    assert repr(only(skopt.space.Categorical(["a", "b"]))) == "Categorical(['a', 'b'])"


def tree(space):
    return [(c.name, repr(c.dimension), c.parent, sorted(c.branches)) for c in space.columns]


def test_names_are_sorted():
    first = as_space({"b": [1, 2], "a": ["x", "y"]})
    assert tree(first) == tree(as_space({"a": ["x", "y"], "b": [1, 2]}))
    assert [column.name for column in first.columns] == ["a", "b"]


def test_list_of_dicts_is_a_tree_under_an_unnamed_root():
    space = as_space(
        [
            {"kernel": ["linear"], "C": stats.loguniform(1e-3, 1e3)},
            {"kernel": ["rbf"], "C": stats.loguniform(1e-3, 1e3), "gamma": (1e-4, 1.0)},
            {},
        ]
    )
    assert tree(space) == [
        (None, "Categorical([0, 1, 2])", None, []),
        ("C", "Real(0.001, 1000.0, log=True)", 0, [0, 1]),
        ("gamma", "Real(0.0001, 1.0)", 0, [1]),
        ("kernel", "Categorical(['linear'])", 0, [0]),
        ("kernel", "Categorical(['rbf'])", 0, [1]),
    ]
    assert space.to_params(space.canonical(np.full((1, 5), 0.9))[0]) == {}
    assert as_space([{"a": [1, 2]}]).columns[0].parent is None


def test_only_equal_definitions_share_a_column():
    branches = [{"a": (1, 5)}, {"a": Integer(1, 5)}, {"a": (1, 6)}, {"a": (1, 5)}, {"a": stats.randint(1, 6)}]
    assert [(c.name, sorted(c.branches)) for c in as_space(branches).columns[1:]] == [
        ("a", [0, 1, 3, 4]),
        ("a", [2]),
    ]
    # Estimators are what scikit-learn's clone, which copies each dict by itself, leaves of them.
    space = as_space([{"m": [SVC()]}, {"m": [SVC()]}, {"m": [SVC(C=2)]}])
    assert [sorted(c.branches) for c in space.columns[1:]] == [[0, 1], [2]]
    # Frozen ones keep what they have learnt, so that two with the same parameters are two choices.
    fits = [FrozenEstimator(LinearRegression().fit([[0.0], [1.0]], y)) for y in ([0, 1], [0, 1], [0, 2])]
    space = as_space([{"m": [fit]} for fit in fits])
    assert [sorted(c.branches) for c in space.columns[1:]] == [[0, 1], [2]]
    # An equal choice is shared with all that hangs under it.
    choice = Choice([("x", {"b": [1, 2]}), ("y", None)])
    merged = as_space(
        [{"k": choice}, {"k": copy.deepcopy(choice)}, {"k": Choice([("x", {"b": [1, 3]}), ("y", None)])}]
    )
    assert tree(merged)[1:] == [
        ("k", "Categorical(['x', 'y'])", 0, [0, 1]),
        ("b", "Ordinal([1, 2])", 1, [0]),
        ("k", "Categorical(['x', 'y'])", 0, [2]),
        ("b", "Ordinal([1, 3])", 3, [0]),
    ]


def test_choice_is_the_same_tree_with_a_name():
    inner = Choice([("adam", {"beta": (0.5, 0.9)}), ("sgd", {})])
    space = as_space(
        {"model": Choice([("svm", {"C": [1, 2]}), ("net", {"solver": inner, "C": [1, 2]})]), "z": [0]}
    )
    assert tree(space) == [
        ("model", "Categorical(['svm', 'net'])", None, []),
        ("C", "Ordinal([1, 2])", 0, [0, 1]),
        ("solver", "Categorical(['adam', 'sgd'])", 0, [1]),
        ("beta", "Real(0.5, 0.9)", 2, [0]),
        ("z", "Ordinal([0])", None, []),
    ]
    assert space.to_params(space.to_position({"model": "svm", "C": 2, "z": 0})) == {
        "model": "svm",
        "C": 2,
        "z": 0,
    }


def test_the_same_name_may_stand_in_branches_that_exclude_each_other():
    as_space([{"a": [1, 2]}, {"b": Choice([("x", {"a": [1, 2]})])}])
    as_space({"k": Choice([(1, {"a": [1, 2]}), (2, {"c": Choice([(3, {"a": (1, 2)})])})])})
    for clash in (
        {"k": Choice([("x", {"a": [1, 2]})]), "a": [1, 2]},
        {"k": Choice([("x", {"k": [1, 2]})])},
        {"k": Choice([("x", {"a": [1]})]), "l": Choice([("x", {"a": [1]})])},
        {"k": Choice([("x", {"a": [1], "l": Choice([(0, {"a": [2]})])})])},
    ):
        with pytest.raises(ValueError, match=r"Parameter '[ak]' is searched in two places"):
            as_space(clash)


def test_choice_of_estimators_survives_clone_and_pickle():
    model = Choice([(SVC(), {"svc__C": (1.0, 10.0)}), (LogisticRegression(), None)])
    search = clone(RandomizedSearchCV(make_pipeline(SVC()), {"svc": model}))
    copied = search.param_distributions["svc"]
    assert copied is not model
    for twin in (copied, copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert repr(twin) == repr(model)
        assert tree(as_space({"m": twin})) == tree(as_space({"m": model}))
    value = as_space({"m": model}).to_params(np.array([0.25, 0.5]))["m"]
    assert value is model.options[0][0]


def test_input_is_left_alone():
    choices = [3, 1, 2]
    given = {"a": choices, "b": Choice([(1, {"c": choices})])}
    as_space(given)
    assert choices == [3, 1, 2]
    assert list(given) == ["a", "b"]


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (0, TypeError, r"Parameter distribution is not a dict or a list, got: 0 of type int"),
        ("C", TypeError, r"Parameter distribution is not a dict or a list, got: 'C' of type str"),
        ([{"a": [0]}, 0], TypeError, r"Parameter distribution is not a dict \(0\)"),
        ({}, ValueError, "empty"),
        ([], ValueError, "empty"),
        ([{}, {}], ValueError, "empty"),
        ({1: [1]}, TypeError, "Names of parameters must be strings, got 1 of type int"),
        ({"k": Choice([(1, {2: [1]})])}, TypeError, "Names of parameters must be strings, got 2"),
    ],
)
def test_spaces_that_are_none(given, error, message):
    with pytest.raises(error, match=message):
        as_space(given)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (
            1,
            TypeError,
            r"Parameter grid for parameter 'C' needs to be a list or a numpy array, but got 1 "
            r"\(of type int\) instead\. Single values need to be wrapped in a list with one element\.",
        ),
        ("1,2", TypeError, r"'C' needs to be a list or a numpy array, but got '1,2' \(of type str\) instead"),
        (None, TypeError, "'C' needs to be a list"),
        (SVC(), TypeError, "'C' needs to be a list"),
        (Pipeline([("svc", SVC())]), TypeError, "'C' needs to be a list"),
        ({"x": 1}, TypeError, "'C' needs to be a list"),
        ({1, 2}, TypeError, "'C' needs to be a list"),
        ((x for x in (1, 2)), TypeError, "'C' needs to be a list"),
        (np.array(1.0), TypeError, "'C' needs to be a list"),
        (Real, TypeError, "'C' needs to be a list"),
        ([], ValueError, r"Parameter grid for parameter 'C' need to be a non-empty sequence, got: \[\]"),
        ((), ValueError, "'C' need to be a non-empty sequence"),
        (
            np.ones((3, 2)),
            ValueError,
            r"Parameter array for 'C' should be one-dimensional, got: (.|\n)* shape \(3, 2\)",
        ),
        (pd.DataFrame({"x": [1]}), ValueError, "'C' should be one-dimensional"),
        ((5, 1), ValueError, r"Parameter 'C': \(5, 1\) is a range .* use a list: \[5, 1\]"),
        ((1, 1), ValueError, "Parameter 'C': .* needs finite low < high"),
        ((1.0, np.inf), ValueError, "Parameter 'C': .* needs finite low < high"),
        ((np.nan, 1), ValueError, "Parameter 'C': .* needs finite low < high"),
        ((0, 1, "log-uniform"), ValueError, "Parameter 'C': .* needs low > 0"),
        ((1, 2, "loguniform"), ValueError, "Parameter 'C': .* unknown prior 'loguniform'.* 'log-uniform'"),
        (range(2**60), ValueError, "Parameter 'C': .* at most 2\\*\\*50"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_parameters_that_are_none(given, error, message):
    with pytest.raises(error, match=message):
        as_space({"C": given})
    with pytest.raises(error, match=message):
        as_space([{"a": [1]}, {"k": Choice([(1, {"C": given})])}])


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ([], ValueError, "at least one option"),
        (["a", "b"], TypeError, "a pair .* got 'a'"),
        ([("a", {}, 1)], TypeError, "a pair"),
        ([("a", [1, 2])], TypeError, r"subspace of 'a' must be a dict or None, got \[1, 2\]"),
    ],
)
def test_choices_that_are_none(options, error, message):
    with pytest.raises(error, match=message):
        Choice(options)


def test_space_checks_its_columns():
    from skhpo.space import Column

    parent = Column("p", Categorical(["x", "y"]))
    with pytest.raises(ValueError, match="before its parent"):
        Space([Column("a", Real(0, 1), 1, frozenset({0})), parent])
    with pytest.raises(ValueError, match="not categorical"):
        Space([Column("p", Real(0, 1)), Column("a", Real(0, 1), 0, frozenset({0}))])
    for branches in (frozenset(), frozenset({2})):
        with pytest.raises(ValueError, match="needs branches from 0 to 1"):
            Space([parent, Column("a", Real(0, 1), 0, branches)])
