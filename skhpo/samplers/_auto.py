"""The sampler that chooses among the others, by the space and by how much is known.

Notation
--------
d : number of columns of the space
n : number of results told
h : number of results after which the second stage begins
"""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from skhpo.samplers._base import Sampler
from skhpo.samplers._history import Earlier
from skhpo.samplers.cmaes import CMAESSampler
from skhpo.samplers.gp import GPSampler
from skhpo.samplers.tpe import TPESampler
from skhpo.space import Space

_TURN = 3
"""In a tree of choices every third proposal is TPE's."""

_ALPHA = 0.02
"""How far the optimum is believed to be from the good points that CMA-ES starts from, as a share of each
column. They are of the same problem, so that it is less than the 0.1 for an earlier search's."""


def is_plain(space: Space) -> bool:
    """Whether a normal distribution fits the space: no column depends on another, and most are ordered."""
    n_categorical = sum(kind == "categorical" for kind in space.kinds)
    return not space.is_conditional and 2 * n_categorical < space.d and space.d > 1


@dataclass(eq=False)
class AutoSampler(Sampler):
    """A Gaussian process for the first hundred candidates, and then what suits the space.

    ===============================  ======================================  ==========================
    space                            until ``handover`` results are known    from then on
    ===============================  ======================================  ==========================
    most columns ordered, none       Gaussian process                        CMA-ES, started from them
    depends on another
    any other                        Gaussian process, and every third       tree-structured Parzen
                                     candidate from the tree-structured      estimator
                                     Parzen estimator
    ===============================  ======================================  ==========================

    Where results come from less than the full resource, the second row holds for all spaces.

    Parameters
    ----------
    handover : int, default=100
        h, the number of results after which the Gaussian process has had its turn.

    Raises
    ------
    TypeError
        If ``handover`` is no integer.
    ValueError
        If it is less than 1.

    Notes
    -----
    A Gaussian process learns most from few results, but its own time grows with their number, and where a
    function has many valleys it stays in the one that it has come to know. CMA-ES costs next to nothing, and
    goes on where the good points lay: it begins with mean and covariance of the best tenth of them, as in
    WS-CMA-ES [1]_. In a tree of choices the Gaussian process may hold on to a branch; TPE, which draws
    what it proposes, comes back to the others. ``docs/samplers.md`` has the figures behind these rules.

    References
    ----------
    .. [1] M. Nomura et al., "Warm starting CMA-ES for hyperparameter optimization", AAAI 2021,
       arXiv:2012.06932.

    Examples
    --------
    >>> import numpy as np
    >>> from skhpo.samplers import AutoSampler
    >>> from skhpo.space import Column, Real, Space
    >>> space = Space([Column("a", Real(0.0, 1.0)), Column("b", Real(0.0, 1.0))])
    >>> sampler = AutoSampler(handover=20).start(space, seed=0)
    >>> for _ in range(60):
    ...     X = sampler.ask()
    ...     sampler.tell(X, ((X - 0.3) ** 2).sum(axis=1))
    >>> bool(sampler.history.loss.min() < 1e-4)
    True
    """

    warm_starts: ClassVar[bool] = True

    handover: int = 100

    def __post_init__(self) -> None:
        if isinstance(self.handover, bool) or not isinstance(self.handover, numbers.Integral):
            raise TypeError(f"handover must be an integer, got {self.handover!r}.")
        if self.handover < 1:
            raise ValueError(f"handover must be at least 1, got {self.handover!r}.")

    def _start(self) -> None:
        self._is_plain = is_plain(self.space)
        self._gp, self._tpe = self._started(GPSampler()), self._started(TPESampler())
        self._cmaes: Sampler | None = None

    def _started(self, sampler: Sampler) -> Sampler:
        """A sampler that has this one's history as its own."""
        run = sampler.start(self.space, seed=self.seed, n_trials=self.n_trials, earlier=self.earlier)
        run.history = self.history
        return run

    def _propose(self, n: int, pending: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        X = np.empty((0, self.space.d))
        while len(X) < n:
            sampler = self._whose_turn(self.n_asked + len(X))
            sampler.n_asked = self.n_asked + len(X)
            new = sampler._propose(1, np.concatenate([pending, X]), rng)
            X = np.concatenate([X, self.space.canonical(new)])
        return X

    def _whose_turn(self, number: int) -> Sampler:
        """Who proposes the candidate of this number."""
        if self._cmaes is not None:
            return self._cmaes
        if len(self.history) >= self.handover:
            return self._tpe
        takes_turns = self.history.is_budgeted or not self._is_plain
        return self._tpe if takes_turns and number % _TURN == _TURN - 1 else self._gp

    def _learn(self, n_new: int) -> None:
        self._gp._learn(n_new)
        self._tpe._learn(n_new)
        n, h = len(self.history), self.handover
        if self.history.is_budgeted:
            self._cmaes = None
        elif self._is_plain and n >= h:
            first = max(n - n_new, h)
            if n - n_new < h:
                self._cmaes = self._begin_cmaes(h)
            if self._cmaes is not None and n > first:
                self._cmaes.tell(self.history.X[first:], self.history.loss[first:])

    def _begin_cmaes(self, h: int) -> Sampler | None:
        """CMA-ES with the first h results behind it; None if none of them is any good."""
        X, loss = self.history.X[:h], self.history.loss[:h]
        if not np.isfinite(loss).any():
            return None
        left = None if self.n_trials is None else max(self.n_trials - h, 1)
        earlier = Earlier.of(self.space, X, loss)
        return CMAESSampler(alpha=_ALPHA).start(self.space, seed=self.seed, n_trials=left, earlier=earlier)
