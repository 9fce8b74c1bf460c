"""The contract of a sampler, and what all of them share.

A sampler decides where to look next. It sees the unit cube, the kinds of the dimensions, which
of them are active, and losses; never parameter names, estimators or clocks.

Notation
--------
d    : number of columns of the space
X    : (n, d), canonical points in the unit cube; NaN where a column is inactive
loss : (n,), to be minimised; a failed evaluation has a loss that is not finite
k    : number of points asked so far
"""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, KeysView
from itertools import islice
from typing import ClassVar, Self

import numpy as np
from scipy.stats import qmc

from skhpo.samplers._history import Earlier, History
from skhpo.space import Space

_ENUMERABLE = 10_000
"""Spaces up to this size are listed to find a point that was not seen."""

_COMPLETIONS = 100
"""How many ways to complete a point are tried before it counts as evaluated already."""


class Sampler(ABC):
    """Where to look next.

    A sampler as its user builds it holds options only. ``start`` gives a copy that runs: it has a
    space, a seed and a history. Authors of a sampler write the first of these methods, and the
    others where it keeps more than the history; ``skhpo.testing.check_sampler`` checks the result.

    ``_propose(self, n, pending, rng)``
        An array (n, d) of points in the unit cube. Each entry is a position between 0 and 1 that a
        column of the space turns into a value; what stands in inactive columns is ignored. ``pending``
        (m, d) are the points that others work on.
    ``_start(self)``
        Prepares what evolves.
    ``_learn(self, n_new)``
        Updates it from the last ``n_new`` rows of ``self.history``.

    A running sampler is a pure function of its options, the space, the seed, ``n_trials``, ``earlier``, the
    history of tells, ``n_asked`` and the arguments of ``ask``: telling the same results to a fresh copy
    and setting its ``n_asked`` gives the same next proposal. Whatever it draws comes from
    the generator it is handed, which is keyed by (seed, ``n_asked``).

    Attributes
    ----------
    learns : bool
        Of the class: whether proposals depend on losses. What does not learn is excused from
        the checks of ``skhpo.testing`` that compare with random search.
    uses_seed : bool
        Of the class: whether another seed means other proposals.
    warm_starts : bool
        Of the class: whether it makes use of ``earlier``.
    space : Space
    seed : int
    n_trials : int or None
        How many candidates the search will have in all, where that is known.
    earlier : Earlier or None
        Results of an earlier search, to start from.
    history : History
    n_asked : int
        Number of points proposed so far.

    Examples
    --------
    A sampler that tries the neighbourhood of the best point, every second time:

    >>> import numpy as np
    >>> from skhpo.samplers import Sampler
    >>> from skhpo.space import as_space
    >>> class Neighbours(Sampler):
    ...     def _propose(self, n, pending, rng):
    ...         X = rng.random((n, self.space.d))
    ...         if self.n_asked % 2 and self.history.succeeded.any():
    ...             best = self.history.X[np.nanargmin(self.history.loss)]
    ...             X = np.where(np.isnan(best), X, best + 0.1 * (X - 0.5))
    ...         return X
    >>> sampler = Neighbours().start(as_space({"C": (0.0, 1.0)}), seed=0)
    >>> for _ in range(40):
    ...     X = sampler.ask()
    ...     sampler.tell(X, (X[:, 0] - 0.7) ** 2)
    >>> bool(abs(sampler.history.X[np.argmin(sampler.history.loss), 0] - 0.7) < 0.01)
    True
    """

    learns: ClassVar[bool] = True
    uses_seed: ClassVar[bool] = True
    warm_starts: ClassVar[bool] = False

    space: Space
    seed: int
    n_trials: int | None
    earlier: Earlier | None
    history: History
    n_asked: int

    def start(
        self, space: Space, *, seed: int, n_trials: int | None = None, earlier: Earlier | None = None
    ) -> Self:
        """A running copy of this sampler; the original is left as it is.

        Parameters
        ----------
        space : Space
        seed : int
            Non-negative.
        n_trials : int, optional
            Number of candidates that the search will have, where it is known.
        earlier : Earlier, optional
            Results of an earlier search over this space.
        """
        if space.d == 0:
            raise ValueError("The space has no columns: there is nothing to sample.")
        run = copy.copy(self)
        run.space, run.seed, run.n_trials, run.earlier = space, seed, n_trials, earlier
        run.history = History(space.d)
        run.n_asked = 0
        run._points_left = None
        run._design = SobolDesign(space.d, seed)
        run._start()
        return run

    def ask(self, n: int = 1, pending: np.ndarray | None = None) -> np.ndarray:
        """Points to evaluate next.

        Parameters
        ----------
        n : int, default=1
        pending : ndarray of shape (m, d), optional
            All points asked and not yet told.

        Returns
        -------
        X : ndarray of shape (at most n, d)
            Canonical points, none of which was told, is pending, or stands twice. Fewer than
            n, down to none, when a finite space has no more.

        Raises
        ------
        ValueError
            If ``pending`` is no array of points of the space.
        """
        pending = np.empty((0, self.space.d)) if pending is None else self._checked(pending, "pending")
        taken = {row.tobytes() for row in pending}
        left = self.space.size
        if left < math.inf:
            left -= len(self._seen) + sum(key not in self._seen for key in taken)
        n = int(min(n, left))
        if n <= 0:
            return np.empty((0, self.space.d))
        rng = self._generator()
        X = self.space.canonical(self._checked_proposal(self._propose(n, pending, rng)))
        for i, row in enumerate(X):
            if row.tobytes() in self._seen or row.tobytes() in taken:
                X[i] = self._replacement(row, taken, rng)
            taken.add(X[i].tobytes())
        self.n_asked += len(X)
        return X

    def complete(self, point: np.ndarray, pending: np.ndarray | None = None) -> np.ndarray | None:
        """A point that is wanted, with what it leaves open taken from the initial design.

        Counts as asked for, whether or not it leaves anything open.

        Parameters
        ----------
        point : ndarray of shape (d,)
            NaN where the value is open.
        pending : ndarray of shape (m, d), optional
            All points asked and not yet told.

        Returns
        -------
        point : ndarray of shape (d,) or None
            Canonical. None if no completion was found that was neither told nor is pending.
        """
        pending = np.empty((0, self.space.d)) if pending is None else self._checked(pending, "pending")
        taken = {row.tobytes() for row in pending}
        rng = self._generator()
        filler = self._design.points(self.n_asked, 1)[0]
        for _ in range(_COMPLETIONS):
            completed = self.space.canonical(np.where(np.isnan(point), filler, point)[None])[0]
            if not self._is_taken(completed, taken):
                self.n_asked += 1
                return completed
            if not np.isnan(point).any():
                break
            filler = rng.random(self.space.d)
        return None

    def tell(
        self,
        X: np.ndarray,
        loss: np.ndarray,
        resource: np.ndarray | float = 1.0,
        folds: np.ndarray | None = None,
    ) -> None:
        """Learn what points were worth.

        Parameters
        ----------
        X : ndarray of shape (n, d)
            Any points of the space, asked for or not.
        loss : ndarray of shape (n,)
            Less is better; what is not finite is a failure.
        resource : float or ndarray of shape (n,), default=1.0
            Training amount behind each loss, as a fraction of the full one.
        folds : ndarray of shape (n, K), optional
            Losses of the folds that each loss is the mean of; NaN where one is missing. The same folds in
            the same order for all points, so that what they have in common can be told apart from noise.

        Raises
        ------
        ValueError
            If a shape is wrong, or a row of X leaves an active column open.
        """
        X = self._checked(X, "X")
        loss = np.array(loss, dtype=float, ndmin=1)
        if loss.shape != (len(X),):
            raise ValueError(f"loss must have shape ({len(X)},), one for each row of X, got {loss.shape}.")
        resource = np.asarray(resource, dtype=float)
        if resource.shape not in ((), loss.shape):
            raise ValueError(f"resource must be one number or have shape {loss.shape}, got {resource.shape}.")
        if not ((resource > 0) & (resource < math.inf)).all():
            raise ValueError(f"resource must be finite and greater than 0, got {resource!r}.")
        if folds is not None:
            folds = np.asarray(folds, dtype=float)
            K = "K" if self.history.folds is None else self.history.folds.shape[1]
            if folds.ndim != 2 or len(folds) != len(X) or K not in ("K", folds.shape[1]):
                raise ValueError(f"folds must have shape ({len(X)}, {K}), got {folds.shape}.")
        self.history.append(X, loss, resource, folds)
        self._learn(len(X))

    def count_points(self, space: Space) -> float:
        """How many points of a space this sampler can propose: an integer, or ``math.inf``."""
        return space.size

    # -- for authors of samplers ----------------------------------------------------------------

    def _start(self) -> None:
        """Prepare evolving state, if there is any beside the history."""

    @abstractmethod
    def _propose(self, n: int, pending: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Points (n, d) in the unit cube; values in inactive columns are ignored.

        Fewer rows mean that the sampler has come to an end of its own.
        """

    def _learn(self, n_new: int) -> None:
        """Update evolving state from the last ``n_new`` rows of the history."""

    def _generator(self) -> np.random.Generator:
        # A spawn key, as default_rng([seed, 0]) is the same stream as default_rng(seed).
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(self.n_asked,)))

    def _in_design(self, n_startup: int) -> bool:
        """Whether the initial design is still to be asked: neither asked for nor told so often.

        Trials are counted and not jobs, which are several for each trial under a budget.
        """
        # Counting trials walks through the history, which a long one is to be spared.
        return self.n_asked < n_startup and self.history.n_trials < n_startup

    def _replacement(self, row: np.ndarray, taken: set[bytes], rng: np.random.Generator) -> np.ndarray:
        """What to propose in place of ``row``, which was told before or is in ``taken``."""
        return self._nearby_unseen(row, taken, rng)

    # -- duplicates -------------------------------------------------------------------------------

    _design: SobolDesign
    _points_left: PointsLeft | None

    @property
    def _seen(self) -> KeysView[bytes]:
        return self.history.points

    def _checked_proposal(self, X: np.ndarray) -> np.ndarray:
        X = np.asarray(X, dtype=float)
        if X.ndim != 2 or X.shape[1] != self.space.d:
            raise ValueError(
                f"{type(self).__name__}._propose must return an array of shape (n, {self.space.d}), one row "
                f"for each point, got {X.shape}."
            )
        return X

    def _checked(self, X: np.ndarray, name: str) -> np.ndarray:
        X = np.asarray(X, dtype=float)
        if X.size == 0:
            return np.empty((0, self.space.d))
        if X.ndim != 2 or X.shape[1] != self.space.d:
            raise ValueError(f"{name} must have shape (n, {self.space.d}), got {X.shape}.")
        return self.space.canonical(X)

    def _nearby_unseen(self, row: np.ndarray, taken: set[bytes], rng: np.random.Generator) -> np.ndarray:
        """A point close to ``row`` that was neither told nor is it in ``taken``."""
        if self.space.size <= _ENUMERABLE:
            if self._points_left is None:
                self._points_left = PointsLeft(self.space)
            points = self._points_left.beside(self._seen, taken)
            gaps = distances(points, row[None], self.space)[:, 0]
            # At random among equals: the first would always be the first choice of a categorical.
            return points[rng.choice(np.flatnonzero(gaps <= gaps.min() + 1e-12))]
        is_categorical = np.array(self.space.kinds) == "categorical"
        scale = 0.05
        for attempt in range(1000):
            moved = rng.random(self.space.d) < max(1 / self.space.d, attempt / 100)
            inside = np.where(np.isnan(row), rng.random(self.space.d), row)
            jump = is_categorical | (scale > 0.5)
            step = np.where(
                jump, rng.random(self.space.d), inside + scale * rng.standard_normal(self.space.d)
            )
            point = self.space.canonical(np.where(moved, step, inside)[None])[0]
            if not self._is_taken(point, taken):
                return point
            scale *= 1.1
        for point in self.space.enumerate():
            if not self._is_taken(point, taken):
                return point
        raise RuntimeError("A space with points left has none left: Space.size is wrong.")

    def _is_taken(self, point: np.ndarray, taken: set[bytes]) -> bool:
        key = point.tobytes()
        return key in self._seen or key in taken


def distances(A: np.ndarray, B: np.ndarray, space: Space) -> np.ndarray:
    """Distances (n, m) between canonical points, as a sum over columns.

    Ordered columns count the difference of positions, categorical ones 0 or 1, and a column that
    is active in only one of the two points counts 1.
    """
    total = np.zeros((len(A), len(B)))
    for j, kind in enumerate(space.kinds):
        a, b = A[:, j, None], B[None, :, j]
        gap = (a != b).astype(float) if kind == "categorical" else np.abs(a - b)
        both_inactive = np.isnan(a) & np.isnan(b)
        total += np.where(both_inactive, 0.0, np.where(np.isnan(a) | np.isnan(b), 1.0, gap))
    return total


class PointsLeft:
    """The points of a finite space that were not told of, without a walk through all of them each time."""

    def __init__(self, space: Space) -> None:
        self._points = np.array(list(space.enumerate()))
        self._row = {point.tobytes(): i for i, point in enumerate(self._points)}
        self._is_left = np.ones(len(self._points), dtype=bool)
        self._n_told = 0

    def beside(self, told: KeysView[bytes], taken: Iterable[bytes]) -> np.ndarray:
        """Points (m, d), in the order of the space, that are in neither.

        Parameters
        ----------
        told : keys of a dict
            Those of the last call, in their order, and the new ones after them.
        taken : iterable of bytes
        """
        self._is_left[[self._row[key] for key in islice(told, self._n_told, None)]] = False
        self._n_told = len(told)
        is_left = self._is_left.copy()
        is_left[[self._row[key] for key in taken]] = False
        return self._points[is_left]


class SobolDesign:
    """Scrambled Sobol points, any stretch of the one sequence that the seed fixes."""

    def __init__(self, d: int, seed: int) -> None:
        self._d, self._seed = d, seed
        self._points = np.empty((0, d))

    def points(self, first: int, n: int) -> np.ndarray:
        """Rows ``first`` to ``first + n`` (n, d) of the sequence."""
        if first + n > len(self._points):
            # To begin a sequence takes longer than hundreds of its points do.
            m = max(8, math.ceil(math.log2(first + n)))
            self._points = qmc.Sobol(self._d, scramble=True, rng=self._seed).random_base2(m)
        return self._points[first : first + n]
