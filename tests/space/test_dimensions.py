"""Values and positions of one axis: round trips, cells, edges of floating point, errors."""

import copy
import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from skhpo.space import Categorical, Integer, Ordinal, Real
from skhpo.space._quantile import Weighted, from_distribution

quick = settings(deadline=None, max_examples=50)

bounded = st.floats(-1e9, 1e9)


@st.composite
def reals(draw):
    log = draw(st.booleans())
    low = draw(st.floats(1e-12, 1e9) if log else bounded)
    width = draw(st.floats(1e-3, 1e6))
    return Real(low, low * (1 + width) if log else low + width, log=log)


@st.composite
def integers(draw):
    log = draw(st.booleans())
    low = draw(st.integers(1, 10**9) if log else st.integers(-(2**60), 2**60))
    return Integer(low, low + draw(st.integers(1, 2**39 if log else 2**50 - 1)), log=log)


@st.composite
def weighted(draw):
    w = draw(st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=30))
    return Weighted(list(range(len(w))), w, "table")


small_integers = st.builds(
    lambda low, width, log: Integer(low, low + width, log=log),
    st.integers(1, 1000),
    st.integers(1, 300),
    st.booleans(),
)
ordinals = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60, unique=True).map(Ordinal)
categoricals = st.lists(
    st.one_of(st.text(), st.none(), st.booleans(), st.integers(), st.tuples(st.integers())),
    min_size=1,
    max_size=60,
    unique_by=lambda value: (type(value), value),
).map(Categorical)
finite = st.one_of(small_integers, ordinals, categoricals, weighted())
discrete = st.one_of(finite, integers())
positions = st.floats(0, 1) | st.just(-0.0) | st.sampled_from([1.0, np.nextafter(1, 0), 5e-324])


@quick
@given(reals(), positions)
def test_real_round_trip(dimension, p):
    value = dimension.decode(p)
    assert type(value) is float
    assert dimension.low <= value <= dimension.high
    # A value keeps 53 bits, so the position is known up to their share of the width.
    magnitude = (
        max(abs(math.log(value)), 1) if dimension.log else max(abs(dimension.low), abs(dimension.high))
    )
    assert dimension.encode(value) == pytest.approx(p, abs=1e-15 + 4e-16 * magnitude / dimension._width)


@quick
@given(discrete, positions)
def test_discrete_round_trip_is_exact(dimension, p):
    middle = dimension.snap(np.array([p]))
    low, high = dimension.cells(np.array([p]))
    value = dimension.decode(float(middle[0]))
    assert low <= middle <= high
    assert low - 1e-15 <= p <= high + 1e-15
    assert dimension.snap(middle).tobytes() == middle.tobytes()
    assert dimension.encode(value) == middle[0]
    assert dimension.cells(middle) == (low, high)


@quick
@given(finite)
def test_levels_are_canonical_and_their_cells_cut_the_interval(dimension):
    levels = dimension.levels()
    assert len(levels) == dimension.n_levels
    assert dimension.snap(levels).tobytes() == levels.tobytes()
    low, high = dimension.cells(np.sort(levels))
    assert low[0] == 0
    assert high[-1] == 1
    assert low[1:].tobytes() == high[:-1].tobytes()
    assert (high > low).all()
    if dimension.even_cells:
        np.testing.assert_allclose(high - low, 1 / dimension.n_levels, rtol=1e-12)


@quick
@given(finite, positions)
def test_decode_agrees_with_the_cells(dimension, p):
    edges = dimension.cells(dimension.levels())[0].tolist()
    for at in (p, *edges, *np.nextafter(edges, 0)):
        low, high = (edge.item() for edge in dimension.cells(np.array(at)))
        # An edge of the logarithm is rounded once in an array and once in a number.
        if not isinstance(dimension, Integer) or min(abs(at - low), abs(at - high)) > 1e-12:
            assert dimension.encode(dimension.decode(at)) == dimension.snap(np.array(at))


