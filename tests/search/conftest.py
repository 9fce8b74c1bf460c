"""Data and search classes for the tests of the searches."""

import pytest
from sklearn.datasets import load_iris, make_classification
from sklearn.model_selection import StratifiedShuffleSplit

from skhpo import (
    ASHASearchCV,
    BayesSearchCV,
    CMAESSearchCV,
    HyperbandSearchCV,
    SearchCV,
    TPESearchCV,
)

FULL_SEARCH_CLASSES = [SearchCV, TPESearchCV, BayesSearchCV, CMAESSearchCV]
SEARCH_CLASSES = [*FULL_SEARCH_CLASSES, HyperbandSearchCV, ASHASearchCV]


@pytest.fixture(params=FULL_SEARCH_CLASSES, ids=lambda cls: cls.__name__)
def full_search_class(request):
    """A search with one row for each candidate."""
    return request.param


@pytest.fixture(params=SEARCH_CLASSES, ids=lambda cls: cls.__name__)
def search_class(request):
    return request.param


@pytest.fixture(scope="session")
def iris():
    return load_iris(return_X_y=True)


@pytest.fixture
def two_folds():
    return StratifiedShuffleSplit(2, test_size=0.3, random_state=0)


@pytest.fixture(scope="session")
def data():
    return make_classification(120, 8, n_informative=4, flip_y=0.1, random_state=0)


@pytest.fixture(params=[HyperbandSearchCV, ASHASearchCV], ids=lambda cls: cls.__name__)
def budget_search(request):
    """A search that trains candidates a part of the way."""
    return request.param
