r"""Results of an earlier search beside those of this one.

Notation
--------
m    : number of results of the earlier search
p    : number of points that both searches have evaluated
a, b : (p,), their losses there and here

The two searches may have had other data and another metric, so losses are carried here by the straight line
that gives a the mean and the deviation of b,

    mean(b) + (sd(b) / sd(a)) (a - mean(a)).

It is not the least-squares line, whose slope is less where the two disagree: losses that are carried to a
constant say that nothing matters there, of which the covariance (``_context``) can believe much before it
doubts that the two searches have to do with each other. Where they do not, it is better off to see both as
they are.
"""

from __future__ import annotations

import numpy as np

from skhpo.samplers._history import Earlier

_N_ORDERED = 8
"""Fewer results than this are tried in their order; see ``first_points``."""

_LARGEST = np.finfo(float).max


def first_points(Phi: np.ndarray, n: int) -> np.ndarray:
    """Numbers of the results of an earlier search, best first, whose points this search begins with.

    The best, then good ones that are far from each other, and a middling one among them: from good ones alone
    there is no telling whether a bad point there is a bad one here.

    Parameters
    ----------
    Phi : ndarray of shape (m, F)
        Features of the points, best first.
    n : int
        At most 5.

    Returns
    -------
    ndarray of int, shape (min(m, n),)
    """
    m = len(Phi)
    if m < _N_ORDERED:
        return np.arange(min(m, n))
    # Short of the middling one.
    good = np.arange(min(1 + max(n, m // 8), m // 2))
    chosen = [0]
    gap = np.full(len(good), np.inf)
    while len(chosen) < min(n - 1, len(good)):
        gap = np.minimum(gap, ((Phi[good] - Phi[chosen[-1]]) ** 2).sum(axis=1))
        gap[chosen] = -1.0
        chosen.append(int(np.argmax(gap)))
    return np.array([*chosen[:2], m // 2, *chosen[2:]])[:n]


def carried(earlier: Earlier, X: np.ndarray, loss: np.ndarray) -> np.ndarray:
    """What the losses of the earlier search would be here.

    Parameters
    ----------
    earlier : Earlier
    X : ndarray of shape (n, d)
        Points of this search.
    loss : ndarray of shape (n,)
        Their losses; not finite for a failure.

    Returns
    -------
    ndarray of shape (m,)
        The losses as they are, if this search has none to compare them with.
    """
    rows = np.flatnonzero(np.isfinite(loss))
    if not len(rows):
        return earlier.loss
    number = {x.tobytes(): i for i, x in enumerate(earlier.X)}
    # Of several results at a point the last one stays.
    found = {number[key]: row for row in rows if (key := X[row].tobytes()) in number}
    a, b = earlier.loss[list(found)], loss[list(found.values())]
    if len(found) < 2:
        # Too few in common: the two are taken as samples of the same.
        quartiles = [25.0, 50.0, 75.0]
        a, b = np.percentile(earlier.loss, quartiles), np.percentile(loss[rows], quartiles)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        slope = b.std() / a.std()
        # No slope is found where one of the two has no spread, or squares of huge losses overflow.
        slope = slope if np.isfinite(slope) and slope > 0.0 else 1.0
        line = b.mean() + slope * (earlier.loss - a.mean())
    return np.clip(line, -_LARGEST, _LARGEST)