def test_an_edge_belongs_to_the_cell_above():
    dimension = Weighted(["a", "b", "c"], [0.25, 0.5, 0.25], "table")
    assert [dimension.decode(p) for p in (0.0, 0.25, 0.75, 1.0)] == ["a", "b", "c", "c"]
    np.testing.assert_array_equal(
        dimension.snap(np.array([0.0, 0.25, 0.75, 1.0])), [0.125, 0.5, 0.875, 0.875]
    )


@quick
@given(st.one_of(reals(), discrete))
def test_nan_stays_and_zero_has_no_sign(dimension):
    snapped = dimension.snap(np.array([np.nan, -0.0, 0.0, -3.0, 1.0, 7.0]))
    assert np.isnan(snapped[0])
    assert snapped[1:2].tobytes() == snapped[2:3].tobytes() == snapped[3:4].tobytes()
    assert snapped[4] == snapped[5]
    for edge in dimension.cells(np.array([np.nan, 0.5])):
        assert np.isnan(edge[0])
        assert not np.isnan(edge[1])


@quick
@given(st.one_of(reals(), discrete))
def test_copies_are_the_same(dimension):
    for twin in (copy.deepcopy(dimension), pickle.loads(pickle.dumps(dimension))):
        assert twin.same_as(dimension)
        assert repr(twin) == repr(dimension)
        assert twin.decode(0.3) == dimension.decode(0.3)


def test_log_integer_by_hand():
    # Edges log 1/2, log 3/2, log 5/2, log 7/2 in a width of log 7.
    dimension = Integer(1, 3, log=True)
    low, high = dimension.cells(dimension.levels())
    np.testing.assert_allclose(high, [math.log(3) / math.log(7), math.log(5) / math.log(7), 1], rtol=1e-15)
    np.testing.assert_allclose(low, [0, math.log(3) / math.log(7), math.log(5) / math.log(7)], rtol=1e-15)
    assert not dimension.even_cells


def test_log_real_has_its_geometric_mean_in_the_middle():
    assert Real(1e-4, 1e2, log=True).decode(0.5) == pytest.approx(1e-1, rel=1e-14)
    assert Real(1e-4, 1e2, log=True).encode(1e-3) == pytest.approx(1 / 6, rel=1e-14)


@pytest.mark.parametrize(
    "dimension",
    [
        Integer(1, 10**9, log=True),
        Integer(1, 2**40, log=True),
        Integer(-5, 2**50 - 6),
        Integer(10**18, 10**18 + 9),
    ],
    ids=repr,
)
def test_wide_integers_keep_each_value(dimension):
    near_ends = [dimension.low + i for i in range(9)] + [dimension.high - i for i in range(9)]
    rng = np.random.default_rng(0)
    inside = [int(rng.integers(dimension.low, dimension.high, endpoint=True)) for _ in range(200)]
    for value in near_ends + inside:
        p = dimension.encode(value)
        assert dimension.decode(p) == value
        assert dimension.snap(np.array(p)) == p


def test_integer_takes_whole_floats():
    assert Integer(1, 10).encode(3.0) == Integer(1, 10).encode(np.int64(3)) == 0.25
    for value in (3.5, math.nan, math.inf, True, "3", None, 0, 11):
        with pytest.raises(ValueError, match="Integer"):
            Integer(1, 10).encode(value)


def test_ordinal_sorts_numbers_and_lists_in_the_users_order():
    dimension = Ordinal([10, 0.1, 1])
    assert [dimension.decode(p) for p in (0.0, 0.5, 1.0)] == [0.1, 1, 10]
    assert [dimension.decode(p) for p in dimension.levels()] == [10, 0.1, 1]
    words = Ordinal(["small", "medium", "large"])
    assert [words.decode(p) for p in (0.0, 0.5, 1.0)] == ["small", "medium", "large"]


