"""Conditional spaces: activity, canonical points, listing, and params dicts there and back."""

import copy
import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.model_selection import ParameterGrid

from skhpo.space import Choice, Column, Ordinal, Space, as_space
from skhpo.space._quantile import from_distribution

quick = settings(deadline=None, max_examples=30)

POISSON = from_distribution(stats.poisson(2), seed=0)
names = st.sampled_from(["a", "b", "c", "svc__C", "Z"])
values = st.one_of(
    st.integers(-3, 3), st.floats(-2, 2), st.booleans(), st.none(), st.sampled_from(["x", "y"])
)
lists = st.one_of(
    st.lists(values, min_size=1, max_size=4),
    st.lists(st.integers(0, 3), min_size=1, max_size=3),
    st.lists(st.integers(0, 3), min_size=1, max_size=3).map(np.array),
    st.builds(range, st.integers(0, 3), st.integers(4, 6)),
)
grids = st.dictionaries(names, lists, max_size=3)
many = st.lists(grids, min_size=1, max_size=4).filter(any)


def distinct_lists(pool):
    return st.lists(pool, min_size=1, max_size=3, unique=True)


@st.composite
def subspaces(draw, depth=2, prefix="p"):
    """A dict of every kind of dimension; names below a choice are its own."""
    space = {}
    for i in range(draw(st.integers(0 if depth < 2 else 1, 3))):
        name = f"{prefix}{i}"
        kind = draw(st.sampled_from(["real", "int", "list", "poisson", *(["choice"] if depth else [])]))
        if kind == "choice":
            options = draw(distinct_lists(st.sampled_from("uvw")))
            space[name] = Choice(
                [(v, draw(subspaces(depth=depth - 1, prefix=f"{name}{v}"))) for v in options]
            )
        else:
            space[name] = {
                "real": (0.5, 2.0, "log-uniform"),
                "int": (1, draw(st.integers(2, 9)), draw(st.sampled_from(["uniform", "log-uniform"]))),
                "list": draw(distinct_lists(st.sampled_from(["x", None, "y", (1, 2)]))),
                "poisson": POISSON,
            }[kind]
    return space


spaces = st.one_of(subspaces(), st.lists(subspaces(), min_size=1, max_size=3).filter(any)).map(as_space)


def agree(a, b):
    """Whether two params dicts are equal up to rounding."""
    return a.keys() == b.keys() and all(
        math.isclose(a[name], b[name], rel_tol=1e-14) if isinstance(a[name], float) else a[name] == b[name]
        for name in a
    )


def random_points(space, n=20, seed=0):
    return space.canonical(np.random.default_rng(seed).random((n, space.d)))


@quick
@given(st.one_of(grids.filter(bool), many))
def test_listing_a_space_of_lists_is_scikit_learns_grid(grid):
    space = as_space(grid)
    expected = list(ParameterGrid(grid))
    assert space.size == len(expected)
    points = list(space.enumerate())
    listed = [space.to_params(point) for point in points]
    assert listed == expected
    types = [[type(params[name]) for name in sorted(params)] for params in listed]
    assert types == [[type(params[name]) for name in sorted(params)] for params in expected]
    assert len({point.tobytes() for point in points}) == len(points)
    assert space.canonical(np.array(points)).tobytes() == np.array(points).tobytes()


def test_merging_keeps_scikit_learns_order():
    grid = [{"b": [2, 1], "a": ["x", "y"]}, {"c": [0]}, {"b": [2, 1], "a": ["x", "z"]}, {}]
    space = as_space(grid)
    assert space.d == 5  # root, two of a, one shared b, c
    assert [space.to_params(point) for point in space.enumerate()] == list(ParameterGrid(grid))


@quick
@given(spaces)
def test_canonical_is_idempotent_and_does_what_each_dimension_does(space):
    U = np.random.default_rng(1).random((20, space.d))
    before = U.copy()
    canonical = space.canonical(U)
    np.testing.assert_array_equal(U, before)
    assert space.canonical(canonical).tobytes() == canonical.tobytes()
    for j, column in enumerate(space.columns):
        on = ~np.isnan(canonical[:, j])
        assert column.dimension.snap(U[on, j]).tobytes() == canonical[on, j].tobytes()


