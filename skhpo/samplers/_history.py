"""What a sampler knows: the results that it was told, and those of an earlier search.

Notation
--------
d    : number of columns of the space
n    : number of results told
m    : number of an earlier search's results
K    : number of folds
X    : (n, d), canonical points in the unit cube; NaN where a column is inactive
loss : (n,), to be minimised; a failed evaluation has a loss that is not finite
"""

from __future__ import annotations

from collections.abc import KeysView
from dataclasses import dataclass
from typing import Self

import numpy as np

from skhpo.space import Space


@dataclass(frozen=True, eq=False)
class Earlier:
    """Results of an earlier search, which a sampler starts from.

    Attributes
    ----------
    X : ndarray of shape (m, d)
        Canonical points, all different, best first.
    loss : ndarray of shape (m,)
        Finite. On the earlier search's own scale: the data, and the metric, may have been others.
    """

    X: np.ndarray
    loss: np.ndarray

    @classmethod
    def of(cls, space: Space, X: np.ndarray, loss: np.ndarray) -> Self:
        """Results in any order, with failures and repetitions.

        Parameters
        ----------
        space : Space
        X : ndarray of shape (m, d)
        loss : ndarray of shape (m,)
            What is not finite is a failure, and left out. Of equal points the best result stays.

        Raises
        ------
        ValueError
            If a shape is wrong or no result is left.
        """
        X, loss = np.asarray(X, dtype=float), np.asarray(loss, dtype=float)
        if X.ndim != 2 or X.shape[1] != space.d or loss.shape != (len(X),):
            raise ValueError(
                f"X must have shape (m, {space.d}) and loss (m,), got shapes {X.shape} and {loss.shape}."
            )
        order = np.argsort(loss, kind="stable")[: np.isfinite(loss).sum()]
        if not len(order):
            raise ValueError("There must be at least one result with a finite loss.")
        X, loss = space.canonical(X[order]), loss[order]
        # A dict keeps the first of equal keys' places and the last of their values: from the worst on.
        best = dict(zip((x.tobytes() for x in X[::-1]), range(len(X) - 1, -1, -1), strict=True))
        rows = np.sort(list(best.values()))
        X, loss = X[rows], loss[rows]
        for array in (X, loss):
            array.flags.writeable = False
        return cls(X, loss)


class History:
    """All that a sampler was told, in the order of telling.

    Attributes
    ----------
    X : ndarray of shape (n, d)
    loss : ndarray of shape (n,)
        NaN for a failure.
    resource : ndarray of shape (n,)
        Training amount behind each loss; 1.0 where the evaluation was full.
    folds : ndarray of shape (n, K) or None
        Losses of the single folds, whose mean is the loss; NaN where a fold is missing. None as long as
        nothing was told of folds.
    trial : ndarray of int of shape (n,)
        Number of the point that a row tells of, in the order in which points were first told: the rows of
        one trial at several resources have the same.
    """

    def __init__(self, d: int) -> None:
        self._X = np.empty((16, d))
        self._loss = np.empty(16)
        self._resource = np.empty(16)
        self._trial = np.empty(16, dtype=int)
        self._folds: np.ndarray | None = None
        self._numbers: dict[bytes, int] = {}
        self._is_budgeted = False
        self._n = 0

    def __len__(self) -> int:
        return self._n

    @property
    def X(self) -> np.ndarray:
        return self._told(self._X)

    @property
    def loss(self) -> np.ndarray:
        return self._told(self._loss)

    @property
    def resource(self) -> np.ndarray:
        return self._told(self._resource)

    @property
    def trial(self) -> np.ndarray:
        return self._told(self._trial)

    @property
    def folds(self) -> np.ndarray | None:
        return None if self._folds is None else self._told(self._folds)

    @property
    def is_budgeted(self) -> bool:
        """Whether anything was told at another resource than the full one."""
        return self._is_budgeted

    def at_largest(self, first: int = 0, last: int | None = None) -> np.ndarray:
        """Numbers of the rows that are left when each trial counts once, at its largest resource.

        Repetitions at that resource stay.

        Parameters
        ----------
        first, last : int, optional
            Rows to look at, from ``first`` up to and without ``last``; by default all.

        Returns
        -------
        rows : ndarray of int
        """
        if not self._is_budgeted:
            return np.arange(first, self._n if last is None else min(last, self._n))
        resource, trial = self.resource[first:last], self.trial[first:last]
        largest = np.zeros(len(self._numbers))
        np.maximum.at(largest, trial, resource)
        return first + np.flatnonzero(resource == largest[trial])

    @property
    def n_trials(self) -> int:
        """Number of evaluations, where the promotion of a trial is no new one."""
        return len(self.at_largest())

    def _told(self, column: np.ndarray) -> np.ndarray:
        # Read-only: what was told is a fact, and a model that scales it in place would rewrite it.
        view = column[: self._n]
        view.flags.writeable = False
        return view

    @property
    def points(self) -> KeysView[bytes]:
        """The bytes of all different points that were told of."""
        return self._numbers.keys()

    @property
    def succeeded(self) -> np.ndarray:
        """Mask (n,) of the evaluations that have a loss."""
        return np.isfinite(self.loss)

    def append(
        self, X: np.ndarray, loss: np.ndarray, resource: np.ndarray, folds: np.ndarray | None = None
    ) -> None:
        """Add rows at the end; amortised constant time for each."""
        n = self._n + len(X)
        if folds is not None and self._folds is None:
            self._folds = np.full((len(self._X), folds.shape[1]), np.nan)
        if n > len(self._X):
            room = max(n, 2 * len(self._X)) - len(self._X)
            self._X = np.concatenate([self._X, np.empty((room, self._X.shape[1]))])
            self._loss = np.concatenate([self._loss, np.empty(room)])
            self._resource = np.concatenate([self._resource, np.empty(room)])
            self._trial = np.concatenate([self._trial, np.empty(room, dtype=int)])
            if self._folds is not None:
                self._folds = np.concatenate([self._folds, np.full((room, self._folds.shape[1]), np.nan)])
        self._X[self._n : n] = X
        self._loss[self._n : n] = np.where(np.isfinite(loss), loss, np.nan)
        self._resource[self._n : n] = resource
        if folds is not None and self._folds is not None:
            self._folds[self._n : n] = np.where(np.isfinite(folds), folds, np.nan)
        self._is_budgeted |= bool((resource != 1.0).any())
        self._trial[self._n : n] = [self._numbers.setdefault(x.tobytes(), len(self._numbers)) for x in X]
        self._n = n
