"""Every combination of levels, in the order of scikit-learn's ``ParameterGrid``.

Notation
--------
K          : number of points of the lattice
k          : number of one point, 0 <= k < K
sizes[j]   : combinations of column j with all that hangs under it
starts[j]  : for a column that others hang under, the combinations before each of its levels
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from skhpo.space._columns import Column, level_numbers, list_children


class Lattice:
    """The points of a grid by their numbers, computed when wanted: K may be beyond any memory.

    A point's number is read as digits of mixed radix, one digit for each column on the same
    level of the tree; the alphabetically last name turns fastest. Within a column that others
    hang under, numbers count through its levels, each as wide as the grid below it.

    Parameters
    ----------
    columns : sequence of Column
        Parents before their children.
    levels : sequence of ndarray, optional
        For each column its canonical positions in the grid; by default all that it has.

    Attributes
    ----------
    size : float
        K, an integer or ``math.inf``.

    Examples
    --------
    >>> from skhpo.space import Categorical, Column, Lattice
    >>> columns = [Column("a", Categorical(["x", "y"])), Column("b", Categorical([1, 2, 3, 4]))]
    >>> lattice = Lattice(columns)
    >>> lattice.size
    8
    >>> lattice.point(6)
    array([0.75 , 0.625])
    >>> lattice.number(lattice.point(6))
    6
    """

    def __init__(self, columns: Sequence[Column], levels: Sequence[np.ndarray] | None = None) -> None:
        self._columns = tuple(columns)
        self._given = levels
        self._children = list_children(columns)
        self._branches: dict[int, list[int]] = {}
        # Integers, or math.inf, which is met in arithmetic of sizes but never in that of numbers.
        self._starts: dict[int, list[Any]] = {}
        self._sizes: list[Any] = [0] * len(self._columns)
        parents = {column.parent for column in self._columns}
        # Children stand after their parents, so what hangs under j is counted before j.
        for j in reversed(range(len(self._columns))):
            dimension = self._columns[j].dimension
            if j not in parents:
                self._sizes[j] = dimension.n_levels if levels is None else len(levels[j])
                continue
            below = level_numbers(dimension, dimension.levels() if levels is None else levels[j])
            self._branches[j] = below.astype(int).tolist()
            widths = [self._size_below(j, branch) for branch in self._branches[j]]
            self._starts[j] = list(itertools.accumulate(widths, _add, initial=0))
            self._sizes[j] = self._starts[j].pop()
        self.size: float = self._size_below(None, None)

    def _size_below(self, parent: int | None, branch: int | None) -> Any:
        return _product(self._sizes[j] for j in self._children.get((parent, branch), ()))

    @cached_property
    def _positions(self) -> list[list[float]]:
        """The levels of each column."""
        if self._given is not None:
            return [levels.tolist() for levels in self._given]
        for column in self._columns:
            if not math.isfinite(column.dimension.n_levels):
                raise ValueError(f"{column.name!r}: {column.dimension!r} has no finite list of levels.")
        return [column.dimension.levels().tolist() for column in self._columns]

    @cached_property
    def _digits(self) -> list[dict[float, int]]:
        """For each column the place of each position among its levels."""
        return [{position: digit for digit, position in enumerate(levels)} for levels in self._positions]

    def __iter__(self) -> Iterator[np.ndarray]:
        """All points in the order of their numbers; ``ValueError`` if they are infinitely many."""
        k = 0
        while k < self.size:
            yield self.point(k)
            k += 1

    def point(self, k: int) -> np.ndarray:
        """Canonical point (d,) number k.

        Raises
        ------
        ValueError
            If a column has infinitely many levels.
        """
        values = [math.nan] * len(self._columns)
        self._fill(values, (None, None), k)
        return np.array(values)

    def _fill(self, values: list[float], branch: tuple[int | None, int | None], k: int) -> None:
        for j in reversed(self._children.get(branch, ())):
            k, digit = divmod(k, self._sizes[j])
            if j in self._starts:
                combination, starts = digit, self._starts[j]
                digit = bisect_right(starts, combination) - 1
                self._fill(values, (j, self._branches[j][digit]), combination - starts[digit])
            values[j] = self._positions[j][digit]

    def number(self, point: np.ndarray) -> int | None:
        """Number of a canonical point (d,); None if it is not in the grid.

        Raises
        ------
        ValueError
            If a column has infinitely many levels.
        """
        return self._read(point.tolist(), (None, None))

    def _read(self, values: list[float], branch: tuple[int | None, int | None]) -> int | None:
        k = 0
        for j in self._children.get(branch, ()):
            digit = self._digits[j].get(values[j])
            if digit is None:
                return None
            if j in self._starts:
                combination = self._read(values, (j, self._branches[j][digit]))
                if combination is None:
                    return None
                digit = self._starts[j][digit] + combination
            k = k * self._sizes[j] + digit
        return k


def _add(a: Any, b: Any) -> Any:
    # An integer beyond the floats cannot be added to an infinity.
    return math.inf if math.inf in (a, b) else a + b


def _product(sizes: Iterable[Any]) -> Any:
    sizes = list(sizes)
    return math.inf if math.inf in sizes else math.prod(sizes)
