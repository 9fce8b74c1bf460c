"""A journal that lives as long as the search."""

from __future__ import annotations

from collections.abc import Sequence, Set
from types import TracebackType
from typing import Any, Self

from skhpo._records import Began, Evaluation, Event, Job, Trial


class MemoryJournal:
    """What happened in a search, in its order.

    Attributes
    ----------
    past : sequence of Event
        What an earlier run of the same search wrote down, to be gone through before anything new. Its
        trials have no ``params``: these follow from the position.
    elapsed : float
        Seconds that the earlier runs took.
    seed : int or None
        Of the earlier runs.
    path : str or None
        Where the journal is kept.
    trials : dict of int to Trial
    n_evaluations : int
        Tasks finished.
    """

    past: Sequence[Event] = ()
    elapsed: float = 0.0
    seed: int | None = None
    path: str | None = None

    def __init__(self) -> None:
        self.trials: dict[int, Trial] = {}
        self.n_evaluations = 0
        self._outcomes: dict[Job, dict[int, dict[str, Any]]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def identify(self, seed: int, fingerprint: dict[str, str], about: dict[str, Any]) -> None:
        """Say which search this is, before anything is appended.

        Parameters
        ----------
        seed : int
        fingerprint : dict of str to str
            A digest of each part that makes the search what it is.
        about : dict
            What a reader wants to know of it; values that JSON has.

        Raises
        ------
        ValueError
            If the journal is of another search.
        """

    def append(self, event: Event) -> None:
        """Write down what happened; when this returns it is safe, and not before may anyone act on it."""
        self.remember(event)

    def remember(self, event: Event) -> None:
        """Take note of what stands in the journal already."""
        if isinstance(event, Began):
            if event.trial is not None:
                self.trials[event.trial.number] = event.trial
        elif isinstance(event, Evaluation):
            self._outcomes.setdefault(event.job, {})[event.fold] = event.outcome
            self.n_evaluations += 1

    def outcomes(self, job: Job) -> list[dict[str, Any]]:
        """Outcomes of a job's tasks that are finished, fold by fold."""
        folds = self._outcomes.get(job, {})
        return [folds[fold] for fold in sorted(folds)]

    def outcome(self, job: Job, fold: int) -> dict[str, Any] | None:
        """Outcome of a task; None if it is not finished."""
        return self._outcomes.get(job, {}).get(fold)

    def folds(self, job: Job) -> Set[int]:
        """Folds on which a job is finished."""
        return self._outcomes.get(job, {}).keys()

    def jobs(self) -> list[Job]:
        """Jobs with a finished task: bracket by bracket, rung by rung, in the order of asking."""
        return sorted(self._outcomes, key=lambda job: (job.bracket, job.rung, job.trial))

    def close(self) -> None:
        """Let go of the file, if there is one; what was written stays."""
