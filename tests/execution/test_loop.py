"""The loop, with parts whose every move is known."""

import math
from collections import deque
from functools import partial

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from skhpo._records import Job
from skhpo.evaluation import Objective
from skhpo.execution import (
    Executor,
    InitialCandidate,
    Never,
    Progress,
    Proposals,
    SerialExecutor,
    StoppingRule,
    Timeout,
    run,
)
from skhpo.journal import MemoryJournal
from skhpo.optimizer import Optimizer
from skhpo.samplers._base import Sampler
from skhpo.schedulers import EveryoneInFull, Scheduler
from skhpo.space import Column, Integer, Real, Space


class Recording(Sampler):
    """Uniform points; remembers what was pending at each ask and told since."""

    def _start(self):
        self.asks = []

    def _propose(self, n, pending, rng):
        self.asks.append((len(pending), len(self.history)))
        return rng.random((n, self.space.d))


class Evaluation:
    """Scores a trial on a fold by a plain function, without estimators."""

    def __init__(self, score, n_folds):
        self._score, self.n_folds, self.numbers, self.forgotten = score, n_folds, [], []

    def call(self, trial, job, fold, number):
        self.numbers.append(number)
        return self._outcome, (trial, job, fold), {}

    def fraction(self, job):
        return 1.0 if job.resource is None else job.resource / 3

    def passed(self, job):
        pass

    def forget(self, trial):
        self.forgotten.append((trial, len(self.numbers)))

    def _outcome(self, trial, job, fold):
        return {"test_scores": self._score(trial, job, fold), "fit_error": None}


class LastInFirstOut(Executor):
    """A number of workers of which always the one that began last is the first to finish."""

    def __init__(self, n_workers):
        self._n_workers = n_workers
        self._stack = []
        self.most = 0

    @property
    def n_workers(self):
        return self._n_workers

    def submit(self, token, call):
        self._stack.append((token, call))
        self.n_running += 1
        self.most = max(self.most, self.n_running)

    def wait(self):
        token, (function, args, kwargs) = self._stack.pop()
        self.n_running -= 1
        return token, partial(function, *args, **kwargs)

    def close(self, *, abort):
        pass


UNIT = Space([Column("x", Real(0.0, 1.0))])


def search(
    n_trials=4, n_folds=3, executor=None, score=None, space=UNIT, stop=None, scheduler=None, initial=()
):
    sampler = Recording().start(space, seed=0)
    journal = MemoryJournal()
    run(
        scheduler=scheduler or EveryoneInFull(n_trials),
        proposals=Proposals(sampler, [InitialCandidate(point, {}) for point in initial]),
        evaluation=Evaluation(score or (lambda trial, job, fold: trial.params["x"]), n_folds),
        objective=Objective(),
        executor=executor or SerialExecutor(),
        stop=stop or Never(),
        journal=journal,
    )
    return sampler, journal


def test_every_candidate_is_evaluated_on_every_fold():
    sampler, journal = search()
    assert [job.trial for job in journal.jobs()] == [0, 1, 2, 3]
    assert all(len(journal.outcomes(job)) == 3 for job in journal.jobs())
    assert len(sampler.history) == 4


def test_losses_are_negated_means_of_the_folds():
    sampler, _ = search(n_trials=1, score=lambda trial, job, fold: [1.0, 2.0, 6.0][fold])
    np.testing.assert_array_equal(sampler.history.loss, [-3.0])


def test_serial_search_asks_with_all_results_in():
    sampler, _ = search(n_trials=5)
    assert sampler.asks == [(0, 0), (0, 1), (0, 2), (0, 3), (0, 4)]


def test_as_many_workers_as_folds_ask_with_all_results_in():
    sampler, _ = search(n_trials=5, n_folds=3, executor=LastInFirstOut(3))
    # The first of three workers to be free begins the next candidate while two folds still run.
    assert sampler.asks[0] == (0, 0)
    assert all(pending + told == i for i, (pending, told) in enumerate(sampler.asks))
    assert max(pending for pending, _ in sampler.asks) == 1


def test_no_worker_waits_and_no_task_queues():
    executor = LastInFirstOut(4)
    sampler, journal = search(n_trials=10, n_folds=1, executor=executor)
    assert executor.most == 4
    # With four workers the fifth candidate is asked as soon as one of four is done.
    assert sampler.asks[:5] == [(0, 0), (1, 0), (2, 0), (3, 0), (3, 1)]
    assert len(journal.jobs()) == 10


def test_results_stand_in_the_order_of_asking_whatever_finished_first():
    _, journal = search(n_trials=6, n_folds=1, executor=LastInFirstOut(3))
    assert [job.trial for job in journal.jobs()] == list(range(6))


def test_finite_space_ends_the_search():
    space = Space([Column("x", Integer(1, 3))])
    _, journal = search(n_trials=50, space=space, executor=LastInFirstOut(2))
    assert sorted(trial.params["x"] for trial in journal.trials.values()) == [1, 2, 3]


def test_failures_are_told_as_nan():
    sampler, _ = search(n_trials=2, score=lambda trial, job, fold: math.nan if fold == 1 else 1.0)
    assert np.isnan(sampler.history.loss).all()


def test_initial_candidates_come_first_and_are_completed():
    space = Space([Column("x", Real(0.0, 1.0)), Column("y", Real(0.0, 1.0))])
    _, journal = search(n_trials=3, space=space, initial=[np.array([0.25, 0.75]), np.array([0.5, np.nan])])
    assert journal.trials[0].params == {"x": 0.25, "y": 0.75}
    assert journal.trials[1].params["x"] == 0.5
    assert 0.0 <= journal.trials[1].params["y"] <= 1.0