@quick
@given(spaces)
def test_params_there_and_back(space):
    for point in random_points(space):
        params = space.to_params(point)
        back = space.to_position(params)
        np.testing.assert_array_equal(back, space.to_partial_position(params))
        assert agree(space.to_params(back), params)
        if space.columns[0].name is None:  # two dicts of a list may have the same params
            continue
        np.testing.assert_allclose(back, point, rtol=0, atol=1e-14)
        discrete = [kind != "real" for kind in space.kinds]
        np.testing.assert_array_equal(back[discrete], point[discrete])


@quick
@given(spaces, st.randoms(use_true_random=False))
def test_partial_params_are_kept_by_any_completion(space, random):
    for point in random_points(space, n=5):
        params = space.to_params(point)
        some = {name: value for name, value in params.items() if random.random() < 0.5}
        partial = space.to_partial_position(some)
        filler = np.random.default_rng(2).random(space.d)
        completed = space.canonical(np.where(np.isnan(partial), filler, partial)[None])[0]
        values = space.to_params(completed)
        assert agree({name: values[name] for name in some}, some)


@quick
@given(spaces)
def test_active_columns_are_those_whose_parents_chose_them(space):
    U = random_points(space)
    mask = space.active(U)
    np.testing.assert_array_equal(np.isnan(U), ~mask)
    for i in range(len(U)):
        for j, column in enumerate(space.columns):
            expected = True
            if column.parent is not None:
                parent = space.columns[column.parent].dimension
                chosen = mask[i, column.parent] and parent.index(U[i, column.parent]) in column.branches
                expected = bool(chosen)
            assert mask[i, j] == expected


@quick
@given(spaces)
def test_size_counts_what_enumerate_lists(space):
    if math.isinf(space.size):
        with pytest.raises(ValueError, match="no finite list of levels"):
            list(space.enumerate())
    elif space.size <= 2000:
        points = list(space.enumerate())
        assert len(points) == len({point.tobytes() for point in points}) == space.size


@quick
@given(spaces)
def test_copies(space):
    U = random_points(space)
    for twin in (copy.deepcopy(space), pickle.loads(pickle.dumps(space))):
        assert repr(twin) == repr(space)
        assert twin.canonical(U).tobytes() == U.tobytes()
        assert [twin.to_params(u) for u in U] == [space.to_params(u) for u in U]


def test_columns_in_any_order_are_listed_by_name():
    space = Space([Column("b", Ordinal([1, 2])), Column("a", Ordinal([3, 4]))])
    listed = [space.to_params(point) for point in space.enumerate()]
    assert listed == list(ParameterGrid({"a": [3, 4], "b": [1, 2]}))


def test_size_by_hand():
    # (2 values of x) times (one under "u", 3 under "v") = 2 * (1 + 3)
    assert as_space({"x": [1, 2], "k": Choice([("u", None), ("v", {"y": (1, 3)})])}).size == 8
    assert as_space([{"x": [1, 2]}, {"x": [1, 2]}, {}]).size == 5
    assert as_space({"x": (1, 10**9), "y": (1, 10**9)}).size == 10**18
    assert math.isinf(as_space([{"x": [1]}, {"y": (0.0, 1.0)}]).size)


def test_canonical_clips_and_has_no_negative_zero():
    space = as_space({"x": (0.0, 1.0), "y": [1, 2]})
    np.testing.assert_array_equal(space.canonical([[-3.0, 9.0], [2.0, -1.0]]), [[0, 0.75], [1, 0.25]])
    assert space.canonical([-0.0, 0.3]).tobytes() == np.array([0.0, 0.25]).tobytes()
    with pytest.raises(ValueError, match=r"Row 1 has no value in column 0 \('x'\)"):
        space.canonical([[0.1, 0.1], [np.nan, 0.1]])
    with pytest.raises(ValueError, match=r"shape \(n, 2\), got \(1, 3\)"):
        space.canonical(np.zeros((1, 3)))


