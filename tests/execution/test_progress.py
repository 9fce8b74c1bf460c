"""Lines of progress."""

import pytest

from skhpo.execution import Progress
from skhpo.execution._progress import ProgressLines


def progress(elapsed, n, best=-0.91234, running=2):
    return Progress(elapsed, n_begun=n, n_done=n, best_loss=best, n_evaluations=n, n_running=running)


def lines_of(events, n_tasks=100, timeout=None):
    lines = []
    watch = ProgressLines(n_tasks, lambda: 4, timeout, lines.append)
    for event in events:
        watch(event)
    return lines


def test_a_line_says_all_there_is_to_say():
    # 10 tasks in the 20 seconds since the first: 2 seconds each, and 80 are left.
    lines = lines_of([progress(10.0, 10), progress(30.0, 20)])
    assert lines == [
        "20 of 100 fits done, best score 0.9123, 2 of 4 workers busy, 0:00:30 gone, "
        "at most about 0:02:40 left"
    ]


@pytest.mark.parametrize(("timeout", "left"), [(3600.0, "0:02:40"), (100.0, "0:01:10"), (20.0, "0:00:00")])
def test_the_sooner_end_counts(timeout, left):
    (line,) = lines_of([progress(10.0, 10), progress(30.0, 20)], timeout=timeout)
    assert line.endswith(f"at most about {left} left")


def test_an_unknown_end_and_no_success_are_left_out():
    (line,) = lines_of([progress(0.0, 1), progress(5.0, 2, best=float("inf"))], n_tasks=None)
    assert line == "2 fits done, 2 of 4 workers busy, 0:00:05 gone"


def test_a_short_search_is_silent_and_a_long_one_brief():
    assert lines_of([progress(0.001 * i, i) for i in range(900)]) == []
    day = lines_of([progress(10.0 * i, i) for i in range(8640)], n_tasks=8640)
    assert 1000 < len(day) < 1500
    hour = lines_of([progress(1.0 * i, i) for i in range(3600)], n_tasks=3600)
    assert len(hour) < 110
