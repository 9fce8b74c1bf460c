"""The distribution of the categorical columns, and its update.

Each column has a categorical distribution of its own, which moves along the natural gradient
of the weighted ranks as in CatCMA [1]_, and keeps a margin for each choice.

CatCMA adapts the length of that step to how far gradients agree; this takes tens of generations
to make a difference. The step here is constant.

Notation
--------
K     : number of choices of a column
q     : (K,), their probabilities
w     : (lam,), recombination weights, those of the worse half zero
eta   : learning rate
q_min : least probability of a choice

References
----------
.. [1] R. Hamano, S. Saito, M. Nomura, K. Uchida, S. Shirakawa, "CatCMA: stochastic optimization
   for mixed-category problems", GECCO 2024.
"""

from __future__ import annotations

import numpy as np

ETA = 0.3
"""By measurement: with 0.5 a choice that is good nearly everywhere drives out, after a dozen points,
the one that is best where the other columns suit it; with 0.1 a hundred points are too few."""


def least_probability(K: int, n_columns: int) -> float:
    """CatCMA's margin: all of n_columns take their favourite together with probability 0.73."""
    return (1 - 0.73 ** (1 / n_columns)) / (K - 1)


def sample(q: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Numbers (n,) of choices drawn from q."""
    return np.minimum(np.searchsorted(np.cumsum(q), rng.random(n), side="right"), len(q) - 1)


def update(q: np.ndarray, chosen: np.ndarray, w: np.ndarray, q_min: float) -> np.ndarray:
    """Probabilities after a generation.

    Parameters
    ----------
    q : ndarray of shape (K,)
    chosen : ndarray of shape (lam,)
        Number of each point's choice; NaN where the column was inactive, which says nothing.
    w : ndarray of shape (lam,)
        Weights of the points.
    q_min : float

    Returns
    -------
    ndarray of shape (K,)
    """
    active = np.isfinite(chosen)
    share = np.bincount(chosen[active].astype(int), weights=w[active], minlength=len(q))
    return with_margin(q + ETA * (share - share.sum() * q), q_min)


def with_margin(q: np.ndarray, q_min: float) -> np.ndarray:
    """Probabilities like q of which none is less than q_min."""
    excess = np.maximum(q - q_min, 0)
    return q_min + excess * ((1 - q_min * len(q)) / excess.sum())
