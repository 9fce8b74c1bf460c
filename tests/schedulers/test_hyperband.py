"""Hyperband and successive halving, traced by hand."""

import math

import pytest

from skhpo._records import Job
from skhpo.schedulers import Hyperband, Rung, hyperband_brackets

LADDER = (1, 3, 9)
HALVING = hyperband_brackets(LADDER, 3, n_brackets=1)  # 9, 3, 1
ALL = hyperband_brackets(LADDER, 3)  # 9, 3, 1; 5, 1; 3
LOSSES = [0.9, 0.1, 0.5, 0.7, 0.3, 0.8, 0.6, 0.2, 0.4]


def job(trial, resource, bracket=0):
    return Job(trial, resource, bracket, LADDER.index(resource))


def one_by_one(scheduler, losses):
    """(trial, resource) and the trials that retire with it, of each job of a single worker."""
    trace = []
    while jobs := scheduler.next_jobs(1):
        (given,) = jobs
        scheduler.report(given, losses[given.trial, given.resource])
        trace.append(((given.trial, given.resource), scheduler.take_retired()))
    return trace


def report_all(scheduler, jobs, losses=LOSSES):
    for given in jobs:
        scheduler.report(given, losses[given.trial])


def test_early_decisions_by_hand():
    # A trial of the first rung goes on when (finished ahead) + (outstanding of 9) <= 2, and retires when 3
    # are ahead.
    # The losses: 0.9, 0.1, 0.5, 0.7, 0.3, 0.8, 0.6, 0.2, 0.4.
    losses = {(i, 1): loss for i, loss in enumerate(LOSSES)}
    losses |= {(1, 3): 0.15, (7, 3): 0.05, (4, 3): 0.25, (7, 9): 0.0}
    assert one_by_one(Hyperband(HALVING), losses) == [
        ((0, 1), []),
        ((1, 1), []),
        ((2, 1), []),
        ((3, 1), [0]),  # 1, 2, 3 | 0
        ((4, 1), [3]),  # 1, 4, 2 | 3
        ((5, 1), [5]),
        ((6, 1), [6]),  # Two outstanding: the best, 1, is sure of its place.
        ((1, 3), []),
        ((7, 1), [2]),  # 1, 7, 4 | 2; one outstanding: 7 is sure as well.
        ((7, 3), [1]),  # 7 is ahead of 1, and there is one place.
        ((8, 1), [8]),  # None outstanding: 4 has the third place.
        ((4, 3), [4]),
        ((7, 9), [7]),
    ]


def test_newcomer_overtakes_who_was_sure():
    scheduler = Hyperband(HALVING)
    jobs = scheduler.next_jobs(9)
    # Of 1 to 7, 1 is the best; with 0 and 8 outstanding, one of the three places is sure.
    report_all(scheduler, jobs[1:8])
    assert scheduler.next_jobs(1) == [job(1, 3)]
    scheduler.report(jobs[8], 0.05)
    assert scheduler.next_jobs(1) == [job(8, 3)]
    scheduler.report(jobs[0], 0.01)
    assert scheduler.next_jobs(9) == [job(0, 3)]


def test_ties_go_to_the_lower_number():
    scheduler = Hyperband(HALVING)
    for given in reversed(scheduler.next_jobs(9)):
        scheduler.report(given, 0.5)
    assert scheduler.next_jobs(9) == [job(0, 3), job(1, 3), job(2, 3)]


def test_failures_leave_places_empty_and_are_not_waited_for():
    scheduler = Hyperband(HALVING)
    jobs = scheduler.next_jobs(9)
    for given in jobs[:7]:
        scheduler.report(given, math.inf if given.trial % 2 else math.nan)
    assert scheduler.take_retired() == [0, 1, 2, 3, 4, 5, 6]
    # Only two can still come to the three places, so that whoever comes has one.
    scheduler.report(jobs[7], 0.5)
    assert scheduler.next_jobs(9) == [job(7, 3)]
    # In the second rung two are expected, for one place.
    scheduler.report(job(7, 3), 0.5)
    assert scheduler.next_jobs(9) == []
    scheduler.report(jobs[8], math.nan)
    assert scheduler.next_jobs(9) == [job(7, 9)]


