r"""What the losses of single folds say about noise.

Notation
--------
n, K    : numbers of evaluations that have all their folds, of folds
e_ik    : loss of evaluation i in fold k
a_i     : mean of e_ik over k, the loss of i; c_k : mean of e_ik - a_i over i, how hard fold k is
sigma^2 : residual variance, sum_ik (e_ik - a_i - c_k)^2 / ((n - 1) (K - 1))
v       : sigma^2 / K, variance of a loss as an estimate of its mean over other partitions
F       : n sum_k c_k^2 / ((K - 1) sigma^2), of Fisher's distribution if folds are equally hard [1]_

Whether v is noise depends on the folds. If they are the same for all, a loss is a function of the point,
whatever it is worth on another partition, and near points have equal residuals: to take v for noise was no
better there. If each evaluation has folds of its own, v is the noise. The folds say which: the same
ones are of different difficulty, and F is large.

References
----------
.. [1] H. Scheffé, "The Analysis of Variance", 1959, section 4.2.
"""

from __future__ import annotations

import numpy as np
from scipy.special import fdtrc

_FEWEST = 4
"""Evaluations with all their folds from which a variance is estimated."""

_LEVEL = 0.01
"""Significance of F at which the folds count as the same for all."""


def fold_noise(folds: np.ndarray, loss: np.ndarray) -> float | None:
    """Noise variance v of a loss, from the better half of the evaluations.

    Of a bad point's residuals there is no telling what they would be for a good one.

    Parameters
    ----------
    folds : ndarray of shape (N, K)
        NaN where a fold is missing; evaluations that lack one are left out.
    loss : ndarray of shape (N,)

    Returns
    -------
    float or None
        None if the folds are the same for all, or too few to tell.
    """
    if folds.shape[1] < 2:
        return None
    whole = np.flatnonzero(np.isfinite(loss) & np.isfinite(folds).all(axis=1))
    if len(whole) < _FEWEST:
        return None
    whole = whole[np.argsort(loss[whole], kind="stable")]
    e = folds[whole[: max(_FEWEST, (len(whole) + 1) // 2)]]
    n, K = e.shape
    # Huge losses have squares that overflow, and no variance.
    with np.errstate(over="ignore", invalid="ignore"):
        e = e - e.mean(axis=1, keepdims=True)
        c = e.mean(axis=0)
        sigma2 = ((e - c) ** 2).sum() / ((n - 1) * (K - 1))
        F = n * (c @ c) / ((K - 1) * sigma2) if sigma2 > 0.0 else np.inf
    if not np.isfinite([F, sigma2]).all() or fdtrc(K - 1, (n - 1) * (K - 1), F) < _LEVEL:
        return None
    return float(sigma2 / K)


def slope(loss: np.ndarray, y: np.ndarray) -> float:
    """By how much targets (n,) differ for each unit that losses do, over the better half of them."""
    rows = np.flatnonzero(np.isfinite(loss))
    rows = rows[np.argsort(loss[rows], kind="stable")]
    rows = rows[: max(2, (len(rows) + 1) // 2)]
    with np.errstate(over="ignore"):
        width = np.ptp(loss[rows]) if len(rows) else 0.0
    return float(np.ptp(y[rows]) / width) if width > 0.0 else 0.0