def test_categorical_hands_out_the_same_objects():
    choices = [[1, 2], {"a": 1}, np.arange(3), len, float("nan"), None, True, 1, 1.0, (5,), ([1], np.ones(2))]
    dimension = Categorical(choices)
    levels = dimension.levels()
    for choice, p in zip(choices, levels, strict=True):
        assert dimension.decode(p) is choice
        assert dimension.encode(choice) == p
    for i in (0, 1, 2, 4, 6, 7, 8, 10):  # equal ones, which are other objects
        assert dimension.encode(pickle.loads(pickle.dumps(choices[i]))) == levels[i]
    assert Categorical([1, 2]).encode(np.float64(2.0)) == 0.75
    with pytest.raises(ValueError, match="True is none of the choices"):
        Categorical([1, 2]).encode(True)
    for value in (False, 2, [1, 3], np.arange(4), "None"):
        with pytest.raises(ValueError, match="none of the choices"):
            dimension.encode(value)


def test_same_as_tells_types_apart():
    assert Ordinal([1, 2]).same_as(Ordinal([1, 2]))
    assert Categorical([np.nan, [1]]).same_as(Categorical([float("nan"), [1]]))
    same = from_distribution(stats.expon(scale=2), seed=0)
    assert same.same_as(from_distribution(stats.expon(scale=2.0), seed=0))
    for a, b in [
        (Ordinal([1, 2]), Ordinal([2, 1])),
        (Ordinal([1, 2]), Ordinal([1.0, 2.0])),
        (Categorical([True]), Categorical([1])),
        (Real(1, 2), Real(1, 2, log=True)),
        (Real(1, 2), Integer(1, 2)),
        (Real(1, 2), from_distribution(stats.uniform(1, 1), seed=0)),
        (same, from_distribution(stats.expon(scale=3), seed=0)),
        (from_distribution(stats.poisson(3), seed=0), from_distribution(stats.poisson(3.1), seed=0)),
    ]:
        assert not a.same_as(b)
        assert not b.same_as(a)


@pytest.mark.parametrize("kind", [Real, Integer])
def test_bounds_are_checked(kind):
    for low, high in [(2, 1), (1, 1)]:
        with pytest.raises(ValueError, match="low must be less than high"):
            kind(low, high)
    for bad in (math.inf, math.nan, -math.inf, 10**400):
        with pytest.raises(ValueError, match=r"must be finite"):
            kind(0, bad)
    for bad in ("1", None, True, 1j):
        with pytest.raises(TypeError, match="high must be a number"):
            kind(0, bad)
    for low in (0, -1):
        with pytest.raises(ValueError, match="needs low > 0"):
            kind(low, 5, log=True)
    with pytest.raises(TypeError, match="log must be True or False, got 'uniform'"):
        kind(1, 5, "uniform")


def test_more_bad_definitions():
    with pytest.raises(ValueError, match="overflows"):
        Real(-1.7e308, 1.7e308)
    with pytest.raises(TypeError, match="low must be an integer"):
        Integer(1.5, 3)
    with pytest.raises(ValueError, match="at most 2\\*\\*50"):
        Integer(0, 2**50)
    with pytest.raises(ValueError, match="end of at most 2\\*\\*40"):
        Integer(1, 2**40 + 1, log=True)
    with pytest.raises(ValueError, match="too many levels to list"):
        Integer(0, 10**9).levels()
    with pytest.raises(ValueError, match="no finite list"):
        Real(0, 1).levels()
    for kind in (Categorical, Ordinal):
        with pytest.raises(ValueError, match="at least one choice"):
            kind([])
        with pytest.raises(TypeError, match="the string 'abc'"):
            kind("abc")
    with pytest.raises(ValueError, match="NaN has no place"):
        Ordinal([1.0, math.nan])


def test_values_outside_a_real_are_refused():
    for value in (0.5, 3, math.nan, "1", None, True):
        with pytest.raises(ValueError, match="Real"):
            Real(1, 2).encode(value)


def test_a_typed_number_is_the_listed_one_that_prints_alike():
    levels = np.linspace(0, 0.9, 10)
    assert 0.3 not in levels
    assert Ordinal(levels).encode(0.3) == Ordinal(levels).encode(levels[3])
    with pytest.raises(ValueError, match=r"0\.31"):
        Ordinal(levels).encode(0.31)