def test_brackets_do_not_wait_for_each_other():
    scheduler = Hyperband(ALL)
    jobs = scheduler.next_jobs(100)
    assert jobs == (
        [job(i, 1) for i in range(9)]
        + [job(i, 3, 1) for i in range(9, 14)]
        + [job(i, 9, 2) for i in range(14, 17)]
    )
    assert scheduler.next_jobs(100) == []


def test_one_worker_finishes_a_bracket_before_the_next():
    scheduler = Hyperband(ALL)
    brackets = []
    while jobs := scheduler.next_jobs(1):
        scheduler.report(jobs[0], 0.01 * jobs[0].trial)
        brackets.append(jobs[0].bracket)
    assert brackets == [0] * 13 + [1] * 6 + [2] * 3


def test_promotions_come_first_and_the_highest_before_others():
    scheduler = Hyperband(ALL)
    jobs = scheduler.next_jobs(14)
    for given in jobs:
        scheduler.report(given, -given.trial)
    # Places: 8, 7, 6 of bracket 0 at resource 3; 13 of bracket 1 at resource 9; and new ones of bracket 2.
    assert scheduler.next_jobs(5) == [job(13, 9, 1), job(6, 3), job(7, 3), job(8, 3), job(14, 9, 2)]


def test_no_result_no_promotion():
    scheduler = Hyperband(HALVING)
    scheduler.next_jobs(9)
    assert scheduler.next_jobs(1) == []


def test_closed_bracket_goes_on_with_those_that_began():
    # Of 9, 3, 1 with 6 begun: 6, floor(6 * 3 / 9) = 2, max(1, floor(6 / 9)) = 1.
    scheduler = Hyperband(ALL)
    report_all(scheduler, scheduler.next_jobs(6))
    assert scheduler.take_retired() == [0, 3, 5]
    scheduler.close()
    assert scheduler.take_retired() == [2]
    assert scheduler.next_jobs(9) == [job(1, 3), job(4, 3)]
    report_all(scheduler, [job(4, 3), job(1, 3)])
    assert scheduler.next_jobs(9) == [job(1, 9)]
    scheduler.report(job(1, 9), 0.0)
    assert scheduler.next_jobs(9) == []
    assert scheduler.take_retired() == [4, 1]


def test_new_trials_just_given_never_happened_when_closed():
    scheduler = Hyperband(HALVING)
    jobs = scheduler.next_jobs(3)
    scheduler.next_jobs(2)
    scheduler.close()
    assert scheduler.next_jobs(9) == []  # 3, 1, 1: all three are waited for.
    report_all(scheduler, jobs)
    assert scheduler.next_jobs(9) == [job(1, 3)]
    with pytest.raises(ValueError, match="not running"):
        scheduler.report(job(3, 1), 0.0)


def test_new_trials_have_begun_when_something_is_reported():
    scheduler = Hyperband(HALVING)
    jobs = scheduler.next_jobs(2)
    scheduler.report(jobs[0], 0.5)
    scheduler.close()
    scheduler.report(jobs[1], 0.4)
    assert scheduler.next_jobs(9) == [job(1, 3)]


def test_bracket_of_which_nothing_began_vanishes():
    scheduler = Hyperband(ALL)
    report_all(scheduler, scheduler.next_jobs(9))
    report_all(scheduler, scheduler.next_jobs(3))
    assert scheduler.next_jobs(2) == [job(1, 9), job(9, 3, 1)]
    scheduler.close()
    scheduler.report(job(1, 9), 0.0)
    assert scheduler.next_jobs(9) == []


