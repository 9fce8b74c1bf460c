"""ASHA against Algorithm 2 of Li et al. (2020): traced by hand, and beside it written out naively."""

import math
import random
from fractions import Fraction

import pytest

from skhpo._records import Job
from skhpo.schedulers import ASHA

LADDER = (1, 2, 4)


def job(trial, resource, bracket=0):
    return Job(trial, resource, bracket, LADDER.index(resource))


def test_algorithm_2_by_hand():
    # eta = 2, one worker, and losses that are the same in all rungs. Beside each job stands what the rungs
    # that decide on the next one hold then, best first, those promoted before in brackets.
    losses = [0.5, 0.4, 0.6, 0.3, 0.2, 0.7, 0.1, 0.8]
    by_hand = [
        (0, 1),  # rung 0: 0; floor(1 / 2) = 0 may go on
        (1, 1),  # rung 0: 1 0; the best 1
        (1, 2),  # rung 1: 1; 0. rung 0: (1) 0; 1
        (2, 1),  # rung 0: (1) 0 2; 1
        (3, 1),  # rung 0: 3 (1) 0 2; 2
        (3, 2),  # rung 1: 3 1; 1
        (3, 4),  # rung 1: (3) 1; 1. rung 0: (3 1) 0 2; 2
        (4, 1),  # rung 0: 4 (3 1) 0 2; 2
        (4, 2),  # rung 1: 4 (3) 1; 1
        (4, 4),  # rung 1: (4 3) 1; 1. rung 0: (4 3 1) 0 2; 2
        (5, 1),  # rung 0: (4 3 1) 0 2 5; 3
        (6, 1),  # rung 0: 6 (4 3 1) 0 2 5; 3
        (6, 2),  # rung 1: 6 (4 3) 1; 2
        (6, 4),  # rung 1: (6 4 3) 1; 2. rung 0: (6 4 3 1) 0 2 5; 3
        (7, 1),  # rung 0: (6 4 3 1) 0 2 5 7; 4
    ]
    scheduler = ASHA(LADDER, 2, n_trials=8)
    trace = []
    while jobs := scheduler.next_jobs(1):
        assert len(jobs) == 1
        trace.append((jobs[0].trial, jobs[0].resource))
        scheduler.report(jobs[0], losses[jobs[0].trial])
    assert trace == by_hand
    # Three of the four in rung 1 went on, more than 4 / 2, as 4 and 6 overtook 3 when it had gone.
    assert sum(resource == 4 for _, resource in trace) == 3


def test_algorithm_2_by_hand_out_of_order():
    # eta = 2, two workers; trial 0 takes its time.
    scheduler = ASHA(LADDER, 2)

    def next_after(given, loss):
        scheduler.report(given, loss)
        return scheduler.next_jobs(1)

    assert scheduler.next_jobs(2) == [job(0, 1), job(1, 1)]
    assert next_after(job(1, 1), 0.4) == [job(2, 1)]  # rung 0: 1; 0
    assert next_after(job(2, 1), 0.6) == [job(1, 2)]  # rung 0: 1 2; 1
    assert next_after(job(1, 2), 0.4) == [job(3, 1)]  # rung 1: 1; 0. rung 0: (1) 2; 1
    assert next_after(job(3, 1), 0.3) == [job(3, 2)]  # rung 0: 3 (1) 2; 1
    assert next_after(job(3, 2), 0.3) == [job(3, 4)]  # rung 1: 3 1; 1
    assert next_after(job(0, 1), 0.1) == [job(0, 2)]  # rung 0: 0 (3 1) 2; 2, 0 at last and first
    assert next_after(job(3, 4), 0.3) == [job(4, 1)]  # rung 1: (3) 1; 1. rung 0: (0 3 1) 2; 2
    assert next_after(job(0, 2), 0.5) == [job(5, 1)]  # rung 1: (3) 1 0; 1


def test_promotions_come_from_the_top_down():
    # Both rungs come to have a trial to promote: 1 of (1 0) in rung 1, 2 of (0 1 2 ...) in rung 0.
    scheduler = ASHA(LADDER, 2)
    for given in scheduler.next_jobs(4):
        scheduler.report(given, 0.1 * given.trial)
    assert scheduler.next_jobs(2) == [job(0, 2), job(1, 2)]
    running = [job(4, 1), job(5, 1)]
    assert scheduler.next_jobs(2) == running
    for given in running:
        scheduler.report(given, 0.1 * given.trial)
    scheduler.report(job(0, 2), 0.5)
    scheduler.report(job(1, 2), 0.4)
    assert scheduler.next_jobs(3) == [job(1, 4), job(2, 2), job(6, 1)]


