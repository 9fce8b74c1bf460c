"""One candidate on one fold, in a form that travels to any worker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.exceptions import FitFailedWarning

from skhpo._records import Job, Trial
from skhpo._sklearn import CallbackContexts, CrossValidationInputs, fit_and_score, lost_outcome
from skhpo._warnings import warn_user

Call = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]
"""A function with its positional and keyword arguments."""


@dataclass(frozen=True)
class CrossValidation:
    """Turns a task, that is a job and a fold, into the call that a worker has to make.

    Attributes
    ----------
    inputs : CrossValidationInputs
        Estimator, data, splits, scorers and routed metadata.
    contexts : CallbackContexts
    n_candidates : int or None
        How many there will be at most, for messages; None if that is not known.
    return_train_score : bool
    error_score : float or "raise"
    verbose : int
    """

    inputs: CrossValidationInputs
    contexts: CallbackContexts
    n_candidates: int | None
    return_train_score: bool
    error_score: float | str
    verbose: int

    @property
    def n_folds(self) -> int:
        """Number of tasks in each job."""
        return len(self.inputs.splits)

    def call(self, trial: Trial, job: Job, fold: int, number: int) -> Call:
        """Function, positional and keyword arguments of a task, which is the search's ``number``-th.

        X, y and the indices are the same objects in every call: process backends map large arrays to
        shared memory by identity.
        """
        inputs = self.inputs
        train, test = inputs.splits[fold]
        options = {
            "scorer": inputs.scorer,
            "train": train,
            "test": test,
            "parameters": self.params(trial, job),
            "fit_params": inputs.fit_params,
            "score_params": inputs.score_params,
            "return_train_score": self.return_train_score,
            "error_score": self.error_score,
            "verbose": self.verbose,
            "split_progress": (fold, self.n_folds),
            "candidate_progress": None if self.n_candidates is None else (trial.number, self.n_candidates),
            **self.contexts.task(number),
        }
        return fit_and_score, (inputs.estimator, inputs.X, inputs.y), options

    def lost(self, trial: Trial, job: Job, fold: int, reason: str) -> dict[str, Any]:
        """The outcome of a task that took its worker with it.

        Raises
        ------
        RuntimeError
            If ``error_score`` is "raise".
        """
        message = _loss(reason)
        if self.error_score == "raise":
            message = f"{self._where(trial, job, fold)}: {message}"
        inputs = self.inputs
        return lost_outcome(
            message,
            scorer=inputs.scorer,
            error_score=self.error_score,
            return_train_score=self.return_train_score,
            n_test_samples=len(np.arange(inputs.n_samples)[inputs.splits[fold][1]]),
        )

    def warn_of_loss(self, trial: Trial, job: Job, fold: int, reason: str) -> None:
        """Tell the user, now and by name, of a task that took its worker with it."""
        warn_user(
            f"{self._where(trial, job, fold)}: {_loss(reason)} Its score on this fold is {self.error_score}.",
            FitFailedWarning,
        )

    def _where(self, trial: Trial, job: Job, fold: int) -> str:
        return f"Candidate {trial.number}, {self.params(trial, job)}, on fold {fold}"

    def params(self, trial: Trial, job: Job) -> dict[str, Any]:
        """The estimator's parameters in a job, the one that sets its length included."""
        return trial.params

    def fraction(self, job: Job) -> float:
        """The job's part of the full training."""
        return 1.0

    def forget(self, trial: int) -> None:
        """Throw away what was kept of a trial that will not be trained on."""

    def passed(self, job: Job) -> None:
        """A job is finished, in this run of the search or in an earlier one."""


def _loss(reason: str) -> str:
    return f"The fit was lost: {reason.rstrip('.')}."
