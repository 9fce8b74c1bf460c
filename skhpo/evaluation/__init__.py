"""What a candidate is worth: a fold and a resource in, scores out."""

from skhpo.evaluation._budgets import BudgetedCrossValidation
from skhpo.evaluation._checkpoints import Checkpoints, open_checkpoints
from skhpo.evaluation._cross_validation import Call, CrossValidation, on_device, wants_device
from skhpo.evaluation._nets import fault_in, free_memory, keeping_generators
from skhpo.evaluation._objective import Objective
from skhpo.evaluation._resources import N_SAMPLES, ResourcePlan, adapter_for, plan_resources
from skhpo.evaluation._together import gathered
from skhpo.evaluation.adapters import Adapter, FreshFit, find_adapter, register_adapter

__all__ = [
    "N_SAMPLES",
    "Adapter",
    "BudgetedCrossValidation",
    "Call",
    "Checkpoints",
    "CrossValidation",
    "FreshFit",
    "Objective",
    "ResourcePlan",
    "adapter_for",
    "fault_in",
    "find_adapter",
    "free_memory",
    "gathered",
    "keeping_generators",
    "on_device",
    "open_checkpoints",
    "plan_resources",
    "register_adapter",
    "wants_device",
]
