"""The columns of a space by their kinds, as the densities of many points take them all at once.

A search puts up two Parzen estimators for every proposal, always over the same space. What they need to know
of its columns is gathered here once.

Notation
--------
c : number of points
o : number of ordinal columns
k : number of categorical columns
l : number of their levels, over all of them
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np

from skhpo.space import Space


class Layout:
    """Which columns are of which kind, and how wide the cells of the ordinal ones are.

    Parameters
    ----------
    space : Space

    Attributes
    ----------
    ordinal : ndarray of int of shape (o,)
    categorical : ndarray of int of shape (k,)
    ordered : ndarray of int
        The real columns and behind them the ordinal ones.
    n_real : int
        How many of the ordered columns are real.
    is_ordered : ndarray of bool of shape (d,)
    n_levels : ndarray of int of shape (k,)
        Of the categorical columns.
    level_column : ndarray of int of shape (l,)
        The columns of the indicators of levels, side by side, as numbers of categorical columns.
    level : ndarray of int of shape (l,)
        The levels that they indicate.
    """

    def __init__(self, space: Space) -> None:
        kinds = np.array(space.kinds)
        self.is_ordered = kinds != "categorical"
        real = np.flatnonzero(kinds == "real")
        self.n_real = len(real)
        self.ordinal = np.flatnonzero(kinds == "ordinal")
        self.categorical = np.flatnonzero(~self.is_ordered)
        self.ordered = np.concatenate([real, self.ordinal])
        self.n_levels = np.array([int(space.columns[j].dimension.n_levels) for j in self.categorical], int)
        self.level_column = np.repeat(np.arange(len(self.categorical)), self.n_levels)
        self.level = np.concatenate([np.arange(n) for n in self.n_levels] + [np.empty(0, int)])

        dimensions = [space.columns[j].dimension for j in self.ordinal]
        self._even_width = np.array([1 / d.n_levels if d.even_cells else np.nan for d in dimensions])
        self._uneven = np.flatnonzero(np.isnan(self._even_width))
        # Not the space, as a layout that kept its own would keep itself.
        self._uneven_cells = space.cells.of(self.ordinal[self._uneven])
        self._last_widths = (b"", np.empty((0, len(self.ordinal))))

    def levels_of(self, X: np.ndarray) -> np.ndarray:
        """Level numbers (c, k) in the categorical columns; NaN where inactive."""
        return np.minimum(np.floor(X[:, self.categorical] * self.n_levels), self.n_levels - 1)

    def cell_widths(self, X: np.ndarray) -> np.ndarray:
        """Widths (c, o) of the cells in the ordinal columns, meaningless where a point is inactive.

        The middles of the cells are the canonical positions. Two densities are asked about the same
        candidates, so the last widths are kept: uneven cells cost as much as all the rest of a density of
        a few kernels.
        """
        if not len(self._uneven):
            return np.broadcast_to(self._even_width, (len(X), len(self.ordinal)))
        key, (last, widths) = X.tobytes(), self._last_widths
        if key != last:
            widths = np.tile(self._even_width, (len(X), 1))
            low, high = self._uneven_cells.edges(X[:, self.ordinal[self._uneven]])
            widths[:, self._uneven] = high - low
            widths.flags.writeable = False
            self._last_widths = key, widths
        return widths


_layouts: WeakKeyDictionary[Space, Layout] = WeakKeyDictionary()


def layout_of(space: Space) -> Layout:
    """The layout of a space, made once and kept as long as the space is."""
    layout = _layouts.get(space)
    if layout is None:
        layout = _layouts[space] = Layout(space)
    return layout
