"""A search space: columns in the unit cube, some of them active only under others.

Notation
--------
d : number of columns (dimensions of the whole tree, all branches counted)
U : array of shape (n, d), points in the unit cube; NaN where a column is inactive
"""

from __future__ import annotations

import itertools
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
        for j, column in enumerate(self.columns):
            if column.parent is not None and not column.parent < j:
                raise ValueError(f"Column {j} stands before its parent {column.parent}.")
        self.kinds = tuple(column.dimension.kind for column in self.columns)
        self.is_conditional = any(column.parent is not None for column in self.columns)

    def __repr__(self) -> str:
        return f"Space({list(self.columns)!r})"

    # -- the numeric face -------------------------------------------------------------------

    def branch(self, j: int, positions: np.ndarray) -> np.ndarray:
        """Level numbers (floats, NaN kept) of positions in the categorical column j."""
        n = self.columns[j].dimension.n_levels
        return np.clip(np.floor(positions * n), 0, n - 1)

    def active(self, U: np.ndarray) -> np.ndarray:
        """Which entries of U (n, d) count, given the choices made in their parents."""
        mask = np.ones(U.shape, dtype=bool)
        for j, column in enumerate(self.columns):
            if column.parent is not None:
                level = self.branch(column.parent, U[:, column.parent])
                mask[:, j] = mask[:, column.parent] & np.isin(level, list(column.branches))
        return mask

    def canonical(self, U: np.ndarray) -> np.ndarray:
        """A copy of U (n, d) clipped to the cube, discrete entries in the middle of their cell,
        inactive ones NaN.

        Raises
        ------
        ValueError
            If an active entry is NaN.
        """
        U = np.array(U, dtype=float, ndmin=2)
        for j, column in enumerate(self.columns):
            U[:, j] = column.dimension.snap(U[:, j])
        if self.is_conditional:
            mask = self.active(U)
            U[~mask] = np.nan
            incomplete = np.isnan(U) & mask
        else:
            incomplete = np.isnan(U)
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
        size: float = 1
        for j, column in enumerate(self.columns):
            if column.parent == parent and (parent is None or branch in column.branches):
                size *= self._size_of(j)
        return size

    def _size_of(self, j: int) -> float:
        n_levels = self.columns[j].dimension.n_levels
        if not any(column.parent == j for column in self.columns):
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
        levels = [self._levels(j, resolution) for j in range(self.d)]
        for assignment in self._assignments(None, None, levels):
            point = np.full(self.d, np.nan)
            for j, position in assignment:
                point[j] = position
            yield self.canonical(point[None])[0]

    def _levels(self, j: int, resolution: int | None) -> np.ndarray:
        dimension = self.columns[j].dimension
        if resolution is None or (dimension.n_levels <= resolution or self.kinds[j] == "categorical"):
            if not math.isfinite(dimension.n_levels):
                raise ValueError(f"{self.columns[j].name!r}: {dimension!r} has no finite list of levels.")
            return dimension.levels()
        return np.unique(dimension.snap((np.arange(resolution) + 0.5) / resolution))

    def _assignments(
        self, parent: int | None, branch: int | None, levels: list[np.ndarray]
    ) -> Iterator[tuple[tuple[int, float], ...]]:
        here = [
            j
            for j, column in enumerate(self.columns)
            if column.parent == parent and (parent is None or branch in column.branches)
        ]
        here.sort(key=lambda j: self.columns[j].name or "")
        for parts in itertools.product(*(list(self._subtree(j, levels)) for j in here)):
            yield tuple(itertools.chain.from_iterable(parts))

    def _subtree(self, j: int, levels: list[np.ndarray]) -> Iterator[tuple[tuple[int, float], ...]]:
        has_children = any(column.parent == j for column in self.columns)
        for position in levels[j]:
            head = ((j, float(position)),)
            if not has_children:
                yield head
                continue
            for rest in self._assignments(j, int(self.branch(j, position)), levels):
                yield head + rest

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
            names = sorted({str(self.columns[j].name) for j in np.flatnonzero(missing)})
            raise ValueError(f"{dict(params)!r} lacks a value for {', '.join(names)}.")
        return self.canonical(point[None])[0]

    def to_partial_position(self, params: Mapping[str, Any]) -> np.ndarray:
        """Point (d,) with NaN in active columns that ``params`` leaves open.

        Where branches of the space have the same parameter names, the first branch whose
        dimensions hold all the given values is meant.

        Raises
        ------
        ValueError
            If a parameter is unknown, or a value lies outside the space.
        """
        known = {column.name for column in self.columns if column.name is not None}
        if unknown := sorted(set(params) - known):
            raise ValueError(
                f"{', '.join(map(repr, unknown))} is not in the search space, which has {sorted(known)}."
            )
        complaints: list[str] = []
        for assignment in self._match(None, None, params, complaints):
            used = {self.columns[j].name for j, _ in assignment}
            if set(params) <= used:
                point = np.full(self.d, np.nan)
                for j, position in assignment:
                    point[j] = position
                return point
        reason = complaints[0] if complaints else "no branch of the space has all these parameters together."
        raise ValueError(f"{dict(params)!r} is outside the search space: {reason}")

    def _match(
        self, parent: int | None, branch: int | None, params: Mapping[str, Any], complaints: list[str]
    ) -> Iterator[tuple[tuple[int, float], ...]]:
        """Assignments of the columns below a branch that agree with ``params``, most given first."""
        options: list[list[tuple[tuple[int, float], ...]]] = []
        for j, column in enumerate(self.columns):
            if column.parent != parent or (parent is not None and branch not in column.branches):
                continue
            has_children = any(child.parent == j for child in self.columns)
            if column.name is not None and column.name in params:
                try:
                    levels = [column.dimension.encode(params[column.name])]
                except ValueError as error:
                    complaints.append(str(error))
                    return
            elif has_children:
                levels = list(column.dimension.levels())
            else:
                continue
            found = [
                ((j, float(position)), *rest)
                for position in levels
                for rest in (
                    self._match(j, int(self.branch(j, np.asarray(position))), params, complaints)
                    if has_children
                    else [()]
                )
            ]
            found.sort(key=lambda assignment: -sum(self.columns[k].name in params for k, _ in assignment))
            options.append(found)
        for parts in itertools.product(*options):
            yield tuple(itertools.chain.from_iterable(parts))
