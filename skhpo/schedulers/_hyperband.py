"""Hyperband and successive halving, decided as early as can be.

Notation (of one bracket)
--------
n_i : number of trials in the i-th rung, when none fails
e_i : number of trials that the i-th rung can still come to have
"""

from __future__ import annotations

import heapq
import math
from bisect import insort
from collections.abc import Iterator, Sequence
from itertools import pairwise

from skhpo._records import Job
from skhpo.schedulers._halving import Halving
from skhpo.schedulers._tables import Rung


class Hyperband(Halving):
    """Brackets of successive halving one after the other; plain successive halving if there is one.

    The rungs of a bracket keep the best n_{i+1} of their n_i trials, by (loss, number of the trial), and no
    failed one. A trial goes on as soon as it is certain to be among them whatever the others come to, and
    retires as soon as it is certain not to be. So no rung is waited for to no purpose, and still who goes on
    does not depend on the order in which jobs finish.

    Brackets do not wait for each other. Promotions come first, those to the highest rung before others,
    then the trial with the lowest number; else a trial begins in the first bracket that is not
    filled. A single worker therefore runs the brackets one by one, and with several a free worker
    begins the next bracket while a rung waits for its last ones.

    Parameters
    ----------
    brackets : sequence of sequence of Rung
        In the order in which they are filled, see ``hyperband_brackets``. A job's ``bracket`` is the
        index here, its ``rung`` the level of the rung.

    Raises
    ------
    ValueError
        If a bracket is no table of halving: resources must rise to a common largest one, numbers of trials
        must not.

    Notes
    -----
    When no further trials can be had (``close``), a bracket of which only m began goes on as if it had been
    planned for m: its rungs keep max(1, floor(m * n_i / n_0)).

    References
    ----------
    Li, Jamieson, DeSalvo, Rostamizadeh, Talwalkar (2018). Hyperband: a novel bandit-based approach to
    hyperparameter optimization. Journal of Machine Learning Research 18(185).

    Examples
    --------
    >>> from skhpo.schedulers import Hyperband, hyperband_brackets
    >>> scheduler = Hyperband(hyperband_brackets((1, 3), 3, n_brackets=1))
    >>> jobs = scheduler.next_jobs(8)
    >>> [(job.trial, job.resource) for job in jobs]
    [(0, 1), (1, 1), (2, 1)]
    >>> for job, loss in zip(jobs, [0.3, 0.1, 0.2]):
    ...     scheduler.report(job, loss)
    >>> [(job.trial, job.resource) for job in scheduler.next_jobs(8)]
    [(1, 3)]
    """

    def __init__(self, brackets: Sequence[Sequence[Rung]]) -> None:
        _check(brackets)
        top = brackets[0][-1]
        super().__init__(top.resource, top.level)
        self._brackets = [_Bracket(bracket) for bracket in brackets]
        self._filling = 0
        self._ready: list[tuple[int, int, Job]] = []  # Heap of (-level, trial, job).

    def _promotion(self) -> Job | None:
        return heapq.heappop(self._ready)[-1] if self._ready else None

    def _new_trial(self) -> Job | None:
        while self._filling < len(self._brackets):
            bracket = self._brackets[self._filling]
            if bracket.n_begun < bracket.contests[0].n_trials:
                bracket.n_begun += 1
                return self._job(self._n_begun, self._filling, 0)
            self._filling += 1
        return None

    def _learn(self, job: Job, loss: float) -> None:
        bracket = self._brackets[job.bracket]
        bracket.contest_at(job.rung).add(loss, job.trial)
        self._decide(job.bracket)

    def _withdraw(self, job: Job) -> None:
        self._filling = min(self._filling, job.bracket)
        self._brackets[job.bracket].n_begun -= 1

    def _close(self) -> None:
        if self._filling < len(self._brackets) and self._brackets[self._filling].n_begun:
            self._brackets[self._filling].shrink()
            self._decide(self._filling)

    def _decide(self, index: int) -> None:
        """Promote and retire whoever it has become certain of in a bracket."""
        for i, promoted, beaten in self._brackets[index].decisions():
            for trial in promoted:
                job = self._job(trial, index, i + 1)
                heapq.heappush(self._ready, (-job.rung, trial, job))
            for trial in beaten:
                self._retire(trial)

    def _job(self, trial: int, index: int, i: int) -> Job:
        rung = self._brackets[index].rungs[i]
        return Job(trial, rung.resource, index, rung.level)


