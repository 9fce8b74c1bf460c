"""The cells of discrete axes, of many axes at once: what costs is the number of calls to numpy.

Notation
--------
n, o      : numbers of points, of axes; a ``LogCells`` of numbers is of one axis, and o is left out
low, high : (o,), ends of ranges of integers
k         : (n, o), numbers of levels, counted from 0
U         : (n, d), points in the unit cube; NaN where a column is inactive
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from skhpo.space._dimensions import Dimension


def clip(positions: np.ndarray) -> np.ndarray:
    """Positions in [0, 1]; NaN stays NaN, and no zero is negative: equal points have equal bytes."""
    return np.minimum(np.maximum(positions, 0.0), 1.0) + 0.0


class LogCells:
    """Of a range of integers each integer k owns the interval from log(k - 1/2) to log(k + 1/2).

    Parameters
    ----------
    low, high : float or ndarray of shape (o,)
        Integers, less than 2**53.

    Attributes
    ----------
    start, width : float or ndarray of shape (o,)
        Where the logarithmic axes begin and how long they are.
    """

    def __init__(self, low: float | np.ndarray, high: float | np.ndarray) -> None:
        self.low, self.high = low, high
        # numpy's logarithm, as everywhere below: with another one the last edge may not be 1.
        self.start = np.log(low - 0.5)
        self.width = np.log(high + 0.5) - self.start

    def index(self, positions: np.ndarray) -> np.ndarray:
        """Numbers (n, o) of the levels at positions (n, o), as floats."""
        value = np.exp(self.start + clip(positions) * self.width)
        k = np.floor(value + 0.5) - self.low
        return np.minimum(np.maximum(k, 0.0), self.high - self.low)

    def edge(self, k: np.ndarray) -> np.ndarray:
        """Lower edges (n, o) of the k-th cells, which are the upper ones of the cells before them."""
        return clip((np.log(k + (self.low - 0.5)) - self.start) / self.width)

    def middle(self, k: np.ndarray) -> np.ndarray:
        """Canonical positions (n, o) of the k-th levels."""
        return (self.edge(k) + self.edge(k + 1)) / 2


class Cells:
    """The cells of all columns; those whose edges are one formula are taken together.

    Parameters
    ----------
    dimensions : sequence of Dimension, of length d
    """

    def __init__(self, dimensions: Sequence[Dimension]) -> None:
        self._dimensions, numbered = dimensions, list(enumerate(dimensions))
        self._even = np.array([j for j, dimension in numbered if dimension.even_cells], dtype=np.intp)
        self._n_even = np.array([dimensions[j].n_levels for j in self._even], dtype=float)
        log = [(j, dimension.log_cells) for j, dimension in numbered if dimension.log_cells is not None]
        self._log = np.array([j for j, _ in log], dtype=np.intp)
        self._log_cells = LogCells(*(np.array([getattr(c, end) for _, c in log]) for end in ("low", "high")))
        together = {*self._even.tolist(), *self._log.tolist()}
        self._single = [
            (j, dimension) for j, dimension in numbered if dimension.kind != "real" and j not in together
        ]

    def of(self, columns: Iterable[int]) -> Cells:
        """Those of some of the columns, in their order."""
        return Cells([self._dimensions[j] for j in columns])

    def snap(self, U: np.ndarray) -> None:
        """Bring points (n, d) of the unit cube to their canonical positions, in place."""
        if len(self._even):
            U[:, self._even] = (self._even_index(U) + 0.5) / self._n_even
        if len(self._log):
            U[:, self._log] = self._log_cells.middle(self._log_cells.index(U[:, self._log]))
        for j, dimension in self._single:
            U[:, j] = dimension.snap(U[:, j])

    def edges(self, U: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper edges, both (n, d), of the cells that hold points (n, d) of the unit cube.

        In a real column both are the position itself.
        """
        low, high = U.copy(), U.copy()
        if len(self._even):
            k = self._even_index(U)
            low[:, self._even], high[:, self._even] = k / self._n_even, (k + 1) / self._n_even
        if len(self._log):
            k = self._log_cells.index(U[:, self._log])
            low[:, self._log], high[:, self._log] = self._log_cells.edge(k), self._log_cells.edge(k + 1)
        for j, dimension in self._single:
            low[:, j], high[:, j] = dimension.cells(U[:, j])
        return low, high

    def _even_index(self, U: np.ndarray) -> np.ndarray:
        return np.minimum(np.floor(U[:, self._even] * self._n_even), self._n_even - 1)
