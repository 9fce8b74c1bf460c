"""Data and counters for the tests of adapters."""

import numpy as np
import pytest
from sklearn.datasets import make_classification, make_regression
from sklearn.preprocessing import StandardScaler


@pytest.fixture(scope="session")
def classes():
    """Three classes, named, hard enough that no model is done at once."""
    X, y = make_classification(150, 8, n_informative=5, n_classes=3, flip_y=0.2, random_state=0)
    return StandardScaler().fit_transform(X), np.array(["ash", "birch", "cedar"])[y]


@pytest.fixture(scope="session")
def numbers():
    """A target for regression, of unit scale."""
    X, y = make_regression(150, 8, noise=20, random_state=0)
    return StandardScaler().fit_transform(X), y / y.std()


@pytest.fixture(scope="session")
def weights():
    return np.random.default_rng(0).uniform(0.1, 2, 150)


@pytest.fixture
def counted(monkeypatch):
    """Function that counts the calls of a method from now on, in a list of one."""

    def count(owner, name):
        calls, original = [0], getattr(owner, name)

        def method(*args, **kwargs):
            calls[0] += 1
            return original(*args, **kwargs)

        monkeypatch.setattr(owner, name, method)
        return calls

    return count
