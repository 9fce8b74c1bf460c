"""SQLite's errors in words that say what to do."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

_KEPT = (
    "Everything that had finished is kept in it, and calling fit again with the same storage continues "
    "from there."
)

_REFUSALS = {
    sqlite3.SQLITE_FULL: (errno.ENOSPC, "there is no space left for it"),
    sqlite3.SQLITE_READONLY: (errno.EACCES, "it, or its directory, is read-only"),
    sqlite3.SQLITE_PERM: (errno.EACCES, "permission to write it, or to its directory, is missing"),
    sqlite3.SQLITE_CANTOPEN: (errno.EACCES, "it, or a file beside it, could not be opened"),
    sqlite3.SQLITE_BUSY: (errno.EBUSY, "another program keeps it locked"),
    sqlite3.SQLITE_LOCKED: (errno.EBUSY, "another program keeps it locked"),
    sqlite3.SQLITE_IOERR: (errno.EIO, "the disk or file system reported an error"),
}
"""What the machine refuses, by SQLite's primary result code; all other codes speak of a wrong file."""


def primary_code(error: sqlite3.Error) -> int:
    """SQLite's result code without its refinements; 0 for an error of Python's own."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def refused(error: sqlite3.Error, path: str, *, begun: bool = False) -> OSError | ValueError:
    """The error to raise where a journal could not be written.

    Parameters
    ----------
    error : sqlite3.Error
    path : str
    begun : bool
        Whether the search had begun, so that there is something to continue.
    """
    code = primary_code(error)
    if code not in _REFUSALS:
        return damaged(path, str(error))
    number, reason = _REFUSALS[code]
    message = f"The journal {path!r} cannot be written: {reason} (SQLite: {error})."
    return OSError(number, f"{message} {_KEPT}" if begun else message)


def damaged(path: str, reason: str) -> ValueError:
    """The error for a file that holds something else than what was written to it."""
    return ValueError(
        f"The journal {path!r} is damaged, and nothing of it is used: {reason}. Put the file aside, with "
        f"{path + '-wal'!r} if there is one, and start the search anew or continue it from a copy."
    )


def foreign(path: str, reason: str) -> ValueError:
    """The error for a file that never was a journal."""
    return ValueError(
        f"{path!r} is no journal of skhpo ({reason}), and is left as it is. A storage is a file that skhpo "
        "made, an empty one, or one that does not exist yet."
    )


@contextmanager
def reading(path: str) -> Iterator[None]:
    """Turn what SQLite raises about a file's contents into errors for the user."""
    try:
        yield
    except sqlite3.Error as error:
        code = primary_code(error)
        if code == sqlite3.SQLITE_NOTADB:
            raise foreign(path, "it is not an SQLite database") from error
        # A read past the end of the file is the file's fault, and not the disk's.
        torn = getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_IOERR_SHORT_READ
        if code in _REFUSALS and not torn:
            number, reason = _REFUSALS[code]
            raise OSError(
                number,
                f"The journal {path!r} cannot be read: {reason} (SQLite: {error}).",
            ) from error
        raise damaged(path, str(error)) from error
    except (UnicodeDecodeError, OverflowError, MemoryError) as error:
        raise damaged(path, str(error) or type(error).__name__) from error


@contextmanager
def writing(path: str) -> Iterator[None]:
    """Turn what SQLite raises while a search is being written down into errors for the user."""
    try:
        yield
    except sqlite3.IntegrityError as error:
        raise ValueError(
            f"The journal {path!r} holds a record that this search did not write: another program has "
            "changed it meanwhile. Put the file aside."
        ) from error
    except sqlite3.Error as error:
        raise refused(error, path, begun=True) from error
