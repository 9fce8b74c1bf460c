"""The contract of a scheduler."""

from __future__ import annotations

from abc import ABC, abstractmethod

from skhpo._records import Job


class Scheduler(ABC):
    """How much to spend on whom.

    A scheduler decides and never acts: it holds no model, starts no work, sleeps nowhere and reads
    no clock. Its answers depend on what it was told alone, so that replaying the reports in their
    order gives the same jobs again.
    """

    @abstractmethod
    def next_jobs(self, n_free: int) -> list[Job]:
        """Work that may start now.

        Parameters
        ----------
        n_free : int
            Number of jobs that can be started at once.

        Returns
        -------
        jobs : list of Job
            At most ``n_free``. A trial number that was never returned before asks for a new
            candidate; new numbers are consecutive, from 0. Empty when nothing may start before
            more is reported, or ever.
        """

    @abstractmethod
    def report(self, job: Job, loss: float) -> None:
        """Learn how a finished job went.

        Parameters
        ----------
        job : Job
        loss : float
            Less is better; NaN is a failure.
        """

    @abstractmethod
    def close(self) -> None:
        """No new candidate can be had from now on; trials that began may still go on.

        Directly after ``next_jobs``, this is the answer to it: the new trials which that call returned did
        not begin, and never happened. All those before did.
        """

    @abstractmethod
    def finish(self) -> None:
        """The time is over: only what is needed for a result may still be given.

        From now on no job is returned but, where no trial has been trained in full, one at a time that
        brings the best of those in the highest rung there, until one has succeeded.
        """

    def take_retired(self) -> list[int]:
        """Trials of which no further job will come, each told once.

        What was kept to train them on can be thrown away. A job that does come in spite of this (see
        ``finish``) is trained from the beginning.
        """
        return []
