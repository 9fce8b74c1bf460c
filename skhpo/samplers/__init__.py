"""Where to look next: samplers over the unit cube."""

from skhpo.samplers._base import History, Sampler
from skhpo.samplers._grid import GridSampler
from skhpo.samplers._random import RandomSampler
from skhpo.samplers._sobol import SobolSampler

__all__ = ["GridSampler", "History", "RandomSampler", "Sampler", "SobolSampler"]
