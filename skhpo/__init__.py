"""Hyper-parameter search that takes the seat of scikit-learn's ``GridSearchCV``."""

from skhpo.optimizer import Optimizer, SpaceExhausted
from skhpo.search import (
    ASHASearchCV,
    BayesSearchCV,
    CMAESSearchCV,
    HyperbandSearchCV,
    SearchCV,
    TPESearchCV,
)

__version__ = "0.1.0"

__all__ = [
    "ASHASearchCV",
    "BayesSearchCV",
    "CMAESSearchCV",
    "HyperbandSearchCV",
    "Optimizer",
    "SearchCV",
    "SpaceExhausted",
    "TPESearchCV",
    "__version__",
]
