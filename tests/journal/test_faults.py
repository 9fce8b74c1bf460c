"""What the machine refuses, and what a user asks that cannot be."""

import errno
import os
import sqlite3

import pytest

from skhpo._records import Began, Evaluation, Job, Trial
from skhpo.journal import SQLiteJournal, open_journal, read
from skhpo.journal import _sqlite as module
from skhpo.journal._faults import refused

PARTS = {"data": "blake2b:00", "versions": "'skhpo 0.1'"}


@pytest.mark.parametrize("storage", [3, b"search.db", ["search.db"], True])
def test_a_storage_is_a_path(storage):
    with pytest.raises(TypeError, match="storage must be the path of a file"):
        open_journal(storage)


def test_a_storage_is_a_path_where_a_file_can_be(tmp_path):
    for storage, words in [
        ("", "got ''"),
        ("a\0b", "path of a file"),
        (tmp_path, "is a directory"),
        (tmp_path / "missing" / "search.db", "in a directory that does not exist"),
        (os.devnull, "regular file"),
    ]:
        with pytest.raises(ValueError, match=words):
            open_journal(storage)
    assert os.listdir(tmp_path) == []


def test_a_file_in_the_lock_s_place_is_left_alone(tmp_path, make):
    path = make(tmp_path / "search.db")
    other = tmp_path / "search.db-lock"
    other.write_text("somebody's notes")
    with pytest.raises(ValueError, match=r"search\.db-lock' is in the way"):
        SQLiteJournal(path)
    assert other.read_text() == "somebody's notes"
    other.write_text("")
    with SQLiteJournal(path):
        pass


def test_a_full_disk_ends_the_search_and_loses_nothing(tmp_path, make, past, written):
    path = make(tmp_path / "search.db")
    more = Evaluation(Job(3), 0, {"test_scores": 0.5, "fit_error": "x" * 100_000})
    with SQLiteJournal(path) as journal:
        journal.identify(7, PARTS, {})
        limit = journal._connection.execute("PRAGMA page_count").fetchone()[0]
        journal._connection.execute(f"PRAGMA max_page_count = {limit}")
        with pytest.raises(OSError) as raised:
            journal.append(more)
        assert raised.value.errno == errno.ENOSPC
        for words in ("no space left", repr(str(path)), "is kept", "calling fit again"):
            assert words in str(raised.value)
        assert journal.jobs() == []
        # Space was made: the same journal goes on, and its chain is whole.
        journal._connection.execute("PRAGMA max_page_count = 1000000")
        journal.append(more)
    assert past(path)[:-1] == written


def test_a_read_only_database_is_refused(tmp_path, make, past, written, monkeypatch):
    """As on a medium that is mounted so; a superuser may write to files of mode 0400."""
    path = make(tmp_path / "search.db")
    connect = module.connect
    monkeypatch.setattr(module, "connect", lambda path, mode: connect(path, "ro"))
    with pytest.raises(PermissionError, match=r"cannot be written: .*read-only"):
        SQLiteJournal(path)
    monkeypatch.undo()
    assert past(path) == written
    with SQLiteJournal(path) as journal:
        journal.identify(7, PARTS, {})
        journal._connection.execute("PRAGMA query_only = ON")
        with pytest.raises(PermissionError, match=r"read-only .*calling fit again"):
            journal.append(Began(Job(3), Trial(3, (0.5,), {})))
        assert journal.trials == {}


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="a superuser may write anywhere")
@pytest.mark.parametrize("what", ["file", "directory"])
def test_read_only_modes_are_refused(tmp_path, make, what):
    path = make(tmp_path / "search.db")
    target = path if what == "file" else tmp_path
    target.chmod(0o500)
    try:
        with pytest.raises(PermissionError, match="cannot be written"):
            SQLiteJournal(path)
        assert len(read(path)["fold"]) == 5
    finally:
        target.chmod(0o700)


@pytest.mark.parametrize(
    ("code", "number", "words"),
    [
        (sqlite3.SQLITE_IOERR_WRITE, errno.EIO, "disk or file system"),
        (sqlite3.SQLITE_IOERR_FSYNC, errno.EIO, "disk or file system"),
        (sqlite3.SQLITE_FULL, errno.ENOSPC, "no space left"),
        (sqlite3.SQLITE_CANTOPEN, errno.EACCES, "could not be opened"),
        (sqlite3.SQLITE_READONLY_DBMOVED, errno.EACCES, "read-only"),
        (sqlite3.SQLITE_BUSY, errno.EBUSY, "another program keeps it locked"),
    ],
)
def test_what_sqlite_reports_while_writing(tmp_path, monkeypatch, code, number, words):
    error = sqlite3.OperationalError("as SQLite says")
    error.sqlite_errorcode = code

    def fail(*arguments):
        raise error

    with SQLiteJournal(tmp_path / "search.db") as journal:
        journal.identify(7, {}, {})
        monkeypatch.setattr(module, "add", fail)
        with pytest.raises(OSError) as raised:
            journal.append(Evaluation(Job(0), 0, {"test_scores": 1.0}))
        assert raised.value.errno == number
        assert words in str(raised.value)
        assert "as SQLite says" in str(raised.value)
        assert journal.jobs() == []


def test_a_file_damaged_while_it_is_written_is_a_value_error(tmp_path):
    error = sqlite3.DatabaseError("database disk image is malformed")
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    assert isinstance(refused(error, "search.db", begun=True), ValueError)


def test_a_file_removed_while_it_is_written_is_noticed(tmp_path, make):
    path = tmp_path / "search.db"
    with SQLiteJournal(path) as journal:
        journal.identify(7, {}, {})
        path.rename(tmp_path / "other.db")
        with pytest.raises(OSError, match="removed or replaced"):
            journal.append(Began(Job(0)))
        make(tmp_path / "third.db")
        (tmp_path / "third.db").rename(path)
        with pytest.raises(OSError, match="removed or replaced"):
            journal.append(Began(Job(0)))


def test_another_program_that_writes_is_noticed(tmp_path, execute):
    path = tmp_path / "search.db"
    with SQLiteJournal(path) as journal:
        journal.identify(7, {}, {})
        execute(path, "INSERT INTO record VALUES (1, 0.0, 0.0, 'ended', '{}', '')")
        with pytest.raises(ValueError, match="another program has changed it"):
            journal.append(Began(Job(0)))
