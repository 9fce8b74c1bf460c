"""Data and search classes for the tests of the searches."""

import pytest
from sklearn.datasets import load_iris
from sklearn.model_selection import StratifiedShuffleSplit

from skhpo import BayesSearchCV, CMAESSearchCV, SearchCV, TPESearchCV

SEARCH_CLASSES = [SearchCV, TPESearchCV, BayesSearchCV, CMAESSearchCV]


@pytest.fixture(params=SEARCH_CLASSES, ids=lambda cls: cls.__name__)
def search_class(request):
    return request.param


@pytest.fixture(scope="session")
def iris():
    return load_iris(return_X_y=True)


@pytest.fixture
def two_folds():
    return StratifiedShuffleSplit(2, test_size=0.3, random_state=0)
