"""What a candidate is worth: a fold and a resource in, scores out."""

from skhpo.evaluation._budgets import BudgetedCrossValidation
from skhpo.evaluation._checkpoints import Checkpoints, open_checkpoints
from skhpo.evaluation._cross_validation import CrossValidation
from skhpo.evaluation._objective import Objective
from skhpo.evaluation._resources import N_SAMPLES, ResourcePlan, adapter_for, plan_resources

__all__ = [
    "N_SAMPLES",
    "BudgetedCrossValidation",
    "Checkpoints",
    "CrossValidation",
    "Objective",
    "ResourcePlan",
    "adapter_for",
    "open_checkpoints",
    "plan_resources",
]
