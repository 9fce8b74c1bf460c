"""The journal in memory."""

from skhpo._records import Began, Ended, Evaluation, Job, Trial
from skhpo.journal import MemoryJournal, open_journal


def test_outcomes_stand_by_fold_and_jobs_by_bracket_rung_and_trial():
    journal = MemoryJournal()
    late, low, high = Job(2, 3, bracket=1, rung=1), Job(1, 3, rung=1), Job(0, 9, rung=2)
    for job, fold in [(late, 0), (low, 1), (high, 0), (low, 0), (Job(1, 1), 0), (Job(0, 1), 0)]:
        journal.append(Evaluation(job, fold, {"test_scores": float(10 * job.trial + fold)}))
    assert journal.jobs() == [Job(0, 1), Job(1, 1), low, high, late]
    assert [outcome["test_scores"] for outcome in journal.outcomes(low)] == [10.0, 11.0]
    assert journal.outcomes(Job(5)) == []


def test_trials_are_found_by_number():
    journal = MemoryJournal()
    trial = Trial(0, (0.5,), {"x": 1})
    journal.append(Began(Job(0, 1), trial))
    journal.append(Began(Job(0, 3)))
    journal.append(Ended("space"))
    assert journal.trials == {0: trial}
    assert journal.trials[0] is trial


def test_nothing_is_known_of_an_earlier_run():
    with open_journal(None) as journal:
        assert type(journal) is MemoryJournal
        journal.identify(3, {"data": "x"}, {})
        assert (list(journal.past), journal.elapsed, journal.seed, journal.path) == ([], 0.0, None, None)
