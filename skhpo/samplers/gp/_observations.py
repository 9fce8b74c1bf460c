"""What the model is given of all that is known.

Notation
--------
n, N, m : numbers of evaluations told, of those that are modelled, of modelled results of an earlier search
d, F    : numbers of columns, of features
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skhpo.samplers._history import Earlier, History
from skhpo.samplers._resources import full_losses
from skhpo.samplers.gp._context import ContextEmbedding
from skhpo.samplers.gp._earlier import carried
from skhpo.samplers.gp._embedding import Embedding
from skhpo.samplers.gp._folds import fold_noise
from skhpo.samplers.gp._subset import over_ranks
from skhpo.samplers.gp._transforms import capped

_MOST_EARLIER = 100
"""Results of an earlier search that are modelled at most."""


@dataclass(frozen=True)
class Observations:
    """Modelled results, those of an earlier search first.

    Attributes
    ----------
    Phi : ndarray of shape (m + N, F)
    loss : ndarray of shape (m + N,)
        As they are expected to be in this search at the largest resource told; NaN for a failure.
    m : int
    X_earlier : ndarray of shape (m, d)
    rows : ndarray of int, shape (N,)
        Rows of the history, rising.
    noise : float or None
        Variance of a loss's noise, where the folds tell it.
    """

    Phi: np.ndarray
    loss: np.ndarray
    m: int
    X_earlier: np.ndarray
    rows: np.ndarray
    noise: float | None


def observations(
    history: History,
    n: int,
    embedding: Embedding,
    earlier: Earlier | None,
    max_points: int,
    n_typical: int = 0,
) -> Observations:
    """At most ``max_points`` of the first n evaluations, and as many of an earlier search's as have room.

    An earlier search is thereby forgotten as this one grows. Bad losses are capped where the first
    ``n_typical`` of them say what is typical: those of points that an earlier search thought good do not.
    """
    X, resource = history.X[:n], history.resource[:n]
    loss = full_losses(history, n)
    if earlier is None:
        loss = capped(loss, n_typical)
    rows = over_ranks(loss, max_points)
    # Only losses in full have noise and ranks that mean something beside those of the earlier search.
    full = np.arange(n)
    if history.is_budgeted and n:
        full = np.flatnonzero(resource == resource.max())
    noise = None if history.folds is None else fold_noise(history.folds[full], loss[full])
    X_earlier, loss_earlier = X[:0], loss[:0]
    if earlier is not None:
        m = max(0, min(_MOST_EARLIER, max_points - len(rows)))
        theirs = over_ranks(earlier.loss, m)
        X_earlier, loss_earlier = earlier.X[theirs], carried(earlier, X[full], loss[full])[theirs]
    if isinstance(embedding, ContextEmbedding):
        Phi = embedding.features(X[rows], resource[rows])
        Phi = np.concatenate([embedding.features(X_earlier, earlier=True), Phi])
    else:
        Phi = embedding.features(X[rows])
    return Observations(
        Phi, np.concatenate([loss_earlier, loss[rows]]), len(X_earlier), X_earlier, rows, noise
    )
