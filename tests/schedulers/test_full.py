"""Everyone in full."""

import pytest

from skhpo._records import Job
from skhpo.schedulers import EveryoneInFull


@pytest.mark.parametrize("n_free", [1, 2, 7])
def test_everyone_in_full_numbers_consecutively(n_free):
    scheduler = EveryoneInFull(5)
    jobs = []
    while new := scheduler.next_jobs(n_free):
        assert len(new) <= n_free
        jobs += new
    assert jobs == [Job(i) for i in range(5)]


def test_everyone_in_full_closes():
    scheduler = EveryoneInFull(5)
    scheduler.next_jobs(2)
    scheduler.close()
    assert scheduler.next_jobs(9) == []


def test_without_a_number_the_end_is_left_to_others():
    scheduler = EveryoneInFull(None)
    assert len(scheduler.next_jobs(1000)) == 1000
    assert [job.trial for job in scheduler.next_jobs(2)] == [1000, 1001]
    scheduler.close()
    assert scheduler.next_jobs(1) == []
