"""Where to look next: samplers over the unit cube."""

from skhpo.samplers._auto import AutoSampler
from skhpo.samplers._base import Sampler
from skhpo.samplers._grid import GridSampler
from skhpo.samplers._history import Earlier, History
from skhpo.samplers._random import RandomSampler
from skhpo.samplers._registry import make_sampler
from skhpo.samplers._sobol import SobolSampler
from skhpo.samplers.cmaes import CMAESSampler
from skhpo.samplers.gp import GPSampler
from skhpo.samplers.tpe import TPESampler

__all__ = [
    "AutoSampler",
    "CMAESSampler",
    "Earlier",
    "GPSampler",
    "GridSampler",
    "History",
    "RandomSampler",
    "Sampler",
    "SobolSampler",
    "TPESampler",
    "make_sampler",
]
