"""What has happened: every finished task, written down before anyone acts on it."""

from skhpo.journal._memory import MemoryJournal

__all__ = ["MemoryJournal"]
