"""One candidate on one fold, in a form that travels to any worker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from sklearn.exceptions import FitFailedWarning

from skhpo._records import Job, Trial
from skhpo._sklearn import CallbackContexts, CrossValidationInputs, fit_and_score, lost_outcome
from skhpo._warnings import warn_user
from skhpo.evaluation._nets import NetTask, nets_in
from skhpo.evaluation._training import train_and_score

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
    seed : int
        For what candidates draw from generators that are not their own.
    tensors : bool
        Whether nets get their batches without torch's loader.
    """

    inputs: CrossValidationInputs
    contexts: CallbackContexts
    n_candidates: int | None
    return_train_score: bool
    error_score: float | str
    verbose: int
    seed: int
    tensors: bool

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
        if not self._trains_nets(trial):
            return fit_and_score, (inputs.estimator, inputs.X, inputs.y), options
        options["nets"] = NetTask(
            name=f"candidate-{trial.number}-fold-{fold}",
            seed=self._seed(trial.number, fold),
            tensors=self.tensors,
        )
        return train_and_score, (inputs.estimator, inputs.X, inputs.y), options

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

    def _trains_nets(self, trial: Trial) -> bool:
        return self._has_nets or any(nets_in(value) for value in trial.params.values())

    @cached_property
    def _has_nets(self) -> bool:
        return len(nets_in(self.inputs.estimator)) > 0

    def _seed(self, trial: int, fold: int) -> int:
        sequence = np.random.SeedSequence(self.seed, spawn_key=(trial, fold))
        return int(sequence.generate_state(1)[0] >> 1)

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


def wants_device(call: Call) -> bool:
    """Whether a call trains nets."""
    return call[2].get("nets") is not None


def on_device(call: Call, device: str, *, is_shared: bool, may_exit: bool) -> Call:
    """A call with its nets on a device; see ``NetTask`` for what the others mean."""
    function, args, options = call
    nets = replace(options["nets"], device=device, is_shared=is_shared, may_exit=may_exit)
    return function, args, {**options, "nets": nets}


def _loss(reason: str) -> str:
    return f"The fit was lost: {reason.rstrip('.')}."