@pytest.mark.parametrize("failure", [math.nan, math.inf, -math.inf])
def test_failures_count_as_the_worst_and_never_go_on(failure):
    scheduler = ASHA(LADDER, 2, n_trials=4)
    first, second, third, fourth = scheduler.next_jobs(4)
    scheduler.report(first, failure)
    scheduler.report(second, 0.9)
    assert scheduler.take_retired() == [0]
    assert scheduler.next_jobs(1) == [job(1, 2)]
    scheduler.report(third, failure)
    scheduler.report(fourth, failure)
    assert scheduler.next_jobs(1) == []  # The best two are 1 and a failure.


def test_ties_go_to_the_lower_number():
    scheduler = ASHA(LADDER, 2)
    for given in reversed(scheduler.next_jobs(4)):
        scheduler.report(given, 0.5)
    assert scheduler.next_jobs(2) == [job(0, 2), job(1, 2)]


def test_a_ladder_of_one_level_trains_everyone_in_full():
    scheduler = ASHA((7,), 3, n_trials=3)
    jobs = scheduler.next_jobs(9)
    assert jobs == [Job(i, 7, 0, 0) for i in range(3)]
    for given in jobs:
        scheduler.report(given, 0.5)
    assert scheduler.next_jobs(9) == []
    assert scheduler.take_retired() == [0, 1, 2]


def test_new_trials_go_to_brackets_as_in_hyperband():
    # R = 9, eta = 3: Hyperband begins 9, 5 and 3 trials; 17 in all.
    scheduler = ASHA((1, 3, 9), 3, brackets=3)
    jobs = scheduler.next_jobs(34)
    assert [sum(given.bracket == b for given in jobs) for b in range(3)] == [18, 10, 6]
    assert all(given.rung == given.bracket and given.resource == 3**given.bracket for given in jobs)
    # Who lacks most is next; what they lack, in seventeenths: 9 5 3, 1 10 6, 10 -2 9, 2 3 12, 11 8 -2.
    assert [given.bracket for given in jobs[:5]] == [0, 1, 0, 2, 0]
    assert jobs[17:] == [Job(i + 17, g.resource, g.bracket, g.rung) for i, g in enumerate(jobs[:17])]


def test_brackets_have_rungs_of_their_own():
    scheduler = ASHA((1, 3, 9), 3, brackets=2)
    jobs = scheduler.next_jobs(6)
    assert [given.bracket for given in jobs] == [0, 1, 0, 0, 1, 0]
    for given in jobs[:-1]:
        scheduler.report(given, 0.1 * given.trial)
    # Of bracket 0 three are in rung 0, the best is 0; of bracket 1 two in rung 1, and floor(2 / 3) = 0.
    assert scheduler.next_jobs(1) == [Job(0, 3, 0, 1)]
    (new,) = scheduler.next_jobs(1)
    assert new.trial == 6


@pytest.mark.parametrize(("n_trials", "brackets"), [(1, 1), (81, 1), (10, 4), (100, 3)])
def test_number_of_trials(n_trials, brackets):
    scheduler = ASHA((1, 3, 9, 27), 3, n_trials, brackets)
    jobs = scheduler.next_jobs(1000)
    assert [given.trial for given in jobs] == list(range(n_trials))


def test_retires_who_can_never_be_promoted():
    # There will be nine trials in the end, of which the best three can go on: who has three ahead is out.
    scheduler = ASHA((1, 3, 9), 3, n_trials=9)
    jobs = scheduler.next_jobs(9)
    retired = []
    for given, loss in zip(jobs, (0.5, 0.4, 0.6, 0.3, 0.2, 0.7, 0.1, 0.8, 0.9), strict=True):
        scheduler.report(given, loss)
        retired.append(scheduler.take_retired())
    # The best three: 0, 1 0, 1 0 2, 3 1 0, 4 3 1, 4 3 1, 6 4 3, 6 4 3, 6 4 3.
    assert retired == [[], [], [], [2], [0], [5], [1], [7], [8]]


def test_nobody_retires_while_the_number_of_trials_is_open():
    scheduler = ASHA((1, 3, 9), 3)
    for given in scheduler.next_jobs(9):
        scheduler.report(given, given.trial)
    assert scheduler.take_retired() == []
    scheduler.close()
    assert scheduler.take_retired() == [8, 7, 6, 5, 4, 3]
    assert scheduler.next_jobs(9) == [Job(i, 3, 0, 1) for i in range(3)]


