"""What has happened: every finished task, written down before anyone acts on it."""

from skhpo.journal._fingerprint import fingerprint
from skhpo.journal._memory import MemoryJournal
from skhpo.journal._reading import read
from skhpo.journal._sqlite import SQLiteJournal, open_journal

__all__ = ["MemoryJournal", "SQLiteJournal", "fingerprint", "open_journal", "read"]
