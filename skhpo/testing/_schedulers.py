"""Checks of schedulers, and a driver that gives their jobs to workers as the loop does."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from skhpo._records import Job
from skhpo.schedulers import Scheduler
from skhpo.testing._drive import require

MakeScheduler = Callable[[], Scheduler]
Check = Callable[[MakeScheduler], None]
Loss = Callable[[Job], float]

_MOST_JOBS = 2_000
"""Jobs after which a search counts as endless; the checks have 40 candidates at most."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in a search.

    Attributes
    ----------
    kind : str
        "begin" or "end" of a job, "retire" of a trial.
    job : Job
        Of a retired trial, any.
    is_late : bool
        Whether the scheduler was finished before.
    loss : float
        Of an end; else NaN.
    """

    kind: str
    job: Job
    is_late: bool
    loss: float = math.nan

    @property
    def trial(self) -> int:
        """Number of the trial."""
        return self.job.trial


def drive(
    scheduler: Scheduler,
    loss: Loss,
    *,
    workers: int = 1,
    batch: int = 1,
    n_candidates: int = 40,
    finish_after: float = math.inf,
    seed: int = 0,
) -> list[Event]:
    """Work as the loop does until nothing is left to do, with jobs that end in any order.

    Parameters
    ----------
    scheduler : Scheduler
    loss : callable
        Of a job.
    workers : int, default=1
    batch : int, default=1
        Jobs to ask for at once, at most.
    n_candidates : int, default=40
        Candidates that can be had. When new trials are asked for that would be more, the scheduler is closed
        and none of them begins.
    finish_after : int, optional
        Jobs that have ended when the time is over.
    seed : int, default=0
        Of the order in which jobs end.

    Returns
    -------
    log : list of Event

    Raises
    ------
    AssertionError
        If there is no end, or a new trial after the end of the candidates.
    """
    order = random.Random(seed)
    log: list[Event] = []
    known: set[int] = set()
    running: list[Job] = []
    n_jobs = n_ended = 0
    is_closed = is_finished = False
    while True:
        log += _retirements(scheduler, is_finished)
        while len(running) < workers:
            jobs = scheduler.next_jobs(min(batch, workers - len(running)))
            new = {job.trial for job in jobs} - known
            require(not (new and is_closed), f"{jobs} came when there were no candidates any more.")
            if len(known) + len(new) > n_candidates:
                scheduler.close()
                is_closed = True
                jobs = [job for job in jobs if job.trial in known]
                new = set()
            elif not jobs:
                break
            known |= new
            running += jobs
            log += [Event("begin", job, is_finished) for job in jobs]
            n_jobs += len(jobs)
            require(n_jobs <= _MOST_JOBS, f"{n_jobs} jobs for {len(known)} candidates, and no end.")
        if n_ended >= finish_after and not is_finished:
            scheduler.finish()
            is_finished = True
            continue
        if not running:
            return log + _retirements(scheduler, is_finished)
        job = running.pop(order.randrange(len(running)))
        n_ended += 1
        log.append(Event("end", job, is_finished, loss(job)))
        scheduler.report(job, log[-1].loss)


def _retirements(scheduler: Scheduler, is_late: bool) -> list[Event]:
    return [Event("retire", Job(trial), is_late) for trial in scheduler.take_retired()]


def random_loss(seed: int = 0, failures: float = 0.0) -> Loss:
    """A loss for each job, the same whenever it is asked for; a trial's are alike."""

    def loss(job: Job) -> float:
        of_trial, of_job = (random.Random(f"{seed} {job.trial} {part}") for part in (None, job.resource))
        if of_job.random() < failures:
            return of_job.choice([math.nan, math.inf])
        return of_trial.random() + 0.2 * of_job.random()

    return loss


def _constant(value: float, job: Job) -> float:
    return value


def _interrupted(loss: Loss, beside: Scheduler | None) -> Loss:
    """A loss during whose evaluation another search takes a step."""
    if beside is None:
        return loss

    def loss_and_step(job: Job) -> float:
        for other in beside.next_jobs(1):
            beside.report(other, -1.0 * other.trial)
        return loss(job)

    return loss_and_step


class _Books:
    """What is known at a moment of a log."""

    def __init__(self, top: float = math.inf) -> None:
        self.running: dict[int, Job] = {}
        self.last: dict[int, Event] = {}  # The latest end of each trial.
        self.has_result = False
        self._top = top

    def is_full(self, job: Job) -> bool:
        return _amount(job) == self._top

    def add(self, event: Event) -> None:
        if event.kind == "begin":
            self.running[event.trial] = event.job
        elif event.kind == "end":
            del self.running[event.trial]
            self.last[event.trial] = event
            self.has_result |= self.is_full(event.job) and math.isfinite(event.loss)


def _replayed(log: list[Event], top: float = math.inf) -> Iterator[tuple[Event, _Books]]:
    """Each event with what was known before it."""
    books = _Books(top)
    for event in log:
        yield event, books
        books.add(event)


def _amount(job: Job) -> float:
    return math.inf if job.resource is None else job.resource


