"""ASHA by the rule of its paper: promotion, not stopping.

Notation
--------
k   : level of a rung on the ladder of resources; a bracket b has the rungs k = b .. K
n_k : number of trials that have finished in rung k of a bracket, failed ones included
N_k : number that can still come to be so at most
eta : reduction factor; a Fraction
"""

from __future__ import annotations

import math
import operator
from bisect import bisect_left, insort
from collections.abc import Sequence
from fractions import Fraction

from skhpo._records import Job
from skhpo.schedulers._halving import Halving
from skhpo.schedulers._tables import bracket_starts, checked_ladder, exact_factor


class ASHA(Halving):
    """Asynchronous successive halving: nobody waits for a rung to fill.

    Whenever a worker is free, the rungs are looked through from the top down for a trial among the best
    floor(n_k / eta) of the n_k that have finished there, which was not promoted yet; the best such
    trial of the highest such rung goes on. If there is none, a new trial begins at the bottom. This is
    Algorithm 2 of Li et al. (2020), in which trials pause; the variant in which they run until they
    are stopped has come to be called ASHA too.

    A failed trial counts in n_k, as the worst, and is never promoted.

    Parameters
    ----------
    ladder : sequence of int
        Resources, strictly increasing, see ``resource_ladder``.
    factor : int, float or Fraction
        eta, greater than 1.
    n_trials : int, optional
        Number of trials to begin. None: until ``close`` or ``finish``.
    brackets : int, default=1
        Bracket b has rungs of its own, from level b of the ladder upwards. New trials go to the brackets in
        the proportions in which Hyperband fills them. A job's ``bracket`` is b, its ``rung`` the level.

    Raises
    ------
    ValueError
        If a number is out of its range or the ladder does not rise.

    Notes
    -----
    Promotions cannot be taken back: where trials that come later are better than those promoted early,
    more than n_k / eta leave a rung, though each was among the best floor(n_k / eta) when it left.
    With several brackets, of promotions to one level that of the first bracket comes first.

    References
    ----------
    Li, Jamieson, Rostamizadeh, Gonina, Ben-tzur, Hardt, Recht, Talwalkar (2020). A system for massively
    parallel hyperparameter tuning. Proceedings of Machine Learning and Systems 2. arXiv:1810.05934.

    Examples
    --------
    >>> from skhpo.schedulers import ASHA
    >>> scheduler = ASHA((1, 3, 9), factor=3, n_trials=9)
    >>> for loss in (0.3, 0.1, 0.2):
    ...     (job,) = scheduler.next_jobs(1)
    ...     scheduler.report(job, loss)
    >>> [(job.trial, job.resource) for job in scheduler.next_jobs(2)]
    [(1, 3), (3, 1)]
    """

    def __init__(
        self, ladder: Sequence[int], factor: float, n_trials: int | None = None, brackets: int = 1
    ) -> None:
        self._ladder, self._eta = checked_ladder(ladder), exact_factor(factor)
        n_brackets = operator.index(brackets)
        if not 1 <= n_brackets <= len(self._ladder):
            raise ValueError(
                f"brackets must be between 1 and the number of levels, {len(self._ladder)}, got {brackets}."
            )
        if n_trials is not None and operator.index(n_trials) < 1:
            raise ValueError(f"n_trials must be at least 1 or None, got {n_trials}.")
        K = len(self._ladder) - 1
        super().__init__(self._ladder[K], K)
        self._n_trials = math.inf if n_trials is None else n_trials
        self._weights = bracket_starts(K + 1, self._eta)[:n_brackets]
        self._n_started = [0] * n_brackets
        self._rungs = [{k: _Rung(self._eta) for k in range(b, K + 1)} for b in range(n_brackets)]
        self._n_planned: list[float] = self._plan(self._n_trials)

    def _promotion(self) -> Job | None:
        # Algorithm 2, get_job: for k = K-1, ..., 0.
        for k in range(self._top_level - 1, -1, -1):
            for b, rungs in enumerate(self._rungs):
                if k in rungs and (trial := rungs[k].promote()) is not None:
                    rungs[k + 1].n_running += 1
                    return self._job(trial, b, k + 1)
        return None

    def _new_trial(self) -> Job | None:
        if self._n_begun >= self._n_trials:
            return None
        b = _largest_deficit(self._n_started, self._weights)
        self._n_started[b] += 1
        self._rungs[b][b].n_running += 1
        return self._job(self._n_begun, b, b)

    def _learn(self, job: Job, loss: float) -> None:
        self._rungs[job.bracket][job.rung].add(loss, job.trial)
        if job.rung == self._top_level:
            self._retire(job.trial)
        self._retire_beaten(job.bracket)

    def _withdraw(self, job: Job) -> None:
        self._rungs[job.bracket][job.rung].n_running -= 1

    def _close(self) -> None:
        self._n_planned = list(self._n_started)
        for b in range(len(self._rungs)):
            self._retire_beaten(b)

    def _retire_beaten(self, b: int) -> None:
        """Retire those who could not be promoted any more even if all that may still come were worse."""
        # Whoever may still finish in rung k: the running; in the lowest, those to begin; above, all that
        # wait in the rung below or may still finish there.
        n_coming = self._n_planned[b] - self._n_started[b]
        for k in range(b, self._top_level):
            rung = self._rungs[b][k]
            n_coming += rung.n_running
            for trial in rung.take_beaten(n_coming):
                self._retire(trial)
            n_coming += len(rung.waiting)

    def _plan(self, n_trials: float) -> list[float]:
        """Number of trials that each bracket will have begun in the end."""
        if math.isinf(n_trials):
            return [math.inf] * len(self._weights)
        # Each round of sum(weights) trials gives every bracket exactly its weight.
        n_rounds, n_rest = divmod(int(n_trials), sum(self._weights))
        rest = [0] * len(self._weights)
        for _ in range(n_rest):
            rest[_largest_deficit(rest, self._weights)] += 1
        return [n_rounds * w + n for w, n in zip(self._weights, rest, strict=True)]

    def _job(self, trial: int, b: int, k: int) -> Job:
        return Job(trial, self._ladder[k], b, k)