def test_closed_forgets_the_trials_just_given():
    scheduler = ASHA(LADDER, 2)
    first, second = scheduler.next_jobs(2)
    assert scheduler.next_jobs(1) == [job(2, 1)]
    scheduler.close()
    scheduler.report(first, 0.5)
    scheduler.report(second, 0.4)
    assert scheduler.take_retired() == [0]  # floor(2 / 2) = 1 of two: nobody else is to come.
    assert scheduler.next_jobs(9) == [job(1, 2)]
    scheduler.report(job(1, 2), 0.4)
    assert scheduler.next_jobs(9) == [job(1, 4)]  # By rank alone nobody would have reached the top.
    scheduler.report(job(1, 4), 0.4)
    assert scheduler.next_jobs(9) == []


def test_what_ran_when_the_time_was_over_has_begun():
    scheduler = ASHA(LADDER, 2)
    (running,) = scheduler.next_jobs(1)
    scheduler.finish()
    scheduler.close()
    scheduler.report(running, 0.5)
    assert scheduler.next_jobs(9) == [job(0, 4)]


def test_finish_gives_only_what_is_missing():
    scheduler = ASHA(LADDER, 2)
    for given in scheduler.next_jobs(4):
        scheduler.report(given, 0.1 * given.trial)
    running = scheduler.next_jobs(1)
    assert running == [job(0, 2)]
    scheduler.finish()
    assert scheduler.next_jobs(9) == []
    scheduler.report(running[0], 0.3)
    assert scheduler.next_jobs(9) == [job(0, 4)]
    scheduler.report(job(0, 4), 0.3)
    assert scheduler.next_jobs(9) == []
    assert sorted(scheduler.take_retired()) == [0, 1, 2, 3]


class Naive:
    """Algorithm 2 as it is printed, for several brackets; it sorts everything each time."""

    def __init__(self, K, eta, n_brackets):
        self.rungs = [{k: {} for k in range(b, K + 1)} for b in range(n_brackets)]
        self.promoted = set()
        self.K, self.eta = K, Fraction(eta)

    def get_job(self):
        """(trial, level, bracket) of a promotion, or None for a new trial."""
        for k in reversed(range(self.K)):
            for b, rungs in enumerate(self.rungs):
                rung = rungs.get(k, {})
                best = sorted(rung, key=lambda trial: (not math.isfinite(rung[trial]), rung[trial], trial))
                candidates = best[: math.floor(len(rung) / self.eta)]
                for trial in candidates:
                    if math.isfinite(rung[trial]) and (trial, k) not in self.promoted:
                        self.promoted.add((trial, k))
                        return trial, k + 1, b
        return None

    def report(self, given, loss):
        self.rungs[given.bracket][given.rung][given.trial] = loss


@pytest.mark.parametrize("workers", [1, 2, 9])
@pytest.mark.parametrize(("eta", "brackets"), [(2, 1), (3, 1), (2.5, 2), (3, 4)])
@pytest.mark.parametrize("failures", [0.0, 0.3])
def test_every_job_is_the_one_of_the_naive_algorithm(workers, eta, brackets, failures):
    rng = random.Random(f"{workers} {eta} {failures}")
    scheduler, naive = ASHA((1, 3, 9, 27), eta, 110, brackets), Naive(3, eta, brackets)
    running, n_begun, n_promotions = [], 0, 0
    while n_begun < 110 or running:
        while len(running) < workers:
            jobs, expected = scheduler.next_jobs(1), naive.get_job()
            if expected is not None:
                n_promotions += 1
                assert [(given.trial, given.rung, given.bracket) for given in jobs] == [expected]
            elif n_begun < 110:
                assert [(given.trial, given.rung - given.bracket) for given in jobs] == [(n_begun, 0)]
                n_begun += 1
            else:
                # In the end nothing, unless no trial has come to the top and nothing runs.
                assert not jobs or (not running and jobs[0].rung == 3)
                break
            running += jobs
        if running:
            given = running.pop(rng.randrange(len(running)))
            loss = math.nan if rng.random() < failures else round(rng.random(), 1)
            scheduler.report(given, loss)
            naive.report(given, loss)
    assert n_promotions > 30


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((), 3), "strictly increasing"),
        (((3, 1), 3), "strictly increasing"),
        (((1, 3), 1), "factor must be greater than 1"),
        (((1, 3), 3, 0), "n_trials must be at least 1"),
        (((1, 3), 3, 9, 0), "brackets must be between 1 and the number of levels, 2"),
        (((1, 3), 3, 9, 3), "brackets must be between 1 and the number of levels, 2"),
    ],
)
def test_arguments_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        ASHA(*arguments)
