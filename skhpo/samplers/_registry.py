"""Samplers by name, for ``sampler="tpe"``."""

from __future__ import annotations

from collections.abc import Callable

from skhpo.samplers._auto import AutoSampler
from skhpo.samplers._base import Sampler
from skhpo.samplers._grid import GridSampler
from skhpo.samplers._random import RandomSampler
from skhpo.samplers._sobol import SobolSampler
from skhpo.samplers.cmaes import CMAESSampler
from skhpo.samplers.gp import GPSampler
from skhpo.samplers.tpe import TPESampler

_BY_NAME: dict[str, Callable[[], Sampler]] = {
    "auto": AutoSampler,
    "random": RandomSampler,
    "sobol": SobolSampler,
    "grid": GridSampler,
    "tpe": TPESampler,
    "gp": GPSampler,
    "cmaes": CMAESSampler,
}


def make_sampler(sampler: str | Sampler) -> Sampler:
    """Sampler of a name, with its default options; a sampler is passed through.

    Parameters
    ----------
    sampler : {"auto", "random", "sobol", "grid", "tpe", "gp", "cmaes"} or Sampler

    Returns
    -------
    sampler : Sampler

    Raises
    ------
    ValueError
        If there is no sampler of that name.
    TypeError
        If ``sampler`` is neither a name nor a sampler.

    Examples
    --------
    >>> from skhpo.samplers import make_sampler
    >>> type(make_sampler("sobol")).__name__
    'SobolSampler'
    """
    if isinstance(sampler, Sampler):
        return sampler
    if isinstance(sampler, str):
        if sampler not in _BY_NAME:
            raise ValueError(f"sampler must be one of {sorted(_BY_NAME)} or a Sampler, got {sampler!r}.")
        return _BY_NAME[sampler]()
    if isinstance(sampler, type) and issubclass(sampler, Sampler):
        raise TypeError(f"sampler must be an object, got the class: write {sampler.__name__}().")
    raise TypeError(f"sampler must be one of {sorted(_BY_NAME)} or a Sampler, got {sampler!r}.")
