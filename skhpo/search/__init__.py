"""The estimators: thin, scikit-learn's contract at the public face."""

from skhpo.search._base import BaseSampledSearchCV
from skhpo.search._budget import ASHASearchCV, HyperbandSearchCV
from skhpo.search._full import BayesSearchCV, CMAESSearchCV, SearchCV, TPESearchCV

__all__ = [
    "ASHASearchCV",
    "BaseSampledSearchCV",
    "BayesSearchCV",
    "CMAESSearchCV",
    "HyperbandSearchCV",
    "SearchCV",
    "TPESearchCV",
]
