"""The estimators: thin, scikit-learn's contract at the public face."""

from skhpo.search._base import BaseSampledSearchCV
from skhpo.search._full import BayesSearchCV, CMAESSearchCV, SearchCV, TPESearchCV

__all__ = ["BaseSampledSearchCV", "BayesSearchCV", "CMAESSearchCV", "SearchCV", "TPESearchCV"]
