"""How wide the kernels of a Parzen estimator are (Watanabe 2023, section 3.3).

Notation
--------
d : number of columns of the space
m : number of kernels without the prior
X : (m, d), the points of the kernels, canonical; NaN where inactive
m_j : how many of them are active in column j; only these have a width there
L   : number of levels of a categorical column
"""

from __future__ import annotations

import numpy as np

from skhpo.space import Space


def neighbour_gaps(x: np.ndarray) -> np.ndarray:
    """Distance (m,) to the neighbour among the positions x (m,), the farther of the two.

    This is Bergstra's (2011, section 4.2) choice, but for the two outermost positions, which have
    one neighbour only: the edge of the axis is not counted as another, since a kernel as wide as
    the empty space beside it would draw proposals away from a cluster of good points. A position
    alone on its axis reaches to the farther edge.
    """
    if len(x) == 1:
        return np.maximum(x, 1 - x)
    order = np.argsort(x, kind="stable")
    step = np.diff(x[order])
    gaps = np.empty(len(x))
    gaps[order] = np.maximum(np.append(step, step[-1]), np.insert(step, 0, step[0]))
    return gaps


def select_bandwidths(space: Space, X: np.ndarray, min_factor: float, exponent: float) -> np.ndarray:
    """Bandwidths (m, d): sigma in ordered columns, leaving probability b in categorical ones.

    Parameters
    ----------
    space : Space
    X : ndarray of shape (m, d)
        Canonical points.
    min_factor : float
        Delta, the lower limit of sigma at any number of points.
    exponent : float
        alpha of the magic clip, which keeps sigma above (m_j + 2)^-alpha while points are few.

    Returns
    -------
    bandwidths : ndarray of shape (m, d)
        1.0 where a point is inactive.
    """
    active = ~np.isnan(X)
    bandwidths = np.ones(X.shape)
    for j, kind in enumerate(space.kinds):
        on = active[:, j]
        m = int(on.sum())
        if m == 0:
            continue
        if kind == "categorical":
            n_levels = space.columns[j].dimension.n_levels
            # A count of 1 on the own level and 1 / (m_j + 1) on each, normalised: the kernel
            # sharpens as evidence comes in.
            extra = 1 / (m + 1)
            bandwidths[on, j] = (n_levels - 1) * extra / (1 + n_levels * extra)
        else:
            lowest = max(min_factor, (m + 2.0) ** -exponent)
            bandwidths[on, j] = np.clip(neighbour_gaps(X[on, j]), lowest, 1.0)
    return bandwidths
