r"""Losses as targets of a Gaussian process: complete, standardised, and with tamed tails.

Notation
--------
n      : number of evaluations
loss   : (n,), to be minimised; NaN for a failure
y      : (n,), targets: the same order, mean 0, variance 1
lam    : power of the Yeo-Johnson transform; 1 leaves the targets as they are

References
----------
.. [1] I.-K. Yeo and R. A. Johnson, "A new family of power transformations to improve normality or symmetry",
   Biometrika 87, 2000.
"""

from __future__ import annotations

import numpy as np

_POWERS = np.linspace(-1.0, 1.0, 21)


def targets(loss: np.ndarray, *, transform: bool) -> np.ndarray:
    """Targets (n,) of losses (n,).

    Failures get the worst success's: bad enough to stay away, and no step so high that the model loses sight
    of the differences between good points. The targets are all zero if there is nothing to tell points apart.

    Parameters
    ----------
    loss : ndarray of shape (n,)
    transform : bool
        Whether to tame the bad side's tail.
    """
    succeeded = np.isfinite(loss)
    y = np.zeros(len(loss))
    if not succeeded.any():
        return y
    z = standardised(loss[succeeded])
    if transform:
        z = standardised(power_transformed(z))
    y[succeeded] = z
    y[~succeeded] = z.max()
    return y


def standardised(values: np.ndarray) -> np.ndarray:
    """Values (n,) with mean 0 and variance 1; all zero if there is no difference between them."""
    # Halved first: the difference of two finite floats can overflow.
    values = 0.5 * values - 0.5 * np.median(values)
    largest = np.abs(values).max()
    if largest == 0.0:
        return values
    values = values / largest
    values -= values.mean()
    return values / values.std()


def power_transformed(z: np.ndarray) -> np.ndarray:
    """Yeo-Johnson transform (n,) of z (n,) with the power of greatest likelihood [1]_, eq. 3.1.

    Only powers up to 1: they draw in the bad side's tail.
    """
    if len(z) < 3 or z.std() == 0.0:
        return z
    T = np.stack([yeo_johnson(z, lam) for lam in _POWERS])
    likelihood = (
        -0.5 * len(z) * np.log(T.var(axis=1)) + (_POWERS - 1.0) * (np.sign(z) * np.log1p(np.abs(z))).sum()
    )
    return T[np.argmax(likelihood)]


def yeo_johnson(z: np.ndarray, lam: float) -> np.ndarray:
    """Yeo-Johnson transform of z with power lam; Yeo & Johnson 2000, eq. 2.1."""
    positive, negative = np.maximum(z, 0.0), np.minimum(z, 0.0)
    up = np.log1p(positive) if lam == 0.0 else np.expm1(lam * np.log1p(positive)) / lam
    down = -np.log1p(-negative) if lam == 2.0 else -np.expm1((2.0 - lam) * np.log1p(-negative)) / (2.0 - lam)
    return up + down
