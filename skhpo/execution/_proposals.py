"""New candidates: the user's own first, then the sampler's, with everything pending told to it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from skhpo._records import Job, Trial
from skhpo.samplers import Sampler


class Proposals:
    """Where new trials come from, and where what was learnt of them goes.

    Every trial is one point asked of the sampler, also where the user gave it: the sampler's
    ``n_asked`` is the number of trials.

    Parameters
    ----------
    sampler : Sampler
        Running, see ``Sampler.start``.
    initial : iterable of ndarray of shape (d,)
        Points to propose first; NaN in active columns is completed by the sampler. One that is the
        same as an earlier trial is passed over.
    """

    def __init__(self, sampler: Sampler, initial: Iterable[np.ndarray] = ()) -> None:
        self._sampler = sampler
        self._space = sampler.space
        self._initial = deque(initial)
        self._pending: dict[Job, tuple[float, ...]] = {}

    def next_trial(self, number: int) -> Trial | None:
        """A new trial under this number, or None when the space is exhausted."""
        point = self._next_point()
        if point is None:
            return None
        return Trial(number, tuple(point.tolist()), self._space.to_params(point))

    def begin(self, job: Job, trial: Trial) -> None:
        """A job of this trial is under way: its outcome is pending."""
        self._pending[job] = trial.position

    def learn(self, job: Job, trial: Trial, loss: float, resource: float = 1.0) -> None:
        """Tell the sampler what came of a job.

        Parameters
        ----------
        job : Job
        trial : Trial
        loss : float
            NaN for a failure.
        resource : float, default=1.0
            Training amount of the job, as a fraction of the full one.
        """
        del self._pending[job]
        self._sampler.tell(np.array([trial.position]), np.array([loss]), resource)

    def choices(self) -> Iterator[Any]:
        """All values of categorical parameters that a trial may come to have."""
        for column in self._space.columns:
            if column.dimension.kind == "categorical":
                yield from map(column.dimension.decode, column.dimension.levels())

    def _next_point(self) -> np.ndarray | None:
        pending = np.array(list(self._pending.values())).reshape(-1, self._space.d)
        while self._initial:
            point = self._sampler.complete(self._initial.popleft(), pending)
            if point is not None:
                return point
        asked = self._sampler.ask(1, pending)
        return asked[0] if len(asked) else None
