"""Training on instead of again: how estimators are trained to a length, and on from there."""

from skhpo.evaluation.adapters._base import Adapter

__all__ = ["Adapter"]
