"""Points of a grid by number, against scikit-learn's ``ParameterGrid``, whose items have numbers too."""

import itertools
import math

import numpy as np
import pytest
from sklearn.model_selection import ParameterGrid

from skhpo.space import Categorical, Choice, Column, Lattice, Ordinal, Real, as_space

GRID = [{"b": [3, 1, 2], "a": ["x", "y"]}, {"c": [None]}, {"b": [5, 4], "d": list(range(7))}]

NESTED = {
    "k": Choice([("u", None), ("v", {"y": (1, 3), "s": Choice([("p", {"n": [2, 1]}), ("q", None)])})]),
    "z": [1, 2],
    "m": Choice([("e", {"r": ["g", "h"]}), ("f", {"t": (1, 4)})]),
}


def test_numbers_are_those_of_scikit_learn():
    space, grid = as_space(GRID), ParameterGrid(GRID)
    lattice = Lattice(space.columns)
    assert lattice.size == len(grid)
    for k in range(len(grid)):
        assert space.to_params(lattice.point(k)) == grid[k]


@pytest.mark.parametrize("space", [as_space(GRID), as_space(NESTED)], ids=["list", "nested"])
def test_points_and_numbers_there_and_back(space):
    lattice = space.lattice
    points = list(lattice)
    assert len({point.tobytes() for point in points}) == len(points) == lattice.size
    assert [lattice.number(point) for point in points] == list(range(lattice.size))
    assert space.canonical(np.array(points)).tobytes() == np.array(points).tobytes()
    np.testing.assert_array_equal(points, list(space.enumerate()))


def test_nested_size_by_hand():
    # k: one, or three y with s, which is one of two n or q. z: two. m: two r or four t.
    assert as_space(NESTED).size == (1 + 3 * (2 + 1)) * 2 * (2 + 4)


def test_given_levels_in_the_order_given():
    columns = [Column("x", Real(0.0, 1.0)), Column("a", Ordinal([10, 20]))]
    lattice = Lattice(columns, [np.array([0.9, 0.1, 0.5]), np.array([0.25, 0.75])])
    assert [tuple(point) for point in lattice] == [
        (x, a) for a, x in itertools.product([0.25, 0.75], [0.9, 0.1, 0.5])
    ]
    assert lattice.number(np.array([0.5, 0.75])) == 5
    assert lattice.number(np.array([0.3, 0.75])) is None
    assert lattice.number(np.array([np.nan, 0.75])) is None


def test_levels_of_a_parent_may_be_left_out():
    space = as_space({"k": Choice([("u", {"x": [1, 2]}), ("v", {"y": [1, 2, 3]}), ("w", None)])})
    levels = [column.dimension.levels() for column in space.columns]
    levels[0] = levels[0][[2, 1]]
    lattice = Lattice(space.columns, levels)
    points = [{"k": "w"}, {"k": "v", "y": 1}, {"k": "v", "y": 2}, {"k": "v", "y": 3}]
    assert [space.to_params(point) for point in lattice] == points
    assert lattice.number(space.to_position({"k": "v", "y": 2})) == 2
    assert lattice.number(space.to_position({"k": "u", "x": 2})) is None


def test_sizes_beyond_the_floats():
    wide = [Column(f"n{j}", Categorical(range(10))) for j in range(400)]
    lattice = Lattice(wide)
    assert lattice.size == 10**400
    k = 3 * 10**399 + 7
    assert lattice.number(lattice.point(k)) == k
    assert math.isinf(Lattice([*wide, Column("x", Real(0.0, 1.0))]).size)
    # The same under the levels of a choice, where sizes are added.
    root = Column("r", Categorical(["u", "v"]))
    below = [Column(c.name, c.dimension, 0, frozenset({0})) for c in wide]
    real = Column("x", Real(0.0, 1.0), 0, frozenset({1}))
    assert Lattice([root, *below]).size == 10**400 + 1
    assert math.isinf(Lattice([root, *below, real]).size)


def test_infinitely_many_points_have_no_numbers():
    lattice = as_space([{"a": [1]}, {"x": (0.0, 1.0)}]).lattice
    assert math.isinf(lattice.size)
    for use in (
        lambda: lattice.point(0),
        lambda: lattice.number(np.array([0.25, 0.5, np.nan])),
        lambda: list(lattice),
    ):
        with pytest.raises(ValueError, match=r"'x': .* no finite list of levels"):
            use()
