"""Columns that are taken together against each one by itself."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import poisson

from skhpo.space import Categorical, Column, Integer, Ordinal, Real, Space, as_space

_WEIGHTED = as_space({"k": poisson(3.0)}).columns[0].dimension
_DIMENSIONS = st.one_of(
    st.just(Real(0.0, 1.0)),
    st.just(_WEIGHTED),
    st.builds(lambda n: Categorical(list(range(n))), st.integers(1, 5)),
    st.builds(lambda n: Ordinal(list(range(n))), st.integers(1, 5)),
    st.builds(lambda low, n: Integer(low, low + n), st.integers(-9, 9), st.integers(1, 10**6)),
    st.builds(lambda low, n: Integer(low, low + n, log=True), st.integers(1, 50), st.integers(1, 2**39)),
)


@st.composite
def _space_and_points(draw):
    dimensions = draw(st.lists(_DIMENSIONS, min_size=1, max_size=6))
    space = Space([Column(f"x{j}", dimension) for j, dimension in enumerate(dimensions)])
    U = draw(arrays(float, (draw(st.integers(1, 9)), space.d), elements=st.floats(0.0, 1.0)))
    return space, U


@given(_space_and_points())
def test_canonical_points_are_those_of_each_column(drawn):
    space, U = drawn
    snapped = space.canonical(U)
    for j, column in enumerate(space.columns):
        assert snapped[:, j].tobytes() == column.dimension.snap(U[:, j]).tobytes()


@given(_space_and_points())
def test_edges_are_those_of_each_column(drawn):
    space, U = drawn
    low, high = space.cells.edges(U)
    for j, column in enumerate(space.columns):
        below, above = column.dimension.cells(U[:, j])
        np.testing.assert_array_equal(low[:, j], below)
        np.testing.assert_array_equal(high[:, j], above)


@given(_space_and_points())
def test_some_columns_have_their_own_edges(drawn):
    space, U = drawn
    some = np.arange(space.d)[::-2]
    for part, whole in zip(space.cells.of(some).edges(U[:, some]), space.cells.edges(U), strict=True):
        np.testing.assert_array_equal(part, whole[:, some])


def test_inactive_entries_have_no_edges():
    space = Space([Column("a", Integer(1, 9)), Column("b", Integer(1, 9, log=True)), Column("c", _WEIGHTED)])
    for edges in space.cells.edges(np.full((2, 3), np.nan)):
        assert np.isnan(edges).all()