def test_withdrawing_reaches_back_over_brackets():
    scheduler = Hyperband(ALL)
    jobs = scheduler.next_jobs(7)
    assert [given.bracket for given in scheduler.next_jobs(5)] == [0, 0, 1, 1, 1]
    scheduler.close()
    report_all(scheduler, jobs)  # 7, 2, 1
    assert scheduler.next_jobs(9) == [job(1, 3), job(4, 3)]


def test_finished_with_a_result_gives_nothing_and_retires_all():
    scheduler = Hyperband(ALL)
    jobs = scheduler.next_jobs(17)
    report_all(scheduler, jobs[1:3])
    scheduler.report(jobs[-1], 0.3)
    assert scheduler.take_retired() == [16]
    scheduler.finish()
    assert scheduler.take_retired() == [1, 2]
    assert scheduler.next_jobs(9) == []
    report_all(scheduler, [jobs[0]])
    assert scheduler.take_retired() == [0]
    assert scheduler.next_jobs(9) == []


def test_last_resort_is_the_best_of_the_highest_rung_once_all_have_ended():
    scheduler = Hyperband(HALVING)
    report_all(scheduler, scheduler.next_jobs(9))
    second = scheduler.next_jobs(9)
    assert second == [job(1, 3), job(4, 3), job(7, 3)]
    report_all(scheduler, second[1:])
    scheduler.finish()
    assert scheduler.next_jobs(9) == []
    scheduler.report(second[0], math.nan)
    # 0.2 and 0.3 in the second rung, then 0.4, ... in the first.
    for trial in (7, 4, 8, 2):
        assert scheduler.next_jobs(9) == [job(trial, 9)]
        assert scheduler.next_jobs(9) == []
        scheduler.report(job(trial, 9), math.nan if trial != 2 else 0.0)
    assert scheduler.next_jobs(9) == []


def test_last_resort_where_the_schedule_ends_without_a_result():
    scheduler = Hyperband(HALVING)
    report_all(scheduler, scheduler.next_jobs(9))
    report_all(scheduler, scheduler.next_jobs(3))
    assert scheduler.next_jobs(9) == [job(1, 9)]
    scheduler.report(job(1, 9), math.nan)
    assert scheduler.next_jobs(9) == [job(7, 9)]
    scheduler.report(job(7, 9), 0.0)
    assert scheduler.next_jobs(9) == []


def test_all_failed_is_the_end():
    scheduler = Hyperband(ALL)
    n_jobs = 0
    while jobs := scheduler.next_jobs(2):
        n_jobs += len(jobs)
        for given in jobs:
            scheduler.report(given, math.nan)
    assert n_jobs == 17
    scheduler.finish()
    assert scheduler.next_jobs(1) == []


def test_reports_of_what_was_never_given_are_refused():
    scheduler = Hyperband(HALVING)
    with pytest.raises(ValueError, match="never given, or was reported before"):
        scheduler.report(job(0, 1), 0.5)
    (given,) = scheduler.next_jobs(1)
    scheduler.report(given, 0.5)
    with pytest.raises(ValueError, match="never given, or was reported before"):
        scheduler.report(given, 0.5)


@pytest.mark.parametrize(
    ("brackets", "message"),
    [
        ([], "at least one bracket"),
        ([[]], "at least one rung"),
        ([[Rung(3, 1, 0), Rung(1, 3, 1)], [Rung(3, 4, 1)]], "end at the same"),
        ([[Rung(3, 1, 0), Rung(0, 3, 1)]], "at least one trial to its end"),
        ([[Rung(1, 1, 0), Rung(3, 3, 1)]], "trials not rise"),
        ([[Rung(3, 3, 0), Rung(1, 3, 1)]], "resource must rise"),
        ([[Rung(3, 1, 0), Rung(1, 3, 2)]], "rise by one"),
    ],
)
def test_tables_that_are_none(brackets, message):
    with pytest.raises(ValueError, match=message):
        Hyperband(brackets)