def _top(make_scheduler: MakeScheduler) -> float:
    """The largest resource, as a search without failures shows it."""
    log = drive(make_scheduler(), random_loss())
    require(bool(log), "The first call of next_jobs gives nothing to do.")
    return max(map(_amount, _begun(log)))


def _begun(log: list[Event]) -> list[Job]:
    return [event.job for event in log if event.kind == "begin"]


def _logs(make_scheduler: MakeScheduler, beside: Scheduler | None = None) -> Iterator[list[Event]]:
    """Searches with few and many workers, candidates and failures, some of them out of time.

    ``beside`` has another one going on between their steps.
    """
    seed = 0
    for workers, batch in ((1, 1), (4, 1), (7, 3)):
        for n_candidates in (2, 11, 40):
            for failures in (0.0, 0.3, 0.7):
                for finish_after in (math.inf, 0, 1, 4, 15):
                    seed += 1
                    yield drive(
                        make_scheduler(),
                        _interrupted(random_loss(seed, failures), beside),
                        workers=workers,
                        batch=batch,
                        n_candidates=n_candidates,
                        finish_after=finish_after,
                        seed=seed,
                    )


def check_trials_are_numbered_consecutively(make_scheduler: MakeScheduler) -> None:
    """New trials have the numbers 0, 1, 2, ... in the order in which they are asked for.

    Protects the loop, which takes a number it has not seen for a new candidate.
    """
    for log in _logs(make_scheduler):
        numbers = list(dict.fromkeys(job.trial for job in _begun(log)))
        require(numbers == list(range(len(numbers))), f"New trials came with the numbers {numbers}.")


def check_no_more_jobs_than_workers(make_scheduler: MakeScheduler) -> None:
    """``next_jobs(n)`` gives a list of at most n jobs, and at the start of one at least.

    Protects against work that waits in a queue, chosen without the results that have come in since.
    """
    for n in (0, 1, 5):
        scheduler = make_scheduler()
        for i in range(3):
            jobs = scheduler.next_jobs(n)
            require(isinstance(jobs, list), f"next_jobs returned {jobs!r}, which is no list.")
            require(all(isinstance(job, Job) for job in jobs), f"next_jobs returned {jobs!r}, not jobs.")
            require(len(jobs) <= n, f"next_jobs({n}) gave {len(jobs)} jobs.")
            require(i > 0 or n == 0 or bool(jobs), f"The first call of next_jobs({n}) gave nothing to do.")


def check_resources_rise(make_scheduler: MakeScheduler) -> None:
    """A trial stays in its bracket, has one job at a time, and each goes further than the last.

    A rung means the same resource in all brackets. Protects training on, which cannot go back, and the
    table of results, which has one row for each trial and resource.
    """
    for log in _logs(make_scheduler):
        resources: dict[int, float] = {}
        for event, books in _replayed(log):
            if event.kind != "begin":
                continue
            job = event.job
            amount = resources.setdefault(job.rung, _amount(job))
            require(amount == _amount(job), f"{job}: rung {job.rung} stood for {amount} before.")
            require(job.trial not in books.running, f"{job} came while the trial was running.")
            if job.trial in books.last:
                before = books.last[job.trial].job
                require(before.bracket == job.bracket, f"{job} follows {before} in another bracket.")
                require(_amount(before) < _amount(job), f"{job} follows {before} and trains no further.")
                require(before.rung < job.rung, f"{job} follows {before} on a rung no higher.")


def check_failures_do_not_go_on(make_scheduler: MakeScheduler) -> None:
    """A trial that failed, with NaN or an infinite loss, gets no further job.

    Protects models that cannot be trained on because there is none.
    """
    for log in _logs(make_scheduler):
        for event, books in _replayed(log):
            if event.kind == "begin" and event.trial in books.last:
                loss = books.last[event.trial].loss
                require(math.isfinite(loss), f"{event.job} came though the trial had failed: loss {loss}.")


def check_search_ends(make_scheduler: MakeScheduler) -> None:
    """The search comes to an end and stays there, whatever the losses are.

    Protects against searches that go on for ever where everything fails, or nothing differs.
    """
    for value in (math.nan, math.inf, -math.inf, 0.0, -1e308):
        for finish_after in (math.inf, 3):
            scheduler = make_scheduler()
            drive(scheduler, partial(_constant, value), workers=3, finish_after=finish_after)
            jobs = scheduler.next_jobs(1)
            require(not jobs, f"{jobs} came when all had ended.")


def check_close(make_scheduler: MakeScheduler) -> None:
    """When no more candidates can be had, those that began go on without the one that never did.

    Protects finite spaces: a scheduler that waits for a trial that never began promotes nobody.
    """
    top = _top(make_scheduler)
    for workers, batch in ((1, 1), (3, 1), (3, 3)):
        for n_candidates in range(14):
            log = drive(
                make_scheduler(), random_loss(), workers=workers, batch=batch, n_candidates=n_candidates
            )
            begun = _begun(log)
            require(
                not begun or top in map(_amount, begun),
                f"With {n_candidates} candidates in all and no failures, none was trained in full.",
            )
    scheduler = make_scheduler()
    scheduler.close()
    require(not scheduler.next_jobs(3), "A scheduler closed before anything began gave a job.")


