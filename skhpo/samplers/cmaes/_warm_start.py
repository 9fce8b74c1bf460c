r"""A first distribution from the results of an earlier search: WS-CMA-ES.

Good points of a similar task are blurred into a mixture of normal distributions, the *promising
distribution* [1]_, and the one normal distribution that is closest to it by Kullback-Leibler divergence,
which has its mean and covariance, is the first of the new search.

The paper knows real columns that are always there. Here a point says of a column in which it is inactive
nothing but what a search without earlier results would believe, a standard deviation of sigma_0; and each
categorical column has the probabilities of the good points' choices, blurred by as much as one point
weighs.

Notation
--------
m      : number of results of the earlier search; in ``promising`` the mean (n,), as in ``_strategy``
n      : number of ordered columns, those of the normal distribution
N      : number of good points among the m
x      : (N, n), ordered columns of the good points; NaN where inactive
alpha  : standard deviation of the mixture's components
gamma  : share of the results that count as good
Sigma  : (n, n), covariance matrix of the promising distribution, sigma^2 C
q      : (K,), probabilities of a categorical column's choices

References
----------
.. [1] M. Nomura, S. Watanabe, Y. Akimoto, Y. Ozaki, M. Onishi, "Warm starting CMA-ES for
   hyperparameter optimization", AAAI 2021, arXiv 2012.06932.
"""

from __future__ import annotations

import math

import numpy as np

GAMMA = 0.1
ALPHA = 0.1

LEAST_GOOD = 3
"""Good points at least, as the first mean of a search without earlier results has: the tenth of a few
dozen results is one or two, of which no spread can be learned."""


def n_good(m: int) -> int:
    """How many of m results are good: a share of gamma, but no fewer than a mean needs."""
    return min(m, max(math.floor(GAMMA * m), LEAST_GOOD))


def promising(x: np.ndarray, sigma_0: float, alpha: float = ALPHA) -> tuple[np.ndarray, float, np.ndarray]:
    """Mean, step size and covariance matrix of the promising distribution of good points.

    Parameters
    ----------
    x : ndarray of shape (N, n)
        NaN where a column is inactive.
    sigma_0 : float
        Standard deviation of a column of which nothing is known.
    alpha : float
        Standard deviation of the mixture's components.

    Returns
    -------
    m : ndarray of shape (n,)
        The middle in a column that is inactive in all points.
    sigma : float
    C : ndarray of shape (n, n)
        Of determinant one.
    """
    N, n = x.shape
    active = np.isfinite(x)
    total = np.where(active, x, 0.0).sum(axis=0)
    m = np.where(active.any(axis=0), total / np.maximum(active.sum(axis=0), 1), 0.5)
    deviation = np.where(active, x - m, 0.0)
    blur = alpha**2 + (1 - active.mean(axis=0)) * sigma_0**2
    Sigma = np.diag(blur) + deviation.T @ deviation / N
    # The logarithm, as the determinant itself is far below the least number in many dimensions.
    sigma = math.exp(np.linalg.slogdet(Sigma)[1] / (2 * max(n, 1)))
    return m, sigma, Sigma / sigma**2


def probabilities(chosen: np.ndarray, K: int) -> np.ndarray:
    """Probabilities (K,) of a categorical column's choices.

    Parameters
    ----------
    chosen : ndarray of shape (N,)
        Numbers of the good points' choices; NaN where the column is inactive.
    K : int
    """
    active = np.isfinite(chosen)
    counts = np.bincount(chosen[active].astype(int), minlength=K)
    n_unknown = 1 + len(chosen) - active.sum()
    return (counts + n_unknown / K) / (len(chosen) + 1)
