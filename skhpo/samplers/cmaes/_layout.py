"""Which columns of a space the normal distribution holds, and which the categorical ones.

Notation
--------
d : number of columns of the space
n : number of ordered columns with more than one level, those of the normal distribution
X : (lam, d), canonical points
x : (lam, n), their ordered columns
"""

from __future__ import annotations

import math

import numpy as np

from skhpo.space import Space


class Layout:
    """The columns of a space by what becomes of them.

    Attributes
    ----------
    ordered : ndarray of int of shape (n,)
        Columns of the space that the normal distribution holds.
    discrete, real : ndarray of int
        Those of the n with cells, and those without.
    narrowing : ndarray of bool of shape (n,)
        Which of the n have no cells, and so can become arbitrarily narrow.
    categorical : ndarray of int
        Columns of the space with a categorical distribution.
    K : list of int
        Number of choices of each of these.
    n_free : int
        Number of columns with more than one value.
    may_repeat : bool
        Whether two draws can mean the same point.
    """

    def __init__(self, space: Space) -> None:
        self.space = space
        levels = np.array([column.dimension.n_levels for column in space.columns])
        is_categorical = np.array(space.kinds) == "categorical"
        self.ordered = np.flatnonzero(~is_categorical & (levels > 1))
        has_cells = np.isfinite(levels[self.ordered])
        self.discrete, self.real = np.flatnonzero(has_cells), np.flatnonzero(~has_cells)
        self.categorical = np.flatnonzero(is_categorical & (levels > 1))
        self.K = [int(levels[j]) for j in self.categorical]
        self.n_free = len(self.ordered) + len(self.categorical)
        self.narrowing = np.isin(np.arange(len(self.ordered)), self.real)
        self.may_repeat = math.isfinite(space.size) or space.is_conditional

    def known(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Ends (lam, n) of the interval in which each sample lay.

        Both are x in a real column, the cell's edges in a discrete one, open at the column's
        ends, and infinite in an inactive one.
        """
        low, high = x.copy(), x.copy()
        for j in self.discrete:
            below, above = self.space.columns[self.ordered[j]].dimension.cells(x[:, j])
            # Only the outermost cells of a discrete column have an edge of the cube.
            low[:, j] = np.where(below <= 0, -np.inf, below)
            high[:, j] = np.where(above >= 1, np.inf, above)
        inactive = np.isnan(x)
        low[inactive], high[inactive] = -np.inf, np.inf
        return low, high

    def choices(self, X: np.ndarray) -> list[np.ndarray]:
        """Number of the choice (lam,) in each categorical column; NaN where it is inactive."""
        return [self.space.branch(int(j), X[:, j]) for j in self.categorical]

    def points(self, x: np.ndarray, choices: list[np.ndarray]) -> np.ndarray:
        """Points (lam, d) in the cube from what the two distributions drew."""
        X = np.full((len(x), self.space.d), 0.5)
        X[:, self.ordered] = np.minimum(
            np.maximum(x, 0.0), 1.0
        )  # outermost cells of discrete columns are open
        for j, K, chosen in zip(self.categorical, self.K, choices, strict=True):
            X[:, j] = (chosen + 0.5) / K
        return X