def test_initial_candidates_that_coincide_are_evaluated_once():
    space = Space([Column("x", Integer(1, 2)), Column("y", Integer(1, 2))])
    corner = space.to_position({"x": 1, "y": 1})
    row = np.array([corner[0], np.nan])
    _, journal = search(n_trials=4, space=space, initial=[row, row, row, corner, corner])
    points = [tuple(trial.params.values()) for trial in journal.trials.values()]
    assert sorted(points) == [(1, 1), (1, 2), (2, 1), (2, 2)]


def test_every_trial_is_one_point_asked():
    for initial in ([], [np.array([0.5])], [np.array([0.5]), np.array([0.5]), np.array([np.nan])]):
        sampler, journal = search(n_trials=5, initial=initial)
        assert sampler.n_asked == len(journal.trials) == 5


def test_an_exception_names_the_candidate():
    def score(trial, job, fold):
        raise RuntimeError("no luck")

    with pytest.raises(RuntimeError, match="no luck") as raised:
        search(score=score)
    assert "candidate 0" in raised.value.__notes__[0]
    assert "'x': " in raised.value.__notes__[0]


def test_timeout_finishes_what_began(monkeypatch):
    clock = iter(np.arange(0.0, 1000.0))
    monkeypatch.setattr("skhpo.execution._loop.time.monotonic", lambda: next(clock))
    _, journal = search(n_trials=100, n_folds=5, stop=Timeout(3.0))
    assert 1 <= len(journal.jobs()) < 10
    assert all(len(journal.outcomes(job)) == 5 for job in journal.jobs())


def test_timeout_too_short_for_anything_completes_one_candidate():
    _, journal = search(n_trials=100, stop=Timeout(1e-9))
    assert [len(journal.outcomes(job)) for job in journal.jobs()] == [3]


def test_stopping_rules_combine():
    class AfterTwo(StoppingRule):
        def __call__(self, progress):
            return progress.n_done >= 2

    _, journal = search(n_trials=100, stop=Timeout(3600.0) | AfterTwo())
    assert len(journal.jobs()) == 2


def test_stopping_rules_see_the_best_loss():
    seen = []

    class Watch(StoppingRule):
        def __call__(self, progress: Progress):
            seen.append(progress.best_loss)
            return False

    scores = [1.0, 3.0, math.nan, 2.0]
    search(n_trials=4, stop=Watch(), score=lambda trial, job, fold: scores[trial.number])
    assert seen[:4] == [math.inf, -1.0, -3.0, -3.0]


class Promotions(Scheduler):
    """Two trials at resource 1; the better one goes on to 3, also after the time is over."""

    def __init__(self):
        self._jobs = deque([Job(0, 1), Job(1, 1)])
        self._losses = {}
        self._retired = []
        self.finished = False

    def next_jobs(self, n_free):
        return [self._jobs.popleft() for _ in range(min(n_free, len(self._jobs)))]

    def report(self, job, loss):
        self._losses[job] = loss
        if len(self._losses) == 2:
            best = min(self._losses, key=self._losses.get)
            self._jobs.append(Job(best.trial, 3, rung=1))
            self._retired = [1 - best.trial]

    def close(self):
        self._jobs = deque(job for job in self._jobs if job.resource > 1)

    def finish(self):
        self.finished = True

    def take_retired(self):
        retired, self._retired = self._retired, []
        return retired


def test_a_scheduler_may_promote():
    sampler, journal = search(scheduler=Promotions(), n_folds=2, executor=LastInFirstOut(2))
    assert len(sampler.history) == 3
    better = max(journal.trials.values(), key=lambda trial: trial.params["x"]).number
    assert [(job.trial, job.resource) for job in journal.jobs()] == [(0, 1), (1, 1), (better, 3)]
    assert sampler.history.resource.tolist() == [1 / 3, 1 / 3, 1.0]


def test_what_is_retired_is_forgotten_at_once():
    evaluation = Evaluation(lambda trial, job, fold: trial.number, 2)
    _run(Promotions(), evaluation)
    # Four tasks of the two trials had begun when the first, the worse one, was given up.
    assert evaluation.forgotten == [(0, 4)]


def test_when_the_time_is_over_the_scheduler_still_gets_what_it_needs():
    scheduler = Promotions()
    _, journal = search(scheduler=scheduler, stop=Timeout(1e-9))
    assert scheduler.finished
    assert [job.resource for job in journal.jobs()] == [1, 1, 3]


def _run(scheduler, evaluation):
    run(
        scheduler=scheduler,
        proposals=Proposals(Recording().start(UNIT, seed=0)),
        evaluation=evaluation,
        objective=Objective(),
        executor=SerialExecutor(),
        stop=Never(),
        journal=MemoryJournal(),
    )


def test_tasks_are_numbered_as_they_begin():
    evaluation = Evaluation(lambda trial, job, fold: 0.0, 2)
    _run(Promotions(), evaluation)
    assert evaluation.numbers == [0, 1, 2, 3, 4, 5]


def test_a_proposal_has_one_thread_of_linear_algebra():
    def n_threads():
        return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}

    seen = []

    class Looking(Recording):
        def _propose(self, n, pending, rng):
            seen.append(n_threads())
            return super()._propose(n, pending, rng)

    with threadpool_limits(2, user_api="blas"):
        Proposals(Looking().start(UNIT, seed=0)).next_trial(0)
        Optimizer(UNIT, sampler=Looking(), random_state=0).ask()
        assert seen == [{1}, {1}]
        assert n_threads() == {2}
