"""The tree-structured Parzen estimator: its densities, their bandwidths and the sampler."""

from skhpo.samplers.tpe._sampler import TPESampler

__all__ = ["TPESampler"]
