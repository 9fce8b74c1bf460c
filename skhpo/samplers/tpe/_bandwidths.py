"""How wide the kernels of a Parzen estimator are.

In an ordered column all kernels, of the good points and of the bad ones, have the same bandwidth,

    sigma_j = s_j m_j^(-1 / (d + 4))                                                     (1)

by the rule of Scott (1992, equation 6.42) for the good points alone: it is they who say at which scale
good and bad are still to be told apart. The magic clip of Watanabe (2023, section 3.3) keeps it wide while
good points are few. In a categorical one the kernels of a set get sharper the more points it has.

Notation
--------
d   : number of columns of the space
m   : number of kernels without the prior
X   : (m, d), the points of the kernels, canonical; NaN where inactive
w   : (m,), weights of the kernels, 1 for an evaluation
m_j : weight of the kernels that are active in column j
s_j : their standard deviation there, weighted
L   : number of levels of a categorical column

References
----------
D. W. Scott (1992). Multivariate density estimation. Wiley.

S. Watanabe (2023). Tree-structured Parzen estimator: understanding its algorithm components and their
roles for better empirical performance. arXiv:2304.11127.
"""

from __future__ import annotations

import numpy as np

from skhpo.samplers.tpe._layout import layout_of
from skhpo.space import Space


def ordered_bandwidths(X: np.ndarray, w: np.ndarray, min_factor: float, exponent: float) -> np.ndarray:
    """Bandwidths sigma (d,), equation (1), by the good points.

    Parameters
    ----------
    X : ndarray of shape (m, d)
        Canonical points; what is in categorical columns makes no difference to the others.
    w : ndarray of shape (m,)
    min_factor : float
        Delta, the lower limit of sigma at any number of points.
    exponent : float
        alpha of the magic clip, which keeps sigma above (m_j + 2)^-alpha.
    """
    d = X.shape[1]
    active = ~np.isnan(X)
    w_active = np.where(active, w[:, None], 0.0)
    m = w_active.sum(axis=0)
    share = w_active / np.where(m > 0, m, 1.0)
    x = np.where(active, X, 0.0)
    s = np.sqrt((share * (x - (share * x).sum(axis=0)) ** 2).sum(axis=0))
    scott = s * np.maximum(m, 1.0) ** (-1 / (d + 4))
    return np.clip(scott, np.maximum(min_factor, (m + 2.0) ** -exponent), 1.0)


def leaving_probabilities(space: Space, X: np.ndarray) -> np.ndarray:
    """Probability b (d,) that a kernel leaves its level; 0 in ordered columns.

    A count of 1 on the own level and 1 / (m_j + 1) on each, normalised: kernels sharpen as evidence comes in.

    Parameters
    ----------
    space : Space
    X : ndarray of shape (m, d)
        Canonical points.
    """
    layout = layout_of(space)
    L, b = layout.n_levels, np.zeros(space.d)
    if not len(L):
        return b
    extra = 1 / ((~np.isnan(X[:, layout.categorical])).sum(axis=0) + 1)
    b[layout.categorical] = (L - 1) * extra / (1 + L * extra)
    return b
