"""Dimensions in their places in the tree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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


Branches = dict[tuple[int | None, int | None], tuple[int, ...]]
"""Columns directly below each level of each parent; (None, None) is the root."""


def list_children(columns: Sequence[Column]) -> Branches:
    """The columns directly below each branch, sorted by name as scikit-learn's grid sorts them."""
    below: dict[tuple[int | None, int | None], list[int]] = {}
    for j, column in enumerate(columns):
        for branch in [None] if column.parent is None else sorted(column.branches):
            below.setdefault((column.parent, branch), []).append(j)
    return {key: tuple(sorted(found, key=lambda j: columns[j].name or "")) for key, found in below.items()}


def level_numbers(dimension: Dimension, positions: np.ndarray) -> np.ndarray:
    """Numbers (floats, NaN kept) of the levels at positions in a categorical dimension."""
    n = dimension.n_levels
    return np.minimum(np.maximum(np.floor(positions * n), 0), n - 1)
