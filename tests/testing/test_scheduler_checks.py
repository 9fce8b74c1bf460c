"""Each check of schedulers can fail: schedulers broken in one way each, and the check that must notice."""

import functools
import itertools
import math
import random
from dataclasses import replace

import pytest

from skhpo._records import Job
from skhpo.schedulers import ASHA, EveryoneInFull, Hyperband, Scheduler, hyperband_brackets
from skhpo.testing import check_scheduler, scheduler_checks

LADDER = (1, 3, 9)


class Sound(Hyperband):
    def __init__(self):
        super().__init__(hyperband_brackets(LADDER, 3))


class Renumbered(Sound):
    """Trials of the second bracket have numbers of their own."""

    def next_jobs(self, n_free):
        return [replace(job, trial=job.trial + 91 * (job.bracket == 1)) for job in super().next_jobs(n_free)]

    def report(self, job, loss):
        super().report(replace(job, trial=job.trial - 91 * (job.bracket == 1)), loss)


class Greedy(Sound):
    def next_jobs(self, n_free):
        return super().next_jobs(n_free + 1)


class Iterates(Sound):
    def next_jobs(self, n_free):
        return iter(super().next_jobs(n_free))


class GivesNumbers(Sound):
    def next_jobs(self, n_free):
        return [job.trial for job in super().next_jobs(n_free)]


class NeverBegins(Sound):
    def next_jobs(self, n_free):
        return []


class Again(EveryoneInFull):
    """Evaluates each trial twice, at the same resource."""

    def __init__(self):
        super().__init__(10)
        self._owed, self._ended = [], set()

    def next_jobs(self, n_free):
        jobs = self._owed[:n_free]
        del self._owed[:n_free]
        return jobs + super().next_jobs(n_free - len(jobs))

    def report(self, job, loss):
        if job not in self._ended:
            self._owed.append(job)
        self._ended.add(job)


