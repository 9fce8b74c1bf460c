"""How much to spend on whom: pure decisions, without clocks, workers or numbers of the models."""

from skhpo.schedulers._asha import ASHA
from skhpo.schedulers._base import Scheduler
from skhpo.schedulers._full import EveryoneInFull
from skhpo.schedulers._hyperband import Hyperband
from skhpo.schedulers._tables import Rung, bracket_units, hyperband_brackets, resource_ladder

__all__ = [
    "ASHA",
    "EveryoneInFull",
    "Hyperband",
    "Rung",
    "Scheduler",
    "bracket_units",
    "hyperband_brackets",
    "resource_ladder",
]
