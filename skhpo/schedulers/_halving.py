"""What the schedulers that promote have in common: their books, how they end, and the last resort."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import replace

from skhpo._records import Job
from skhpo.schedulers._base import Scheduler


class Halving(Scheduler):
    """A scheduler that trains many trials a little, and promotes a part of them.

    This class numbers the trials, knows which jobs run, tells which trials have retired and sees to it
    that a search has a result: where the schedule is over and no trial has succeeded at the largest
    resource, the trials that never failed are brought there one at a time, those of the highest rung
    first and the best of them first, until one succeeds. What is left to a subclass is whom to promote.

    Subclasses write ``_promotion``, ``_new_trial``, ``_learn`` and ``_close``, and call ``_retire``.

    Parameters
    ----------
    top_resource : int
        The largest resource.
    top_level : int
        Its place on the ladder of resources.
    """

    def __init__(self, top_resource: int, top_level: int) -> None:
        self._top_resource = top_resource
        self._top_level = top_level
        self._n_begun = 0
        self._running: set[Job] = set()
        self._fresh: list[Job] = []  # New trials of the last next_jobs, of which nothing was heard since.
        self._alive: dict[int, tuple[float, Job]] = {}  # The last success of each trial that never failed.
        self._kept: set[int] = set()  # Trials that have not retired.
        self._retired: list[int] = []
        self._resort: Job | None = None
        self._has_result = False
        self._is_closed = False
        self._is_finished = False

    def next_jobs(self, n_free: int) -> list[Job]:
        """Promotions first, else new trials, else, at the end and only if needed, the last resort."""
        self._fresh = []
        jobs: list[Job] = []
        while len(jobs) < n_free and (job := self._next_job()) is not None:
            self._running.add(job)
            jobs.append(job)
        return jobs

    def report(self, job: Job, loss: float) -> None:
        """Learn how a finished job went; what is not a finite loss is a failure."""
        if job not in self._running:
            raise ValueError(f"{job} is not running: it was never given, or was reported before.")
        self._fresh = []
        self._running.remove(job)
        if math.isfinite(loss):
            self._alive[job.trial] = (loss, job)
            self._has_result |= job.rung == self._top_level
        else:
            self._alive.pop(job.trial, None)
            self._retire(job.trial)
        if job == self._resort:
            self._retire(job.trial)
        else:
            self._learn(job, loss)
        self._retire_all_if_over()

    def close(self) -> None:
        """Begin no further trial; the new ones of the call of ``next_jobs`` just before never happened."""
        self._is_closed = True
        for job in self._fresh:
            self._running.remove(job)
            self._kept.remove(job.trial)
            self._withdraw(job)
        self._fresh = []
        self._close()

    def finish(self) -> None:
        """Give nothing more but the last resort, if no trial has succeeded at the largest resource."""
        self._fresh = []
        self._is_finished = True
        self._retire_all_if_over()

    def take_retired(self) -> list[int]:
        """Trials that are done: failed, beaten for certain, or trained in full."""
        retired, self._retired = self._retired, []
        return retired

    # -- for subclasses -------------------------------------------------------------------------

    @abstractmethod
    def _promotion(self) -> Job | None:
        """The next job of a trial that has earned it, noted as given."""

    @abstractmethod
    def _new_trial(self) -> Job | None:
        """The first job of the trial numbered ``_n_begun``, noted as given. Not called when closed."""

    @abstractmethod
    def _learn(self, job: Job, loss: float) -> None:
        """Take in the result of a job of the schedule, and retire whom it decides on."""

    @abstractmethod
    def _withdraw(self, job: Job) -> None:
        """Forget that a new trial was given; comes before ``_close``."""

    @abstractmethod
    def _close(self) -> None:
        """Make do with the trials that began; may be called again."""

    def _retire(self, trial: int) -> None:
        """No further job of this trial will come; to be called as often as one likes."""
        if trial in self._kept:
            self._kept.remove(trial)
            self._retired.append(trial)

    # -- the end --------------------------------------------------------------------------------

    def _next_job(self) -> Job | None:
        if not self._is_finished:
            if (job := self._promotion()) is not None:
                return job
            if not self._is_closed and (job := self._new_trial()) is not None:
                self._n_begun += 1
                self._kept.add(job.trial)
                self._fresh.append(job)
                return job
        return self._last_resort()

    def _last_resort(self) -> Job | None:
        # What runs may give the result that is missing.
        if self._has_result or self._running or not self._alive:
            return None
        _, job = min(self._alive.values(), key=lambda last: (-last[1].rung, last[0], last[1].trial))
        if job.trial in self._retired:  # And nobody was told: what it was trained to is there yet.
            self._retired.remove(job.trial)
            self._kept.add(job.trial)
        self._resort = replace(job, resource=self._top_resource, rung=self._top_level)
        return self._resort

    def _retire_all_if_over(self) -> None:
        # Without a result those that wait are kept, as one of them may be the last resort.
        if self._is_finished and self._has_result:
            at_work = {job.trial for job in self._running}
            for trial in sorted(self._kept - at_work):
                self._retire(trial)