class _Rung:
    """The trials that have come to one rung of a bracket."""

    def __init__(self, eta: Fraction) -> None:
        self.n_running = 0
        self.waiting: list[tuple[float, int]] = []  # (loss, trial) of those not promoted, best first.
        self._promoted: list[tuple[float, int]] = []
        self._n_finished = 0
        self._eta = eta

    def add(self, loss: float, trial: int) -> None:
        """Take in the result of a trial that ran here."""
        self.n_running -= 1
        self._n_finished += 1
        if math.isfinite(loss):
            insort(self.waiting, (loss, trial))

    def promote(self) -> int | None:
        """The best trial that waits, if it is among the best floor(n_k / eta) of the rung."""
        if not self.waiting or self._rank(0) >= self._n_finished // self._eta:
            return None
        best = self.waiting.pop(0)
        insort(self._promoted, best)
        return best[1]

    def take_beaten(self, n_coming: float) -> list[int]:
        """Remove those that wait in vain if ``n_coming`` more finish here at most."""
        beaten: list[int] = []
        if math.isinf(n_coming):
            return beaten
        n_top = (self._n_finished + int(n_coming)) // self._eta
        while self.waiting and self._rank(len(self.waiting) - 1) >= n_top:
            beaten.append(self.waiting.pop()[1])
        return beaten

    def _rank(self, i: int) -> int:
        """Number of successes ahead of the i-th of those that wait."""
        return i + bisect_left(self._promoted, self.waiting[i])


def _largest_deficit(counts: Sequence[int], weights: Sequence[int]) -> int:
    """Whose turn is next, so that counts stay in proportion to weights at all times; ties to the first."""
    n, total = sum(counts) + 1, sum(weights)
    return max(range(len(weights)), key=lambda i: n * weights[i] - counts[i] * total)
