"""Checks for authors of samplers: what any of them must hold, as functions that can fail."""

from skhpo.testing._samplers import check_sampler, sampler_checks

__all__ = ["check_sampler", "sampler_checks"]
