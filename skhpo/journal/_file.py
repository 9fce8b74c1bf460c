"""A journal's file: an SQLite database of one table, in which every record vouches for those before it.

Notation
--------
=========  ====================================================================================
record     one row: seq, elapsed, time, kind, payload, checksum
seq        0, 1, 2, ... without a gap; record 0 is the header
c_k        checksum of record k: 64 bits of BLAKE2b of c_{k-1} and all other columns of the row
c_{-1}     the name and number of the format
=========  ====================================================================================

A changed, removed, swapped or inserted record breaks the chain from there on. Records that are missing at
the end do not, and need not: what they told is done again.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

from skhpo.journal._faults import damaged, foreign, reading

APPLICATION_ID = 0x736B6870
"""The letters skhp, by which other programs know the file (``file``, SQLite's own tools)."""

FORMAT = 1
"""Number of this format; larger ones are written by releases of skhpo to come."""

_SCHEMA = (
    "CREATE TABLE record (seq INTEGER PRIMARY KEY, elapsed REAL NOT NULL, time REAL NOT NULL, "
    "kind TEXT NOT NULL, payload TEXT NOT NULL, checksum TEXT NOT NULL)"
)
_INSERT = "INSERT INTO record (seq, elapsed, time, kind, payload, checksum) VALUES (?, ?, ?, ?, ?, ?)"
_SELECT = "SELECT seq, elapsed, time, kind, payload, checksum FROM record ORDER BY seq"
_TYPES = (int, float, float, str, str, str)

FIRST = f"skhpo journal {FORMAT}"
"""What the first record's checksum is chained to."""


class Record(NamedTuple):
    """One row of the file.

    Attributes
    ----------
    seq : int
        Its place, from 0.
    elapsed : float
        Seconds that the search had run, the time between its runs not counted.
    time : float
        Seconds since 1970, UTC.
    kind : str
        "header", "about", or an event: "began", "evaluation", "ended".
    payload : str
        JSON.
    checksum : str
        Over all of this and the record before.
    """

    seq: int
    elapsed: float
    time: float
    kind: str
    payload: str
    checksum: str


def uri(path: str, mode: str) -> str:
    """The path as SQLite's URI; ``mode`` is one of its modes, or "immutable"."""
    return f"{Path(path).as_uri()}?{'immutable=1' if mode == 'immutable' else f'mode={mode}'}"


def check_path(storage: Any) -> str:
    """The absolute path of a storage, where a file is or may be made.

    Raises
    ------
    TypeError
        If it is no path.
    ValueError
        If there cannot be a file.
    """
    path = os.fspath(storage) if isinstance(storage, os.PathLike) else storage
    if not isinstance(path, str):
        raise TypeError(
            f"storage must be the path of a file, as str or os.PathLike, or None; got {storage!r}."
        )
    if not path or "\0" in path:
        raise ValueError(f"storage must be the path of a file; got {path!r}.")
    if "://" in path:
        raise ValueError(f"storage must be the path of a file, and no URL; got {path!r}.")
    path = os.path.abspath(os.path.expanduser(path))
    if os.path.isdir(path):
        raise ValueError(f"storage must be the path of a file; {path!r} is a directory.")
    if os.path.exists(path) and not os.path.isfile(path):
        raise ValueError(f"storage must be the path of a regular file; {path!r} is a device, pipe or socket.")
    if not os.path.isdir(os.path.dirname(path)):
        raise ValueError(f"storage={path!r} is in a directory that does not exist: make it first.")
    return path


def is_empty(path: str) -> bool:
    """Whether there is no file, or one of no bytes."""
    try:
        return os.stat(path).st_size == 0
    except FileNotFoundError:
        return True


def chain(previous: str, seq: int, elapsed: float, moment: float, kind: str, payload: str) -> str:
    """A record's checksum, 16 hexadecimal digits."""
    text = f"{previous} {seq} {elapsed!r} {moment!r} {kind} {payload}"
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def connect(path: str, mode: str) -> sqlite3.Connection:
    """Open the database; each statement is a transaction unless it says otherwise.

    The file may be anybody's: its schema is not trusted to call functions, and its pages are checked.
    """
    connection = sqlite3.connect(
        uri(path, mode), uri=True, timeout=10, isolation_level=None, check_same_thread=False
    )
    try:
        for pragma in ("trusted_schema = OFF", "cell_size_check = ON", "synchronous = NORMAL"):
            connection.execute(f"PRAGMA {pragma}")
    except BaseException:
        connection.close()
        raise
    return connection


def is_new(connection: sqlite3.Connection, path: str) -> bool:
    """Whether the database has nothing in it, as where a search was killed while it made the file."""
    if _number(connection, "page_count") == 0:
        # SQLite would take a few bytes for an empty database, and write over them.
        raise foreign(path, "it is too short for an SQLite database")
    blank = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    return blank and _number(connection, "application_id") == _number(connection, "user_version") == 0


def create(connection: sqlite3.Connection, header: str) -> Record:
    """Make the table and its header, both or none."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {FORMAT}")
        connection.execute(_SCHEMA.replace("TABLE", "TABLE IF NOT EXISTS", 1))
        record = add(connection, None, 0.0, "header", header)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return record


def try_to_write(connection: sqlite3.Connection) -> None:
    """Raise now what writing to the database would raise later; leaves it as it is."""
    connection.execute("PRAGMA journal_mode = WAL")
    # SQLite lets a transaction begin on a medium that is read-only, and refuses what would change a page.
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(f"PRAGMA user_version = {FORMAT}")
    connection.execute("ROLLBACK")


def add(
    connection: sqlite3.Connection, last: Record | None, elapsed: float, kind: str, payload: str
) -> Record:
    """Write the record that comes after ``last``."""
    seq, previous = (0, FIRST) if last is None else (last.seq + 1, last.checksum)
    moment = time.time()
    record = Record(seq, elapsed, moment, kind, payload, chain(previous, seq, elapsed, moment, kind, payload))
    connection.execute(_INSERT, record)
    return record


def check(connection: sqlite3.Connection, path: str) -> None:
    """Make sure that this is a journal, of a format that is known, and nothing else.

    Raises
    ------
    ValueError
        If it is not.
    """
    with reading(path):
        application, version = _number(connection, "application_id"), _number(connection, "user_version")
        schema = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master").fetchall()
    if application != APPLICATION_ID:
        raise foreign(path, "it is a database of another program")
    if version > FORMAT:
        raise ValueError(
            f"The journal {path!r} was written by a newer skhpo, in format {version}; this one knows formats "
            f"up to {FORMAT}. Use a newer release of skhpo, or another storage."
        )
    if version != FORMAT:
        raise damaged(path, f"its format has the number {version}, which there never was")
    if schema != [("table", "record", "record", _SCHEMA)]:
        raise damaged(path, "its tables are not those of a journal")


def records(connection: sqlite3.Connection, path: str) -> list[Record]:
    """All records, each of them verified.

    Raises
    ------
    ValueError
        If one of them is not what was written.
    """
    with reading(path):
        # The chain cannot tell a page that lost its last rows from a shorter journal; SQLite can.
        ((verdict, *_), *_) = connection.execute("PRAGMA quick_check(1)").fetchall()
        if verdict != "ok":
            raise damaged(path, " ".join(str(verdict).split()))
        rows = connection.execute(_SELECT).fetchall()
    checksum = FIRST
    for seq, row in enumerate(rows):
        if tuple(map(type, row)) != _TYPES:
            raise damaged(path, f"record {seq} has a value of a wrong type")
        if row[0] != seq:
            raise damaged(path, f"record {seq} is missing")
        checksum = chain(checksum, *row[:5])
        if checksum != row[5]:
            raise damaged(path, f"record {seq} is not what was written, or not in its place")
    if rows and rows[0][3] != "header":
        raise damaged(path, "its first record is no header")
    return [Record(*row) for row in rows]


def read_records(path: str) -> list[Record]:
    """All records of a file that others may be writing to; it and its directory stay as they are.

    Raises
    ------
    FileNotFoundError
        If there is no file.
    ValueError
        If it is no journal, or a damaged one.
    OSError
        If it cannot be read.
    """
    path = check_path(path)
    if not os.path.exists(path):
        raise FileNotFoundError(f"There is no journal {path!r}.")
    if is_empty(path):
        raise ValueError(f"{path!r} is empty: no search has written to it yet.")
    # Without a log of changes beside it the file is at rest, and is read as it stands: SQLite would make
    # the log to read it otherwise, and leave it there. A search may begin just then.
    log = os.path.realpath(path) + "-wal"
    at_rest = is_empty(log)
    try:
        return _read(path, "immutable" if at_rest else "ro")
    except ValueError:
        if at_rest and not is_empty(log):
            return _read(path, "ro")
        raise


def _read(path: str, mode: str) -> list[Record]:
    with reading(path):
        connection = connect(path, mode)
    with closing(connection):
        # One transaction: what is checked is what is read, whatever is written meanwhile.
        with reading(path):
            connection.execute("BEGIN")
            new = is_new(connection, path)
        if new:
            raise ValueError(f"{path!r} is empty: no search has written to it yet.")
        check(connection, path)
        return records(connection, path)


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    return int(connection.execute(f"PRAGMA {pragma}").fetchone()[0])