class _Contest:
    """The trials of one rung, who compete for the places of the next.

    Those that are certain to have a place are always the best ones so far. So the next to become certain is
    the best of those that wait, and a newcomer that overtakes certain ones is the next itself.
    """

    def __init__(self, n_trials: int, n_places: int) -> None:
        self.n_trials = n_trials
        self.n_places = n_places
        self.n_finished = 0
        self.n_failed = 0
        self._n_promoted = 0
        self._waiting: list[tuple[float, int]] = []  # (loss, trial), best first.

    def add(self, loss: float, trial: int) -> None:
        """Take in a result."""
        self.n_finished += 1
        if math.isfinite(loss):
            insort(self._waiting, (loss, trial))
        else:
            self.n_failed += 1

    def decide(self, n_expected: int) -> tuple[list[int], list[int]]:
        """Trials that have become certain to go on, and certain not to.

        Parameters
        ----------
        n_expected : int
            Number of trials that will finish here at most, those that have included.
        """
        # A trial with p finished ones ahead has its place if p + outstanding <= n_places - 1.
        n_outstanding = n_expected - self.n_finished
        n_certain = min(max(0, self.n_places - n_outstanding - self._n_promoted), len(self._waiting))
        promoted = self._waiting[:n_certain]
        self._n_promoted += n_certain
        n_open = self.n_places - self._n_promoted
        beaten = self._waiting[n_certain + n_open :]
        self._waiting = self._waiting[n_certain : n_certain + n_open]
        return [trial for _, trial in promoted], [trial for _, trial in beaten]


class _Bracket:
    """One halving run: the contests of its rungs, and how many trials began in it."""

    def __init__(self, rungs: Sequence[Rung]) -> None:
        self.rungs = tuple(rungs)
        sizes = [*(rung.n_trials for rung in rungs), 0]
        self.contests = [_Contest(*pair) for pair in pairwise(sizes)]
        self.n_begun = 0

    def contest_at(self, level: int) -> _Contest:
        return self.contests[level - self.rungs[0].level]

    def decisions(self) -> Iterator[tuple[int, list[int], list[int]]]:
        """What each rung can decide now: its index, who goes on from it, who does not."""
        # e_0 = n_0; e_{i+1} = min(n_{i+1}, e_i - failures in rung i).
        n_expected = self.contests[0].n_trials
        for i, contest in enumerate(self.contests):
            n_expected = min(n_expected, contest.n_trials)
            yield i, *contest.decide(n_expected)
            n_expected -= contest.n_failed

    def shrink(self) -> None:
        """Go on as if the trials that began were all that were planned.

        Nobody who was certain of a place loses it. Let u = n_0 - m be missing. The rung above loses
        ceil(u * n_{i+1} / n_0) places at most, and e_i falls by that at least, so that the number of certain
        ones, n_{i+1} - (e_i - finished), does not.
        """
        n_0, m = self.contests[0].n_trials, self.n_begun
        for contest in self.contests:
            contest.n_trials = max(1, m * contest.n_trials // n_0)
            contest.n_places = max(1, m * contest.n_places // n_0) if contest.n_places else 0


def _check(brackets: Sequence[Sequence[Rung]]) -> None:
    if not brackets or not all(brackets):
        raise ValueError(f"brackets must hold at least one bracket of at least one rung, got {brackets!r}.")
    tops = {(bracket[-1].resource, bracket[-1].level) for bracket in brackets}
    if len(tops) > 1:
        raise ValueError(f"All brackets must end at the same (resource, level), got {sorted(tops)}.")
    for bracket in brackets:
        if bracket[-1].n_trials < 1:
            raise ValueError(f"A bracket must bring at least one trial to its end, got {bracket!r}.")
        for low, high in pairwise(bracket):
            if low.resource >= high.resource or low.level + 1 != high.level or low.n_trials < high.n_trials:
                raise ValueError(
                    "From rung to rung of a bracket the resource must rise, the level rise by one and the "
                    f"number of trials not rise, got {bracket!r}."
                )
