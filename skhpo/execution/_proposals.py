"""New candidates: the user's own first, then the sampler's, with everything pending told to it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from skhpo._blas import one_blas_thread
from skhpo._records import Job, Trial
from skhpo.samplers import Sampler


@dataclass(frozen=True)
class InitialCandidate:
    """A candidate of the user's own.

    Attributes
    ----------
    position : ndarray of shape (d,)
        NaN in active columns that the sampler is to complete.
    params : mapping
        As the user gave them.
    """

    position: np.ndarray
    params: Mapping[str, Any]


class Proposals:
    """Where new trials come from, and where what was learnt of them goes.

    Every trial is one point asked of the sampler, also where the user gave it: the sampler's
    ``n_asked`` is the number of trials.

    Parameters
    ----------
    sampler : Sampler
        Running, see ``Sampler.start``.
    initial : iterable of InitialCandidate
        What to propose first. One that is the same as an earlier trial is passed over.
    """

    def __init__(self, sampler: Sampler, initial: Iterable[InitialCandidate] = ()) -> None:
        self._sampler = sampler
        self._space = sampler.space
        self._initial = deque(initial)
        self._given: dict[bytes, Mapping[str, Any]] = {}
        self._pending: dict[Job, tuple[float, ...]] = {}

    def next_trial(self, number: int) -> Trial | None:
        """A new trial under this number, or None when the space is exhausted."""
        point = self._next_point()
        if point is None:
            return None
        return self._trial(number, point)

    def recall(self, trial: Trial) -> Trial:
        """A trial that an earlier run of the search was given here, with its parameters.

        Parameters
        ----------
        trial : Trial
            Without ``params``.

        Raises
        ------
        ValueError
            If the space does not have its position.
        """
        position = np.array(trial.position, dtype=float)
        if self._initial:
            # Which of them were passed over is found out as it was then.
            point = self._next_point()
            is_same = point is not None and np.array_equal(point, position, equal_nan=True)
        else:
            self._sampler.n_asked += 1
            is_same = position.shape == (self._space.d,) and np.array_equal(
                self._space.canonical(position[None])[0], position, equal_nan=True
            )
        if not is_same:
            raise ValueError(
                f"The journal's candidate {trial.number}, at {trial.position}, is none that this search "
                "could have had."
            )
        return self._trial(trial.number, position)

    def begin(self, job: Job, trial: Trial) -> None:
        """A job of this trial is under way: its outcome is pending."""
        self._pending[job] = trial.position

    def learn(
        self,
        job: Job,
        trial: Trial,
        loss: float,
        resource: float = 1.0,
        folds: np.ndarray | None = None,
    ) -> None:
        """Tell the sampler what came of a job.

        Parameters
        ----------
        job : Job
        trial : Trial
        loss : float
            NaN for a failure.
        resource : float, default=1.0
            Training amount of the job, as a fraction of the full one.
        folds : ndarray of shape (n_folds,), optional
            Losses of the folds; NaN where one is missing.
        """
        del self._pending[job]
        folds = None if folds is None else folds[None]
        self._sampler.tell(np.array([trial.position]), np.array([loss]), resource, folds)

    def choices(self) -> Iterator[Any]:
        """All values of categorical parameters that a trial may come to have."""
        for column in self._space.columns:
            if column.dimension.kind == "categorical":
                yield from map(column.dimension.decode, column.dimension.levels())

    def _trial(self, number: int, point: np.ndarray) -> Trial:
        """The trial at a point; numbers that the user gave have their own last digits."""
        params = self._space.to_params(point)
        for name, value in self._given.get(point.tobytes(), {}).items():
            # The way into the unit cube and back makes 0.10000000000000006 of 0.1.
            if isinstance(value, float) and isinstance(params.get(name), float):
                params[name] = float(value)
        return Trial(number, tuple(point.tolist()), params)

    def _next_point(self) -> np.ndarray | None:
        pending = np.array(list(self._pending.values())).reshape(-1, self._space.d)
        while self._initial:
            candidate = self._initial.popleft()
            with one_blas_thread():
                point = self._sampler.complete(candidate.position, pending)
            if point is not None:
                self._given[point.tobytes()] = candidate.params
                return point
        with one_blas_thread():
            asked = self._sampler.ask(1, pending)
        return asked[0] if len(asked) else None
