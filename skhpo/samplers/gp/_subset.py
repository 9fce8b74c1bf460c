"""Which evaluations a model is given that cannot have them all.

Notation
--------
n, m : numbers of evaluations, of those that are kept
"""

from __future__ import annotations

import numpy as np


def over_ranks(loss: np.ndarray, m: int) -> np.ndarray:
    """Numbers, rising, of m evaluations: the best half of m, and others from evenly spaced ranks.

    The best half is where the search goes on, and the spread of the others keeps what is known of bad
    regions. Failures, which have losses that are not finite, rank last; of equals the earlier one is first.

    Parameters
    ----------
    loss : ndarray of shape (n,)
    m : int

    Returns
    -------
    ndarray of int, shape (min(n, m),)
    """
    n = len(loss)
    if n <= m:
        return np.arange(n)
    order = np.argsort(np.where(np.isfinite(loss), loss, np.inf), kind="stable")
    n_best = (m + 1) // 2
    others = order[n_best:]
    # The middle of each of as many slices of equal length as places are left.
    slices = np.arange(m - n_best)
    middles = (2 * slices + 1) * len(others) // (2 * max(1, m - n_best))
    return np.sort(np.concatenate([order[:n_best], others[middles]]))
