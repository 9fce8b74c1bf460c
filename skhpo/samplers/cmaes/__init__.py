"""CMA-ES."""

from skhpo.samplers.cmaes._sampler import CMAESSampler

__all__ = ["CMAESSampler"]