def check_finish(make_scheduler: MakeScheduler) -> None:
    """When the time is over, only what a result needs is given.

    Where no trial was trained in full, that is one job at a time, in full, of a trial that has not failed,
    and not before the running ones have ended. Protects ``timeout``.
    """
    top = _top(make_scheduler)
    for log in _logs(make_scheduler):
        for event, books in _replayed(log, top):
            if event.is_late and event.kind == "begin":
                job = event.job
                require(not books.running, f"{job} came after finish() while jobs were running.")
                require(not books.has_result, f"{job} came after finish() though there was a result.")
                require(job.trial in books.last, f"{job}, a new trial, came after finish().")
                require(books.is_full(job), f"{job} came after finish() and does not train in full.")


def check_result_is_reached(make_scheduler: MakeScheduler) -> None:
    """Where a trial can be trained in full, one is, also when the time is over.

    Protects against searches without a best candidate: the last rung may fail where the first did not, of
    memory for example.
    """
    top = _top(make_scheduler)
    for able in (0, 1, 5):

        def loss(job: Job, able: int = able) -> float:
            return math.nan if _amount(job) == top and job.trial != able else random_loss()(job)

        for workers in (1, 4):
            for finish_after in (math.inf, 12):
                log = drive(make_scheduler(), loss, workers=workers, finish_after=finish_after)
                begun = {job.trial: job for job in _begun(log)}
                require(
                    able not in begun or _amount(begun[able]) == top,
                    f"Trial {able} alone could have been trained in full, and was not.",
                )


def check_retired_trials_rest(make_scheduler: MakeScheduler) -> None:
    """A trial retires once, not while it runs, and has no job later but as the last resort.

    Protects checkpoints, which are deleted then: a later job would be trained from the beginning.
    """
    top = _top(make_scheduler)
    for log in _logs(make_scheduler):
        retired: set[int] = set()
        for event, books in _replayed(log, top):
            if event.kind == "retire":
                require(event.trial in books.last, f"Trial {event.trial} retired before its first result.")
                require(event.trial not in books.running, f"Trial {event.trial} retired while it ran.")
                require(event.trial not in retired, f"Trial {event.trial} retired twice.")
                retired.add(event.trial)
            elif event.kind == "begin" and event.trial in retired:
                is_last_resort = books.is_full(event.job) and not books.running and not books.has_result
                require(is_last_resort, f"{event.job} came though the trial had retired.")


def check_replay_equals_original(make_scheduler: MakeScheduler) -> None:
    """The same reports in the same order have the same answers, also beside another search.

    Protects resuming, which replays what was reported, and searches side by side.
    """
    state = random.getstate()
    first = [_begun(log) for log in _logs(make_scheduler)]
    require(random.getstate() == state, "The scheduler draws from Python's global generator.")
    second = [_begun(log) for log in _logs(make_scheduler, beside=make_scheduler())]
    require(first == second, "The same reports in the same order led to other jobs.")


_CHECKS: tuple[Check, ...] = (
    check_trials_are_numbered_consecutively,
    check_no_more_jobs_than_workers,
    check_resources_rise,
    check_failures_do_not_go_on,
    check_search_ends,
    check_close,
    check_finish,
    check_result_is_reached,
    check_retired_trials_rest,
    check_replay_equals_original,
)


def scheduler_checks() -> list[Check]:
    """List the checks that a scheduler must pass, for ``pytest.mark.parametrize``.

    Returns
    -------
    checks : list of callable
        Functions of a function without arguments that makes a scheduler. They raise ``AssertionError`` or
        whatever the scheduler raises. The docstring of each says what it protects against.

    Examples
    --------
    >>> from skhpo.schedulers import EveryoneInFull
    >>> from skhpo.testing import scheduler_checks
    >>> checks = scheduler_checks()
    >>> checks[0].__name__
    'check_trials_are_numbered_consecutively'
    >>> checks[0](lambda: EveryoneInFull(n_trials=30))
    """
    return list(_CHECKS)


def check_scheduler(make_scheduler: MakeScheduler) -> None:
    """Run all the checks of ``scheduler_checks`` and stop at the first that fails.

    All seeds are fixed, so that the verdict on a scheduler is always the same.

    Parameters
    ----------
    make_scheduler : callable
        Makes a scheduler that nobody has used, at each call. It should have work for some ten trials or
        more; forty candidates are all that the checks have.

    Raises
    ------
    TypeError
        If ``make_scheduler()`` gives no scheduler.
    AssertionError
        If a check fails. Whatever the scheduler itself raises passes through.

    Examples
    --------
    >>> from skhpo.schedulers import ASHA
    >>> from skhpo.testing import check_scheduler
    >>> check_scheduler(lambda: ASHA((1, 3, 9), factor=3, n_trials=30))
    """
    if not callable(make_scheduler) or not isinstance(make_scheduler(), Scheduler):
        raise TypeError(f"check_scheduler takes a function that makes a Scheduler, got {make_scheduler!r}.")
    for check in scheduler_checks():
        check(make_scheduler)
