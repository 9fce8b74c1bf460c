"""The journal in a file, as long as nothing goes wrong."""

import os
import sqlite3
import threading
from contextlib import closing

import pytest

from skhpo._records import Began, Evaluation, Job, Trial
from skhpo.journal import MemoryJournal, SQLiteJournal, open_journal
from skhpo.journal._lock import is_locked


def test_events_come_back_in_their_order(tmp_path, make, past, written, events):
    path = make(tmp_path / "search.db")
    assert past(path) == written
    with SQLiteJournal(path) as journal:
        assert journal.seed == 7
        assert journal.elapsed > 0
        assert journal.path == str(path)
        # They are gone through by the search, which knows the parameters.
        assert journal.trials == {}


def test_it_remembers_what_is_appended(tmp_path, make, events):
    with SQLiteJournal(tmp_path / "search.db") as journal:
        journal.identify(7, {}, {})
        memory = MemoryJournal()
        for event in events:
            journal.append(event)
            memory.append(event)
        assert journal.trials == memory.trials
        assert journal.jobs() == memory.jobs()
        assert journal.outcomes(Job(0)) == memory.outcomes(Job(0))


def test_a_search_is_continued_over_many_runs(tmp_path, past, written, events):
    path, elapsed = tmp_path / "search.db", 0.0
    for event in events:
        with SQLiteJournal(path) as journal:
            assert journal.elapsed >= elapsed
            elapsed = journal.elapsed
            journal.identify(7, {"data": "x"}, {})
            journal.append(event)
    assert past(path) == written


def test_nothing_is_left_beside_it_and_nothing_at_all_if_it_was_not_identified(tmp_path, make):
    with SQLiteJournal(tmp_path / "search.db"):
        pass
    assert os.listdir(tmp_path) == []
    make(tmp_path / "search.db")
    assert os.listdir(tmp_path) == ["search.db"]
    with SQLiteJournal(tmp_path / "search.db"):
        pass
    assert os.listdir(tmp_path) == ["search.db"]


def test_an_empty_file_is_a_new_journal(tmp_path, make, past, written):
    path = tmp_path / "search.db"
    path.touch()
    make(path)
    assert past(path) == written


def test_a_file_whose_making_was_cut_short_is_a_new_journal(tmp_path, make, past, written):
    path = tmp_path / "search.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    assert path.stat().st_size > 0
    make(path)
    assert past(path) == written


@pytest.mark.parametrize(
    "name", ["search.db", "a b?mode=memory#x%41.db", ":memory:", "söarch\udcff.db", "-x'\"; --"]
)
def test_any_file_name_will_do(tmp_path, make, past, written, name, monkeypatch):
    monkeypatch.chdir(tmp_path)
    try:
        (tmp_path / name).touch()
    except OSError:
        pytest.skip("not on this file system")
    make(name)
    assert past(tmp_path / name) == written
    assert os.listdir(tmp_path) == [name]


def test_storage_may_begin_at_home(tmp_path, monkeypatch, make):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    with open_journal("~/search.db") as journal:
        assert journal.path == str(tmp_path / "search.db")


def test_a_search_is_known_again(tmp_path, make):
    path = make(tmp_path / "search.db")
    same = {"data": "blake2b:00", "versions": "'skhpo 0.1'"}
    with SQLiteJournal(path) as journal:
        journal.identify(7, same, {})
    for seed, changed, named, unnamed in [
        (7, {"data": "blake2b:01"}, ["data"], ["blake2b", "versions", "random_state"]),
        (7, {"versions": "'skhpo 0.2'"}, ["versions ('skhpo 0.1' there, 'skhpo 0.2' here)"], ["data"]),
        (7, {"cv": "5"}, ["cv"], ["data"]),
        (7, {"data": "blake2b:01", "cv": "5"}, ["data, cv"], ["versions", "blake2b"]),
        (8, {}, ["random_state (7 there, 8 here)"], ["data", "versions"]),
    ]:
        with SQLiteJournal(path) as journal, pytest.raises(ValueError) as raised:
            journal.identify(seed, {**same, **changed}, {})
        differences, advice = str(raised.value).split("differs in: ")[1].split(" Give ")
        assert "another storage" in advice
        assert all(words in differences for words in named)
        assert not any(words in differences for words in unnamed)
    with SQLiteJournal(path) as journal, pytest.raises(ValueError, match=r"differs in: data\."):
        journal.identify(7, {"versions": "'skhpo 0.1'"}, {})


