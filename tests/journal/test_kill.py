"""Processes that are killed, and their files."""

import json
import multiprocessing
import os
import signal
import time

import pytest

from skhpo._records import Began, Job
from skhpo.journal import SQLiteJournal, read
from skhpo.journal._lock import is_locked

WRITER = """
import sys, time
from skhpo._records import Evaluation, Job
from skhpo.journal import SQLiteJournal
with SQLiteJournal(sys.argv[1]) as journal:
    journal.identify(7, {"data": "x"}, {"n_folds": 1})
    n = len(journal.past)
    while True:
        journal.append(Evaluation(Job(n), 0, {"test_scores": n / 7, "fit_error": None}))
        print(n, flush=True)
        n += 1
        time.sleep(float(sys.argv[2]))
"""

HOLDER = """
import sys
from skhpo.journal import SQLiteJournal
with SQLiteJournal(sys.argv[1]) as journal:
    journal.identify(7, {}, {})
    print("ready", flush=True)
    sys.stdin.readline()
"""


def kill(process):
    """With SIGKILL, or what there is of the kind; returns what it had printed."""
    process.kill()
    return process.communicate()[0]


def test_what_was_confirmed_is_kept(tmp_path, start):
    """In five runs on one file, each killed at a moment of its own."""
    path, confirmed = tmp_path / "search.db", -1
    for seconds in (0.0, 0.02, 0.05, 0.11, 0.23):
        process = start(WRITER, path, 0)
        first = process.stdout.readline()
        assert int(first) > confirmed
        time.sleep(seconds)
        # A line that the kill cut in two was confirmed as well, but cannot be read.
        lines = (first + kill(process)).split("\n")[:-1]
        confirmed = int(lines[-1])
        with SQLiteJournal(path) as journal:
            found = [(event.job.trial, event.outcome["test_scores"]) for event in journal.past]
        assert found == [(n, n / 7) for n in range(len(found))]
        assert len(found) > confirmed
        # No more than the one that was written and not yet confirmed.
        assert len(found) <= confirmed + 3
    assert read(path)["candidate"] == list(range(len(found)))
    assert os.listdir(tmp_path) == ["search.db"]


def test_readers_see_each_moment_of_a_search_that_writes(tmp_path, start):
    path = tmp_path / "search.db"
    process = start(WRITER, path, 0.001)
    process.stdout.readline()
    lengths = []
    for _ in range(10):
        table = read(path)
        assert table["test_score"] == [n / 7 for n in table["candidate"]]
        lengths.append(len(table["candidate"]))
        assert is_locked(str(path))
    assert lengths == sorted(lengths)
    assert lengths[-1] > lengths[0]
    confirmed = int(kill(process).split("\n")[-2])
    before = sorted(os.listdir(tmp_path))
    # The log of a dead search is read, and left where it is.
    assert len(read(path)["candidate"]) > confirmed
    assert sorted(os.listdir(tmp_path)) == before
    assert not is_locked(str(path))


def test_the_lock_of_another_process_goes_with_it(tmp_path, start):
    path = tmp_path / "search.db"
    process = start(HOLDER, path)
    assert process.stdout.readline() == "ready\n"
    with pytest.raises(ValueError, match="is being written by another running search"):
        SQLiteJournal(path)
    kill(process)
    with SQLiteJournal(path) as journal:
        journal.identify(7, {}, {})
        waiting = start(HOLDER, path)
        assert "is being written by another running search" in waiting.communicate()[1]
    assert os.listdir(tmp_path) == ["search.db"]


FORKS = """
import multiprocessing, os, sys, time
from skhpo.journal import SQLiteJournal
with SQLiteJournal(sys.argv[1]) as journal:
    journal.identify(7, {}, {})
    worker = multiprocessing.get_context("fork").Process(target=time.sleep, args=(30,))
    worker.start()
    print(worker.pid, flush=True)
    time.sleep(30)
"""


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="forks no processes")
def test_workers_that_outlive_their_search_hold_nothing(tmp_path, start):
    path = tmp_path / "search.db"
    process = start(FORKS, path)
    worker = int(process.stdout.readline())
    try:
        assert is_locked(str(path))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        os.kill(worker, 0)
        with SQLiteJournal(path) as journal:
            journal.identify(7, {}, {})
            journal.append(Began(Job(0)))
    finally:
        os.kill(worker, signal.SIGKILL)


CHILD_CLOSES = """
import json, os, sys
from skhpo._records import Began, Job
from skhpo.journal import SQLiteJournal
journal = SQLiteJournal(sys.argv[1])
journal.identify(7, {}, {})
journal.append(Began(Job(0)))
child = os.fork()
if not child:
    try:
        journal.append(Began(Job(1)))
    except ValueError:
        journal.close()
        os._exit(7)
    os._exit(0)
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
journal.append(Began(Job(2)))
print(json.dumps([code, sorted(os.listdir(os.path.dirname(sys.argv[1])))]), flush=True)
sys.stdin.readline()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks no processes")
def test_a_forked_copy_of_the_journal_does_nothing(tmp_path, start):
    path = tmp_path / "search.db"
    process = start(CHILD_CLOSES, path)
    code, files = json.loads(process.stdout.readline())
    assert code == 7
    assert files == ["search.db", "search.db-lock", "search.db-shm", "search.db-wal"]
    with pytest.raises(ValueError, match="another running search"):
        SQLiteJournal(path)
    kill(process)
    with SQLiteJournal(path) as journal:
        assert list(journal.past) == [Began(Job(0)), Began(Job(2))]


CONTENDER = """
import os, sys, time
from skhpo.journal._lock import Lock, is_locked
path, n_inside, n_refused = sys.argv[1], 0, 0
end = time.monotonic() + 5
while time.monotonic() < end:
    try:
        lock = Lock(path)
    except ValueError:
        n_refused += 1
        continue
    os.close(os.open(path + ".inside", os.O_CREAT | os.O_EXCL))
    n_inside += 1
    time.sleep(0.001)
    os.unlink(path + ".inside")
    is_locked(path)
    lock.release()
print(n_inside)
"""


@pytest.mark.slow
def test_of_many_processes_one_has_the_lock_at_a_time(tmp_path, start):
    """While its file is removed and made anew hundreds of times, with the same number of inode."""
    processes = [start(CONTENDER, tmp_path / "search.db") for _ in range(4)]
    for process in processes:
        out, err = process.communicate()
        assert err == ""
        assert int(out) > 50
    assert os.listdir(tmp_path) == []
