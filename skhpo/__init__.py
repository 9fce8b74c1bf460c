"""Hyper-parameter search that takes the seat of scikit-learn's ``GridSearchCV``."""

from skhpo.optimizer import Optimizer, SpaceExhausted
from skhpo.search import BayesSearchCV, CMAESSearchCV, SearchCV, TPESearchCV

__version__ = "0.1.0"

__all__ = [
    "BayesSearchCV",
    "CMAESSearchCV",
    "Optimizer",
    "SearchCV",
    "SpaceExhausted",
    "TPESearchCV",
    "__version__",
]