class Overlaps(EveryoneInFull):
    """Gives both jobs of a trial at once."""

    def __init__(self):
        super().__init__(10)

    def next_jobs(self, n_free):
        jobs = super().next_jobs((n_free + 1) // 2)
        return [Job(job.trial, 3**k, 0, k) for job in jobs for k in (0, 1)]


class ForgetsBracket(Sound):
    """Calls every promoted trial one of bracket 0."""

    def next_jobs(self, n_free):
        jobs = super().next_jobs(n_free)
        self._brackets_of = getattr(self, "_brackets_of", {}) | {job.trial: job.bracket for job in jobs}
        return [replace(job, bracket=job.bracket * (job.rung == job.bracket)) for job in jobs]

    def report(self, job, loss):
        super().report(replace(job, bracket=self._brackets_of[job.trial]), loss)


class RungsOfTheBracket(Sound):
    """Counts rungs from the lowest of each bracket."""

    def next_jobs(self, n_free):
        jobs = super().next_jobs(n_free)
        return [replace(job, rung=job.rung - job.bracket) for job in jobs]

    def report(self, job, loss):
        super().report(replace(job, rung=job.rung + job.bracket), loss)


class PromotesFailures(Sound):
    def report(self, job, loss):
        super().report(job, loss if math.isfinite(loss) else 1e9)


class PromotesInfinity(Sound):
    def report(self, job, loss):
        super().report(job, 1e9 if loss == math.inf else loss)


class Endless(ASHA):
    """Begins trials without end, and does not hear that there are none."""

    def __init__(self):
        super().__init__(LADDER, 3)

    def close(self):
        pass


class Restless(Sound):
    """Finds something to do after the end."""

    def next_jobs(self, n_free):
        if jobs := super().next_jobs(n_free):
            return jobs
        is_over, self._is_over = getattr(self, "_is_over", False), not self._running
        return [Job(0, 9, 0, 2)] if is_over else []


class WaitsForTheUnborn(Sound):
    """Does not withdraw what was given just before."""

    def close(self):
        self._fresh = []
        super().close()


class BeginsWhenClosed(Sound):
    def close(self):
        self._was_closed = True
        super().close()
        self._is_closed = False


class IgnoresFinish(Sound):
    def finish(self):
        pass


class FinishesBracket(Sound):
    """Goes on promoting when the time is over."""

    def finish(self):
        self._is_closed = True
        self._close()


class NoLastResort(Sound):
    def _last_resort(self):
        return None


class HastyLastResort(Sound):
    """Does not wait for running jobs."""

    def _last_resort(self):
        running, self._running = self._running, set()
        try:
            job = super()._last_resort()
            return job if job not in running else None
        finally:
            self._running = running


class OneLastResort(Sound):
    """Tries one trial only."""

    def _last_resort(self):
        return super()._last_resort() if self._resort is None else None


class RetiresTwice(Sound):
    def take_retired(self):
        return [trial for trial in super().take_retired() for _ in range(2)]


class RetiresAtOnce(Sound):
    """Retires whoever has ended a job."""

    def report(self, job, loss):
        super().report(job, loss)
        self._retire(job.trial)


class RetiresRunning(Sound):
    def next_jobs(self, n_free):
        jobs = super().next_jobs(n_free)
        for job in jobs:
            if job.rung == 2:
                self._retire(job.trial)
        return jobs


class Draws(Sound):
    """Breaks ties, and all else, by the global generator."""

    def report(self, job, loss):
        super().report(job, loss + 1e-3 * random.random())


class Unseeded(Sound):
    def report(self, job, loss):
        super().report(job, loss + random.Random().random())


class ClassState(Sound):
    counter = itertools.count()

    def report(self, job, loss):
        super().report(job, loss + next(ClassState.counter) % 3)


BROKEN = [
    (Renumbered, "check_trials_are_numbered_consecutively"),
    (Greedy, "check_no_more_jobs_than_workers"),
    (Iterates, "check_no_more_jobs_than_workers"),
    (GivesNumbers, "check_no_more_jobs_than_workers"),
    (NeverBegins, "check_no_more_jobs_than_workers"),
    (Again, "check_resources_rise"),
    (Overlaps, "check_resources_rise"),
    (ForgetsBracket, "check_resources_rise"),
    (RungsOfTheBracket, "check_resources_rise"),
    (PromotesFailures, "check_failures_do_not_go_on"),
    (PromotesInfinity, "check_failures_do_not_go_on"),
    (Endless, "check_search_ends"),
    (Restless, "check_search_ends"),
    (WaitsForTheUnborn, "check_close"),
    (BeginsWhenClosed, "check_close"),
    (IgnoresFinish, "check_finish"),
    (FinishesBracket, "check_finish"),
    (HastyLastResort, "check_finish"),
    (NoLastResort, "check_result_is_reached"),
    (OneLastResort, "check_result_is_reached"),
    (RetiresTwice, "check_retired_trials_rest"),
    (RetiresAtOnce, "check_retired_trials_rest"),
    (RetiresRunning, "check_retired_trials_rest"),
    (Draws, "check_replay_equals_original"),
    (Unseeded, "check_replay_equals_original"),
    (ClassState, "check_replay_equals_original"),
]


def named(name):
    return next(check for check in scheduler_checks() if check.__name__ == name)


@functools.cache
def passes(name):
    """Whether a sound scheduler passes, as a check that always fails would notice all the broken ones."""
    named(name)(Sound)
    return True


@pytest.mark.parametrize(("broken", "name"), BROKEN)
def test_the_check_notices(broken, name):
    assert passes(name)
    with pytest.raises(AssertionError):
        named(name)(broken)


def test_every_check_is_seen_to_fail():
    assert {check.__name__ for check in scheduler_checks()} == {name for _, name in BROKEN}


def test_every_check_says_what_it_protects():
    for check in scheduler_checks():
        assert "Protects" in check.__doc__


def test_check_scheduler_runs_them_all():
    check_scheduler(Sound)
    with pytest.raises(AssertionError, match="gave 1 jobs"):
        check_scheduler(Greedy)
    with pytest.raises(AssertionError, match="retired twice"):
        check_scheduler(RetiresTwice)


@pytest.mark.parametrize("wrong", [Sound(), lambda: None, None, Scheduler.next_jobs])
def test_check_scheduler_takes_what_makes_a_scheduler(wrong):
    with pytest.raises(TypeError):
        check_scheduler(wrong)
