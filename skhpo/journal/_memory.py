"""A journal that lives as long as the search."""

from __future__ import annotations

from typing import Any

from skhpo._records import Evaluation, Job, Trial


class MemoryJournal:
    """Trials and evaluations in the order in which they happened.

    Attributes
    ----------
    trials : dict of int to Trial
    """

    def __init__(self) -> None:
        self.trials: dict[int, Trial] = {}
        self._outcomes: dict[Job, dict[int, dict[str, Any]]] = {}

    def begin(self, trial: Trial) -> None:
        """Write down a new candidate."""
        self.trials[trial.number] = trial

    def append(self, evaluation: Evaluation) -> None:
        """Write down a finished task."""
        self._outcomes.setdefault(evaluation.job, {})[evaluation.fold] = evaluation.outcome

    def outcomes(self, job: Job) -> list[dict[str, Any]]:
        """Outcomes of a job's tasks that are finished, fold by fold."""
        folds = self._outcomes.get(job, {})
        return [folds[fold] for fold in sorted(folds)]

    def jobs(self) -> list[Job]:
        """Jobs with a finished task: bracket by bracket, rung by rung, in the order of asking."""
        return sorted(self._outcomes, key=lambda job: (job.bracket, job.rung, job.trial))
