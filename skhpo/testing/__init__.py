"""Checks for authors of samplers, schedulers and adapters: what any must hold, as functions that can fail."""

from skhpo.testing._adapters import check_adapter
from skhpo.testing._samplers import check_sampler, sampler_checks
from skhpo.testing._schedulers import check_scheduler, scheduler_checks

__all__ = ["check_adapter", "check_sampler", "check_scheduler", "sampler_checks", "scheduler_checks"]
