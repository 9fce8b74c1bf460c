"""New candidates: the user's own first, then the sampler's, with everything pending told to it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from skhpo._records import Trial
from skhpo.samplers import Sampler


class Proposals:
    """Where new trials come from, and where what was learnt of them goes.

    Parameters
    ----------
    sampler : Sampler
        Running, see ``Sampler.start``.
    initial : iterable of ndarray of shape (d,)
        Points to propose first; NaN in active columns is completed by the sampler.
    """

    def __init__(self, sampler: Sampler, initial: Iterable[np.ndarray] = ()) -> None:
        self._sampler = sampler
        self._space = sampler.space
        self._initial = list(initial)[::-1]
        self._pending: dict[int, np.ndarray] = {}

    def next_trial(self, number: int) -> Trial | None:
        """A new trial under this number, or None when the space is exhausted."""
        if self._initial:
            point = self._complete(self._initial.pop())
        else:
            asked = self._ask()
            if asked is None:
                return None
            point = asked
        self._pending[number] = point
        return Trial(number, tuple(point.tolist()), self._space.to_params(point))

    def learn(self, trial: Trial, loss: float, resource: float = 1.0) -> None:
        """Tell the sampler a trial's loss at a fraction of the full resource.

        Parameters
        ----------
        trial : Trial
        loss : float
            NaN for a failure.
        resource : float, default=1.0
        """
        self._pending.pop(trial.number, None)
        self._sampler.tell(np.array([trial.position]), np.array([loss]), resource)

    def _ask(self) -> np.ndarray | None:
        pending = np.array(list(self._pending.values())).reshape(-1, self._space.d)
        asked = self._sampler.ask(1, pending)
        return asked[0] if len(asked) else None

    def _complete(self, partial: np.ndarray) -> np.ndarray:
        missing = np.isnan(partial)
        if not (self._space.active(partial[None])[0] & missing).any():
            return self._space.canonical(partial[None])[0]
        asked = self._ask()
        # The sampler's point may lie in another branch of the space and say nothing of this one.
        filler = np.full(self._space.d, 0.5) if asked is None else np.where(np.isnan(asked), 0.5, asked)
        return self._space.canonical(np.where(missing, filler, partial)[None])[0]
