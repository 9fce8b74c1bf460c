"""Training on instead of again: how estimators are trained to a length, and on from there."""

from skhpo.evaluation.adapters._base import Adapter, FreshFit
from skhpo.evaluation.adapters._registry import find_adapter, register_adapter

__all__ = ["Adapter", "FreshFit", "find_adapter", "register_adapter"]
