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
from skhpo.samplers.gp._subset import over_ranks

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
    """

    Phi: np.ndarray
    loss: np.ndarray
    m: int
    X_earlier: np.ndarray
    rows: np.ndarray


def observations(
    history: History, n: int, embedding: Embedding, earlier: Earlier | None, max_points: int
) -> Observations:
    """At most ``max_points`` of the first n evaluations, and as many of an earlier search's as have room.

    An earlier search is thereby forgotten as this one grows.
    """
    X, resource = history.X[:n], history.resource[:n]
    loss = full_losses(history, n)
    rows = over_ranks(loss, max_points)
    if not isinstance(embedding, ContextEmbedding):
        return Observations(embedding.features(X[rows]), loss[rows], 0, X[:0], rows)
    Phi = embedding.features(X[rows], resource[rows])
    if earlier is None:
        return Observations(Phi, loss[rows], 0, X[:0], rows)
    m = min(_MOST_EARLIER, max_points - len(rows))
    theirs = over_ranks(earlier.loss, m) if m > 0 else np.arange(0)
    X_earlier = earlier.X[theirs]
    Phi_earlier = embedding.features(X_earlier, earlier=True)
    # Only the losses in full say what a point is worth beside those of the earlier search.
    whole = history.at_largest(0, n)
    whole = whole[resource[whole] == resource[whole].max()] if len(whole) else whole
    loss_earlier = carried(earlier, X[whole], loss[whole])[theirs]
    return Observations(
        np.concatenate([Phi_earlier, Phi]),
        np.concatenate([loss_earlier, loss[rows]]),
        len(theirs),
        X_earlier,
        rows,
    )
