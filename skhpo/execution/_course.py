"""Where a search stands: what each event does to those who decide, now and when it is told again."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from skhpo._records import Began, Ended, Evaluation, Event, Job
from skhpo.evaluation import CrossValidation, Objective
from skhpo.execution._proposals import Proposals
from skhpo.execution._racing import FoldRace
from skhpo.journal import MemoryJournal
from skhpo.schedulers import Scheduler

Task = tuple[Job, int]
"""A job on a fold."""


class Course:
    """The course that a search takes, an event after the other.

    Whatever happens is written into the journal first and has its effect on scheduler and sampler then. An
    earlier run's journal has the same effects in the same order, so that they are where they were.

    Parameters
    ----------
    scheduler : Scheduler
    proposals : Proposals
    evaluation : CrossValidation
    objective : Objective
    journal : MemoryJournal
    race : FoldRace, optional
        Who is brought through all folds; by default everyone. A candidate's folds are then given out one at
        a time.

    Attributes
    ----------
    n_spared : int
        Tasks of jobs that began which will not be done.
    n_done : int
        Jobs finished.
    best_loss : float
        Least loss of a finished job; infinite before there is one.
    is_stopped : bool
        Whether a stopping rule has fired, and stays so.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        proposals: Proposals,
        evaluation: CrossValidation,
        objective: Objective,
        journal: MemoryJournal,
        race: FoldRace | None = None,
    ) -> None:
        self._scheduler = scheduler
        self._proposals = proposals
        self._evaluation = evaluation
        self._objective = objective
        self._journal = journal
        self._race = race
        self.n_spared = 0
        self.n_done = 0
        self.best_loss = math.inf
        self.is_stopped = False
        self._is_new_run = False

    def retrace(self) -> list[Task]:
        """Go through what earlier runs of this search did; the tasks that they left undone.

        Raises
        ------
        ValueError
            If this search would not have done what stands in the journal.
        """
        past = self._journal.past
        in_force = _stops_in_force(past)
        begun: list[Job] = []
        for i, event in enumerate(past):
            if isinstance(event, Began):
                event = self._begin_again(event)
                begun.append(event.job)
            self._journal.remember(event)
            if isinstance(event, Evaluation):
                self._learn_of(event)
            elif isinstance(event, Ended) and event.by == "space":
                self._offered()
                self._scheduler.close()
            elif i in in_force:
                self.is_stopped = True
                self._scheduler.finish()
        self._is_new_run = len(past) > 0
        return [task for job in begun for task in self._tasks(job)]

    def next_tasks(self) -> list[Task]:
        """The tasks of the next job; none when nothing may start before more is reported, or ever."""
        job = self._offered()
        if job is None:
            return []
        trial = None
        if job.trial not in self._journal.trials:
            trial = self._proposals.next_trial(job.trial)
            if trial is None:
                self._write(Ended("space"))
                # Trials that began may still be owed work, which a closed scheduler goes on to give.
                self._scheduler.close()
                return self.next_tasks()
        self._write(Began(job, trial))
        self._proposals.begin(job, self._journal.trials[job.trial])
        return self._tasks(job)

    def take_in(self, evaluation: Evaluation) -> list[Task]:
        """A task is finished; what follows from it for the same job."""
        self._write(evaluation)
        self._learn_of(evaluation)
        return [] if self._race is None else self._tasks(evaluation.job)

    def stop(self) -> None:
        """No further work, but what the scheduler needs for a result."""
        self._write(Ended("stop"))
        self.is_stopped = True
        self._scheduler.finish()

    def _write(self, event: Event) -> None:
        if self._is_new_run:
            self._is_new_run = False
            self._journal.append(Ended("run"))
        self._journal.append(event)

    def _offered(self) -> Job | None:
        """What the scheduler would have done next."""
        jobs = self._scheduler.next_jobs(1)
        return jobs[0] if jobs else None

    def _begin_again(self, event: Began) -> Began:
        """The event with the trial's parameters, which the journal does not keep."""
        if (job := self._offered()) != event.job:
            raise ValueError(_other_way(f"it began {event.job}, where this search would begin {job}"))
        if event.trial is not None:
            trial = self._proposals.recall(event.trial)
            event = Began(event.job, trial)
            self._journal.trials[trial.number] = trial
        self._proposals.begin(event.job, self._journal.trials[event.job.trial])
        return event

    def _learn_of(self, evaluation: Evaluation) -> None:
        """Report a job when the last of its folds is in, or no further one is worth while."""
        job = evaluation.job
        if self._race is not None:
            self._race.take(job.trial, evaluation.fold, self._objective([evaluation.outcome]))
        outcomes = self._journal.outcomes(job)
        is_out = self._is_out(job)
        if len(outcomes) < self._evaluation.n_folds and not is_out:
            return
        self._evaluation.passed(job)
        # The only change of sign: scores outside, losses inside.
        if self._race is not None and is_out:
            loss = -self._race.estimate(job.trial)
            self.n_spared += self._evaluation.n_folds - len(outcomes)
        else:
            loss = -self._objective(outcomes)
            self.best_loss = min(self.best_loss, loss if math.isfinite(loss) else math.inf)
        self.n_done += 1
        self._scheduler.report(job, loss)
        trial = self._journal.trials[job.trial]
        self._proposals.learn(job, trial, loss, self._evaluation.fraction(job), self._fold_losses(job))
        for retired in self._scheduler.take_retired():
            self._evaluation.forget(retired)

    def _fold_losses(self, job: Job) -> np.ndarray:
        """Losses (n_folds,), NaN where a fold failed or was not evaluated."""
        losses = np.full(self._evaluation.n_folds, np.nan)
        done = sorted(self._journal.folds(job))
        losses[done] = [-self._objective.of_fold(outcome) for outcome in self._journal.outcomes(job)]
        return losses

    def _tasks(self, job: Job) -> list[Task]:
        """The tasks of a job that are to be given out now."""
        if self._is_out(job):
            return []
        done = self._journal.folds(job)
        if self._race is None:
            return [(job, fold) for fold in range(self._evaluation.n_folds) if fold not in done]
        return [(job, fold) for fold in self._race.order(job.trial) if fold not in done][:1]

    def _is_out(self, job: Job) -> bool:
        return self._race is not None and self._race.is_out(job.trial)


def _stops_in_force(past: Sequence[Event]) -> set[int]:
    """Places of the stops after which something was begun in the same run.

    These have had their effect. A stop that was the end of its run is taken back by the next one, whose
    timeout may be longer.
    """
    in_force, is_anything_begun = set(), False
    for i in range(len(past) - 1, -1, -1):
        event = past[i]
        if isinstance(event, Began):
            is_anything_begun = True
        elif isinstance(event, Ended) and event.by == "run":
            is_anything_begun = False
        elif isinstance(event, Ended) and event.by == "stop" and is_anything_begun:
            in_force.add(i)
    return in_force


def _other_way(what: str) -> str:
    return (
        f"The journal does not belong to this search, although they look the same: {what}. A sampler, "
        "scheduler or splitter of your own must decide by what it is told alone."
    )
