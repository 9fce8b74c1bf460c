"""A journal in a file, which outlives the search."""

from __future__ import annotations

import errno
import os
import sqlite3
import time
from contextlib import suppress
from typing import Any

from skhpo._records import Event
from skhpo.journal._codec import decode, dumps, encode, loads
from skhpo.journal._faults import damaged, reading, refused, writing
from skhpo.journal._file import (
    Record,
    add,
    check,
    check_path,
    connect,
    create,
    is_empty,
    is_new,
    records,
    try_to_write,
)
from skhpo.journal._fingerprint import is_digest
from skhpo.journal._lock import Lock, identity
from skhpo.journal._memory import MemoryJournal


class SQLiteJournal(MemoryJournal):
    """A journal in an SQLite file, with this search as its only writer until ``close``.

    Each event is a transaction in SQLite's write-ahead log: a process that is killed loses nothing that
    ``append`` has returned for; a power cut may take the last moments, which are then done again. Others
    can read while a search writes. A new file is made by ``identify``, so that a search that is refused
    before leaves none behind.

    Parameters
    ----------
    path : str or os.PathLike
        The file: a journal, an empty file, or one that does not exist yet; ``~`` is the home directory.

    Raises
    ------
    TypeError
        If ``path`` is no path.
    ValueError
        If the file is no journal, is damaged, is of a newer format, is being written by another search,
        or cannot exist.
    OSError
        If it cannot be written.

    Notes
    -----
    What is read is JSON, and no part of it can run code. The shared memory of the write-ahead log needs a
    local file system, or one on which a single machine works with the file.
    """

    path: str

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__()
        self.path = check_path(path)
        self.past: list[Event] = []
        self._header: dict[str, Any] | None = None
        self._fingerprint: dict[str, str] = {}
        self._about: dict[str, Any] = {}
        self._last: Record | None = None
        self._start = time.monotonic()
        self._connection: sqlite3.Connection | None = None
        self._process = os.getpid()
        self._lock = Lock(os.path.realpath(self.path))
        try:
            if not is_empty(self.path):
                self._open()
        except BaseException:
            self.close()
            raise
        self._file = identity(self.path)

    def _open(self) -> None:
        """Read an existing file, and only then make ready to write to it."""
        with reading(self.path):
            connection = self._connection = connect(self.path, "rw")
            new = is_new(connection, self.path)
        if not new:
            check(connection, self.path)
            self._load(records(connection, self.path))
        try:
            try_to_write(connection)
        except sqlite3.Error as error:
            raise refused(error, self.path) from error

    def _load(self, rows: list[Record]) -> None:
        for row in rows:
            try:
                if row.kind == "header" and row.seq == 0:
                    self._header = loads(row.payload)
                    self.seed, self._about = int(self._header["seed"]), dict(self._header["about"])
                    self._fingerprint = dict(self._header["fingerprint"])
                elif row.kind == "about":
                    self._about = loads(row.payload)
                else:
                    self.past.append(decode(row.kind, row.payload)[0])
            except (ValueError, TypeError, KeyError) as error:
                raise damaged(self.path, f"record {row.seq}: {error}") from error
        if rows:
            self._last, self.elapsed = rows[-1], rows[-1].elapsed

    def identify(self, seed: int, fingerprint: dict[str, str], about: dict[str, Any]) -> None:
        """Say which search this is, before anything is appended; a new file begins with it.

        Parameters
        ----------
        seed : int
        fingerprint : dict of str to str
            What makes the search what it is, part by part: digests of ``fingerprint``, or readable text.
        about : dict
            What a reader wants to know of it; values that JSON has. It may be another one in a later run.

        Raises
        ------
        ValueError
            If the journal is of another search; says in which parts.
        OSError
            If the file cannot be written.
        """
        about = {name: loads(dumps(value)) for name, value in about.items()}
        if self._header is None:
            header = {"seed": int(seed), "fingerprint": dict(fingerprint), "about": about}
            with writing(self.path):
                if self._connection is None:
                    self._connection = connect(self.path, "rwc")
                self._last = create(self._connection, dumps(header))
            self._header, self._fingerprint = header, dict(fingerprint)
            self.seed, self._file = int(seed), identity(self.path)
        else:
            self._compare(seed, fingerprint)
            if about != self._about:
                self._write("about", dumps(about))
        self._about = about
        self._start = time.monotonic()

    def _compare(self, seed: int, fingerprint: dict[str, str]) -> None:
        there, here = dict(self._fingerprint), dict(fingerprint)
        if self.seed != int(seed):
            there["random_state"], here["random_state"] = str(self.seed), str(seed)
        differences = []
        for name in dict.fromkeys([*there, *here]):
            one, other = there.get(name), here.get(name)
            if one == other:
                continue
            if one is None or other is None or is_digest(one) or is_digest(other):
                differences.append(_legible(name))
            else:
                differences.append(f"{_legible(name)} ({_legible(one)} there, {_legible(other)} here)")
        if not differences:
            return
        raise ValueError(
            f"The journal {self.path!r} is of another search, which differs in: {', '.join(differences)}. "
            "Give this search another storage; or, to continue that one, the same arguments, data and "
            "versions that it was begun with."
        )

    def append(self, event: Event) -> None:
        """Write down what happened; when this returns it is safe, and not before may anyone act on it.

        Parameters
        ----------
        event : Event

        Raises
        ------
        OSError
            If it could not be written; the journal is then as it was before, in memory and in the file.
        ValueError
            If the journal is closed, not yet identified, or was changed by another program.
        TypeError
            If an outcome holds what JSON cannot.
        """
        self._write(*encode(event))
        self.remember(event)

    def _write(self, kind: str, payload: str) -> None:
        if self._connection is None or self._last is None or self._process != os.getpid():
            raise ValueError(
                f"The journal {self.path!r} takes events between identify and close, in the process that "
                "opened it."
            )
        if identity(self.path) != self._file:
            # The database would go on growing under no name, and vanish with the process.
            raise OSError(
                errno.ENOENT,
                f"The journal {self.path!r} was removed or replaced while the search was writing to it.",
            )
        elapsed = self.elapsed + time.monotonic() - self._start
        with writing(self.path):
            self._last = add(self._connection, self._last, elapsed, kind, payload)

    def close(self) -> None:
        """Let go of the file, for other searches to go on with it; more than once does no harm."""
        if self._process != os.getpid():
            # A forked worker must not touch the connection that it was born with.
            return
        connection, self._connection = self._connection, None
        if connection is not None:
            # What is left in the log is moved into the file, also where a reader who is there just now
            # keeps SQLite from doing so: people copy one file. Where that fails, the log stays and is read.
            with suppress(sqlite3.Error):
                connection.execute("PRAGMA busy_timeout = 1000")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            connection.close()
        self._lock.release()


def _legible(text: str) -> str:
    return text if text.isprintable() else repr(text)


def open_journal(storage: str | os.PathLike[str] | None) -> MemoryJournal:
    """The journal of a search: in memory, or in the file that ``storage`` names.

    Parameters
    ----------
    storage : str, os.PathLike or None

    Returns
    -------
    journal : MemoryJournal

    Raises
    ------
    TypeError, ValueError, OSError
        If the file cannot be the journal of this search; see ``SQLiteJournal``.
    """
    return MemoryJournal() if storage is None else SQLiteJournal(storage)
