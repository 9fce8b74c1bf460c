"""A search space: columns in the unit cube, some of them active only under others.

Notation
--------
d : number of columns (dimensions of the whole tree, all branches counted)
U : array of shape (n, d), points in the unit cube; NaN where a column is inactive
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from skhpo.space._dimensions import Dimension


@dataclass(frozen=True)
class Column:
    """One dimension in its place in the tree.

    Attributes
    ----------
    name : str or None
        Parameter that the column sets. None for the choice between the dicts of a list,
        which is no parameter of the estimator.
    dimension : Dimension
    parent : int or None
        The categorical column that this one hangs under, always an earlier one.
    branches : frozenset of int
        Levels of the parent under which this column is active.
    """

    name: str | None
    dimension: Dimension
    parent: int | None = None
    branches: frozenset[int] = frozenset()


class Space:
    """The whole domain of a search, as samplers see it and as users wrote it.

    Samplers use the numeric face: ``d``, ``columns`` (for each the kind, number of levels and
    cells of its ``dimension``, and its ``parent`` and ``branches``), ``canonical``, ``active``,
    ``size`` and ``enumerate``. ``to_params`` and ``to_position`` translate for users.

    Parameters
    ----------
    columns : sequence of Column
        Parents before their children.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        self.columns = tuple(columns)
        self.d = len(self.columns)
        self.kinds = tuple(column.dimension.kind for column in self.columns)
        self.is_conditional = any(column.parent is not None for column in self.columns)
        self._check_parents()

        # Columns whose canonical positions are one formula are snapped together.
        even = [j for j, column in enumerate(self.columns) if column.dimension.even_cells]
        self._even = np.array(even, dtype=np.intp)
        self._n_even = np.array([self.columns[j].dimension.n_levels for j in even], dtype=float)
        self._uneven = [
            j for j in range(self.d) if self.kinds[j] != "real" and not self.columns[j].dimension.even_cells
        ]

        self._children = self._list_children()
        self._has_children = {parent for parent, _ in self._children}
        self._names_below: list[set[str]] = [set() for _ in self.columns]
        for j, column in reversed(list(enumerate(self.columns))):
            if column.parent is not None:
                own = set() if column.name is None else {column.name}
                self._names_below[column.parent] |= self._names_below[j] | own
        self._lookups = self._tabulate_branches()

    def _check_parents(self) -> None:
        for j, column in enumerate(self.columns):
            if column.parent is None:
                continue
            if not 0 <= column.parent < j:
                raise ValueError(f"Column {j} stands before its parent {column.parent}.")
            if self.kinds[column.parent] != "categorical":
                raise ValueError(f"Column {j} hangs under column {column.parent}, which is not categorical.")
            levels = range(int(self.columns[column.parent].dimension.n_levels))
            if not column.branches or not all(branch in levels for branch in column.branches):
                raise ValueError(
                    f"Column {j} needs branches from 0 to {levels[-1]}, got {sorted(column.branches)}."
                )

    def _list_children(self) -> dict[tuple[int | None, int | None], tuple[int, ...]]:
        """The columns directly below each branch, sorted by name as scikit-learn's grid sorts them."""
        below: dict[tuple[int | None, int | None], list[int]] = {}
        for j, column in enumerate(self.columns):
            branches = [None] if column.parent is None else sorted(column.branches)
            for branch in branches:
                below.setdefault((column.parent, branch), []).append(j)
        return {
            key: tuple(sorted(columns, key=lambda j: self.columns[j].name or ""))
            for key, columns in below.items()
        }

    def _tabulate_branches(self) -> list[tuple[int, np.ndarray, np.ndarray]]:
        """For each parent its children, and which of them are active under each of its levels.

        The last row of a table, all False, is for a parent that has no level.
        """
        lookups = []
        for parent in sorted({c.parent for c in self.columns if c.parent is not None}):
            children = [j for j, column in enumerate(self.columns) if column.parent == parent]
            table = np.zeros((int(self.columns[parent].dimension.n_levels) + 1, len(children)), dtype=bool)
            for i, j in enumerate(children):
                table[sorted(self.columns[j].branches), i] = True
            lookups.append((parent, np.array(children), table))
        return lookups

    def __repr__(self) -> str:
        return f"Space({list(self.columns)!r})"

    # -- the numeric face -------------------------------------------------------------------

    def branch(self, j: int, positions: np.ndarray) -> np.ndarray:
        """Level numbers (floats, NaN kept) of positions in the categorical column j."""
        n = self.columns[j].dimension.n_levels
        return np.minimum(np.maximum(np.floor(positions * n), 0), n - 1)

    def active(self, U: np.ndarray) -> np.ndarray:
        """Which entries of U (n, d) count, given the choices made in their parents."""
        mask = np.ones(U.shape, dtype=bool)
        for parent, children, table in self._lookups:
            level = self.branch(parent, U[:, parent])
            level = np.where(np.isnan(level), len(table) - 1, level).astype(np.intp)
            mask[:, children] = mask[:, parent, None] & table[level]
        return mask

    def canonical(self, U: np.ndarray) -> np.ndarray:
        """A copy of U (n, d) clipped to the cube, discrete entries in the middle of their cell,
        inactive ones NaN.

        Raises
        ------
        ValueError
            If U has not d columns, or an active entry is NaN.
        """
        U = np.array(U, dtype=float, ndmin=2)
        if U.ndim != 2 or U.shape[1] != self.d:
            raise ValueError(f"Points of this space have shape (n, {self.d}), got {U.shape}.")
        # Adding 0 turns -0 into 0: equal points have equal bytes.
        U = np.minimum(np.maximum(U, 0.0), 1.0) + 0.0
        if len(self._even):
            k = np.minimum(np.floor(U[:, self._even] * self._n_even), self._n_even - 1)
            U[:, self._even] = (k + 0.5) / self._n_even
        for j in self._uneven:
            U[:, j] = self.columns[j].dimension.snap(U[:, j])
        incomplete = np.isnan(U)
        if self.is_conditional:
            mask = self.active(U)
            U[~mask] = np.nan
            incomplete &= mask
        if incomplete.any():
            i, j = np.argwhere(incomplete)[0]
            raise ValueError(
                f"Row {i} has no value in column {j} ({self.columns[j].name!r}), which is active."
            )
        return U

    @cached_property
    def size(self) -> float:
        """Number of different points: an integer, or ``math.inf``."""
        return self._size_below(None, None)

    def _size_below(self, parent: int | None, branch: int | None) -> float:
        return math.prod(self._size_of(j) for j in self._children.get((parent, branch), ()))

    def _size_of(self, j: int) -> float:
        n_levels = self.columns[j].dimension.n_levels
        if j not in self._has_children:
            return n_levels
        return sum(self._size_below(j, level) for level in range(int(n_levels)))

    def enumerate(self, resolution: int | None = None) -> Iterator[np.ndarray]:
        """All canonical points, in the order of scikit-learn's ``ParameterGrid``.

        Parameters
        ----------
        resolution : int, optional
            Number of evenly spaced positions for each dimension without a finite list of
            levels, or with a longer one; without it such a dimension is a ``ValueError``.

        Yields
        ------
        point : ndarray of shape (d,)
        """
        levels = [self._levels(j, resolution).tolist() for j in range(self.d)]
        for assignment in self._assignments(self._children[None, None], levels):
            point = np.full(self.d, np.nan)
            for j, position in assignment:
                point[j] = position
            yield point

    def _levels(self, j: int, resolution: int | None) -> np.ndarray:
        dimension = self.columns[j].dimension
        if resolution is None or dimension.n_levels <= resolution or self.kinds[j] == "categorical":
            if not math.isfinite(dimension.n_levels):
                raise ValueError(f"{self.columns[j].name!r}: {dimension!r} has no finite list of levels.")
            return dimension.levels()
        return np.unique(dimension.snap((np.arange(resolution) + 0.5) / resolution))

    def _assignments(
        self, columns: Sequence[int], levels: list[list[float]]
    ) -> Iterator[tuple[tuple[int, float], ...]]:
        """Every way to fill some sibling columns and what hangs below them, the last changing first."""
        if not columns:
            yield ()
            return
        j, *rest = columns
        for position in levels[j]:
            for below in self._assignments(self._below(j, position), levels):
                for others in self._assignments(rest, levels):
                    yield ((j, position), *below, *others)

    def _below(self, j: int, position: float) -> tuple[int, ...]:
        """Columns that are active because column j has this position."""
        if j not in self._has_children:
            return ()
        return self._children.get((j, int(self.branch(j, np.asarray(position)))), ())

    # -- the user's face ----------------------------------------------------------------------

    def to_params(self, point: np.ndarray) -> dict[str, Any]:
        """The estimator's parameters at a canonical point (d,)."""
        return {
            column.name: column.dimension.decode(position)
            for column, position in zip(self.columns, point.tolist(), strict=True)
            if column.name is not None and position == position
        }

    def to_position(self, params: Mapping[str, Any]) -> np.ndarray:
        """Canonical point (d,) of a complete parameter dict.

        Raises
        ------
        ValueError
            If a parameter is unknown, missing, or outside its dimension.
        """
        point = self.to_partial_position(params)
        missing = self.active(point[None])[0] & np.isnan(point)
        if missing.any():
            names = sorted({str(self.columns[j].name) for j in np.flatnonzero(missing)} - {"None"})
            lacks = f"lacks a value for {', '.join(names)}" if names else "is none of the dicts of the space"
            raise ValueError(f"{dict(params)!r} {lacks}.")
        return self.canonical(point[None])[0]

    def to_partial_position(self, params: Mapping[str, Any]) -> np.ndarray:
        """Point (d,) with NaN in active columns that ``params`` leaves open.

        Where several branches of the space can hold the given parameters, one that they fill is
        meant rather than one that they fill in part, and then the first. A choice between
        branches that no given parameter depends on is left open.

        Raises
        ------
        ValueError
            If a parameter is unknown, or a value lies outside the space.
        """
        known = {column.name for column in self.columns if column.name is not None}
        if unknown := [name for name in params if name not in known]:
            raise ValueError(
                f"{', '.join(map(repr, unknown))} is not in the search space, which has {sorted(known)}."
            )
        complaints: list[str] = []
        for complete in (True, False):
            for found in self._placements(self._children[None, None], params, complete, complaints):
                if params.keys() <= {self.columns[j].name for j in found}:
                    point = np.full(self.d, np.nan)
                    point[list(found)] = list(found.values())
                    return point
        reason = complaints[0] if complaints else "no branch of the space has all these parameters together."
        raise ValueError(f"{dict(params)!r} is outside the search space: {reason}")

    def _placements(
        self, columns: Sequence[int], params: Mapping[str, Any], complete: bool, complaints: list[str]
    ) -> Iterator[dict[int, float]]:
        """Positions of sibling columns, and of what hangs below them, that agree with ``params``.

        With ``complete`` each named column must be given; else what is not given is left out.
        """
        if not columns:
            yield {}
            return
        j, *rest = columns
        for own in self._place(j, params, complete, complaints):
            for others in self._placements(rest, params, complete, complaints):
                yield own | others

    def _place(
        self, j: int, params: Mapping[str, Any], complete: bool, complaints: list[str]
    ) -> Iterator[dict[int, float]]:
        name, dimension = self.columns[j].name, self.columns[j].dimension
        positions: list[float]
        if name is not None and name in params:
            try:
                positions = [dimension.encode(params[name])]
            except ValueError as error:
                complaints.append(f"{name}: {error}")
                return
        elif complete and name is not None:
            return
        elif complete or not self._names_below[j].isdisjoint(params):
            positions = dimension.levels().tolist()
        else:
            yield {}
            return
        for position in positions:
            for below in self._placements(self._below(j, position), params, complete, complaints):
                yield {j: position} | below
