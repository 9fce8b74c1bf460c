"""One search at a time writes to a file; the operating system forgets the lock with its process."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing, suppress

from skhpo.journal._faults import primary_code, refused
from skhpo.journal._file import uri

_PATIENCE = 0.5
"""Seconds that a search waits for a lock, longer than a reader's look at it takes."""


class Lock:
    """The right to write to a journal, from its making until ``release``.

    It is an exclusive transaction on an empty database beside the journal. On POSIX that is a record lock
    of ``fcntl``, which belongs to the process and to no descriptor: it is gone when the process is killed,
    and workers that were forked do not inherit it. SQLite's own tables keep two threads of a process apart,
    which ``fcntl`` by itself does not. A lock on the journal itself would shut its readers out.

    Parameters
    ----------
    path : str
        The journal's real path, without symbolic links.

    Raises
    ------
    ValueError
        If another search holds the lock.
    OSError
        If the file beside the journal cannot be made.
    """

    def __init__(self, path: str) -> None:
        self._file = lock_file(path)
        self._process = os.getpid()
        self._connection: sqlite3.Connection | None = None
        deadline = time.monotonic() + _PATIENCE
        while True:
            # A lock on a file that its former holder has removed since is a lock on nothing. A file that
            # stood there before it was opened, still stood there then, and does when it is locked, is the
            # one that is locked. The number of a removed file is given to a new one at once, hence the
            # look in the middle, from which on the open file keeps its number, and the time of change.
            before = _mark(self._file)
            if before is not None and before[-1]:
                raise ValueError(
                    f"{self._file!r} is in the way of the journal's lock, and is not empty: move it "
                    "elsewhere, or give the search another storage."
                )
            try:
                connection = _connect(self._file, "rwc", timeout=_PATIENCE)
                try:
                    opened = _mark(self._file)
                    connection.execute("PRAGMA journal_mode = MEMORY")
                    connection.execute("BEGIN EXCLUSIVE")
                    if before is not None and before == opened == _mark(self._file):
                        self._connection = connection
                        return
                finally:
                    if self._connection is None:
                        connection.close()
            except sqlite3.Error as error:
                if primary_code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                    raise being_written(path) from error
                raise refused(error, path) from error
            if time.monotonic() > deadline:
                raise being_written(path)

    def release(self) -> None:
        """Let others write, and leave no file behind; more than once does no harm."""
        if self._process != os.getpid():
            # A forked worker's copy has nothing to release, and must not remove what is its parent's.
            return
        connection, self._connection = self._connection, None
        if connection is None:
            return
        # Removed while still locked, so that nobody can have taken it. Windows removes no open file.
        with suppress(OSError):
            os.unlink(self._file)
        connection.close()
        if os.name == "nt":
            with suppress(OSError):
                os.unlink(self._file)


def is_locked(path: str) -> bool:
    """Whether a search is writing to the journal at ``path`` now; takes nothing from it."""
    file = lock_file(os.path.realpath(path))
    if identity(file) is None:
        return False
    try:
        with closing(_connect(file, "ro", timeout=0)) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        return primary_code(error) == sqlite3.SQLITE_BUSY
    return False


def lock_file(path: str) -> str:
    """Where the lock of the journal at ``path`` is."""
    return path + "-lock"


def identity(path: str) -> tuple[int, int] | None:
    """Which file is at a path, whatever its name; None if there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _mark(path: str) -> tuple[int, ...] | None:
    """Which file is at a path, also where its number was another's before, and its size."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_ctime_ns, found.st_size


def being_written(path: str) -> ValueError:
    """The error for a journal that another search holds."""
    return ValueError(
        f"The journal {path!r} is being written by another running search: wait for its end, or give this "
        "one another storage."
    )


def _connect(path: str, mode: str, *, timeout: float) -> sqlite3.Connection:
    return sqlite3.connect(
        uri(path, mode), uri=True, timeout=timeout, isolation_level=None, check_same_thread=False
    )
