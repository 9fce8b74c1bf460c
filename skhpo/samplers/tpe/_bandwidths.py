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


def neighbour_gaps(X: np.ndarray) -> np.ndarray:
    """Distance (m, d) to the neighbour on the same axis, the farther of the two; NaN if inactive.

    This is Bergstra's (2011, section 4.2) choice, but for the two outermost points, which have
    one neighbour only: the edge of the axis is not counted as another, since a kernel as wide as
    the empty space beside it would draw proposals away from a cluster of good points. A point
    alone on its axis reaches to the farther edge.
    """
    order = np.argsort(X, axis=0, kind="stable")  # NaN last
    at = (order, np.arange(X.shape[1]))
    ordered = X[at]
    gap = np.full((len(X) + 1, X.shape[1]), np.nan)
    gap[1:-1] = np.diff(ordered, axis=0)
    farther = np.fmax(gap[:-1], gap[1:])
    gaps = np.empty(X.shape)
    gaps[at] = np.where(np.isnan(farther), np.maximum(ordered, 1 - ordered), farther)
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
    m = active.sum(axis=0)
    sigma = np.clip(neighbour_gaps(X), np.maximum(min_factor, (m + 2.0) ** -exponent), 1.0)
    n_levels = np.array(
        [c.dimension.n_levels if c.dimension.kind == "categorical" else 1 for c in space.columns]
    )
    # A count of 1 on the own level and 1 / (m_j + 1) on each, normalised: the kernel sharpens as
    # evidence comes in.
    extra = 1 / (m + 1)
    b = (n_levels - 1) * extra / (1 + n_levels * extra)
    return np.where(active, np.where(np.array(space.kinds) == "categorical", b, sigma), 1.0)
