"""Everyone in full: the schedule of every search without budgets."""

from __future__ import annotations

import math

from skhpo._records import Job
from skhpo.schedulers._base import Scheduler


class EveryoneInFull(Scheduler):
    """Each of a number of candidates is trained to the end, in the order of asking.

    Parameters
    ----------
    n_trials : int or None
        Number of candidates in all; None leaves the end to others.

    Examples
    --------
    >>> from skhpo.schedulers import EveryoneInFull
    >>> scheduler = EveryoneInFull(n_trials=3)
    >>> [job.trial for job in scheduler.next_jobs(2)]
    [0, 1]
    >>> [job.trial for job in scheduler.next_jobs(2)]
    [2]
    """

    def __init__(self, n_trials: int | None) -> None:
        self._n_trials: float = math.inf if n_trials is None else n_trials
        self._n_begun = 0

    def next_jobs(self, n_free: int) -> list[Job]:
        """The next candidates, as many as may start."""
        n_new = int(min(n_free, self._n_trials - self._n_begun))
        jobs = [Job(trial) for trial in range(self._n_begun, self._n_begun + n_new)]
        self._n_begun += n_new
        return jobs

    def report(self, job: Job, loss: float) -> None:
        """Nothing to decide: no loss changes who is trained."""

    def close(self) -> None:
        """Begin no further candidate."""
        self._n_trials = self._n_begun

    def finish(self) -> None:
        """Begin no further candidate: those that began are trained in full anyhow."""
        self.close()
