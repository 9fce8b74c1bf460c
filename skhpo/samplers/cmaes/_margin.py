"""Discrete columns: a margin that keeps every neighbouring level in reach, and hidden steps.

A discrete column is a continuous one that is cut into cells. When the distribution is narrower
than a cell, all samples mean the same level and selection has nothing to act upon; the margin
[1]_ moves the mean and stretches the column so that leaving the cell keeps the probability
alpha. Only the cell of an evaluated point is known here, not where the sample lay in it, and
of an inactive column nothing at all; ``complete`` draws what is not known from the distribution
itself, given what is. So a column on which selection did not act makes an unbiased random step, as the
sample that was really drawn would have: neither mean, step size nor covariance is misled.

Notation
--------
k         : number of discrete columns
m, s      : (k,), mean and standard deviation of each
low, high : edges of the cell of each; -inf and inf at the ends of the column
alpha     : probability of leaving the cell that is kept

References
----------
.. [1] R. Hamano, S. Saito, M. Nomura, S. Shirakawa, "CMA-ES with margin: lower-bounding marginal
   probability for mixed-integer black-box optimization", GECCO 2022.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr, ndtri


def with_margin(
    m: np.ndarray, s: np.ndarray, low: np.ndarray, high: np.ndarray, alpha: float
) -> tuple[np.ndarray, np.ndarray]:
    """Corrected means and standard deviations of discrete columns.

    Returns
    -------
    m, s : ndarray of shape (k,)
        Unchanged where the probabilities were large enough.
    """
    m, s = m.copy(), s.copy()
    inner = np.isfinite(low) & np.isfinite(high)

    # One threshold: the outermost levels, so both levels of a binary column.
    reach = -ndtri(alpha) * s
    outer_low, outer_high = ~inner & np.isfinite(high), ~inner & np.isfinite(low)
    m[outer_low] = np.maximum(m, high - reach)[outer_low]
    m[outer_high] = np.minimum(m, low + reach)[outer_high]

    if inner.any():
        p_low = ndtr((low[inner] - m[inner]) / s[inner])
        p_up = ndtr((m[inner] - high[inner]) / s[inner])
        p_mid = 1 - p_low - p_up
        q_low, q_up = np.maximum(alpha / 2, p_low), np.maximum(alpha / 2, p_up)
        excess = (1 - q_low - q_up - p_mid) / (q_low + q_up + p_mid - 3 * alpha / 2)
        r_low = q_low + excess * (q_low - alpha / 2)
        r_up = q_up + excess * (q_up - alpha / 2)
        t_low, t_up = ndtri(r_low), -ndtri(r_up)
        changed = (p_low < alpha / 2) | (p_up < alpha / 2)
        # Where nothing changes a cell far narrower than s leaves no room between t_low and t_up.
        width = np.where(changed, t_up - t_low, 1.0)
        stretched = np.where(changed, (high[inner] - low[inner]) / width, s[inner])
        m[inner] = np.where(changed, low[inner] - stretched * np.where(changed, t_low, 0.0), m[inner])
        s[inner] = stretched
    return m, s


def truncated_normal(
    mean: np.ndarray, scale: np.ndarray, low: np.ndarray, high: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Draws from normal distributions cut to [low, high], elementwise."""
    a, b = (low - mean) / scale, (high - mean) / scale
    # ndtr is exact in its lower tail only.
    flip = np.where(a > -b, -1.0, 1.0)
    a, b = np.minimum(flip * a, flip * b), np.maximum(flip * a, flip * b)
    p, q = ndtr(a), ndtr(b)
    u = np.maximum(p + rng.random(np.shape(p)) * (q - p), 1e-300)
    return mean + scale * flip * np.clip(ndtri(u), a, b)


def complete(
    low: np.ndarray, high: np.ndarray, C: np.ndarray, precision: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Steps y ~ N(0, C) of which only low <= y <= high is known.

    A draw from each column's own distribution, then one sweep of Gibbs sampling that brings in
    the correlations.

    Parameters
    ----------
    low, high : ndarray of shape (lam, n)
        Equal where the step is known, -inf and inf where nothing is.
    C, precision : ndarray of shape (n, n)
        The covariance matrix and its inverse.
    rng : numpy.random.Generator

    Returns
    -------
    Y : ndarray of shape (lam, n)
    """
    hidden = low < high
    Y = np.where(hidden, 0.0, low)
    scale = np.broadcast_to(np.sqrt(np.diag(C)), Y.shape)[hidden]
    Y[hidden] = truncated_normal(np.zeros(len(scale)), scale, low[hidden], high[hidden], rng)
    if C.shape[0] > 1:
        for j in np.flatnonzero(hidden.any(axis=0)):
            rows = hidden[:, j]
            mean = Y[rows, j] - Y[rows] @ precision[:, j] / precision[j, j]
            scale = np.full(len(mean), precision[j, j] ** -0.5)
            Y[rows, j] = truncated_normal(mean, scale, low[rows, j], high[rows, j], rng)
    return Y
