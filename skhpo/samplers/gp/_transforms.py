r"""Losses as targets of a Gaussian process: complete, standardised, and with tamed tails.

Notation
--------
n      : number of evaluations
loss   : (n,), to be minimised; NaN for a failure
y      : (n,), targets: the same order; of the successes mean 0 and variance 1, failures as the worst
lam    : power of the Yeo-Johnson transform; 1 leaves the targets as they are

References
----------
.. [1] I.-K. Yeo and R. A. Johnson, "A new family of power transformations to improve normality or symmetry",
   Biometrika 87, 2000.
"""

from __future__ import annotations

import numpy as np

_POWERS = np.linspace(-1.0, 1.0, 21)
"""Powers that are compared. More than 1 would flatten the good side, where differences matter most."""


def capped(loss: np.ndarray, n: int) -> np.ndarray:
    """Losses (m,) that come no farther above the typical one than the best lies below it.

    What is bad is bad: how much worse the worst are, by orders of magnitude where a training diverges, says
    nothing about where to look, and would take up the range in which good points differ. Above the
    typical loss t, with the best at t - s, they become t + s tanh((loss - t) / s); this is smooth, as a
    function with a corner in it would be harder to model.

    Parameters
    ----------
    loss : ndarray of shape (m,)
        In the order of telling; NaN for a failure.
    n : int
        The typical loss is the median of the first n successes, which were not chosen by a model. That
        of all losses would fall in the course of a search, until all but the optimum was flat.
    """
    first = loss[np.isfinite(loss)][:n]
    if not len(first):
        return loss
    # Halves, as the sum and the difference of two finite floats can overflow.
    t, best = np.median(0.5 * first), 0.5 * np.nanmin(loss)
    s = t - best
    if not 0.0 < s < np.inf:
        return loss
    above = np.tanh(np.maximum(0.5 * loss - t, 0.0) / s)
    return np.where(0.5 * loss > t, 2.0 * (t + s * above), loss)


def targets(loss: np.ndarray, *, transform: bool) -> tuple[np.ndarray, float]:
    """Targets (n,) of losses (n,), and the logarithm of their density's change.

    Failures get the worst success's: bad enough to stay away, and no step so high that the model loses sight
    of the differences between good points. The targets are all zero if there is nothing to tell points apart.

    Parameters
    ----------
    loss : ndarray of shape (n,)
    transform : bool
        Whether to tame the bad side's tail.

    Returns
    -------
    y : ndarray of shape (n,)
    log_jacobian : float
        Sum over the successes of log (dy / dz), where z are the standardised losses. Added to the log
        likelihood of y it makes models of transformed and of plain losses comparable.
    """
    succeeded = np.isfinite(loss)
    y = np.zeros(len(loss))
    if not succeeded.any():
        return y, 0.0
    z, log_jacobian = standardised(loss[succeeded]), 0.0
    if transform:
        z, log_jacobian = power_transformed(z)
    y[succeeded] = z
    y[~succeeded] = z.max()
    return y, log_jacobian


def standardised(values: np.ndarray) -> np.ndarray:
    """Values (n,) with mean 0 and variance 1; all zero if there is no difference between them."""
    # Halved first: the sum and the difference of two finite floats can overflow.
    values = 0.5 * values
    values = values - np.median(values)
    largest = np.abs(values).max()
    if largest == 0.0:
        return values
    values = values / largest
    values -= values.mean()
    return values / values.std()


def power_transformed(z: np.ndarray) -> tuple[np.ndarray, float]:
    """Yeo-Johnson transform (n,) of z (n,), standardised, with the likeliest power [1]_, eq. 3.1.

    Beside the values stands the sum of the logarithms of their derivatives by z.
    """
    if len(z) < 3 or z.std() == 0.0:
        return z, 0.0
    T = np.stack([yeo_johnson(z, lam) for lam in _POWERS])
    log_jacobian = (_POWERS - 1.0) * (np.sign(z) * np.log1p(np.abs(z))).sum() - len(z) * np.log(T.std(axis=1))
    # The likelihood of standardised values is the same for all but for this.
    best = int(np.argmax(log_jacobian))
    return standardised(T[best]), float(log_jacobian[best])


def yeo_johnson(z: np.ndarray, lam: float) -> np.ndarray:
    """Yeo-Johnson transform of z with power lam; Yeo & Johnson 2000, eq. 2.1."""
    positive, negative = np.maximum(z, 0.0), np.minimum(z, 0.0)
    up = np.log1p(positive) if lam == 0.0 else np.expm1(lam * np.log1p(positive)) / lam
    down = -np.log1p(-negative) if lam == 2.0 else -np.expm1((2.0 - lam) * np.log1p(-negative)) / (2.0 - lam)
    return up + down
