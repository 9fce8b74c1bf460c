"""What a candidate is worth: a fold and a resource in, scores out."""

from skhpo.evaluation._cross_validation import CrossValidation
from skhpo.evaluation._objective import Objective

__all__ = ["CrossValidation", "Objective"]