def test_two_searches_do_not_write_to_one_file(tmp_path, make):
    path = make(tmp_path / "search.db")
    (tmp_path / "link.db").symlink_to(path)
    with SQLiteJournal(path):
        for name in (path, tmp_path / "link.db"):
            with pytest.raises(ValueError, match="is being written by another running search"):
                SQLiteJournal(name)
    with SQLiteJournal(tmp_path / "link.db"), pytest.raises(ValueError, match="another running search"):
        SQLiteJournal(path)
    with SQLiteJournal(path):
        pass


def test_of_many_threads_one_gets_the_file_at_a_time(tmp_path, make):
    """Also while the lock's file is removed and made anew all the time."""
    path = make(tmp_path / "search.db")
    inside, most, opened, refused = [], [], [], []

    def work():
        for _ in range(15):
            try:
                with SQLiteJournal(path):
                    inside.append(1)
                    most.append(len(inside))
                    opened.append(1)
                    inside.pop()
            except ValueError as error:
                refused.append(str(error))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(most) == {1}
    assert len(opened) + len(refused) == 60
    assert len(opened) >= 15
    assert all("another running search" in message for message in refused)
    assert os.listdir(tmp_path) == ["search.db"]


def test_it_is_free_again_though_a_traceback_holds_the_journal(tmp_path, make):
    path = make(tmp_path / "search.db")
    try:
        with SQLiteJournal(path) as first:
            first.identify(7, {"data": "blake2b:00", "versions": "'skhpo 0.1'"}, {})
            raise KeyboardInterrupt
    except KeyboardInterrupt as error:
        kept = error
    with SQLiteJournal(path) as journal:
        journal.identify(7, {"data": "blake2b:00", "versions": "'skhpo 0.1'"}, {})
        with pytest.raises(ValueError, match="between identify and close"):
            first.append(Began(Job(9)))
        journal.append(Began(Job(0)))
        first.close()
        assert is_locked(str(path))
    assert not is_locked(str(path))
    del kept  # held the traceback, and with it the first journal, until here


def test_before_identify_nothing_is_appended(tmp_path):
    with SQLiteJournal(tmp_path / "search.db") as journal:
        with pytest.raises(ValueError, match="between identify and close"):
            journal.append(Began(Job(0)))
        assert journal.trials == {}


def test_an_outcome_that_json_lacks_leaves_no_trace(tmp_path, past):
    path = tmp_path / "search.db"
    with SQLiteJournal(path) as journal:
        journal.identify(7, {}, {})
        with pytest.raises(TypeError, match="complex"):
            journal.append(Evaluation(Job(0), 0, {"test_scores": 1j}))
        assert journal.jobs() == []
        journal.append(Began(Job(0), Trial(0, (0.5,), {})))
    assert len(past(path)) == 1


def test_other_programs_know_what_it_is(tmp_path, make):
    with closing(sqlite3.connect(make(tmp_path / "search.db"))) as connection:
        assert connection.execute("PRAGMA application_id").fetchone() == (0x736B6870,)
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        rows = connection.execute("SELECT seq, kind, length(checksum) FROM record ORDER BY seq").fetchall()
    kinds = ["header", "began", "evaluation", "began", "evaluation", "evaluation", "evaluation"]
    assert rows[:7] == [(seq, kind, 16) for seq, kind in enumerate(kinds)]


def test_a_reader_that_stays_does_not_keep_the_file_from_being_whole(tmp_path, make, past, written):
    path = tmp_path / "search.db"
    journal = SQLiteJournal(path)
    journal.identify(7, {}, {})
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as reader:
        assert reader.execute("SELECT count(*) FROM record").fetchone() == (1,)
        journal.append(Began(Job(0)))
        journal.close()
        copied = tmp_path / "copied.db"
        copied.write_bytes(path.read_bytes())
    assert len(past(copied)) == 1
