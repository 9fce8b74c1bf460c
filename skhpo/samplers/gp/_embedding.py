r"""Points of a mixed, conditional space as vectors whose Euclidean distance is the kernel's.

Notation
--------
n, d, F : numbers of points, of columns of the space, of features
k       : number of ordered columns
X       : (n, d), canonical points; NaN where a column is inactive
Phi     : (n, F), features of X
owner   : (F,), the column that each feature belongs to

Matern covariances are mixtures of Gaussians over scales, hence positive definite functions of the distance
in any Hilbert space [1]_. A kernel on odd objects is therefore valid as soon as its distance is Euclidean
in *some* embedding, and the surest way to have that is to write the embedding down:

* real and ordinal columns: the position itself;
* categorical columns: the level's unit vector over sqrt(2), so that two different levels are at distance 1
  (Hamming). Inactive is one more level;
* real and ordinal columns that can be inactive: the point on the unit circle at the position's angle in
  radians; inactive is the circle's centre. Whatever its position, an active point is then at distance 1 from
  an inactive one, and two active points are at the chord 2 sin(|x - x'| / 2), within 4.2% of \|x - x'\|. The
  straight line could not have this: no point is equally far from three points of a line, so "the difference,
  or 1 if only one is active" is the distance of no Euclidean space and its kernel may be indefinite. This is
  the cylindrical embedding of [2]_ with an angle that leaves distances as they are.

References
----------
.. [1] C. E. Rasmussen and C. K. I. Williams, "Gaussian Processes for Machine Learning", 2006, section 4.2.
.. [2] K. Swersky et al., "Raiders of the lost architecture: kernels for Bayesian optimization in conditional
   parameter spaces", 2014, arXiv:1409.4011.
"""

from __future__ import annotations

import numpy as np

from skhpo.space import Space


class Embedding:
    """Features of a space.

    Parameters
    ----------
    space : Space

    Attributes
    ----------
    n_features, n_columns : int
        The columns may be more than the space has; see ``_context``.
    owner : ndarray of shape (F,)
    ordered : ndarray of int, shape (k,)
        The real and ordinal columns of the space: lines, then circles.
    """

    def __init__(self, space: Space) -> None:
        lines: list[tuple[int, int]] = []
        circles: list[tuple[int, int]] = []
        levels: list[tuple[int, int, int]] = []
        owner: list[int] = []
        for j, column in enumerate(space.columns):
            first, can_be_inactive = len(owner), column.parent is not None
            if space.kinds[j] == "categorical":
                n_levels = int(column.dimension.n_levels)
                levels.append((j, first, n_levels))
                owner += [j] * (n_levels + can_be_inactive)
            elif can_be_inactive:
                circles.append((j, first))
                owner += [j, j]
            else:
                lines.append((j, first))
                owner.append(j)
        self._own(np.array(owner), space.d)
        self.ordered = np.array([j for j, _ in (*lines, *circles)], dtype=int)
        # Fancy indices of all columns of a kind at once: what costs is the number of calls to numpy.
        self._line_features = np.array([first for _, first in lines], dtype=int)
        self._circle_features = np.array([first for _, first in circles], dtype=int)
        self._categorical, self._level_features, self._n_levels = np.array(levels, dtype=int).reshape(-1, 3).T

    def _own(self, owner: np.ndarray, n_columns: int) -> None:
        """Set which of the columns each feature belongs to."""
        self.owner, self.n_features, self.n_columns = owner, len(owner), n_columns
        self._owns = (owner[:, None] == np.arange(n_columns)).astype(float)

    def features(self, X: np.ndarray) -> np.ndarray:
        """Features (n, F) of canonical points (n, d)."""
        Phi = np.zeros((len(X), self.n_features))
        self._place(Phi, X[:, self.ordered])
        if len(self._categorical):
            # Canonical positions are middles of cells; inactive is one more level.
            level = np.floor(X[:, self._categorical] * self._n_levels)
            level = np.where(np.isnan(level), self._n_levels, level).astype(int)
            Phi[np.arange(len(X))[:, None], self._level_features + level] = np.sqrt(0.5)
        return Phi

    def positions(self, Phi: np.ndarray) -> np.ndarray:
        """Positions (n, k) in the ordered columns, read off features (n, F); NaN where inactive."""
        x = np.empty((len(Phi), len(self.ordered)))
        n_lines = len(self._line_features)
        x[:, :n_lines] = Phi[:, self._line_features] + 0.5
        cos, sin = Phi[:, self._circle_features], Phi[:, self._circle_features + 1]
        x[:, n_lines:] = np.where((cos == 0.0) & (sin == 0.0), np.nan, np.arctan2(sin, cos) + 0.5)
        return x

    def moved(self, Phi: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Features (n, F) with other positions (n, k) in the ordered columns."""
        Phi = Phi.copy()
        self._place(Phi, x)
        return Phi

    def _place(self, Phi: np.ndarray, x: np.ndarray) -> None:
        """Write positions x (n, k) of the ordered columns into the features Phi (n, F)."""
        n_lines = len(self._line_features)
        # Centred, so that squared distances as differences of squares lose no digits.
        Phi[:, self._line_features] = x[:, :n_lines] - 0.5
        if len(self._circle_features):
            angle = x[:, n_lines:] - 0.5
            inactive = np.isnan(angle)
            Phi[:, self._circle_features] = np.where(inactive, 0.0, np.cos(angle))
            Phi[:, self._circle_features + 1] = np.where(inactive, 0.0, np.sin(angle))

    def by_positions(self, x: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        """Gradient (..., k) by the positions x (..., k), of a function whose gradient by features is given.

        Ordinal columns are taken as if they were real; inactive ones have zeros.
        """
        result = np.empty((*gradient.shape[:-1], len(self.ordered)))
        n_lines = len(self._line_features)
        result[..., :n_lines] = gradient[..., self._line_features]
        if len(self._circle_features):
            first, angle = self._circle_features, x[..., n_lines:] - 0.5
            along = -np.sin(angle) * gradient[..., first] + np.cos(angle) * gradient[..., first + 1]
            result[..., n_lines:] = np.where(np.isnan(angle), 0.0, along)
        return result

    def by_column(self, values: np.ndarray) -> np.ndarray:
        """Sums (d,) over each column's own features of values (F,)."""
        return values @ self._owns
