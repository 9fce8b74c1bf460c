"""How much to spend on whom: pure decisions, without clocks, workers or numbers of the models."""

from skhpo.schedulers._base import Scheduler
from skhpo.schedulers._full import EveryoneInFull

__all__ = ["EveryoneInFull", "Scheduler"]
