"""Bayesian optimisation with a Gaussian process."""

from skhpo.samplers.gp._sampler import GPSampler

__all__ = ["GPSampler"]
