"""Cross-validation in which models are trained a part of the way, and on from there."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sklearn.base import clone, is_classifier

from skhpo._records import Job, Trial
from skhpo.evaluation._checkpoints import Checkpoints
from skhpo.evaluation._cross_validation import Call, CrossValidation
from skhpo.evaluation._resources import Length, ResourcePlan
from skhpo.evaluation._subsamples import NestedSubsamples
from skhpo.evaluation._training import Training, train_and_score


@dataclass(frozen=True)
class BudgetedCrossValidation(CrossValidation):
    """Tasks that bring a model to a job's resource, from where the last job of its trial left it.

    Attributes
    ----------
    plan : ResourcePlan
    checkpoints : Checkpoints
    """

    plan: ResourcePlan
    checkpoints: Checkpoints
    _lengths: dict[int, Length] = field(default_factory=dict, repr=False)
    _passed: dict[int, list[int]] = field(default_factory=dict, repr=False)

    def call(self, trial: Trial, job: Job, fold: int, number: int) -> Call:
        """As in the base class; samples are counted out here, all else is the worker's."""
        function, args, options = super().call(trial, job, fold, number)
        length = self._length(trial)
        own = length.at(_resource(job))
        if length.adapter is None:
            if own < self.plan.n_samples:
                options["train"] = self._subsamples.at(fold, own, self.plan.n_samples)
            return function, args, options
        options["training"] = Training(
            adapter=length.adapter,
            length=own,
            way=tuple(length.at(r) for r in self._passed.get(trial.number, ()) if r < _resource(job)),
            full=length.full,
            is_last=_resource(job) >= self.plan.max_resources,
            checkpoints=self.checkpoints,
            trial=trial.number,
            fold=fold,
            seed=self._seed(trial.number, fold),
        )
        return train_and_score, args, options

    def params(self, trial: Trial, job: Job) -> dict[str, Any]:
        """The candidate's parameters and, unless that is the number of samples, its length."""
        length = self._length(trial)
        if length.adapter is None:
            return trial.params
        return {**trial.params, length.name: length.at(_resource(job))}

    def fraction(self, job: Job) -> float:
        """The job's part of ``max_resources``."""
        return _resource(job) / self.plan.max_resources

    def passed(self, job: Job) -> None:
        """The next job of the trial goes on from here, or goes this way again."""
        self._passed.setdefault(job.trial, []).append(_resource(job))

    def forget(self, trial: int) -> None:
        """Drop the trial's checkpoints."""
        self.checkpoints.drop(trial)

    def _length(self, trial: Trial) -> Length:
        # Once for each trial: it takes a clone with the candidate's parameters.
        if trial.number not in self._lengths:
            model = clone(self.inputs.estimator).set_params(**clone(trial.params, safe=False))
            self._lengths[trial.number] = self.plan.length(model)
        return self._lengths[trial.number]

    @cached_property
    def _subsamples(self) -> NestedSubsamples:
        inputs = self.inputs
        return NestedSubsamples(
            inputs.splits, inputs.y if is_classifier(inputs.estimator) else None, self.seed
        )


def _resource(job: Job) -> int:
    if job.resource is None:
        raise ValueError(f"A budgeted search needs jobs with a resource, got {job}.")
    return job.resource
