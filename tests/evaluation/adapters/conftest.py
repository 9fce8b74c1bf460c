"""Data and counters for the tests of adapters."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import make_classification, make_regression
from sklearn.preprocessing import LabelEncoder, StandardScaler

from skhpo.evaluation.adapters import find_adapter


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


@pytest.fixture(scope="session")
def tensors(classes):
    """The three classes as nets take them."""
    X, y = classes
    return X.astype(np.float32), LabelEncoder().fit_transform(y)


@pytest.fixture(scope="session")
def trained():
    """Function that trains a clone to one length after the other, through pickle or not."""

    def train(model, tensors, *lengths, pickled=True, seed=5):
        adapter, model = find_adapter(model), clone(model)
        memo = adapter.begin(model, lengths[0], *tensors, {}, seed)
        for length in lengths[1:]:
            if pickled:
                model, memo = pickle.loads(pickle.dumps((model, memo)))
            memo = adapter.extend(model, length, *tensors, {}, memo)
        return model

    return train


@pytest.fixture
def exact(trained, tensors, tmp_path, monkeypatch):
    """Function that compares what goes on with skorch's own fit, each in a folder of its own."""

    from skhpo.evaluation.adapters._skorch_callbacks import obstacle
    from tests.evaluation.adapters.skorch_helpers import LENGTHS, at_once, require_same, state

    def check(model, before=lambda: None, pickled=(False, True)):
        assert obstacle(model) is None
        results = []
        for folder in ("at_once", *(f"pickled_{value}" for value in pickled)):
            (tmp_path / folder).mkdir()
            monkeypatch.chdir(tmp_path / folder)
            before()
            if folder == "at_once":
                results.append(at_once(model, tensors))
            else:
                results.append(trained(model, tensors, *LENGTHS, pickled=folder.endswith("True")))
                require_same(state(results[-1]), state(results[0]))
                assert results[-1].max_epochs == LENGTHS[-1]
                assert find_adapter(model).can_extend(results[-1], {})
        return results

    return check
