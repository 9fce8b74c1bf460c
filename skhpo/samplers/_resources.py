r"""Losses from different resources on one scale.

A loss after a part of the training says how good a trial is among its equals, and nothing beside a loss
after the full training. What relates the two are the trials that were promoted, which have both.

Notation
--------
n        : number of evaluations
r_k      : resources in increasing order, k = 1, ..., K; "levels" in the code
a, b     : (m,), losses of m trials at r_k and at a larger resource
beta     : slope of the line from r_k to the larger resource
v        : spread of all losses at r_k, squared
kappa    : weight of the slope that is believed before any trial has both losses, in trials

From each resource a straight line leads to the next,

    E[b | a] = mean(b) + beta (a - mean(a)),
    beta = (sum_i (a_i - mean(a)) (b_i - mean(b)) + kappa v) / (sum_i (a_i - mean(a))^2 + kappa v),

the least-squares line with a prior for a slope of one. Trials are promoted for a small ``a``. This narrows
the range of ``a`` and leaves E[b | a] as it is, whereas the mean of b - a and the ratio of deviations depend
on who was promoted. Where losses are noisy the slope is less than one: the best of many is partly luck.
"""

from __future__ import annotations

import numpy as np

from skhpo.samplers._history import History

_KAPPA = 3.0

_LEAST_SLOPE = 0.05
"""Positive, so that the order of the losses of one resource stays."""

_LARGEST = np.finfo(float).max


def full_losses(history: History, n: int | None = None) -> np.ndarray:
    """What the first n losses are expected to be at the largest resource told, NaN for a failure.

    Parameters
    ----------
    history : History
    n : int, optional
        All by default.

    Returns
    -------
    ndarray of shape (n,)
        The losses themselves if they are all of one resource.
    """
    loss, resource, trial = history.loss[:n], history.resource[:n], history.trial[:n]
    if not history.is_budgeted:
        return loss.copy()
    levels = np.unique(resource[np.isfinite(loss)])
    carried = loss.copy()
    # From the top down: what a level leads to is on the largest's scale already.
    for k in range(len(levels) - 2, -1, -1):
        here = resource == levels[k]
        for upper in levels[k + 1 :]:
            pairs = _pairs(loss, trial, here, resource == upper)
            if len(pairs):
                break
        else:
            # No trial has both, so none was chosen: the two are samples of the same trials.
            above = resource == levels[k + 1]
            carried[here] = loss[here] + (np.nanmedian(carried[above]) - np.nanmedian(loss[here]))
            continue
        i, j = pairs.T
        carried[here] = _line(loss[i], carried[j], loss[here])
    return carried


def _pairs(loss: np.ndarray, trial: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """Rows (m, 2) of the trials that succeeded at both levels, the last of each where there are several."""
    rows = [np.flatnonzero(mask & np.isfinite(loss))[::-1] for mask in (lower, upper)]
    _, i, j = np.intersect1d(trial[rows[0]], trial[rows[1]], return_indices=True)
    return np.stack([rows[0][i], rows[1][j]], axis=1)


def _line(a: np.ndarray, b: np.ndarray, loss: np.ndarray) -> np.ndarray:
    """E[b | a] at losses (n,) of the lower level, from pairs (m,)."""
    spread = np.diff(np.nanpercentile(loss, [25.0, 75.0]))[0]
    with np.errstate(over="ignore", invalid="ignore"):
        a_mean, b_mean = a.mean(), b.mean()
        S_ab, S_aa = (a - a_mean) @ (b - b_mean), (a - a_mean) @ (a - a_mean)
        prior = _KAPPA * spread**2
        beta = (S_ab + prior) / (S_aa + prior) if S_aa + prior > 0 else 1.0
        # Squares of huge losses overflow, and a line through them is none.
        beta = max(beta, _LEAST_SLOPE) if np.isfinite(beta) else 1.0
        line = b_mean + beta * (loss - a_mean)
    return np.clip(line, -_LARGEST, _LARGEST)