def test_inactive_entries_may_be_anything():
    space = as_space({"k": Choice([("u", {"x": (0.0, 1.0)}), ("v", {"y": (0.0, 1.0)})])})
    np.testing.assert_array_equal(
        space.canonical([[0.1, 0.5, np.nan], [0.9, np.inf, 0.5]]), [[0.25, 0.5, np.nan], [0.75, np.nan, 0.5]]
    )
    with pytest.raises(ValueError, match="'x'"):
        space.canonical([[0.1, np.nan, 0.5]])


TREE = [
    {"clf": ["svm"], "C": [1, 10]},
    {"clf": ["forest"], "depth": (1, 9), "trees": (10, 100)},
    {"clf": ["forest"], "depth": (1, 9)},
    {},
]


def test_positions_in_a_list_of_dicts():
    space = as_space(TREE)
    for params, branch in [
        ({"clf": "svm", "C": 10}, 0),
        ({"clf": "forest", "depth": 3, "trees": 50}, 1),
        ({"clf": "forest", "depth": 3}, 2),  # complete there, though the dict before it could hold it
        ({}, 3),
    ]:
        point = space.to_position(params)
        assert space.branch(0, point[:1]) == branch
        assert space.to_params(point) == params
    assert space.branch(0, space.to_partial_position({"trees": 50})[:1]) == 1


def test_what_nothing_depends_on_stays_open():
    space = as_space({"k": Choice([("u", {"x": [1, 2]}), ("v", {"y": [1, 2]})]), "z": [1, 2]})
    np.testing.assert_array_equal(space.to_partial_position({"z": 2}), [np.nan, np.nan, np.nan, 0.75])
    np.testing.assert_array_equal(space.to_partial_position({"y": 2}), [0.75, np.nan, 0.75, np.nan])
    np.testing.assert_array_equal(space.to_partial_position({}), [np.nan] * 4)


def test_many_choices_beside_each_other_are_placed_one_by_one():
    # Which level each of the forty choices has is known from its child alone: 4**40 ways to try otherwise.
    space = as_space(
        {
            f"k{i:02}": Choice([(v, {f"k{i:02}_{v}": [1, 2], f"k{i:02}_all": [0, 1]}) for v in "abcd"])
            for i in range(40)
        }
    )
    given = {f"k{i:02}_{'abcd'[i % 4]}": 2 for i in range(40)}
    levels = {f"k{i:02}": "abcd"[i % 4] for i in range(40)}
    assert space.to_params(space.to_partial_position(given)) == given | levels
    with pytest.raises(ValueError, match="no branch of the space has all these parameters together"):
        space.to_partial_position(given | {"k39_a": 1})


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (
            {"clf": "svm", "gamma": 1},
            r"'gamma' is not in the search space, which has \['C', 'clf'",
        ),
        ({"clf": "svm", "C": 5}, "outside the search space: C: 5 is none of the choices"),
        ({"clf": "svm", "depth": 5}, "outside the search space"),
        ({"C": 1, "depth": 5}, "no branch of the space has all these parameters together"),
        ({"clf": "forest", "depth": 10}, "outside the search space: .*10 is outside Integer"),
    ],
)
def test_params_outside_the_space(params, message):
    space = as_space(TREE)
    for method in (space.to_position, space.to_partial_position):
        with pytest.raises(ValueError, match=message):
            method(params)


def test_missing_params_are_named():
    with pytest.raises(ValueError, match=r"lacks a value for C\."):
        as_space(TREE).to_position({"clf": "svm"})
    with pytest.raises(ValueError, match="lacks a value for x, y"):
        as_space({"x": [1], "y": [1]}).to_position({})
    with pytest.raises(ValueError, match="none of the dicts"):
        as_space(TREE[:2]).to_position({})


def test_repeated_choices_keep_their_weight():
    space = as_space({"a": ["x", "x", "y"]})
    assert space.size == 3
    drawn = [space.to_params(point)["a"] for point in random_points(space, n=3000)]
    assert drawn.count("x") / 3000 == pytest.approx(2 / 3, abs=0.04)
