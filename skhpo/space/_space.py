"""A search space: columns in the unit cube, some of them active only under others.

Notation
--------
d : number of columns (dimensions of the whole tree, all branches counted)
U : array of shape (n, d), points in the unit cube; NaN where a column is inactive
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from skhpo.space._cells import Cells
from skhpo.space._columns import Column, level_numbers, list_children
from skhpo.space._lattice import Lattice


class Space:
    """The whole domain of a search, as samplers see it and as users wrote it.

    Samplers use the numeric face: ``d``, ``columns`` (for each the kind, number of levels and
    cells of its ``dimension``, and its ``parent`` and ``branches``), ``canonical``, ``cells``, ``active``,
    ``size``, ``enumerate`` and ``lattice``. ``to_params`` and ``to_position`` translate for users.

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

        self.cells = Cells([column.dimension for column in self.columns])
        self._children = list_children(self.columns)
        self._has_children = {parent for parent, _ in self._children}
        self._names_below: list[set[str]] = [set() for _ in self.columns]
        self._names_under: dict[tuple[int | None, int | None], set[str]] = {
            branch: set() for branch in self._children
        }
        for j, column in reversed(list(enumerate(self.columns))):
            names = self._names_below[j] | (set() if column.name is None else {column.name})
            if column.parent is not None:
                self._names_below[column.parent] |= names
            for branch in column.branches if column.parent is not None else [None]:
                self._names_under[column.parent, branch] |= names
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
        return level_numbers(self.columns[j].dimension, positions)

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
        np.maximum(U, 0.0, out=U)
        np.minimum(U, 1.0, out=U)
        U += 0.0  # turns -0 into 0: equal points have equal bytes
        self.cells.snap(U)
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
    def lattice(self) -> Lattice:
        """All points by their numbers."""
        return Lattice(self.columns)

    @property
    def size(self) -> float:
        """Number of different points: an integer, or ``math.inf``."""
        return self.lattice.size

    def enumerate(self) -> Iterator[np.ndarray]:
        """All canonical points, in the order of scikit-learn's ``ParameterGrid``.

        Yields
        ------
        point : ndarray of shape (d,)

        Raises
        ------
        ValueError
            If a dimension has no finite list of levels.
        """
        yield from self.lattice

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
            found = self._place_all((None, None), params, complete, complaints)
            if found is not None:
                point = np.full(self.d, np.nan)
                point[list(found)] = list(found.values())
                return point
        reason = complaints[0] if complaints else "no branch of the space has all these parameters together."
        raise ValueError(f"{dict(params)!r} is outside the search space: {reason}")

    def _place_all(
        self,
        branch: tuple[int | None, int | None],
        params: Mapping[str, Any],
        complete: bool,
        complaints: list[str],
    ) -> dict[int, float] | None:
        """Positions of the columns of a branch, and of what hangs below them, that agree with ``params``.

        With ``complete`` each named column must be given; else what is not given is left out. None if
        there are no such positions. Siblings are placed one by one, as no two of them that are active
        together set the same parameter.
        """
        placed: dict[int, float] = {}
        for j in self._children.get(branch, ()):
            found = self._place(j, params, complete, complaints)
            if found is None:
                return None
            placed |= found
        return placed

    def _place(
        self, j: int, params: Mapping[str, Any], complete: bool, complaints: list[str]
    ) -> dict[int, float] | None:
        """The same of one column: its first level under which all can stand that must stand there."""
        name, dimension = self.columns[j].name, self.columns[j].dimension
        given_below = self._names_below[j] & params.keys()
        positions: list[float]
        if name is not None and name in params:
            try:
                positions = [dimension.encode(params[name])]
            except ValueError as error:
                complaints.append(f"{name}: {error}")
                return None
        elif complete and name is not None:
            return None
        elif complete or given_below:
            positions = dimension.levels().tolist()
        else:
            return {}
        if j not in self._has_children:
            return {j: positions[0]}
        for position, level in zip(positions, self.branch(j, np.array(positions)).tolist(), strict=True):
            if given_below <= self._names_under.get((j, int(level)), set()):
                found = self._place_all((j, int(level)), params, complete, complaints)
                if found is not None:
                    return {j: position} | found
        return None
